"""Flow definitions: what is wrong with one, and what becomes of a good one.

`check_definition` tells everything at once. `pin_definition` makes the JSON that is kept beside a version: the
document with the catalog entries and retry defaults of that day put in, tasks in topological order.
`compile_flow` makes the objects the engine runs from it, and needs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from disttask_project.kernel.errors import InvalidInput, Problem
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from flows.domain.catalog import Catalog
from flows.domain.checks import Checks
from flows.domain.compiling import compile_flow
from flows.domain.document import FlowShape, document_schema
from flows.domain.pinning import RetryDefaults, pin
from flows.domain.problems import Problems
from flows.domain.reading import decode_document, read_document
from flows.domain.salvage import Salvage

# Taking faults out may show others (a task left without its name); more rounds than this never helped.
SALVAGE_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found. `warnings` do not keep a definition from being saved."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def is_valid(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document made ready to be kept: decoded, and in its pinned form where it is valid."""

    report: Report
    document: JSON = None
    pinned: dict[str, JSON] | None = None


def check_definition(document: object, *, catalog: Catalog, max_task_timeout: float | None = None) -> Report:
    """Everything wrong with a document (an object, or its JSON text). Never raises."""
    problems = Problems()
    decoded = decode_document(document, problems)
    if problems:
        return Report(problems=problems.listed())
    return _checked(decoded, catalog, max_task_timeout)[1]


def prepare_definition(
    document: object,
    *,
    catalog: Catalog,
    defaults: RetryDefaults | None = None,
    max_task_timeout: float | None = None,
    name: str | None = None,
) -> Prepared:
    """Check a document and pin it in one go. Never raises.

    `name` is that of the flow it is saved under: a document may leave its own out, and does not rename the flow.
    """
    problems = Problems()
    decoded = decode_document(document, problems)
    if name is not None and isinstance(decoded, dict) and "name" not in decoded:
        decoded = {"name": name, **decoded}
    if problems:
        return Prepared(report=Report(problems=problems.listed()))
    shape, report = _checked(decoded, catalog, max_task_timeout)
    if shape is None or not report.is_valid:
        return Prepared(report=report, document=decoded)
    pinned = pin(shape, catalog, defaults or RetryDefaults())
    return Prepared(report=report, document=decoded, pinned=pinned if name is None else {**pinned, "name": name})


def pin_definition(document: object, catalog: Catalog, defaults: RetryDefaults | None = None) -> dict[str, JSON]:
    """The pinned form of a document; raises `InvalidInput` with the problems when it is not valid."""
    prepared = prepare_definition(document, catalog=catalog, defaults=defaults)
    if prepared.pinned is None:
        raise invalid(prepared.report)
    return prepared.pinned


def invalid(report: Report) -> InvalidInput:
    """The error that carries a report's problems."""
    message = text("The flow definition has problems: {count}.", count=len(report.problems))
    return InvalidInput(message, problems=report.problems, symbol="INVALID_DEFINITION")


def _checked(document: object, catalog: Catalog, max_task_timeout: float | None) -> tuple[FlowShape | None, Report]:
    problems, warnings = Problems(), Problems()
    shape = read_document(document, problems)
    if shape is not None:
        Checks(shape, catalog, problems, warnings, max_task_timeout=max_task_timeout).run()
    elif isinstance(document, dict) and isinstance(document.get("tasks"), list):
        _check_rest(document, catalog, problems, max_task_timeout)
    return shape, Report(problems=problems.listed(), warnings=warnings.listed())


def _check_rest(
    document: dict[str, JSON], catalog: Catalog, problems: Problems, max_task_timeout: float | None
) -> None:
    """Look at what is sound in a malformed document, so that its author mends all of it in one go."""
    rest = Salvage(document)
    faults = problems.listed()
    for _ in range(SALVAGE_ROUNDS):
        rest.take_out(faults)
        again = Problems()
        shape = read_document(rest.document, again)
        if shape is not None:
            found, unused = Problems(), Problems()
            Checks(shape, catalog, found, unused, max_task_timeout=max_task_timeout).run()
            for problem in found.listed():
                if rest.tells(problem):
                    problems.take(problem)
            return
        faults = again.listed()


__all__ = [
    "Prepared",
    "Report",
    "RetryDefaults",
    "check_definition",
    "compile_flow",
    "document_schema",
    "invalid",
    "pin_definition",
    "prepare_definition",
]
