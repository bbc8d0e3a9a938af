"""JSON values in which strings hold `${...}`.

A string that is one `${...}` becomes the expression's value; inside longer text the value is written into it.
`$${` is a literal `${`. `${secret:NAME}` is no expression: it stays as it is until the call is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from flows.domain import tokens
from flows.domain.compiled import Expression, ExpressionError, Scope
from flows.domain.expressions import expression, kind_of

SECRET: Final = re.compile(r"\$\{secret:([A-Za-z][A-Za-z0-9_]{0,63})\}")
_MARK: Final = "${secret:"
_PLAIN: Final = re.compile(r"""([^{}"'`/]*)\}""")  # neither braces nor what could hide one

Renderer = Callable[[Scope], JSON]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A `${source}` found in a string, at `offset`."""

    source: str
    offset: int


@dataclass(frozen=True, slots=True)
class Secret:
    """A `${secret:NAME}`, kept as its text."""

    reference: str
    offset: int


Part = str | Embedded | Secret


class TemplateFault(Exception):
    """A string whose `${` does not end. `offset` is where it starts."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def parse(string: str) -> list[Part]:
    """The parts of a string; raises `TemplateFault`."""
    parts: list[Part] = []
    literal: list[str] = []
    position = 0
    while (sign := string.find("${", position)) >= 0:
        if sign > position and string[sign - 1] == "$":
            literal.append(string[position : sign - 1] + "${")
            position = sign + 2
            continue
        literal.append(string[position:sign])
        if any(literal):
            parts.append("".join(literal))
        literal.clear()
        part, position = _embedded(string, sign)
        parts.append(part)
    literal.append(string[position:])
    if any(literal):
        parts.append("".join(literal))
    return parts


def _embedded(string: str, sign: int) -> tuple[Part, int]:
    if string.startswith(_MARK, sign):
        match = SECRET.match(string, sign)
        if match is None:
            raise TemplateFault(text("A secret is written ${secret:NAME}: a letter, then letters, digits and _."), sign)
        return Secret(match[0], sign), match.end()
    start = sign + 2
    plain = _PLAIN.match(string, start)
    if plain is not None:
        return Embedded(plain[1], start), plain.end()
    depth = 0
    for word in tokens.tokens(string, start):
        if word.kind == "sign" and word.text == "{":
            depth += 1
        elif word.kind == "sign" and word.text == "}":
            if depth == 0:
                return Embedded(string[start : word.offset], start), word.offset + 1
            depth -= 1
    raise TemplateFault(text("The expression has no closing brace."), sign)


def strings_in(value: JSON) -> Iterator[tuple[tuple[str | int, ...], str, bool]]:
    """Every string that may be a template with its path; keys of objects too, marked True."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while stack:
        loc, item = stack.pop()
        if isinstance(item, str):
            if "${" in item:
                yield loc, item, False
        elif isinstance(item, Mapping):
            for key in item:
                if "${" in key:
                    yield (*loc, key), key, True
            stack.extend(((*loc, key), inner) for key, inner in reversed(list(item.items())))
        elif isinstance(item, list | tuple):
            stack.extend(((*loc, index), item[index]) for index in range(len(item) - 1, -1, -1))


class CompiledTemplate:
    """The template of one JSON value, compiled at its first use.

    What holds no expression is shared between renderings, so nobody changes a rendered value in place.
    """

    __slots__ = ("_compiled", "_keeps_secrets", "source")

    def __init__(self, source: JSON, *, keeps_secrets: bool = False) -> None:
        self.source = source
        self._keeps_secrets = keeps_secrets
        self._compiled: tuple[JSON, Renderer | None] | None = None

    def __repr__(self) -> str:
        return f"CompiledTemplate({self.source!r})"

    @property
    def is_constant(self) -> bool:
        return self._ready()[1] is None

    def render(self, scope: Scope) -> JSON:
        constant, renderer = self._ready()
        return constant if renderer is None else renderer(scope)

    def _ready(self) -> tuple[JSON, Renderer | None]:
        # Two threads may both compile: they make the same, and storing it is one step.
        if self._compiled is None:
            self._compiled = _compile(self.source, keeps_secrets=self._keeps_secrets)
        return self._compiled


def template(source: JSON, *, keeps_secrets: bool = False) -> CompiledTemplate:
    """Compile a value. `keeps_secrets` (config): references to secrets stay, and no other value may bring one in."""
    return CompiledTemplate(source, keeps_secrets=keeps_secrets)


def _compile(value: JSON, *, keeps_secrets: bool) -> tuple[JSON, Renderer | None]:
    """The value itself where it is constant, else what renders it. Depth is bounded by what JSON we accept."""
    if isinstance(value, str):
        return _compile_text(value, keeps_secrets=keeps_secrets) if "${" in value else (value, None)
    if isinstance(value, Mapping):
        fields = {key: _compile(inner, keeps_secrets=keeps_secrets) for key, inner in value.items()}
        if all(renderer is None for _, renderer in fields.values()):
            return {key: constant for key, (constant, _) in fields.items()}, None
        items = tuple((key, constant, renderer) for key, (constant, renderer) in fields.items())
        return None, lambda scope: {
            key: constant if renderer is None else renderer(scope) for key, constant, renderer in items
        }
    if isinstance(value, list | tuple):
        elements = [_compile(inner, keeps_secrets=keeps_secrets) for inner in value]
        if all(renderer is None for _, renderer in elements):
            return [constant for constant, _ in elements], None
        return None, lambda scope: [
            constant if renderer is None else renderer(scope) for constant, renderer in elements
        ]
    return value, None


def _compile_text(string: str, *, keeps_secrets: bool) -> tuple[JSON, Renderer | None]:
    try:
        parts = parse(string)
    except TemplateFault as fault:
        return None, _failing(fault.message)
    ready: list[str | Expression] = []
    for part in parts:
        if isinstance(part, Embedded):
            ready.append(expression(part.source))
        else:
            ready.append(part.reference if isinstance(part, Secret) else part)
    if all(isinstance(part, str) for part in ready):
        return "".join(map(str, ready)), None
    secrets = [part.reference for part in parts if isinstance(part, Secret)]
    if len(ready) == 1 and not isinstance(ready[0], str):
        return None, _single(ready[0], keeps_secrets=keeps_secrets)
    return None, _interpolated(ready, secrets, keeps_secrets=keeps_secrets)


def _failing(message: str) -> Renderer:
    def fail(_scope: Scope) -> JSON:
        raise ExpressionError(message)

    return fail


def _single(inner: Expression, *, keeps_secrets: bool) -> Renderer:
    if not keeps_secrets:
        return inner.evaluate

    def render(scope: Scope) -> JSON:
        value = inner.evaluate(scope)
        _refuse_secrets(value, inner.source)
        return value

    return render


def _interpolated(parts: list[str | Expression], secrets: list[str], *, keeps_secrets: bool) -> Renderer:
    def render(scope: Scope) -> JSON:
        whole = "".join(part if isinstance(part, str) else _as_text(part, scope) for part in parts)
        if keeps_secrets and whole.count(_MARK) != len(secrets):
            raise _secret_error(whole)
        return whole

    return render


def _as_text(inner: Expression, scope: Scope) -> str:
    value = inner.evaluate(scope)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    reason = text("{source}: {kind} cannot be put into a text", source=inner.source, kind=kind_of(value))
    raise ExpressionError(reason, code="EXPRESSION_TYPE")


def _refuse_secrets(value: JSON, source: str) -> None:
    """A value from outside that names a secret would have it sent wherever the caller likes."""
    for _, string, _ in strings_in(value):
        if _MARK in string:
            raise _secret_error(source)


def _secret_error(source: str) -> ExpressionError:
    shown = source if len(source) <= 120 else source[:117] + "..."
    return ExpressionError(
        text("{source}: a value may not bring a reference to a secret into the config", source=shown),
        code="SECRET_IN_VALUE",
    )
