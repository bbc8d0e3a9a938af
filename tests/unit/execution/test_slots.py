"""Slots: the limit of a type holds, and the flows that wait take turns."""

from __future__ import annotations

from execution.engine.slots import Slots


def full(limit: int = 1) -> Slots:
    slots = Slots({"http": limit})
    for number in range(limit):
        assert slots.take("http", f"first-{number}", flow_id="big")
    return slots


def test_it_gives_no_more_than_there_are() -> None:
    slots = full(2)
    assert not slots.take("http", "late", flow_id="big")
    assert slots.in_use == 2


def test_who_waits_comes_in_the_order_of_arrival_within_a_flow() -> None:
    slots = full()
    for name in ("b", "a", "c"):
        slots.take("http", name, flow_id="big")
    assert next_ones(slots, 3) == ["b", "a", "c"]


def test_flows_take_turns() -> None:
    slots = full()
    for number in range(4):
        slots.take("http", f"big-{number}", flow_id="big")
    slots.take("http", "small-0", flow_id="small")
    assert next_ones(slots, 5) == ["big-0", "small-0", "big-1", "big-2", "big-3"]


def test_a_free_slot_is_nobody_elses_while_somebody_waits() -> None:
    slots = full()
    slots.take("http", "waits", flow_id="big")
    slots.free("http")
    assert not slots.take("http", "passes by", flow_id="small")
    assert slots.take("http", "whose turn it is", flow_id="big", favoured=True)


def test_it_knows_whether_another_flow_waits() -> None:
    slots = full()
    assert not slots.others_wait("http", "big")
    slots.take("http", "mine", flow_id="big")
    assert not slots.others_wait("http", "big")
    slots.take("http", "theirs", flow_id="small")
    assert slots.others_wait("http", "big")


def test_who_is_forgotten_waits_no_longer() -> None:
    slots = full()
    slots.take("http", "gone", flow_id="small")
    slots.forget("gone", flow_id="small")
    assert not slots.others_wait("http", "big")
    slots.free("http")
    assert slots.next_in_line("http") is None


def test_a_type_nobody_has_installed_has_no_limit() -> None:
    slots = Slots({})
    assert all(slots.take("odd", f"i{number}") for number in range(1000))


def next_ones(slots: Slots, count: int) -> list[str]:
    """Who gets a slot that comes free again and again."""
    found = []
    for _ in range(count):
        slots.free("http")
        first = slots.next_in_line("http")
        assert first is not None
        flow_id = "small" if first.startswith("small") else "big"
        assert slots.take("http", first, flow_id=flow_id, favoured=True)
        found.append(first)
    return found
