"""The task catalog: what a `task_name` stands for, and the registry of the types behind it.

The types are filled in at start-up by whoever has the executors (`execution.apps`); this app knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from disttask_project.kernel.errors import Problem
from flows.domain.compiled import InputField

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
    """A task under a name of its own: an executor type, a config to start from, and the fields of its input."""

    name: str
    type: str
    description: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    input_fields: tuple[InputField, ...] = ()
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
        is_code=True,
    ),
    CatalogEntry(
        name="deduct_inventory",
        type="rpc",
        description="Take a quantity of an article from stock",
        input_fields=(_required("sku", "string"), _required("quantity", "int")),
        is_code=True,
    ),
    CatalogEntry(
        name="notify",
        type="mq",
        description="Say that a payment has been made",
        config={"topic": "payment.completed"},
        input_fields=(_required("user_id", "string"), _required("order_id", "string"), _required("status", "string")),
        is_code=True,
    ),
    CatalogEntry(
        name="http_request",
        type="http",
        description="Call an HTTP address",
        input_fields=(InputField(name="body", type="*"),),
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
