"""The words of a CEL source: enough to see what it reads, without depending on the evaluator's inner form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

Path = tuple[str, ...]

# Macros that bind a name: `list.map(x, ...)`. The first words after the parenthesis are names of their own.
BINDING_MACROS: Final = frozenset(
    (
        "all",
        "exists",
        "exists_one",
        "existsOne",
        "filter",
        "map",
        "optFlatMap",
        "optMap",
        "transformList",
        "transformMap",
    )
)

# A string without its end reaches to the end of the line (of the source, if tripled): so reading stays linear.
_RAW = r'(?:[bB]?[rR]|[rR][bB])(?:"""[\s\S]*?(?:"""|\Z)|\'\'\'[\s\S]*?(?:\'\'\'|\Z)|"[^"\n]*"?|\'[^\'\n]*\'?)'
_COOKED = (
    r'[bB]?(?:"""(?:\\[\s\S]|[^\\])*?(?:"""|\Z)|\'\'\'(?:\\[\s\S]|[^\\])*?(?:\'\'\'|\Z)'
    r'|"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?)'
)
_TOKEN = re.compile(
    rf"(?P<space>\s+|//[^\n]*)|(?P<string>{_RAW}|{_COOKED})|(?P<name>[^\W\d]\w*)|(?P<quoted>`[^`\n]+`)"
    r"|(?P<number>\d[\w.]*)|(?P<sign>[\s\S])"
)


class Token(NamedTuple):
    kind: str  # string, name, quoted, number, sign
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A name of the scope that a source reads, with the keys that follow it as far as they are fixed."""

    path: Path
    offset: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source reads and how it may grow: `additions` are `+` signs, `macros` its comprehensions.

    `nesting` is how many of them stand inside each other.
    """

    references: tuple[Reference, ...]
    bound: frozenset[str]
    additions: int
    macros: int
    nesting: int
    commas: int


def tokens(source: str, start: int = 0) -> Iterator[Token]:
    """The tokens from `start` on, spaces and comments left out."""
    for match in _TOKEN.finditer(source, start):
        kind = match.lastgroup or "sign"
        if kind != "space":
            yield Token(kind, match.group(), match.start())


def string_value(token: str) -> str | None:
    """What a string token says, where no escape makes that a question for the evaluator."""
    quote = token.lstrip("rRbB")
    if token[0] in "bB" or "\\" in token:
        return None
    width = 3 if quote[:3] in ('"""', "'''") else 1
    return quote[width:-width]


@lru_cache(maxsize=8192)
def read(source: str) -> Reading:
    words = list(tokens(source))
    bound = frozenset(_bound_names(words))
    return Reading(
        references=tuple(_references(words, bound)),
        bound=bound,
        additions=sum(word.text == "+" and word.kind == "sign" for word in words),
        macros=sum(_opens_macro(words, index) for index in range(len(words))),
        nesting=_nesting(words),
        commas=sum(word.text == "," and word.kind == "sign" for word in words),
    )


def _opens_macro(words: list[Token], index: int) -> bool:
    return (
        words[index].text in BINDING_MACROS
        and 0 < index < len(words) - 1
        and words[index - 1].text == "."
        and words[index + 1].text == "("
    )


def _nesting(words: list[Token]) -> int:
    open_: list[bool] = []  # for each open parenthesis whether it is a macro's
    deepest = 0
    for index, word in enumerate(words):
        if word.kind == "sign" and word.text == "(":
            open_.append(index > 0 and _opens_macro(words, index - 1))
            deepest = max(deepest, sum(open_))
        elif word.kind == "sign" and word.text == ")" and open_:
            open_.pop()
    return deepest


def _bound_names(words: list[Token]) -> Iterator[str]:
    for index in range(len(words)):
        if not _opens_macro(words, index):
            continue
        position = index + 2
        while position < len(words) - 1 and words[position].kind == "name" and words[position + 1].text == ",":
            yield words[position].text
            position += 2


def _references(words: list[Token], bound: frozenset[str]) -> Iterator[Reference]:
    for index, word in enumerate(words):
        if word.kind != "name" or word.text in _RESERVED or word.text in bound:
            continue
        if _follows_value(words, index) or (index + 1 < len(words) and words[index + 1].text == "("):
            continue
        yield Reference((word.text, *_keys(words, index + 1)), word.offset)


_RESERVED: Final = frozenset(("true", "false", "null", "in"))


def _follows_value(words: list[Token], index: int) -> bool:
    """Whether the name is a field of what stands before it (`a.name`), not a name of the scope (`.name`, `name`)."""
    before = index - 1
    if before >= 0 and words[before].text == "?" and before >= 1 and words[before - 1].text == ".":
        before -= 1
    if before < 0 or words[before].text != ".":
        return False
    if before == 0:
        return False
    earlier = words[before - 1]
    return earlier.kind != "sign" or earlier.text in ")]}"


def _keys(words: list[Token], index: int) -> Iterator[str]:
    """The fixed keys from `index` on: `.name`, `.?name`, `["text"]`, `[?"text"]`."""
    while index < len(words) - 1:
        opening = words[index].text
        optional = words[index + 1].text == "?" and words[index + 1].kind == "sign"
        at = index + 2 if optional else index + 1
        if at >= len(words):
            return
        if opening == "." and words[at].kind == "name":
            if at + 1 < len(words) and words[at + 1].text == "(":
                return  # a method of the value so far
            yield words[at].text
            index = at + 1
        elif opening == "." and words[at].kind == "quoted":
            yield words[at].text[1:-1]
            index = at + 1
        elif opening == "[" and words[at].kind == "string" and at + 1 < len(words) and words[at + 1].text == "]":
            key = string_value(words[at].text)
            if key is None:
                return
            yield key
            index = at + 2
        else:
            return
