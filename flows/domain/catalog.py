"""The task catalog: what a `task_name` stands for, and the registry of the types behind it.

The types are filled in at start-up by whoever has the executors (`execution.apps`); this app knows none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from disttask_project.kernel.errors import Problem
from disttask_project.kernel.json import fault_in
from disttask_project.kernel.messages import text
from flows.domain.coercion import coerced
from flows.domain.compiled import InputField
from flows.domain.problems import Loc, Problems

ConfigCheck = Callable[[Mapping[str, Any]], Sequence[Problem]]

FIELD_TYPES: Final = (
    "string",
    "int",
    "int64",
    "float",
    "float64",
    "decimal",
    "bool",
    "[]string",
    "[]int",
    "[]float",
    "object",
    "array",
    "time",
    "*",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """A task under a name of its own: an executor type, a config to start from, and the fields of its input.

    `example` is an input that shows how it is called; nothing sends it by itself.
    """

    name: str
    type: str
    description: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    input_fields: tuple[InputField, ...] = ()
    example: Mapping[str, Any] | None = None
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskType:
    """An executor as the language sees it. `idempotent`: the key, or a barrier, reaches the target."""

    name: str
    config_problems: ConfigCheck
    schema: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    idempotent: bool = True


class TaskTypes:
    """The registry of types, by name."""

    def __init__(self) -> None:
        self._types: dict[str, TaskType] = {}

    def register(self, task_type: TaskType) -> None:
        """Add a type; the last one told under a name counts, so that a reload of the apps is harmless."""
        self._types[task_type.name] = task_type

    def get(self, name: str) -> TaskType | None:
        return self._types.get(name)

    def __iter__(self) -> Iterator[TaskType]:
        return iter(sorted(self._types.values(), key=lambda task_type: task_type.name))


TASK_TYPES: Final = TaskTypes()


def register_task_type(
    name: str,
    config_problems: ConfigCheck,
    schema: Mapping[str, Any] | None = None,
    description: str = "",
    idempotent: bool = True,
) -> None:
    """Make an executor type known to the language."""
    TASK_TYPES.register(
        TaskType(
            name=name,
            config_problems=config_problems,
            schema=schema or {},
            description=description,
            idempotent=idempotent,
        )
    )


def _required(name: str, type_: str) -> InputField:
    return InputField(name=name, type=type_, required=True)


CODE_ENTRIES: Final = (
    CatalogEntry(
        name="deduct",
        type="rpc",
        description="Take an amount from a user's balance",
        config={"service": "PaymentService", "method": "deduct"},
        input_fields=(_required("user_id", "string"), _required("amount", "int"), _required("order_id", "string")),
        example={"user_id": "alice", "amount": 12900, "order_id": "SO-1001"},
        is_code=True,
    ),
    CatalogEntry(
        name="deduct_inventory",
        type="rpc",
        description="Take a quantity of an article from stock",
        input_fields=(_required("sku", "string"), _required("quantity", "int")),
        example={"sku": "lamp", "quantity": 1},
        is_code=True,
    ),
    CatalogEntry(
        name="notify",
        type="mq",
        description="Say that a payment has been made",
        config={"topic": "payment.completed"},
        input_fields=(_required("user_id", "string"), _required("order_id", "string"), _required("status", "string")),
        example={"user_id": "alice", "order_id": "SO-1001", "status": "paid"},
        is_code=True,
    ),
    CatalogEntry(
        name="http_request",
        type="http",
        description="Call an HTTP address",
        input_fields=(InputField(name="body", type="*"),),
        example={"body": {"order_no": "SO-1001"}},
        is_code=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The entries and types a definition may name."""

    entries: Mapping[str, CatalogEntry]
    types: TaskTypes = TASK_TYPES

    def find(self, task_name: str) -> CatalogEntry | None:
        """The entry of a `task_name`; a bare type name is an entry without config and fields."""
        entry = self.entries.get(task_name)
        if entry is None and self.types.get(task_name) is not None:
            entry = CatalogEntry(name=task_name, type=task_name)
        return entry

    def names(self) -> list[str]:
        """All that a `task_name` may say."""
        return sorted({*self.entries, *(task_type.name for task_type in self.types)})


