"""What services work with, made once a process: the store and the failure port; and how the store's faults are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string
from flows.selectors import compiled_version

from disttask_project.kernel.errors import InvalidInput, Unavailable
from disttask_project.kernel.messages import text
from execution.engine.port import FailurePort
from execution.stores.base import RecordRefused, Store, StoreUnavailable
from execution.stores.sql.store import SqlStore


@cache
def store() -> Store:
    """The store of this deployment."""
    return SqlStore(compiled=compiled_version, tables=failure_port().tables)


@cache
def failure_port() -> FailurePort:
    """Who decides about failures, as settings name it (architecture 4.8)."""
    made: FailurePort = import_string(settings.DISTTASK["FAILURE_PORT"])()
    return made


@contextmanager
def telling_store_faults() -> Iterator[None]:
    """The store's own faults as errors that a caller is told about."""
    try:
        yield
    except StoreUnavailable as error:
        raise Unavailable(text("The database is away or busy. Ask again in a moment.")) from error
    except RecordRefused as error:
        raise InvalidInput(text("The database cannot store this content."), symbol="RECORD_REFUSED") from error
