"""Joins the engine's parts as the settings name them: store, failure port, executors."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from execution.engine.port import FailurePort
from execution.engine.settings import EngineSettings
from execution.engine.target_settings import TargetSettings
from execution.executors.base import Executor, executor_types
from execution.stores.base import Store
from execution.stores.sql.store import SqlStore
from flows.selectors import compiled_version


@cache
def engine_settings() -> EngineSettings:
    return EngineSettings.of_config(settings.DISTTASK)


@cache
def target_settings() -> TargetSettings:
    return TargetSettings.of_config(settings.DISTTASK)


@cache
def failure_port() -> FailurePort:
    port: FailurePort = import_string(settings.DISTTASK["FAILURE_PORT"])()
    return port


@cache
def current_store() -> Store:
    """The store of the default database; one object serves all threads."""
    return SqlStore(compiled=compiled_version, tables=failure_port().tables)


def new_executors() -> dict[str, Executor]:
    """One object a type. Made after a fork: executors may hold clients."""
    return {name: type_() for name, type_ in executor_types().items()}
