"""Starting and asking: idempotent by id, also against twins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import connections, transaction

from disttask_project.kernel.ids import new_id
from execution.models import Instance, InstanceTag, OperatorAction
from execution.stores.base import NewAction
from tests.fakes.flows import flow, rows, task
from tests.integration.execution.kit import LEASE, Bench


def action(instance_id: str, **fields: str) -> NewAction:
    named = {"task_id": "", "act": "cancel", "reason": "why", "actor": "ops", "source": "cli"} | fields
    return NewAction(id=new_id(), instance_id=instance_id, payload={"force": False}, **named)


def test_it_inserts_new_instances_due_at_once(bench: Bench) -> None:
    (new,) = rows(1, bench.shelf.put(flow("f", task("a"))), prefix="x", params={"n": 1})
    new = replace(new, tags={"order": "A-1"}, deadline_seconds=60.0)
    assert bench.store.insert_instances([new]) == {}
    row = Instance.objects.get()
    assert (row.status, row.params, row.wake_at) == ("pending", {"n": 1}, row.created_at)
    assert (row.deadline_at - row.created_at).total_seconds() == 60  # type: ignore[operator]
    assert list(InstanceTag.objects.values_list("id", "key", "value")) == [("x000000:order", "order", "A-1")]


def test_it_tells_which_were_there_already(bench: Bench) -> None:
    first, second = rows(2, bench.shelf.put(flow("f", task("a"))), prefix="x")
    bench.store.insert_instances([first])
    assert bench.store.insert_instances([replace(first, digest="other"), second]) == {first.id: "d"}
    assert Instance.objects.count() == 2


def test_it_joins_the_callers_transaction(bench: Bench) -> None:
    (new,) = rows(1, bench.shelf.put(flow("f", task("a"))), prefix="x")
    with transaction.atomic():
        bench.store.insert_instances([new])
        transaction.set_rollback(True)
    assert not Instance.objects.exists()


def test_ids_differ_by_case_and_trailing_space(bench: Bench) -> None:
    ids = bench.shelf.put(flow("f", task("a")))
    news = [replace(rows(1, ids, prefix="x")[0], id=id_) for id_ in ("A1", "a1", "A1 ")]
    assert bench.store.insert_instances(news) == {}
    assert Instance.objects.count() == 3


def test_of_many_racing_starts_of_one_id_one_inserts(bench: Bench) -> None:
    (new,) = rows(1, bench.shelf.put(flow("f", task("a"))), prefix="x")
    answers: list[object] = []
    _at_once(12, lambda: answers.append(bench.store.insert_instances([new])))
    assert sorted(map(str, answers)) == sorted(["{}"] + [str({new.id: "d"})] * 11)


def test_it_asks_an_act_once(bench: Bench) -> None:
    (instance_id,) = bench.insert(flow("f", task("a")))
    asked = action(instance_id)
    assert bench.store.ask(asked, now=bench.store.now())
    assert not bench.store.ask(action(instance_id), now=bench.store.now())
    assert bench.store.ask(action(instance_id, act="pause"), now=bench.store.now())
    assert bench.store.inboxes([instance_id]) == {instance_id: 2}
    first, second = bench.store.open_actions([instance_id])[instance_id]
    assert (first.action_id, first.act, first.payload, second.act) == (asked.id, "cancel", {"force": False}, "pause")


def test_asking_the_same_act_again_by_its_id_is_no_conflict(bench: Bench) -> None:
    (instance_id,) = bench.insert(flow("f", task("a")))
    asked = action(instance_id)
    assert bench.store.ask(asked, now=bench.store.now())
    assert bench.store.ask(asked, now=bench.store.now())
    assert OperatorAction.objects.count() == 1


def test_of_many_racing_asks_one_is_taken(bench: Bench) -> None:
    (instance_id,) = bench.insert(flow("f", task("a")))
    answers: list[bool] = []
    _at_once(8, lambda: answers.append(bench.store.ask(action(instance_id), now=bench.store.now())))
    assert sorted(answers) == [False] * 7 + [True]
    assert Instance.objects.get().inbox == 1


def test_asking_wakes_an_instance_that_nobody_holds(bench: Bench) -> None:
    (instance_id,) = bench.insert(flow("f", task("a")))
    Instance.objects.update(wake_at=None, status="failed")
    now = bench.store.now()
    bench.store.ask(action(instance_id), now=now)
    assert Instance.objects.get().wake_at == now


def test_asking_leaves_the_lease_of_one_that_is_held(bench: Bench) -> None:
    (instance_id,) = bench.insert(flow("f", task("a")))
    now = bench.later()
    bench.claim("me", now=now)
    bench.store.ask(action(instance_id), now=now)
    assert Instance.objects.get().wake_at == now + LEASE


def test_there_must_be_such_an_instance(bench: Bench) -> None:
    with pytest.raises(LookupError):
        bench.store.ask(action("nobody"), now=bench.store.now())
    assert not OperatorAction.objects.exists()


def _at_once(count: int, work: Callable[[], object]) -> None:
    barrier = threading.Barrier(count)

    def one() -> None:
        try:
            barrier.wait()
            work()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
