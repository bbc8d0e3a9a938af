"""The list of error symbols is complete, holds nothing dead, and its page is in step."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from django.core.management import call_command

from disttask_project.api.errors import PROTOCOL, STATUSES
from disttask_project.api.symbols import SYMBOLS

ROOT = Path(__file__).parents[3]
# Defaults of the error classes that are never raised by themselves.
BASES = {"ERROR"}


def symbols_in_the_code() -> set[str]:
    found = {symbol for _kind, _status, symbol, _message in PROTOCOL}
    for app in ("disttask_project", "flows", "execution", "retries"):
        for path in (ROOT / app).rglob("*.py"):
            constants = {}
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in tree.body:
                if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant):
                    constants[ast.unparse(node.target)] = node.value
            found |= {value for node in ast.walk(tree) for value in _symbols_of(node, constants)}
    return found - BASES


def _symbols_of(node: ast.AST, constants: dict[str, ast.Constant]) -> Iterator[str]:
    values: list[ast.expr] = []
    if isinstance(node, ast.Call):
        values = [keyword.value for keyword in node.keywords if keyword.arg == "symbol"]
        if isinstance(node.func, ast.Name) and node.func.id == "Refused" and node.args:
            values.append(node.args[0])
    elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "symbol":
        values = [node.value]
    for value in values:
        constant = constants.get(value.id) if isinstance(value, ast.Name) else value
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
            yield constant.value


def test_every_symbol_is_listed_and_none_is_dead() -> None:
    # An act that the engine does not know never gets so far: services refuse it as NOT_AVAILABLE.
    assert symbols_in_the_code() - {"UNKNOWN_ACT"} == set(SYMBOLS)


def test_the_statuses_are_those_of_the_one_table() -> None:
    for _kind, status, symbol, _message in PROTOCOL:
        assert SYMBOLS[symbol][0] == status
    for kind, status in STATUSES:
        if kind.symbol not in BASES:
            assert SYMBOLS[kind.symbol][0] == status


def test_the_page_is_in_step() -> None:
    call_command("errordocs", check=True)
