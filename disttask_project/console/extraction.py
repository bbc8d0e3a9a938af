"""Every translatable string of a tree, found without gettext's own tools: those are not on every machine.

Python is read as a syntax tree (`_`, `gettext...`, and the domain's `text`), templates through Django's `templatize`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.utils.translation import templatize

# Function name -> what its leading string arguments are.
_CALLS: Final = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "text"), ("id",)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), ("id", "plural")),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ("context", "id")),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ("context", "id", "plural")),
}
_STRING: Final = r"""u?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
_TEMPLATE_CALL: Final = re.compile(rf"\b(_|n?p?gettext)\(\s*({_STRING}(?:\s*,\s*{_STRING})*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Found:
    """One message: its context ("" for none), its English text and its plural ("" for none)."""

    context: str = ""
    id: str
    plural: str = ""


def messages_in(folders: Iterable[Path], *, without: Iterable[str] = ("migrations", "node_modules")) -> set[Found]:
    """All messages of the Python files and templates under `folders`."""
    found: set[Found] = set()
    left_out = set(without)
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if left_out.intersection(path.relative_to(folder).parts):
                continue
            if path.suffix == ".py":
                found.update(_of_python(path.read_text()))
            elif path.suffix in (".html", ".txt"):
                found.update(_of_template(path.read_text()))
    return found


def _of_python(source: str) -> Iterator[Found]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name not in _CALLS or (name == "text" and not isinstance(node.func, ast.Name)):
            continue
        strings = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if len(strings) >= len(_CALLS[name]):
            yield _found(name, strings)


def _of_template(source: str) -> Iterator[Found]:
    for name, strings in _TEMPLATE_CALL.findall(templatize(source)):
        yield _found(name, [ast.literal_eval(each) for each in re.findall(_STRING, strings, re.DOTALL)])


def _found(name: str, strings: list[str]) -> Found:
    # A later argument that is a string too (a default, a variable's name) belongs to no message.
    return Found(**dict(zip(_CALLS[name], strings, strict=False)))
