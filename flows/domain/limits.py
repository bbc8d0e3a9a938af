"""What an evaluation may cost, estimated before it starts: the evaluator limits steps, not the size of values.

`[x].map(a, a + a).map(a, a + a)...` doubles its value at every step, and a regular expression over a long text
costs the same in each of 10,000 rounds. So sources with loops are weighed together with the data they read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from disttask_project.kernel.messages import text
from flows.domain.allowance import DEFAULT_ALLOWANCE, grant
from flows.domain.compiled import ExpressionError
from flows.domain.tokens import Reading

MAX_VALUES: Final = 200_000
MAX_TEXT: Final = 8 * 2**20
MAX_ITERATIONS: Final = 10_000  # the evaluator's own budget
MAX_GROWN_BYTES: Final = 256 * 2**20
MAX_NANOSECONDS: Final = 5_000_000_000
VALUE_BYTES: Final = 24
COMPARE_NANOSECONDS: Final = 150
MATCH_NANOSECONDS: Final = 10


@dataclass(slots=True)
class _Weight:
    values: int = 0
    text: int = 0
    longest_text: int = 0
    longest_list: int = 0


def admit(reading: Reading, source: str, data: Mapping[str, Any]) -> None:
    """Let an evaluation start, or raise `ExpressionError`; grants what its functions may make."""
    weight = _weigh(data)
    if weight.values > MAX_VALUES or weight.text > MAX_TEXT:
        raise _refused(text("it reads too much data; read less, or pass the value as it is with one path"))
    if not reading.macros:
        grant(DEFAULT_ALLOWANCE, DEFAULT_ALLOWANCE)
        return
    # At worst the additions are spread evenly over the loops, each multiplying what the one before made.
    growth = (reading.additions / (reading.macros + 1) + 1) ** (reading.macros + 1)
    longest_list = MAX_ITERATIONS if "split" in source else weight.longest_list + reading.commas + 1
    nesting = min(reading.nesting, 4)
    rounds = min(MAX_ITERATIONS, (longest_list * growth) ** nesting)
    if rounds * (weight.values * COMPARE_NANOSECONDS + weight.longest_text * MATCH_NANOSECONDS) > MAX_NANOSECONDS:
        raise _refused(text("its loops go over too much data"))
    # An addition that made a list longer cannot make the elements longer as well: growth counts once.
    copies = min(MAX_ITERATIONS, longest_list**nesting) * growth
    largest = max(weight.longest_text, weight.longest_list * VALUE_BYTES, len(source))
    if reading.additions and copies * largest > MAX_GROWN_BYTES:
        raise _refused(text("its loops may make a value that is too large"))
    each = int(MAX_GROWN_BYTES / copies) if reading.additions else DEFAULT_ALLOWANCE
    grant(DEFAULT_ALLOWANCE, max(1, min(each, DEFAULT_ALLOWANCE)))


def _refused(message: str) -> ExpressionError:
    return ExpressionError(message, code="EXPRESSION_BUDGET")


def _weigh(data: Mapping[str, Any]) -> _Weight:
    weight = _Weight()
    stack: list[Any] = [data]
    while stack and weight.values <= MAX_VALUES:
        value = stack.pop()
        weight.values += 1
        if isinstance(value, str):
            weight.text += len(value)
            weight.longest_text = max(weight.longest_text, len(value))
        elif isinstance(value, list | dict):
            weight.longest_list = max(weight.longest_list, len(value))
            stack.extend(value.values() if isinstance(value, dict) else value)
    return weight
