"""About how many bytes a unit will take in a statement, without making its JSON text."""

from __future__ import annotations

from typing import Any

from execution.engine.state import Unit

# Keys, statuses and times of a row.
ROW_BYTES = 200


def rough_size(unit: Unit) -> int:
    rows = 1 + len(unit.tasks) + len(unit.attempts) + len(unit.logs) + len(unit.rows) + len(unit.verdicts)
    values: list[Any] = [unit.instance.get("output")]
    for task in unit.tasks.values():
        values += (task.config, task.input, task.override, task.output, task.result)
    for attempt in unit.attempts.values():
        values += (attempt.request, attempt.response)
    return rows * ROW_BYTES + _text_size(values)


def _text_size(value: Any) -> int:
    total = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            total += len(item) + 3
        elif isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list | tuple):
            stack.extend(item)
        elif item is not None:
            total += 6
    return total
