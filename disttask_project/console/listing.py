"""Lists that stay fast at any size: keyset pages over an indexed order, and no COUNT."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.dateparse import parse_datetime

from disttask_project.kernel import json
from disttask_project.kernel.errors import Malformed

PAGE_SIZE: Final = 50
CURSOR: Final = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one page and the query strings of its neighbours ("" where there is none)."""

    rows: Sequence[Any]
    next_query: str
    first_query: str


class FilterForm(forms.Form):
    """Filters of a list: a GET form whose state is the URL. Wrong values are shown as errors and left out."""

    # Fields that open the second row ("more filters") are named here.
    more: Sequence[str] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.required = False
            field.widget.attrs.setdefault("id", f"filter-{name}")
        self.is_valid()

    def value(self, name: str) -> Any:
        return self.cleaned_data.get(name) or None

    def is_used(self) -> bool:
        return any(self.cleaned_data.get(name) for name in self.fields)

    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.more]

    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.more]

    def more_used(self) -> bool:
        return any(self.cleaned_data.get(name) or name in self.errors for name in self.more)


def keyset_page(rows: QuerySet[Any], request: HttpRequest, *, time: str, size: int = PAGE_SIZE) -> Page:
    """One page in the order (-`time`, -pk), starting behind the row that the URL's cursor names."""
    after = _decode(request.GET.get(CURSOR, ""))
    if after is not None:
        at, key = after
        rows = rows.filter(**{f"{time}__lte": at}).exclude(Q(**{time: at}) & Q(pk__gte=key))
    found = list(rows.order_by(f"-{time}", "-pk")[: size + 1])
    shown = found[:size]
    next_query = ""
    if len(found) > size:
        next_query = _query(request.GET, _encode(getattr(shown[-1], time), str(shown[-1].pk)))
    return Page(rows=shown, next_query=next_query, first_query=_query(request.GET, "") if after else "")


def _query(current: QueryDict, cursor: str) -> str:
    changed = current.copy()
    changed.pop(CURSOR, None)
    if cursor:
        changed[CURSOR] = cursor
    return f"?{changed.urlencode()}"


def _encode(at: datetime, key: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), key]).encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str] | None:
    """None for no cursor and for one that is not ours: a mangled link shows the first page."""
    try:
        at, key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        moment = parse_datetime(str(at))
    except (binascii.Error, ValueError, TypeError, Malformed):
        return None
    return (moment, str(key)) if moment and moment.tzinfo else None
