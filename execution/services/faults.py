"""The store's own faults as errors that a caller is told about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from disttask_project.kernel.errors import InvalidInput, Unavailable
from disttask_project.kernel.messages import text
from execution.stores.base import RecordRefused, StoreUnavailable


@contextmanager
def telling_store_faults() -> Iterator[None]:
    """Raises `Unavailable` where the same call may work later, `InvalidInput` where it never will."""
    try:
        yield
    except StoreUnavailable as error:
        raise Unavailable(text("The database is away or busy. Ask again in a moment.")) from error
    except RecordRefused as error:
        raise InvalidInput(text("The database cannot store this content."), symbol="RECORD_REFUSED") from error
