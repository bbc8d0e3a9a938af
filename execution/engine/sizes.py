"""About how many bytes a unit will take in a statement, without making its JSON text."""

from __future__ import annotations

from execution.engine.state import Unit

# Keys, statuses and times of a row.
ROW_BYTES = 200


def rough_size(unit: Unit) -> int:
    """Request and response stand on the attempt and again on its task (as config, input and result)."""
    rows = 1 + len(unit.tasks) + len(unit.attempts) + len(unit.logs) + len(unit.rows) + len(unit.verdicts)
    size = rows * ROW_BYTES
    for attempt in unit.attempts.values():
        size += 2 * (_length(attempt.request) + _length(attempt.response))
    for task in unit.tasks.values():
        size += _length(task.output)
    return size + _length(unit.instance.get("output"))


def _length(value: object) -> int:
    # `repr` walks the value in C: a loop of ours would cost more than all else that a unit needs.
    return 0 if value is None else len(repr(value))
