"""Chinese is complete: nothing untranslated, nothing fuzzy, nothing that the sources say and the catalogue does not."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import polib
import pytest
from django.utils import translation
from django.utils.translation import gettext, ngettext

from disttask_project.console.catalogue import Catalogue, catalogues
from disttask_project.i18n import translated
from disttask_project.kernel.messages import text
from flows.admin.task_types import CODE_TEXTS
from flows.domain.catalog import CODE_ENTRIES, TASK_TYPES

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w*)\}")
NAMES = ("own", "theme")


@cache
def both() -> dict[str, Catalogue]:
    return dict(zip(NAMES, catalogues(), strict=True))


def strings(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_exactly_what_the_sources_say(name: str) -> None:
    wanted = {(each.context, each.id) for each in both()[name].wanted}
    held = {(entry.msgctxt or "", entry.msgid) for entry in both()[name].read() if not entry.obsolete}
    assert wanted - held == set(), "run: make messages"
    assert held - wanted == set(), "run: make messages"


@pytest.mark.parametrize("name", NAMES)
def test_it_leaves_nothing_untranslated_or_fuzzy(name: str) -> None:
    entries = both()[name].read()
    assert [entry.msgid for entry in entries if entry.fuzzy or not all(strings(entry))] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_every_placeholder(name: str) -> None:
    for entry in both()[name].read():
        wanted = {match[0] for match in PLACEHOLDER.finditer(entry.msgid)}
        for shown in strings(entry):
            held = Counter(match[0] for match in PLACEHOLDER.finditer(shown))
            assert set(held) == wanted, entry.msgid


@pytest.mark.parametrize("name", NAMES)
def test_its_compiled_form_is_in_step(name: str) -> None:
    source = {(entry.msgctxt, entry.msgid): strings(entry) for entry in both()[name].read()}
    compiled = polib.mofile(str(both()[name].compiled))
    assert {(entry.msgctxt, entry.msgid): strings(entry) for entry in compiled} == source, "run: make messages"


def test_it_speaks_chinese_for_our_strings_the_themes_and_the_domains() -> None:
    with translation.override("zh-hans"):
        assert gettext("Retry with changed input") == "修改输入后重试"
        assert gettext("Welcome back to") == "欢迎回到"
        assert ngettext("%(n)d day", "%(n)d days", 3) % {"n": 3} == "3 天"
        assert translated(text("Waiting for a person: {tasks}.", tasks="deduct")) == "等待人工处理：deduct。"


def test_it_translates_what_the_code_says_of_its_task_types() -> None:
    said = {entry.description for entry in (*CODE_ENTRIES, *TASK_TYPES)} - {""}
    assert said - set(CODE_TEXTS) == set()
