"""What is being undone, or waits for a person in the middle of it, agrees."""

from __future__ import annotations

from typing import Any

import pytest

from disttask_project.kernel.actor import system_actor
from execution.models import Instance
from execution.services.reconcile import reconcile_all
from execution.services.start import start_instance
from flows.services import create_flow
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]
ACTOR = system_actor()


def test_it_leaves_an_undo_alone_held_or_done() -> None:
    undo = {"task_name": "noop"}
    tasks = [
        {"id": "a", "task_name": "noop", "compensate": undo},
        {"id": "b", "task_name": "noop", "depends_on": ["a"]},
    ]
    create_flow(definition={"name": "saga", "on_failure": "compensate", "tasks": tasks}, actor=ACTOR)
    answers_of: dict[str, dict[str, Any]] = {"undone": {}, "held": {"a.undo": refused()}}
    for name, answers in answers_of.items():
        start_instance(flow_name="saga", instance_id=name, actor=ACTOR)
        drive(b=refused(), **answers)
    assert Instance.objects.get(pk="undone").status == "compensated"
    assert Instance.objects.get(pk="held").status == "compensating"
    assert reconcile_all(actor=ACTOR, dry_run=True).found == []
