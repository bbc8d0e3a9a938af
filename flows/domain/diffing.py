"""What changed between two definitions."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from disttask_project.kernel.json import JSON, canonical

MAX_LINES: Final = 20_000  # comparing longer texts line by line takes minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """`text` is a unified diff of the documents, indented; the rest names tasks by id."""

    text: str
    added: Sequence[str]
    removed: Sequence[str]
    changed: Sequence[str]
    flow_keys: Sequence[str]  # keys of the flow itself that differ

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed or self.flow_keys)


def diff_definitions(before: JSON, after: JSON, *, names: tuple[str, str] = ("before", "after")) -> Diff:
    """From one definition to another; the order of tasks and of keys never matters for what counts as changed."""
    old, new = _tasks(before), _tasks(after)
    keys = [key for key in dict.fromkeys((*before, *after)) if key != "tasks"]
    return Diff(
        text=_unified(before, after, names),
        added=[task for task in new if task not in old],
        removed=[task for task in old if task not in new],
        changed=[task for task in new if task in old and canonical(old[task]) != canonical(new[task])],
        flow_keys=[key for key in keys if canonical(before.get(key)) != canonical(after.get(key))],
    )


def _tasks(document: Mapping[str, Any]) -> dict[str, Any]:
    return {task["id"]: task for task in document["tasks"]}


def _unified(before: JSON, after: JSON, names: tuple[str, str]) -> str:
    old, new = (json.dumps(item, ensure_ascii=False, indent=2).splitlines() for item in (before, after))
    if max(len(old), len(new)) > MAX_LINES:
        return ""
    return "\n".join(difflib.unified_diff(old, new, *names, lineterm=""))
