"""The Chinese catalogues: ours beside the sources, and the one for what the theme leaves untranslated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import polib
from django.conf import settings

from disttask_project.console.extraction import Found, messages_in

LOCALE: Final = "zh_Hans"
OWN: Final = ("disttask_project", "flows", "execution", "retries", "templates")
_HEADER: Final = {
    "Project-Id-Version": "disttask",
    "Language": LOCALE,
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Plural-Forms": "nplurals=1; plural=0;",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """A .po file with the messages it must hold."""

    path: Path
    wanted: frozenset[Found]

    @property
    def compiled(self) -> Path:
        return self.path.with_suffix(".mo")

    def read(self) -> polib.POFile:
        return polib.pofile(str(self.path), wrapwidth=0) if self.path.exists() else polib.POFile(wrapwidth=0)


def catalogues() -> list[Catalogue]:
    return [Catalogue(path=own_path(), wanted=own_messages()), Catalogue(path=theme_path(), wanted=theme_messages())]


def own_path() -> Path:
    return Path(settings.LOCALE_PATHS[0]) / LOCALE / "LC_MESSAGES" / "django.po"


def theme_path() -> Path:
    return Path(settings.LOCALE_PATHS[1]) / LOCALE / "LC_MESSAGES" / "django.po"


def own_messages() -> frozenset[Found]:
    return frozenset(messages_in(settings.BASE_DIR / name for name in OWN))


def theme_messages() -> frozenset[Found]:
    """The theme's messages that Django itself does not translate."""
    theme = _folder("unfold")
    known = _known(_folder("django").rglob(f"locale/{LOCALE}/LC_MESSAGES/django.mo"))
    found = messages_in([theme])
    return frozenset(each for each in found if (each.context, each.id) not in known and each.id.strip())


def update(catalogue: Catalogue) -> list[str]:
    """Bring the .po in step with its sources and compile it; gives the messages that want a translation."""
    before = {(entry.msgctxt or "", entry.msgid): entry for entry in catalogue.read()}
    made = polib.POFile(wrapwidth=0)
    made.metadata = dict(_HEADER)
    for each in sorted(_merged(catalogue.wanted), key=lambda entry: (entry.id, entry.context)):
        made.append(_entry(each, before.get((each.context, each.id))))
    catalogue.path.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(catalogue.path))
    made.save_as_mofile(str(catalogue.compiled))
    return [entry.msgid for entry in made if not entry.translated()]


def _merged(wanted: Iterable[Found]) -> list[Found]:
    """One entry an id: gettext keeps singular and plural of one id together."""
    by_id: dict[tuple[str, str], Found] = {}
    for each in sorted(wanted):
        by_id[each.context, each.id] = each  # sorted: the one with a plural comes last
    return list(by_id.values())


def _entry(each: Found, before: polib.POEntry | None) -> polib.POEntry:
    entry = polib.POEntry(msgid=each.id, msgctxt=each.context or None)
    old = (before.msgstr or before.msgstr_plural.get(0, "")) if before else ""
    if each.plural:
        entry.msgid_plural = each.plural
        entry.msgstr_plural = {0: old}
    else:
        entry.msgstr = old
    if "%(" in each.id:
        entry.flags = ["python-format"]
    return entry


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise LookupError(f"{package} is not installed")
    return Path(spec.origin).parent


def _known(files: Iterable[Path]) -> set[tuple[str, str]]:
    known: set[tuple[str, str]] = set()
    for file in files:
        known |= {
            (entry.msgctxt or "", entry.msgid)
            for entry in polib.mofile(str(file))
            if entry.msgstr or entry.msgstr_plural
        }
    return known
