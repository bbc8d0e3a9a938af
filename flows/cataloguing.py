"""Writing the task catalog: one way for console, REST and commands. Versions that are saved keep what they pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.db import transaction

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.clock import SystemClock
from disttask_project.kernel.errors import Conflict, InvalidInput, Problem
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from flows import repository, selectors
from flows.domain.catalog import (
    CODE_ENTRIES,
    TASK_TYPES,
    CatalogEntry,
    entry_problems,
    field_as_json,
    field_from_json,
)
from flows.domain.problems import Problems
from flows.models import TaskDefinition

EDIT_CATALOG = "flows.edit_task_definition"
MAX_ENTRIES: Final = 1_000
_EMPTY: Final[Mapping[str, Any]] = {
    "name": None,
    "type": None,
    "description": "",
    "config": {},
    "input_fields": (),
    "example": None,
}

_clock = SystemClock()


def save_task_definition(
    *,
    name: str,
    type: str,  # noqa: A002  the field's own name
    actor: Actor,
    description: str = "",
    config: Mapping[str, Any] | None = None,
    input_fields: Sequence[Any] = (),
    example: Mapping[str, Any] | None = None,
) -> TaskDefinition:
    """Add a catalog entry or change it. Versions already saved keep what they were saved with.

    Raises `Forbidden`, `InvalidInput` with every problem, `Conflict` for an entry that the code owns.
    """
    actor.require(EDIT_CATALOG)
    document = {
        "name": name,
        "type": type,
        "description": description,
        "config": config or {},
        "input_fields": input_fields,
        "example": example,
    }
    problems = entry_problems(document, TASK_TYPES)
    if problems:
        raise InvalidInput(text("The task type has problems: {count}.", count=len(problems)), problems=problems)
    with transaction.atomic():
        return _put(_entry(document), actor=actor)


def _entry(document: Mapping[str, Any]) -> CatalogEntry:
    return CatalogEntry(**{**document, "input_fields": tuple(map(field_from_json, document["input_fields"]))})


def _put(entry: CatalogEntry, *, actor: Actor) -> TaskDefinition:
    before = TaskDefinition.objects.filter(pk=entry.name).first()
    if before is not None and before.is_code:
        raise _owned_by_code(entry.name)
    row, is_new = repository.put_task_definition(entry, user=actor.name, now=_clock.now())
    record(
        actor=actor,
        act="create_task_definition" if is_new else "edit_task_definition",
        object_type="task_definition",
        object_id=entry.name,
        before=None if before is None else _shown(before),
        after=_shown(row),
    )
    return row


def delete_task_definition(*, name: str, actor: Actor, reason: str = "") -> None:
    """Take an entry out of the catalog; versions already saved keep it, new ones cannot name it."""
    actor.require(EDIT_CATALOG)
    with transaction.atomic():
        row = selectors.get_task_definition(name)
        if row.is_code:
            raise _owned_by_code(name)
        before = _shown(row)
        repository.remove_task_definition(row)
        record(
            actor=actor,
            act="delete_task_definition",
            object_type="task_definition",
            object_id=name,
            reason=reason,
            before=before,
        )


def _owned_by_code(name: str) -> Conflict:
    return Conflict(
        text("{name} comes with the code and cannot be changed here; make an entry under another name.", name=name),
        symbol="CODE_ENTRY",
    )


def _shown(row: TaskDefinition) -> dict[str, JSON]:
    """All that an entry says, but its name."""
    fields = [field_as_json(item) for item in selectors.as_entry(row).input_fields]
    said: dict[str, JSON] = {"type": row.type, "description": row.description, "config": row.config}
    return {**said, "input_fields": fields, "example": row.example}


def export_catalog() -> dict[str, JSON]:
    """The entries that people made, as a document that `import_catalog` reads; the code brings its own."""
    rows = TaskDefinition.objects.filter(is_code=False).order_by("name")
    return {"task_definitions": [{"name": row.name, **_shown(row)} for row in rows]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import makes of one entry, and the flows that would use the changed form at their next save."""

    name: str
    outcome: Literal["added", "changed", "unchanged"]
    used_by: Sequence[str] = ()


def import_catalog(*, document: Any, actor: Actor, dry_run: bool = False) -> list[Imported]:
    """Put in every entry of an export, or none: all problems at once, each under its entry. `dry_run` only tells.

    Entries that the document does not name stay. Raises `Forbidden`, `InvalidInput`.
    """
    actor.require(EDIT_CATALOG)
    items = _checked_items(document)
    with transaction.atomic():
        stored = {row.name: row for row in TaskDefinition.objects.filter(name__in=[item["name"] for item in items])}
        told: list[Imported] = []
        for item in items:
            entry, before = _entry(item), stored.get(item["name"])
            told.append(_compared(entry, before))
            if not dry_run and told[-1].outcome != "unchanged":
                _put(entry, actor=actor)
    return told


def _compared(entry: CatalogEntry, before: TaskDefinition | None) -> Imported:
    if before is None:
        return Imported(name=entry.name, outcome="added")
    if not repository.differs(before, entry):
        return Imported(name=entry.name, outcome="unchanged")
    used_by = [flow.name for flow in selectors.flows_using(entry.name)]
    return Imported(name=entry.name, outcome="changed", used_by=used_by)


def _checked_items(document: Any) -> list[dict[str, Any]]:
    items = document.get("task_definitions") if isinstance(document, Mapping) else None
    if not isinstance(items, list) or len(items) > MAX_ENTRIES:
        message = text("Must be an object with a list task_definitions of at most {most} entries.", most=MAX_ENTRIES)
        problem = Problem(loc=("task_definitions",), code="wrong_type", message=message)
        raise InvalidInput(text("This is no export of a task catalog."), problems=[problem])
    problems = Problems()
    names: set[str] = set()
    code = {entry.name for entry in CODE_ENTRIES}
    for index, item in enumerate(items):
        loc = ("task_definitions", index)
        if not isinstance(item, Mapping):
            problems.add(loc, "wrong_type", text("Must be an object."))
            continue
        for key in sorted(set(item).difference(_EMPTY)):
            problems.add((*loc, str(key)[:64]), "unknown_key", text("Unknown key {key}.", key=str(key)[:64]))
        for problem in entry_problems({**_EMPTY, **item}, TASK_TYPES):
            problems.take(problem, under=loc)
        name = str(item.get("name"))
        if name in code:
            problems.add((*loc, "name"), "code_entry", text("{name} comes with the code.", name=name[:64]))
        if name in names:
            problems.add((*loc, "name"), "duplicate_name", text("There is an entry {name} already.", name=name[:64]))
        names.add(name)
    found = problems.listed()
    if found:
        raise InvalidInput(text("The catalog has problems: {count}.", count=len(found)), problems=found)
    return [{**_EMPTY, **item} for item in items]
