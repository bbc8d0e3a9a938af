from __future__ import annotations

from docs.states import PAGE, page


def test_it_is_in_step_with_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m docs.states"


def test_it_draws_every_transition_and_end() -> None:
    drawn = page()
    for line in (
        "[*] --> pending",
        "failed --> running",
        "running --> unknown",
        "success --> [*]",
        "running --> compensating",
    ):
        assert f"    {line}\n" in drawn
    assert "waiting --> [*]" not in drawn
    assert "    compensating --> compensated\n" in drawn
