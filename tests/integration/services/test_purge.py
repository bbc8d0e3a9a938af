"""Retention: only what has ended for good goes, and all of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.actor import system_actor
from disttask_project.kernel.errors import InvalidInput
from execution.models import Attempt, ExecutionLog, Instance, InstanceTag, Task
from execution.services.purge import purge
from execution.services.start import start_instance
from flows.services import create_flow
from retries.models import ExceptionRecord
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]
ACTOR = system_actor()
LONG_AGO = datetime.now(UTC) - timedelta(days=100)


@pytest.fixture
def instances() -> None:
    create_flow(
        definition={"name": "one", "tags": {"n": "1"}, "tasks": [{"id": "a", "task_name": "noop"}]}, actor=ACTOR
    )
    start_instance(flow_name="one", instance_id="held", actor=ACTOR)
    drive(a=refused())
    start_instance(flow_name="one", instance_id="done", actor=ACTOR)
    drive()
    start_instance(flow_name="one", instance_id="waiting", actor=ACTOR)
    Instance.objects.update(created_at=LONG_AGO)
    Instance.objects.exclude(completed_at=None).update(completed_at=LONG_AGO)
    start_instance(flow_name="one", instance_id="fresh", actor=ACTOR)


@pytest.mark.usefixtures("instances")
def test_it_removes_what_ended_long_ago_with_all_its_rows() -> None:
    assert purge(older_than=timedelta(days=90), dry_run=True, actor=ACTOR).instances == 1
    assert Instance.objects.count() == 4
    done = purge(older_than=timedelta(days=90), actor=ACTOR)
    assert done.instances == 1
    assert set(Instance.objects.values_list("pk", flat=True)) == {"held", "waiting", "fresh"}
    for model in (Task, Attempt, ExecutionLog, InstanceTag):
        assert not model.objects.filter(instance_id="done").exists()
    assert ExceptionRecord.objects.filter(instance_id="held").exists()
    assert AuditEntry.objects.get(act="purge").after["instances"] == 1


@pytest.mark.usefixtures("instances")
def test_it_removes_in_batches_with_the_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.services.purge.BATCH", 1)
    Instance.objects.filter(pk="held").update(closed=True, needs_attention=False, completed_at=LONG_AGO)
    heard: list[int] = []
    assert purge(older_than=timedelta(days=90), actor=ACTOR, progress=heard.append).instances == 2
    assert heard == [1, 2]
    assert not ExceptionRecord.objects.exists()


def test_it_refuses_an_age_that_would_take_what_is_fresh() -> None:
    with pytest.raises(InvalidInput):
        purge(older_than=timedelta(minutes=1), actor=ACTOR)
