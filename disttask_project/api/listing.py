"""Lists: what a page is asked by, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from disttask_project.api.fields import Field, Spec
from disttask_project.paging import MAX_PAGE_SIZE, Page, PageRequest

T = TypeVar("T")

PAGING: Final[Spec] = {
    "page": Field(kind="integer", default=1, minimum=1),
    "page_size": Field(kind="integer", default=20, minimum=1, maximum=MAX_PAGE_SIZE),
    "cursor": Field(default="", max_length=500, description="`pagination.next` of the page before"),
    "ordering": Field(default="", max_length=40, description="a declared field, `-` in front for downwards"),
}


def page_request(query: Mapping[str, Any]) -> PageRequest:
    return PageRequest(
        page=query["page"], page_size=query["page_size"], cursor=query["cursor"], ordering=query["ordering"]
    )


def listed(page: Page[Any], show: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """`{list, pagination}`."""
    return {
        "list": [show(row) for row in page.rows],
        "pagination": {
            "page": page.page,
            "page_size": page.page_size,
            "total": page.total,
            "next": page.next,
        },
    }


def whole(rows: Iterable[T], show: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """A list that is never longer than one page."""
    shown = [show(row) for row in rows]
    return {
        "list": shown,
        "pagination": {"page": 1, "page_size": len(shown), "total": len(shown), "next": None},
    }
