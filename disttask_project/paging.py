"""Pages of a big table: by cursor at any depth, by number near the front, and counted only where that is cheap."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from disttask_project.kernel.errors import InvalidInput, Problem
from disttask_project.kernel.messages import Message, text

M = TypeVar("M", bound=Model)
T = TypeVar("T")

DEFAULT_PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 200
MAX_OFFSET: Final = 10_000  # deeper pages are asked for by cursor: OFFSET reads all that it skips
COUNT_LIMIT: Final = 10_000  # a total above this is not counted out


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """What a caller may say about a page; `ordering` is a declared name, `-` in front for downwards."""

    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE
    cursor: str = ""
    ordering: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """`total` is None where counting would scan; `next` continues behind the last row, None at the end."""

    rows: Sequence[T]
    page: int
    page_size: int
    total: int | None
    next: str | None


def paginate(
    rows: QuerySet[M],
    asked: PageRequest,
    *,
    orderings: Mapping[str, str],
    default: str,
    countable: bool = True,
) -> Page[M]:
    """One page. `orderings` maps each declared name to its column; the primary key breaks ties."""
    ordering = asked.ordering or default
    name = ordering.lstrip("-")
    if name not in orderings:
        _refuse("ordering", "not_a_choice", text("{name} is none of: {known}.", name=name, known=_known(orderings)))
    column, down = orderings[name], ordering.startswith("-")
    size = min(max(asked.page_size, 1), MAX_PAGE_SIZE)
    ordered = rows.order_by(*_order(column, down=down))
    if asked.cursor:
        found = list(ordered.filter(_behind(asked.cursor, ordering, column, down=down))[: size + 1])
        total = None
    else:
        offset = (max(asked.page, 1) - 1) * size
        if offset > MAX_OFFSET:
            _refuse("page", "too_deep", text("Pages this deep are read by cursor: follow pagination.next."))
        found = list(ordered[offset : offset + size + 1])
        total = _total(rows, offset, size, len(found)) if countable else None
    more, shown = len(found) > size, found[:size]
    following = _cursor(ordering, _value(shown[-1], column), str(shown[-1].pk)) if more else None
    return Page(rows=shown, page=asked.page, page_size=size, total=total, next=following)


def bounded_count(rows: QuerySet[Any], *, limit: int = COUNT_LIMIT) -> int | None:
    """How many rows, or None beyond `limit`: at most that many index entries are read."""
    count = rows.order_by().values("pk")[: limit + 1].count()
    return count if count <= limit else None


def _total(rows: QuerySet[Any], offset: int, size: int, found: int) -> int | None:
    if 0 < found <= size or (offset == 0 and not found):
        return offset + found  # the last page tells the total by itself
    return bounded_count(rows)


def _order(column: str, *, down: bool) -> list[str]:
    sign = "-" if down else ""
    return [f"{sign}{column}"] if column == "pk" else [f"{sign}{column}", f"{sign}pk"]


def _value(row: Model, column: str) -> Any:
    value = row
    for part in column.split("__"):
        value = getattr(value, part)
    return value


def _behind(cursor: str, ordering: str, column: str, *, down: bool) -> Q:
    value, key = _read(cursor, ordering)
    step = "lt" if down else "gt"
    if column == "pk":
        return Q(**{f"pk__{step}": key})
    # The first, redundant condition is the one an index range can be made of.
    tie = Q(**{column: value, f"pk__{step}": key})
    return Q(**{f"{column}__{step}e": value}) & (Q(**{f"{column}__{step}": value}) | tie)


def _cursor(ordering: str, value: Any, key: str) -> str:
    kind, plain = ("t", value.isoformat()) if isinstance(value, datetime) else ("v", value)
    packed = json.dumps([ordering, kind, plain, key], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _read(cursor: str, ordering: str) -> tuple[Any, str]:
    try:
        packed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        said, kind, plain, key = json.loads(packed)
        value = datetime.fromisoformat(plain) if kind == "t" else plain
        good = said == ordering and isinstance(key, str) and isinstance(value, datetime | str | int)
    except (binascii.Error, ValueError, TypeError, UnicodeDecodeError):
        good, value, key = False, None, ""
    if not good:
        _refuse("cursor", "bad_cursor", text("This cursor does not belong to this list and ordering."))
    return value, key


def _known(orderings: Mapping[str, str]) -> str:
    return ", ".join(sorted(orderings))


def _refuse(name: str, code: str, message: Message) -> None:
    raise InvalidInput(message, problems=[Problem(loc=(name,), code=code, message=message)])
