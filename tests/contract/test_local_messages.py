"""The embedded message backend, on the store of this run."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from execution.domain.outcome import TaskFailed
from execution.executors.mq.executor import MqExecutor
from execution.executors.options import MqOptions
from execution.models import LocalMessage
from tests.unit.execution.executors.calls import call

pytestmark = [pytest.mark.store, pytest.mark.django_db(transaction=True)]


def send(config: dict[str, Any], given: dict[str, Any] | None = None, *, key: str = "order-1:task") -> Any:
    return MqExecutor(MqOptions()).execute(call({"topic": "payment.completed", **config}, given, key=key)).value


def test_it_writes_the_message_once_a_key() -> None:
    first = send({"tag": "paid", "key": 7, "properties": {"a": 1}, "ordering_key": "u1"}, {"order": "o1", "名": "x"})
    assert send({}, {"order": "another"}) == first
    row = LocalMessage.objects.get()
    assert first == {"message_id": row.pk, "queue": "local"}
    assert (row.topic, row.tag, row.key, row.idempotency_key) == ("payment.completed", "paid", "7", "order-1:task")
    assert row.body == '{"order":"o1","名":"x"}'
    assert row.properties == {"a": "1", "ordering_key": "u1"}
    assert send({}, key="order-1:task:r2") != first


def test_it_delays_and_takes_a_body_of_its_own() -> None:
    send({"body": "plain", "delay_seconds": 60})
    row = LocalMessage.objects.get()
    assert row.body == "plain"
    assert row.deliver_at - row.created_at == timedelta(seconds=60)


def test_many_at_once_write_one() -> None:
    answers: list[Any] = []

    def work() -> None:
        try:
            answers.append(send({}))
        except TaskFailed as error:
            answers.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert LocalMessage.objects.count() == 1
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("backend", ["rocketmq5", "kafka"])
def test_a_backend_that_is_not_there_is_refused(backend: str, settings: Any) -> None:
    with pytest.raises(TaskFailed) as caught:
        MqExecutor(MqOptions(backend=backend)).execute(call({"topic": "a"}))
    assert caught.value.failure.code == "MQ_BACKEND_MISSING"
    settings.DISTTASK = {**settings.DISTTASK, "MQ_BACKEND": backend}
    [problem] = MqExecutor.config_problems({"topic": "a"})
    assert problem.code == "not_available"
