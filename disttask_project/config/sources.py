"""Where a value may come from: environment, secret file, TOML; read once, faults kept instead of raised."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from disttask_project.config.keys import KEYS, OTHER_PREFIXES, OTHER_VARIABLES, PREFIX, TABLES, Key

TABLE_VARIABLES: Final = {f"{PREFIX}{table.replace('.', '_')}_".upper(): table for table in TABLES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with the configuration (naming key and source) and its mend."""

    id: str
    message: str
    mend: str
    setting: str = ""  # the one to put aside where the configuration is only looked at

    @property
    def is_error(self) -> bool:
        return self.id.startswith("E")

    def __str__(self) -> str:
        return f"disttask.{self.id}: {self.message}\n    {self.mend}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlFile:
    """One parsed TOML file; `label` is how messages name it."""

    label: str
    content: Mapping[str, Any] = field(default_factory=dict)

    def find(self, section: str, name: str, *, entry: str = "") -> Any:
        """`entry` is a name of the deployer's within the section; it may hold dots."""
        table: Any = self.content
        for part in [*section.split("."), *([entry] if entry else [])]:
            table = table.get(part) if isinstance(table, dict) else None
        return table.get(name) if isinstance(table, dict) else None


def read_toml(path: Path, *, label: str, faults: list[Fault]) -> TomlFile:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        faults.append(
            Fault(
                id="E003",
                message=f"The configuration file {label} does not exist.",
                mend="Correct DISTTASK_CONFIG, or copy configs/app.toml to that path.",
            )
        )
    except (OSError, UnicodeDecodeError) as error:
        faults.append(
            Fault(
                id="E003",
                message=f"The configuration file {label} cannot be read: {error}.",
                mend="Make it a UTF-8 text file that this user may read.",
            )
        )
    except tomllib.TOMLDecodeError as error:
        faults.append(
            Fault(
                id="E003",
                message=f"The configuration file {label} is not valid TOML: {error}.",
                mend="Correct that line; strings stand in quotes, sections in [brackets].",
            )
        )
    else:
        return TomlFile(label=label, content=content)
    return TomlFile(label=label)


def unknown_in_toml(file: TomlFile) -> Iterator[Fault]:
    """A fault for every section and key that nothing would read: a misspelt key must not pass in silence."""
    known: dict[str, set[str]] = {}
    for key in (*KEYS, *(key for keys in TABLES.values() for key in keys)):
        known.setdefault(key.section, set()).add(key.name)
    yield from _unknown(file, "", file.content, known)


def _unknown(file: TomlFile, path: str, table: Mapping[str, Any], known: Mapping[str, set[str]]) -> Iterator[Fault]:
    for name, value in table.items():
        inner = f"{path}.{name}" if path else name
        if inner in TABLES:
            yield from _unknown_entries(file, inner, value, known[inner])
        elif isinstance(value, dict) and (inner in known or any(other.startswith(f"{inner}.") for other in known)):
            yield from _unknown(file, inner, value, known)
        elif isinstance(value, dict):
            yield _unknown_name(file, f"section [{inner}]", inner, known)
        elif inner in known:
            yield Fault(
                id="E002",
                message=f"[{inner}] in {file.label} is a value, not a section.",
                mend=f"Write a section [{inner}] with its keys below.",
            )
        elif name not in known.get(path, set()):
            where = f"key {name!r} in [{path}]" if path else f"key {name!r} outside of any section"
            yield _unknown_name(file, where, name, known.get(path, set()))


def _unknown_entries(file: TomlFile, table: str, entries: Any, names: set[str]) -> Iterator[Fault]:
    rows = entries.items() if isinstance(entries, dict) else [("", entries)]
    for entry, values in rows:
        if not isinstance(values, dict):
            yield Fault(
                id="E002",
                message=f"[{table}] {entry} in {file.label} is a value, not a section.",
                mend=f"Write a section [{table}.NAME] with its keys below.",
            )
            continue
        for name in values:
            if name not in names:
                yield _unknown_name(file, f"key {name!r} in [{table}.{entry}]", name, names)


def _unknown_name(file: TomlFile, where: str, name: str, known: Any) -> Fault:
    near = get_close_matches(name, list(known), n=1)
    mend = f"Did you mean {near[0]!r}?" if near else "Remove it; configs/app.toml lists every key."
    return Fault(id="E002", message=f"Unknown {where} of {file.label}.", mend=mend)


def unknown_in_environment(environ: Mapping[str, str]) -> Iterator[Fault]:
    """A warning for every DISTTASK_ variable that nothing reads."""
    known = {key.env for key in KEYS} | OTHER_VARIABLES
    for name in sorted(environ):
        plain = name.removesuffix("_FILE")
        if not name.startswith(PREFIX) or plain in known or name.startswith((*OTHER_PREFIXES, *TABLE_VARIABLES)):
            continue
        near = get_close_matches(plain, sorted(known), n=1)
        mend = f"Did you mean {near[0]}?" if near else "Remove it, or see manage.py showconfig for the names."
        yield Fault(id="W001", message=f"The environment variable {name} is not known and has no effect.", mend=mend)


def from_environment(
    key: Key, variable: str, environ: Mapping[str, str], faults: list[Fault]
) -> tuple[str, str] | None:
    """(raw value, source) of `variable`, or of the file `{variable}_FILE` names; empty is unset."""
    if environ.get(variable):
        return environ[variable], f"environment {variable}"
    path = environ.get(f"{variable}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), f"file {path} ({variable}_FILE)"
    except (OSError, UnicodeDecodeError) as error:
        faults.append(
            Fault(
                id="E003",
                message=f"{key.label}: the file {path} named by {variable}_FILE cannot be read: {error}.",
                mend="Correct the path, or let the user that runs disttask read the file.",
            )
        )
        return None
