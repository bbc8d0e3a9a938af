"""Random flows for property tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from flows.domain.compiled import CompiledFlow, Jitter, OnFailure, OnUnknown, RetryPolicy, Scope, Strategy
from tests.fakes.compiled import ASKED, make_flow

CONDITIONS = {
    "true": lambda _scope: True,
    "false": lambda _scope: False,
    "broken": lambda scope: scope["params"]["missing"],
}


def _says(word: str) -> Callable[[Scope], bool]:
    return lambda scope: scope["result"].get("done") == word


def policies() -> st.SearchStrategy[RetryPolicy]:
    return st.builds(
        RetryPolicy,
        strategy=st.sampled_from(Strategy),
        max_attempts=st.integers(0, 3),
        interval=st.sampled_from([0.0, 1.0, 30.0]),
        backoff_rate=st.sampled_from([1.0, 2.0]),
        jitter=st.sampled_from(Jitter),
        retry_on=st.sampled_from([(), ("HTTP_*",)]),
        no_retry_on=st.sampled_from([(), ("HTTP_400",)]),
        budget_seconds=st.sampled_from([None, 20.0]),
    )


@st.composite
def tasks(draw: st.DrawFn, earlier: list[str]) -> dict[str, Any]:
    after = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=4)) if earlier else []
    options: dict[str, Any] = {"after": after, "retry": draw(policies())}
    options["on_failure"] = draw(
        st.sampled_from([OnFailure.HOLD, OnFailure.HOLD, OnFailure.COMPENSATE, OnFailure.FAIL])
    )
    if draw(st.booleans()):
        options["undo"] = {"retry": draw(policies())}
    if draw(st.integers(0, 2)) == 0:
        options["check"] = {"retry": ASKED, "success_when": _says("yes"), "failed_when": _says("no")}
        options["on_unknown"] = draw(st.sampled_from(OnUnknown))
    options["optional"] = draw(st.sampled_from([False, False, False, True]))
    if after:
        options["join"] = draw(st.sampled_from(["all", "all", "any", *range(1, len(after) + 1)]))
    condition = draw(st.sampled_from([None, None, None, "true", "false", "broken"]))
    if condition:
        options["when"] = CONDITIONS[condition]
    if draw(st.integers(0, 9)) == 0:
        options["input"] = {"x": CONDITIONS["broken"]}
    return options


@st.composite
def flows(draw: st.DrawFn) -> CompiledFlow:
    made: dict[str, dict[str, Any]] = {}
    for number in range(draw(st.integers(1, 7))):
        made[f"t{number}"] = draw(tasks(list(made)))
    return make_flow(
        made,
        on_failure=draw(st.sampled_from([OnFailure.HOLD, OnFailure.COMPENSATE, OnFailure.FAIL])),
        max_parallel=draw(st.sampled_from([None, None, 1, 2])),
        timeout_seconds=draw(st.sampled_from([None, None, 40.0])),
    )
