from disttask_project.kernel.errors import Problem
from disttask_project.kernel.messages import text
from flows.domain.problems import Problems


def test_it_keeps_the_order_of_finding() -> None:
    problems = Problems()
    assert not problems
    problems.add(("a",), "first", text("one"))
    problems.take(Problem(loc=("x",), code="second", message=text("two")), under=("tasks", 0))
    assert [(item.loc, item.code) for item in problems.listed()] == [(("a",), "first"), (("tasks", 0, "x"), "second")]
    assert problems
    assert len(problems) == 2


def test_it_counts_what_it_leaves_out() -> None:
    problems = Problems(limit=1)
    problems.add((), "a", text("one"))
    problems.add((), "b", text("two"))
    problems.take(Problem(loc=(), code="c", message=text("three")))
    assert len(problems) == 3
    assert problems.listed()[-1].message == "2 more problems are not listed."


def test_values_are_put_into_the_template() -> None:
    problems = Problems()
    problems.add((), "a", "There is no {name}.", name="x")
    assert problems.listed()[0].message == "There is no x."
