"""How much text one evaluation may make: a thread's own account, granted before and spent by our functions."""

from __future__ import annotations

import threading
from typing import Final

DEFAULT_ALLOWANCE: Final = 16 * 2**20
OVERSPENT: Final = "the expression makes too much text"


class _Allowance(threading.local):
    """What the calling thread's evaluation may still make, and how long one value may be."""

    total = DEFAULT_ALLOWANCE
    each = DEFAULT_ALLOWANCE


_allowance = _Allowance()


def grant(total: int, each: int) -> None:
    """Set what this thread's next evaluation may make."""
    _allowance.total, _allowance.each = total, each


def spend(size: int) -> None:
    """Count `size` characters about to be made; raises `ValueError` past the grant."""
    _allowance.total -= size
    if size > _allowance.each or _allowance.total < 0:
        raise ValueError(OVERSPENT)


def made(text: str) -> str:
    """`text`, counted."""
    spend(len(text))
    return text
