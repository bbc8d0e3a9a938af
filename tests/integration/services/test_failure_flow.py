"""Failure flows: started once, whatever breaks between the end of the one and the start of the other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from disttask_project.kernel.actor import system_actor
from disttask_project.kernel.errors import InvalidInput
from execution.failure_models import FailureStart
from execution.models import ExecutionLog, Instance
from execution.selectors.plain import transaction_detail
from execution.selectors.tasks import instance_detail
from execution.services.following import MOST_DEPTH, start_due
from execution.services.start import start_instance
from flows.selectors import find_flow
from flows.services import create_flow, save_version, set_active
from retries.models import ExceptionRecord
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]
ACTOR = system_actor()


def flow(name: str, task: str, follow: str | None, **params: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"name": name, "on_failure": "fail", "tasks": [{"id": task, "task_name": "noop"}]}
    if follow is not None:
        document["failure_flow"] = {"flow": follow, "params": params}
    return document


def fail_an_order(instance_id: str = "o-1") -> None:
    create_flow(definition=flow("help", "call", None), actor=ACTOR)
    params = {"order": "${params.order}", "why": "${error.code}"}
    create_flow(definition=flow("order", "pay", "help", **params), actor=ACTOR)
    start_instance(flow_name="order", instance_id=instance_id, params={"order": 7}, actor=ACTOR)
    drive(pay=refused())


def test_it_starts_once_with_its_parameters_and_both_know_of_each_other() -> None:
    fail_an_order()
    assert [start_due(actor=ACTOR), start_due(actor=ACTOR)] == [1, 0]
    child = Instance.objects.get(pk="o-1.failure")
    assert child.params == {"order": 7, "why": "CARD_DECLINED"}
    told = transaction_detail(instance_detail("o-1"))["failure_flow"]
    assert (told["flow"], told["instance_id"], told["state"]) == ("help", "o-1.failure", "started")
    assert transaction_detail(instance_detail("o-1.failure"))["failure_of"] == "o-1"


def test_a_crash_after_the_start_does_not_start_it_again() -> None:
    fail_an_order("x" * 64)
    assert start_due(actor=ACTOR) == 1
    FailureStart.objects.update(state="due")  # as if the note of it had been lost
    assert start_due(actor=ACTOR) == 1
    assert Instance.objects.filter(flow__name="help").count() == 1


def test_one_that_cannot_start_opens_an_exception_and_starts_once_it_can() -> None:
    fail_an_order()
    help_flow = find_flow("help")
    set_active(flow_id=help_flow.pk, is_active=False, actor=ACTOR)
    assert start_due(actor=ACTOR) == 0
    row = FailureStart.objects.get(pk="o-1")
    assert (row.state, row.code, row.tries) == ("due", "FLOW_INACTIVE", 1)
    record = ExceptionRecord.objects.get(instance_id="o-1", task_id="")
    assert (record.state, record.error_code) == ("open", "FLOW_INACTIVE")
    set_active(flow_id=help_flow.pk, is_active=True, actor=ACTOR)
    FailureStart.objects.update(next_at=row.asked_at - timedelta(seconds=1))
    assert start_due(actor=ACTOR) == 1
    record.refresh_from_db()
    assert record.state == "resolved"
    told = ExecutionLog.objects.filter(instance_id="o-1").order_by("-seq").values_list("action", flat=True)
    assert list(told[:3]) == ["failure_flow_started", "failure_flow_refused", "failure_flow"]


def test_flows_that_follow_each_other_come_to_an_end() -> None:
    create_flow(definition=flow("one", "a", None), actor=ACTOR)
    create_flow(definition=flow("two", "b", "one"), actor=ACTOR)
    create_flow(definition=flow("three", "c", "two"), actor=ACTOR)
    save_version(flow_id=find_flow("one").pk, definition=flow("one", "a", "three"), actor=ACTOR)
    start_instance(flow_name="one", instance_id="loop", actor=ACTOR)
    for _ in range(MOST_DEPTH + 3):
        drive(a=refused(), b=refused(), c=refused())
        start_due(actor=ACTOR)
    assert Instance.objects.count() == 1 + MOST_DEPTH
    assert FailureStart.objects.get(state="refused").code == "FAILURE_FLOW_CHAIN"


def test_a_flow_that_does_not_exist_or_leads_back_is_refused() -> None:
    with pytest.raises(InvalidInput) as missing:
        create_flow(definition=flow("order", "pay", "nobody"), actor=ACTOR)
    assert missing.value.problems[0].code == "unknown_flow"
    create_flow(definition=flow("help", "call", None), actor=ACTOR)
    create_flow(definition=flow("order", "pay", "help"), actor=ACTOR)
    for document in (flow("help", "call", "order"), flow("help", "call", "help")):
        with pytest.raises(InvalidInput) as circle:
            save_version(flow_id=find_flow("help").pk, definition=document, actor=ACTOR)
        assert circle.value.problems[0].code == "circular"
