"""Every expression of a document, looked at where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from disttask_project.kernel.messages import Message, text
from flows.domain import sight, templates
from flows.domain.catalog import CatalogEntry
from flows.domain.coercion import coerced
from flows.domain.document import CheckShape, CompensateShape, FlowShape, TaskShape
from flows.domain.graph import Ancestors
from flows.domain.problems import Loc, Problems
from flows.domain.sight import Flaw, Sight

MAX_EXPRESSIONS: Final = 100_000


class ExpressionChecks:
    """`params_read` gathers the parameters that expressions name; "" stands for all of them."""

    def __init__(
        self, positions: Mapping[str, int], ancestors: Ancestors | None, problems: Problems, warnings: Problems
    ) -> None:
        self._positions = positions
        self._ancestors = ancestors
        self._problems = problems
        self._warnings = warnings
        self._left = MAX_EXPRESSIONS
        self.params_read: set[str] = set()

    def task(self, loc: Loc, task: TaskShape, config: Mapping[str, Any], entry: CatalogEntry | None) -> None:
        def see(roots: frozenset[str], **more: Any) -> Sight:
            return Sight(roots, lambda other: self._verdict(task.id, other), self._ids, **more)

        before, sending, after = see(sight.INPUT_ROOTS), see(sight.CONFIG_ROOTS), see(sight.RESULT_ROOTS)
        self._template((*loc, "config"), config, sending, secrets=True)
        self._template((*loc, "input"), task.input, before)
        self._input(loc, task, entry)
        if isinstance(task.output, Mapping):
            self._template((*loc, "output"), task.output, after)
        if task.when is not None:
            self._source((*loc, "when"), task.when, before, boolean=True)
        for name in ("success_when", "unknown_when", "error_code", "error_message"):
            source = getattr(task, name)
            if source is not None:
                self._source((*loc, name), source, after, boolean=name.endswith("_when"))
        if task.idempotency_key is not None:
            key_sight = see(sight.CONFIG_ROOTS, forbids_attempt=True)
            self._template((*loc, "idempotency_key"), task.idempotency_key, key_sight)
            if "${" not in task.idempotency_key:
                self._warnings.add(
                    (*loc, "idempotency_key"),
                    "constant_key",
                    text("The key is the same for every instance: the target will take the second for a repeat."),
                )

    def errand(
        self,
        loc: Loc,
        of: str,
        part: CheckShape | CompensateShape,
        config: Mapping[str, Any],
        entry: CatalogEntry | None,
    ) -> None:
        """The undo or the check of a task: they see that task too, and an undo sees what failed."""
        more = sight.ERROR_ROOTS if isinstance(part, CompensateShape) else frozenset()

        def see(roots: frozenset[str]) -> Sight:
            return Sight(roots | more, lambda other: "" if other == of else self._verdict(of, other), self._ids)

        before, sending, after = see(sight.INPUT_ROOTS), see(sight.CONFIG_ROOTS), see(sight.RESULT_ROOTS)
        self._template((*loc, "config"), config, sending, secrets=True)
        if part.input is not None:
            self._template((*loc, "input"), part.input, before)
            self._values(loc, part.input, entry)
        for name in ("success_when", "failed_when", "error_code", "error_message"):
            source = getattr(part, name, None)
            if source is not None:
                self._source((*loc, name), source, after, boolean=name.endswith("_when"))

    def flow(self, shape: FlowShape) -> None:
        def see(roots: frozenset[str], **more: Any) -> Sight:
            return Sight(roots, lambda other: "" if other in self._positions else "unknown", self._ids, **more)

        self._template(("tags",), shape.tags, see(sight.TAG_ROOTS, instance_fields=sight.STARTING_FIELDS))
        if shape.output is not None:
            self._template(("output",), shape.output, see(sight.OUTPUT_ROOTS))
        if shape.failure_flow is not None:
            roots = sight.OUTPUT_ROOTS | sight.ERROR_ROOTS
            self._template(("failure_flow", "params"), shape.failure_flow.params, see(roots))

    def _ids(self) -> list[str]:
        return list(self._positions) if len(self._positions) <= 500 else []

    def _verdict(self, task: str, other: str) -> str:
        if other not in self._positions:
            return "unknown"
        if self._ancestors is None or self._ancestors.includes(task, other):
            return ""
        return "later"

    def _input(self, loc: Loc, task: TaskShape, entry: CatalogEntry | None) -> None:
        """Values that stand in the document itself can be checked now; names nobody reads are most likely typos."""
        if entry is None or not entry.input_fields:
            return
        fields = {item.name: item for item in entry.input_fields}
        for origin in ("input", "input_from"):
            for name in getattr(task, origin):
                if name not in fields:
                    self._warnings.add(
                        (*loc, origin, name),
                        "unknown_input",
                        text(
                            "{task} has no input {name}; there are: {known}.",
                            task=entry.name,
                            name=name[:64],
                            known=", ".join(fields),
                        ),
                    )
        self._values(loc, task.input, entry)

    def _values(self, loc: Loc, values: Mapping[str, Any], entry: CatalogEntry | None) -> None:
        fields = {item.name: item for item in entry.input_fields} if entry is not None else {}
        for name, value in values.items():
            if name in fields and not any(True for _ in templates.strings_in(value)):
                problems = Problems()
                coerced(value, fields[name].type, (*loc, "input", name), problems)
                for problem in problems.listed():
                    self._problems.take(problem)

    def _template(self, loc: Loc, value: Any, where: Sight, *, secrets: bool = False) -> None:
        for inner, string, is_key in templates.strings_in(value):
            place = (*loc, *inner)
            if is_key:
                self._problems.add(place, "expression_in_key", text("The name of a key cannot hold an expression."))
                continue
            try:
                parts = templates.parse(string)
            except templates.TemplateFault as fault:
                self._flaws(
                    place,
                    [_placed(string, Flaw("bad_expression", Message(str(fault.message), {}), 1, 1), fault.offset)],
                )
                continue
            self._parts(place, string, parts, where, secrets=secrets)

    def _parts(self, loc: Loc, string: str, parts: list[templates.Part], where: Sight, *, secrets: bool) -> None:
        for part in parts:
            if isinstance(part, templates.Embedded):
                flaws = self._look(part.source, where, boolean=False, in_text=len(parts) > 1)
                self._flaws(loc, [_placed(string, flaw, part.offset) for flaw in flaws])
            elif isinstance(part, templates.Secret):
                if not secrets:
                    self._problems.add(loc, "secret_not_here", text("Secrets can be referred to in config only."))
            elif secrets and "${secret:" in part:
                self._problems.add(loc, "secret_not_here", text("A literal ${secret: cannot stand in a config."))

    def _source(self, loc: Loc, source: str, where: Sight, *, boolean: bool) -> None:
        if source.lstrip().startswith("${"):
            self._problems.add(loc, "bad_expression", text("This is an expression already: write it without ${ and }."))
            return
        self._flaws(loc, self._look(source, where, boolean=boolean, in_text=False))

    def _look(self, source: str, where: Sight, *, boolean: bool, in_text: bool) -> list[Flaw]:
        self._left -= 1
        if self._left < 0:
            if self._left == -1:
                return [
                    Flaw("too_many_expressions", text("A flow has {most} expressions at most.", most=MAX_EXPRESSIONS))
                ]
            return []
        references = sight.references_of(source)
        for reference in references:
            if reference.path[0] == "params":
                self.params_read.add(reference.path[1] if len(reference.path) > 1 else "")
        return sight.flaws_of(source, where, references, boolean=boolean, in_text=in_text)

    def _flaws(self, loc: Loc, flaws: Iterable[Flaw]) -> None:
        for flaw in flaws:
            if flaw.line:
                message = text(
                    "Line {line}, column {column}: {reason}", line=flaw.line, column=flaw.column, reason=flaw.message
                )
                self._problems.add(loc, flaw.code, message)
            else:
                self._problems.add(loc, flaw.code, flaw.message)


def _placed(string: str, flaw: Flaw, offset: int) -> Flaw:
    """A flaw's position within the whole string instead of within its expression."""
    if not flaw.line:
        return flaw
    line, column = sight.position(string, offset)
    if flaw.line == 1:
        return Flaw(flaw.code, flaw.message, line, column + flaw.column - 1)
    return Flaw(flaw.code, flaw.message, line + flaw.line - 1, flaw.column)
