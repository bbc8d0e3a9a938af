"""What an expression may see where it stands, and what is wrong with one that looks further."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from disttask_project.kernel.messages import Message, text
from flows.domain import cel, tokens
from flows.domain.expressions import parse_path

TASK_FIELDS: Final = ("input", "output", "result", "status", "error")
INSTANCE_FIELDS: Final = ("id", "flow", "version", "created_at", "scheduled_at", "tags")
STARTING_FIELDS: Final = ("id", "flow", "version")  # what is known of an instance while its tags are made
OWN_FIELDS: Final = ("id", "attempt")
LATER_ROOTS: Final = frozenset(("vars", "item", "index"))
LATER_TASK_FIELDS: Final = frozenset(("callback_url",))

# Where an expression stands decides which roots it sees.
INPUT_ROOTS: Final = frozenset(("params", "tasks", "instance", "task"))
CONFIG_ROOTS: Final = INPUT_ROOTS | {"input"}
RESULT_ROOTS: Final = CONFIG_ROOTS | {"result"}
ERROR_ROOTS: Final = frozenset(("error",))  # what failed, in the undo of a task
TAG_ROOTS: Final = frozenset(("params", "instance"))
OUTPUT_ROOTS: Final = frozenset(("params", "tasks", "instance"))


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a source; `offset` is None where only the whole can be blamed."""

    code: str
    message: Message
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """The roots, and `sees(task)`: "" for a task that may be read, else `unknown` or `later` (no ancestor)."""

    roots: frozenset[str]
    sees: Callable[[str], str]
    task_ids: Callable[[], list[str]]
    forbids_attempt: bool = False
    instance_fields: tuple[str, ...] = INSTANCE_FIELDS


def references_of(source: str) -> tuple[tokens.Reference, ...]:
    """What a source reads, as far as its keys are fixed."""
    if len(source) > cel.MAX_SOURCE:
        return ()
    path = parse_path(source)
    if path is None:
        return tokens.read(source).references
    fixed: list[str] = []
    for step in path:
        if isinstance(step, int):
            break
        fixed.append(step)
    return (tokens.Reference(tuple(fixed), len(source) - len(source.lstrip())),)


def flaws_of(
    source: str,
    sight: Sight,
    references: tuple[tokens.Reference, ...],
    *,
    boolean: bool = False,
    in_text: bool = False,
) -> list[Flaw]:
    """All that is wrong with a source in that place, without evaluating it; `references` are its own."""
    if len(source) > cel.MAX_SOURCE:
        return [Flaw("bad_expression", text("The expression is longer than {most} characters.", most=cel.MAX_SOURCE))]
    is_path = parse_path(source) is not None
    found: list[Flaw] = []
    told: set[str] = set()  # roots we have complained about: the compiler need not do so again
    for reference in references:
        judged = _judge(reference.path, sight, is_path=is_path)
        if judged is not None:
            found.append(Flaw(*judged, *position(source, reference.offset)))
            told.add(reference.path[0])
    return found if is_path else found + _cel_flaws(source, told, boolean=boolean, in_text=in_text)


def _cel_flaws(source: str, told: set[str], *, boolean: bool, in_text: bool) -> list[Flaw]:
    flaws = [
        Flaw("bad_expression", text("{name} is a root of expressions; name the loop's variable otherwise.", name=name))
        for name in sorted(tokens.read(source).bound.intersection(cel.ROOTS))
    ]
    try:
        kind = cel.compile_(source).type_name
    except cel.CompileFailed as failed:
        return flaws + [
            Flaw("bad_expression", text("{reason}.", reason=fault.message), fault.line, fault.column)
            for fault in failed.faults
            if fault.name.split(".")[0] not in told
        ]
    if boolean and kind not in ("BOOL", "DYN"):
        flaws.append(
            Flaw("not_boolean", text("A condition must be true or false; this gives {kind}.", kind=kind.lower()))
        )
    if in_text and kind.startswith(("MAP", "LIST", "NULL", "BYTES")):
        flaws.append(Flaw("not_text", text("{kind} cannot be put into a text.", kind=kind.lower())))
    return flaws


def position(source: str, offset: int) -> tuple[int, int]:
    """Line and column, counted from 1."""
    start = source.rfind("\n", 0, offset) + 1
    return source.count("\n", 0, offset) + 1, offset - start + 1


def _judge(path: tokens.Path, sight: Sight, *, is_path: bool) -> tuple[str, Message] | None:
    root = path[0]
    if root not in sight.roots:
        return _judge_root(root, sight, is_path=is_path)
    if root == "tasks":
        return _judge_task(path, sight)
    if root == "instance":
        return _judge_field(path, sight.instance_fields)
    if root == "task":
        if sight.forbids_attempt and path[1:2] == ("attempt",):
            return "bad_expression", text(
                "The key must stay the same for all attempts, so it cannot hold task.attempt."
            )
        return _judge_field(path, OWN_FIELDS)
    return None


def _judge_root(root: str, sight: Sight, *, is_path: bool) -> tuple[str, Message] | None:
    if root in cel.ROOTS:
        return "unknown_root", text("{name} cannot be read here; there are: {roots}.", name=root, roots=_roots(sight))
    if root in LATER_ROOTS:
        return "not_available", text("Not available yet: {name}.", name=root)
    # In a longer expression it may be a type (`int`, `google.protobuf...`): the compiler knows.
    return ("unknown_root", _unknown_root(root, sight)) if is_path else None


def _roots(sight: Sight) -> str:
    return ", ".join(sorted(sight.roots))


def _unknown_root(root: str, sight: Sight) -> Message:
    near = difflib.get_close_matches(root[:64], sorted(sight.roots), n=1)
    if near:
        return text("{name} is not known; did you mean {near}?", name=root[:64], near=near[0])
    return text("{name} is not known here; there are: {roots}.", name=root[:64], roots=_roots(sight))


def _judge_field(path: tokens.Path, fields: tuple[str, ...]) -> tuple[str, Message] | None:
    if len(path) < 2 or path[1] in fields:
        return None
    return "unknown_field", text(
        "{root} has no {name}; there are: {fields}.", root=path[0], name=path[1][:64], fields=", ".join(fields)
    )


def _judge_task(path: tokens.Path, sight: Sight) -> tuple[str, Message] | None:
    if len(path) < 2:
        return "bad_expression", text('Name the task plainly: tasks.deduct.output or tasks["notify-user"].output.')
    task = path[1]
    verdict = sight.sees(task)
    if verdict == "unknown":
        near = difflib.get_close_matches(task[:64], sight.task_ids(), n=1)
        if near:
            return "unknown_task", text("There is no task {name}; did you mean {near}?", name=task[:64], near=near[0])
        return "unknown_task", text("There is no task {name} in this flow.", name=task[:64])
    if verdict:
        return "not_ancestor", text(
            "{name} is not certain to have ended before this task: let depends_on lead to it.", name=task
        )
    if len(path) < 3:
        return "bad_expression", text("Say what of {name}: {fields}.", name=task, fields=", ".join(TASK_FIELDS))
    if path[2] in LATER_TASK_FIELDS:
        return "not_available", text("Not available yet: {name}.", name=path[2])
    if path[2] not in TASK_FIELDS:
        return "unknown_field", text(
            "A task has no {name}; there are: {fields}.", name=path[2][:64], fields=", ".join(TASK_FIELDS)
        )
    return None
