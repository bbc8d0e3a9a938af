"""Flow definitions: what is wrong with one, and what becomes of a good one.

`check_definition` tells everything at once. `pin_definition` makes the JSON that is kept beside a version: the
document with the catalog entries and retry defaults of that day put in, tasks in topological order.
`compile_flow` makes the objects the engine runs from it, and needs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from disttask_project.kernel.errors import InvalidInput, Problem
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from flows.domain.catalog import Catalog
from flows.domain.checks import Checks
from flows.domain.compiling import compile_flow
from flows.domain.document import FlowShape, document_schema
from flows.domain.pinning import RetryDefaults, pin
from flows.domain.problems import Problems
from flows.domain.reading import read_document


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found. `warnings` do not keep a definition from being saved."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def is_valid(self) -> bool:
        return not self.problems


def check_definition(document: object, *, catalog: Catalog) -> Report:
    """Everything wrong with a document (an object, or its JSON text). Never raises."""
    return _checked(document, catalog)[1]


def pin_definition(document: object, catalog: Catalog, defaults: RetryDefaults | None = None) -> dict[str, JSON]:
    """The pinned form of a document; raises `InvalidInput` with the problems when it is not valid."""
    shape, report = _checked(document, catalog)
    if shape is None or not report.is_valid:
        raise InvalidInput(
            text("The flow definition has {count} problems.", count=len(report.problems)),
            problems=report.problems,
            symbol="INVALID_DEFINITION",
        )
    return pin(shape, catalog, defaults or RetryDefaults())


def _checked(document: object, catalog: Catalog) -> tuple[FlowShape | None, Report]:
    problems, warnings = Problems(), Problems()
    shape = read_document(document, problems)
    if shape is not None:
        Checks(shape, catalog, problems, warnings).run()
    return shape, Report(problems=problems.listed(), warnings=warnings.listed())


__all__ = [
    "Report",
    "RetryDefaults",
    "check_definition",
    "compile_flow",
    "document_schema",
    "pin_definition",
]
