from __future__ import annotations

from execution.domain.outcome import Failure, Sort, TaskFailed


def test_it_carries_all_that_an_executor_knows_of_a_failure() -> None:
    error = TaskFailed(
        Sort.REFUSED_NOW,
        "HTTP_503",
        "not now",
        type="HttpError",
        retry_after=3.5,
        response={"code": 9},
        stack="trace",
    )
    assert str(error) == "not now"
    assert error.failure == Failure(
        sort=Sort.REFUSED_NOW,
        type="HttpError",
        code="HTTP_503",
        message="not now",
        stack="trace",
        retry_after=3.5,
        response={"code": 9},
    )


def test_it_needs_no_more_than_sort_code_and_message() -> None:
    failure = TaskFailed(Sort.REFUSED, "NO", "never").failure
    assert failure == Failure(sort=Sort.REFUSED, type="TaskFailed", code="NO", message="never")
    assert (failure.stack, failure.retry_after, failure.response) == ("", None, None)


def test_it_tells_expressions_whether_a_failure_is_final() -> None:
    failure = Failure(sort=Sort.REFUSED, type="E", code="C", message="m")
    assert failure.as_error(final=False) == {"type": "E", "code": "C", "message": "m", "final": False}
