"""A catalog with task types of our own, and documents to check against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from disttask_project.kernel.errors import Problem
from disttask_project.kernel.messages import text
from flows.domain.catalog import Catalog, CatalogEntry, TaskType, TaskTypes, code_catalog
from flows.domain.compiled import CompiledFlow, InputField
from flows.domain.definition import Report, check_definition, compile_flow, pin_definition


def url_problems(config: Mapping[str, Any]) -> list[Problem]:
    """What the http type of these tests wants: a url that is a string."""
    if "url" not in config:
        return [Problem(loc=("url",), code="required", message=text("This key is required."))]
    if not isinstance(config["url"], str):
        return [Problem(loc=("url",), code="wrong_type", message=text("Must be a string."))]
    return []


def no_problems(_config: Mapping[str, Any]) -> list[Problem]:
    return []


def types() -> TaskTypes:
    registry = TaskTypes()
    registry.register(TaskType(name="http", config_problems=url_problems))
    for name in ("rpc", "db", "noop"):
        registry.register(TaskType(name=name, config_problems=no_problems))
    registry.register(TaskType(name="mq", config_problems=no_problems, idempotent=False))
    return registry


def catalog(*entries: CatalogEntry) -> Catalog:
    base = code_catalog(types())
    return Catalog(entries={**base.entries, **{entry.name: entry for entry in entries}}, types=base.types)


def entry(name: str = "charge", *fields: InputField, **config: Any) -> CatalogEntry:
    return CatalogEntry(name=name, type="noop", config=config, input_fields=fields)


def task(id_: str = "a", *depends_on: str, **more: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"id": id_, "task_name": "noop", **more}
    if depends_on:
        document["depends_on"] = list(depends_on)
    return document


def flow(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "f", "tasks": list(tasks or (task(),)), **more}


def report(document: object, *entries: CatalogEntry, **more: Any) -> Report:
    return check_definition(document, catalog=catalog(*entries), **more)


def found(document: object, *entries: CatalogEntry, **more: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Places and codes of the problems."""
    return [(problem.loc, problem.code) for problem in report(document, *entries, **more).problems]


def warned(document: object, *entries: CatalogEntry) -> list[tuple[tuple[str | int, ...], str]]:
    return [(problem.loc, problem.code) for problem in report(document, *entries).warnings]


def messages(document: object, *entries: CatalogEntry) -> list[str]:
    return [str(problem.message) for problem in report(document, *entries).problems]


def compiled(document: object, *entries: CatalogEntry) -> CompiledFlow:
    return compile_flow(pin_definition(document, catalog(*entries)))
