"""Many at once: one wins, all others are told so (quality R8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from disttask_project.kernel.actor import system_actor
from disttask_project.kernel.errors import Conflict, Unavailable
from execution.models import Attempt, Instance
from execution.services import acts
from execution.services.start import start_instance
from flows.services import create_flow
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.store]
ACTOR = system_actor("li.wei")
MANY = 24


@pytest.fixture(autouse=True)
def flow() -> None:
    create_flow(definition={"name": "one", "tasks": [{"id": "a", "task_name": "noop"}]}, actor=ACTOR)


def all_at_once(work: Callable[[int], str]) -> Counter[str]:
    def one(number: int) -> str:
        try:
            return work(number)
        except Conflict as lost:
            return lost.symbol
        except Unavailable:
            return "UNAVAILABLE"
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(one, range(MANY)))


def test_many_starts_of_one_id_are_one_instance() -> None:
    def start(number: int) -> str:
        started = start_instance(flow_name="one", instance_id="O-1", params={"n": number % 2}, actor=ACTOR)
        return "created" if started.created else "repeated"

    answers = all_at_once(start)
    assert answers["created"] == 1
    assert set(answers) == {"created", "repeated", "INSTANCE_ID_TAKEN"}
    assert answers["INSTANCE_ID_TAKEN"] == MANY // 2
    assert Instance.objects.count() == 1


def test_many_clicks_on_one_retry_are_one_attempt() -> None:
    start_instance(flow_name="one", instance_id="O-1", actor=ACTOR)
    drive(a=refused())

    def click(_number: int) -> str:
        return acts.retry(instance_id="O-1", task_id="a", actor=ACTOR).state

    answers = all_at_once(click)
    assert answers["done"] == 1, answers
    assert "UNAVAILABLE" not in answers
    drive()
    assert Attempt.objects.count() == 2
