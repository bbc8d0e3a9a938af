"""A db task's config: what may be asked of a table, and nothing that could be SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from disttask_project.kernel.messages import text

IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
TABLE: Final = re.compile(rf"(?:{IDENTIFIER.pattern}\.)?{IDENTIFIER.pattern}")
OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "in", "is_null", "between", "like")
MAX_IN: Final = 1_000
DEFAULT_LIMIT: Final = 100


def _is_open(value: object) -> bool:
    return isinstance(value, str) and "${" in value


class DbConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connection: str = Field(default="default", min_length=1, description="A name from [db.connections].")
    operation: Literal["insert", "update", "delete", "select", "upsert"]
    table: str = Field(description="A table that the connection allows.")
    data: dict[str, Any] | None = Field(default=None, description="Column to value, for insert, update and upsert.")
    conflict: list[str] | None = Field(
        default=None, description="upsert: the columns that tell the row; without it the primary key."
    )
    where: dict[str, Any] | None = Field(
        default=None,
        description='Column to value, or to {operator: value}, e.g. {"amount": {">=": 10}}; all must hold.',
    )
    returning: list[str] | None = Field(default=None, description="Columns to give back; for select, to read.")
    limit: int | None = Field(
        default=None, ge=1, description="select: rows at most; update, delete: refuse to touch more rows."
    )

    @field_validator("table")
    @classmethod
    def _table_is_a_name(cls, table: str) -> str:
        if not TABLE.fullmatch(table) and not _is_open(table):
            raise ValueError(text("Must be a table's name: letters, digits and underscores."))
        return table

    @field_validator("data", "where")
    @classmethod
    def _columns_are_names(cls, columns: dict[str, Any] | None) -> dict[str, Any] | None:
        for column in columns or {}:
            if not IDENTIFIER.fullmatch(column):
                raise ValueError(text("{column} is no column name.", column=repr(column)))
        return columns

    @field_validator("where")
    @classmethod
    def _conditions_are_known(cls, where: dict[str, Any] | None) -> dict[str, Any] | None:
        for column, condition in (where or {}).items():
            fault = condition_fault(condition)
            if fault:
                raise ValueError(text("Condition on {column}: {fault}", column=column, fault=fault))
        return where

    @field_validator("returning", "conflict")
    @classmethod
    def _returned_are_names(cls, returning: list[str] | None) -> list[str] | None:
        for column in returning or []:
            if not IDENTIFIER.fullmatch(column) and not _is_open(column):
                raise ValueError(text("{column} is no column name.", column=repr(column)))
        return returning

    @model_validator(mode="after")
    def _is_complete(self) -> DbConfig:
        if self.operation in {"insert", "update", "upsert"} and not self.data:
            raise ValueError(text("{operation} needs `data`, at least one column.", operation=self.operation))
        if self.operation in {"update", "delete"} and not self.where:
            raise ValueError(text("{operation} needs `where`: all rows are never meant.", operation=self.operation))
        if self.operation in {"insert", "upsert"} and self.where is not None:
            raise ValueError(text("{operation} takes no `where`.", operation=self.operation))
        if self.conflict is not None and self.operation != "upsert":
            raise ValueError(text("{operation} takes no `conflict`.", operation=self.operation))
        missing = [column for column in self.conflict or () if column not in (self.data or {})]
        if missing and not any(map(_is_open, missing)):
            raise ValueError(text("`conflict` names {column}, which `data` does not hold.", column=missing[0]))
        if self.operation in {"select", "delete"} and self.data is not None:
            raise ValueError(text("{operation} takes no `data`.", operation=self.operation))
        return self


def condition_fault(condition: Any) -> str | None:
    """What is wrong with one column's condition, or None."""
    if condition is None:
        return text('null matches nothing; use {"is_null": true}.')
    if isinstance(condition, list):
        return text('a list needs {"in": [...]}.')
    if not isinstance(condition, Mapping):
        return None
    if not condition:
        return text("an empty object is no condition.")
    for operator, value in condition.items():
        if operator not in OPERATORS:
            return text(
                "{operator} is no operator; there are: {known}.", operator=repr(operator), known=", ".join(OPERATORS)
            )
        fault = None if _is_open(value) else _operand_fault(operator, value)
        if fault:
            return fault
    return None


def _operand_fault(operator: str, value: Any) -> str | None:
    if operator == "is_null":
        return None if isinstance(value, bool) else text("is_null is true or false.")
    if operator == "between":
        is_pair = isinstance(value, list) and len(value) == 2 and all(map(_is_scalar, value))
        return None if is_pair else text("between takes a list of two values.")
    if operator == "in":
        is_fit = isinstance(value, list) and 0 < len(value) <= MAX_IN and all(map(_is_scalar, value))
        return None if is_fit else text("in takes a list of 1 to {most} values.", most=MAX_IN)
    return None if _is_scalar(value) else text("{operator} takes one value, not null.", operator=operator)


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float | bool)
