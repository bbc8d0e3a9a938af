"""Model fields of ours: ids compared byte for byte, and payloads kept as JSON text on every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.lookups import IContains

from disttask_project.kernel import json


def binary_collation(connection: BaseDatabaseWrapper) -> str | None:
    """The collation under which `A1` is neither `a1` nor `A1 `; None where bytes are compared anyway (SQLite).

    MySQL's default collations fold case, and its `utf8mb4_bin` still ignores trailing spaces.
    """
    if connection.vendor == "postgresql":
        return "C"
    if connection.vendor == "mysql":
        return "utf8mb4_nopad_bin" if connection.mysql_is_mariadb else "utf8mb4_0900_bin"  # type: ignore[attr-defined]
    return None


class _BinaryCollation:
    """Adds the vendor's binary collation to a character column."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        parameters = super().db_parameters(connection)  # type: ignore[misc]
        collation = binary_collation(connection)
        if collation:
            parameters["collation"] = collation
        return parameters


if TYPE_CHECKING:
    _StringField = models.CharField[Any, Any]
    _AnyValueTextField = models.TextField[Any, Any]
else:
    _StringField = models.CharField
    _AnyValueTextField = models.TextField


class IdField(_BinaryCollation, _StringField):
    """A string key: equal only when every byte is."""

    if TYPE_CHECKING:  # nullable here and there, which the stubs express for direct fields only
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any


@IdField.register_lookup
class FoldedContains(IContains):
    """`icontains` that folds case on MySQL too, whose LIKE goes by the column's collation: here a binary one."""

    def as_mysql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        column, column_values = self.process_lhs(compiler, connection)
        pattern, values = self.process_rhs(compiler, connection)
        return f"LOWER({column}) LIKE LOWER({pattern})", [*column_values, *values]


class JSONTextField(_BinaryCollation, _AnyValueTextField):
    """A JSON value stored as its text, read back with the same key order on every store.

    The stores' own JSON types are not used: jsonb reorders keys and drops duplicates, MySQL renormalises numbers.
    """

    if TYPE_CHECKING:
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> Any:
        return None if value is None else json.loads_stored(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value)

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: models.Model) -> str:
        return json.dumps(self.value_from_object(obj))