def code_catalog(types: TaskTypes = TASK_TYPES) -> Catalog:
    """The catalog of code alone: for tests, tools and a store that holds nothing yet."""
    return Catalog(entries={entry.name: entry for entry in CODE_ENTRIES}, types=types)


def merged_config(entry: CatalogEntry, config: Mapping[str, Any]) -> dict[str, Any]:
    """The entry's config with the task's over it, key by key."""
    return {**entry.config, **config}


def field_as_json(item: InputField) -> dict[str, Any]:
    """A field as it is stored and shown."""
    shown: dict[str, Any] = {"name": item.name, "type": item.type, "required": item.required}
    if item.has_default:
        shown["default"] = item.default
    return shown


def field_from_json(item: Mapping[str, Any]) -> InputField:
    """Read back what `field_as_json` wrote, or what a person wrote and `entry_problems` accepted."""
    return InputField(
        name=item["name"],
        type=item["type"],
        required=bool(item.get("required", False)),
        default=item.get("default"),
        has_default="default" in item,
    )


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_FIELD_KEYS: Final = frozenset(("name", "type", "required", "default", "description"))


def entry_problems(document: Mapping[str, Any], types: TaskTypes) -> tuple[Problem, ...]:
    """Everything wrong with a catalog entry that a person wrote."""
    problems = Problems()
    name, type_, config = document["name"], document["type"], document["config"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        problems.add(("name",), "bad_name", text("A name is a letter, then letters, digits, _ . and -, 64 at most."))
    elif types.get(name) is not None:
        problems.add(("name",), "bad_name", text("{name} is the name of an executor type already.", name=name))
    description = document["description"]
    if not isinstance(description, str) or fault_in(description):
        problems.add(("description",), "wrong_type", text("Must be a string."))
    task_type = types.get(type_) if isinstance(type_, str) else None
    if task_type is None:
        known = ", ".join(item.name for item in types)
        problems.add(
            ("type",), "unknown_type", text("There is no such executor type; there are: {known}.", known=known)
        )
    if not isinstance(config, Mapping) or fault_in(config):
        problems.add(("config",), "wrong_type", text("Must be an object."))
    elif task_type is not None:
        for problem in task_type.config_problems(config):
            if problem.code != "required":  # the task may bring what the entry leaves out
                problems.take(problem, under=("config",))
    _check_fields(document["input_fields"], problems)
    _check_example(document.get("example"), problems)
    return problems.listed()


def _check_example(example: Any, problems: Problems) -> None:
    if example is not None and (not isinstance(example, Mapping) or fault_in(example)):
        problems.add(("example",), "wrong_type", text("Must be an object."))


def _check_fields(fields: Any, problems: Problems) -> None:
    if not isinstance(fields, list | tuple):
        problems.add(("input_fields",), "wrong_type", text("Must be a list."))
        return
    seen: set[str] = set()
    for index, item in enumerate(fields):
        loc = ("input_fields", index)
        if not isinstance(item, Mapping):
            problems.add(loc, "wrong_type", text("Must be an object."))
            continue
        for key in sorted(set(item).difference(_FIELD_KEYS)):
            problems.add((*loc, key), "unknown_key", text("Unknown key {key}.", key=key[:64]))
        _check_field(loc, item, seen, problems)


def _check_field(loc: Loc, item: Mapping[str, Any], seen: set[str], problems: Problems) -> None:
    name, type_ = item.get("name"), item.get("type")
    if not isinstance(name, str) or not 1 <= len(name) <= 128 or fault_in(name):
        problems.add((*loc, "name"), "bad_name", text("A field needs a name of 1 to 128 characters."))
    elif name in seen:
        problems.add((*loc, "name"), "duplicate_name", text("There is a field {name} already.", name=name))
    else:
        seen.add(name)
    if not isinstance(item.get("required", False), bool):
        problems.add((*loc, "required"), "wrong_type", text("Must be true or false."))
    if type_ not in FIELD_TYPES:
        types = ", ".join(FIELD_TYPES)
        problems.add((*loc, "type"), "bad_value", text("Must be one of: {choices}.", choices=types))
    elif "default" in item:
        if fault_in(item["default"]):
            problems.add((*loc, "default"), "bad_value", text("The default cannot be stored."))
        else:
            coerced(item["default"], str(type_), (*loc, "default"), problems)
