"""Rows are corrupted by SQL, as a hand in the database or a restore would; the reconciler brings them together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel import json
from disttask_project.kernel.actor import system_actor
from execution import jobs
from execution.api.metrics import EngineCollector
from execution.engine.loading import current_store
from execution.models import Attempt, ExecutionLog, Instance, InstanceTag, OperatorAction, Reconciler, Task
from execution.services import acts, healing
from execution.services.reconcile import Report, reconcile_all, reconcile_turn
from execution.services.start import start_instance
from flows.services import create_flow
from retries.models import ExceptionRecord
from tests.fakes.driving import Driver, drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]
ACTOR = system_actor()
PARAMS = {"type": "object", "properties": {"n": {"type": "integer"}}}
TASKS = [{"id": "a", "task_name": "noop"}, {"id": "b", "task_name": "noop", "depends_on": ["a"]}]


@pytest.fixture(autouse=True)
def _flow() -> None:
    definition = {"name": "two", "input_schema": PARAMS, "tags": {"n": "${params.n}"}, "tasks": TASKS}
    create_flow(definition=definition, actor=ACTOR)


def start(instance_id: str) -> None:
    start_instance(flow_name="two", instance_id=instance_id, params={"n": 7}, actor=ACTOR)


def kinds(report: Report) -> list[tuple[str, str]]:
    return [(drift.kind, drift.task_id) for drift in report.healed]


def heal() -> list[tuple[str, str]]:
    """What was mended; a second walk finds nothing more."""
    healed = kinds(reconcile_all(actor=ACTOR))
    assert reconcile_all(actor=ACTOR).found == []
    return healed


def one(**fields: Any) -> Any:
    return Instance.objects.get(**fields)


def test_it_leaves_alone_what_agrees() -> None:
    start("done")
    drive()
    start("held")
    drive(a=refused())
    start("closed")
    drive(b=refused())
    acts.close(instance_id="closed", reason="no", actor=ACTOR)
    start("cancelled")
    acts.cancel(instance_id="cancelled", reason="no", actor=ACTOR)
    start("paused")
    acts.pause(instance_id="paused", actor=ACTOR)
    start("new")
    before = list(Instance.objects.order_by("pk").values("pk", "rev", "fence", "wake_at"))
    report = reconcile_all(actor=ACTOR)
    assert (report.looked, report.found) == (6, [])
    assert list(Instance.objects.order_by("pk").values("pk", "rev", "fence", "wake_at")) == before


@pytest.mark.parametrize("status", ["pending", "running"])
def test_what_is_open_and_sleeps_for_ever_is_woken(status: str) -> None:
    start("x")
    if status == "running":
        Driver().claim()
        Instance.objects.update(owner="", lease_until=None, status=status)
    Instance.objects.update(wake_at=None)
    assert heal() == [("never_woken", "")]
    drive()
    assert one().status == "success"


def test_an_owner_without_a_lease_keeps_nobody_from_it() -> None:
    start("x")
    Instance.objects.update(owner="gone", lease_until=None, wake_at=None)
    assert heal() == [("never_woken", "")]
    assert one().owner == ""


def test_a_wake_in_a_hundred_years_is_brought_forward() -> None:
    start("x")
    Instance.objects.update(wake_at=current_store().now() + timedelta(days=36500))
    assert heal() == [("woken_too_late", "")]
    drive()
    assert one().status == "success"


def test_an_act_that_nobody_will_see_wakes_its_instance() -> None:
    start("x")
    acts.pause(instance_id="x", actor=ACTOR)
    OperatorAction.objects.update(state="asked", open_key="x::resume", act="resume", verdict=None, decided_at=None)
    assert heal() == [("never_woken", "")]
    assert current_store().has_due(current_store().now())


def test_a_decided_act_gives_its_key_back() -> None:
    start("x")
    acts.pause(instance_id="x", actor=ACTOR)
    OperatorAction.objects.update(open_key="x::pause")
    assert heal() == [("act_key", "")]
    acts.resume(instance_id="x", actor=ACTOR)
    acts.pause(instance_id="x", actor=ACTOR)


def test_an_act_on_nothing_is_refused() -> None:
    start("x")
    acts.pause(instance_id="x", actor=ACTOR)
    OperatorAction.objects.update(state="asked", open_key="y::pause", instance_id="y")
    assert heal() == [("act_of_nobody", "")]
    assert OperatorAction.objects.get().state == "refused"


def test_the_next_log_row_finds_its_number_free() -> None:
    start("x")
    drive(a=refused())
    Instance.objects.update(seq=2)
    assert heal() == [("log_number", "")]
    acts.retry(instance_id="x", actor=ACTOR)
    drive()
    assert one().status == "success"
    seqs = list(ExecutionLog.objects.order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))


def test_who_needs_a_person_is_shown_to_one() -> None:
    start("x")
    drive(a=refused())
    Instance.objects.update(needs_attention=False)
    assert heal() == [("attention", "")]
    assert one().needs_attention


def test_a_task_stands_as_its_log_says() -> None:
    start("x")
    drive()
    Task.objects.filter(task_id="a").update(status="failed", result=None)
    assert heal() == [("task_and_log", "a")]
    task = Task.objects.get(task_id="a")
    assert (task.status, task.result) == ("success", Attempt.objects.get(task_id="a").response)


def test_an_open_attempt_of_an_ended_instance_is_closed_as_unknown() -> None:
    start("x")
    drive()
    Attempt.objects.filter(task_id="b").update(status="started", ended_at=None)
    assert heal() == [("open_attempt", "b")]
    attempt = Attempt.objects.get(task_id="b")
    assert (attempt.status, attempt.error_code) == ("unknown", "RECONCILED")
    assert one().status == "success"


def test_a_task_under_way_in_a_held_instance_waits_for_a_person() -> None:
    start("x")
    drive(a=refused())
    Task.objects.update(status="retrying", next_at=current_store().now())
    ExecutionLog.objects.filter(task_id="a", action="failed").update(details={"from": "running", "to": "retrying"})
    assert heal() == [("task_under_way", "a")]
    assert Task.objects.get().status == "failed"
    assert ExceptionRecord.objects.get().state == "open"


def test_an_exception_of_what_is_well_is_closed() -> None:
    start("x")
    drive(a=refused())
    acts.retry(instance_id="x", actor=ACTOR)
    drive()
    ExceptionRecord.objects.update(state="open")
    assert heal() == [("exception_left", "a")]
    assert ExceptionRecord.objects.get().state == "resolved"


def test_a_failure_without_a_record_gets_one() -> None:
    start("x")
    drive(a=refused("CARD_DECLINED"))
    ExceptionRecord.objects.all().delete()
    assert heal() == [("exception_missing", "a")]
    record = ExceptionRecord.objects.get()
    assert (record.state, record.error_code, record.task_id) == ("open", "CARD_DECLINED", "a")


def test_a_derived_tag_comes_back() -> None:
    start("x")
    InstanceTag.objects.all().delete()
    assert heal() == [("tag_missing", "")]
    assert InstanceTag.objects.get().value == "7"


def test_it_heals_many_faults_of_one_at_once_and_tells_so() -> None:
    start("x")
    drive(a=refused())
    Instance.objects.update(needs_attention=False, seq=1)
    ExceptionRecord.objects.all().delete()
    assert set(heal()) == {("attention", ""), ("log_number", ""), ("exception_missing", "a")}
    told = ExecutionLog.objects.get(action="reconcile").details["healed"]
    assert {row["kind"] for row in told} == {"attention", "log_number", "exception_missing"}
    entry = AuditEntry.objects.get(act="reconcile.heal")
    assert (entry.object_id, len(entry.after["healed"])) == ("x", 3)


def test_it_never_heals_under_a_live_lease() -> None:
    start("x")
    Driver().claim()
    Instance.objects.update(wake_at=None, seq=9)
    assert reconcile_all(actor=ACTOR).found == []
    assert one().seq == 9


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_only_tells(as_json: bool) -> None:
    start("x")
    Instance.objects.update(wake_at=None)
    out = StringIO()
    call_command("reconcile", "--dry-run", *(["--json"] if as_json else []), stdout=out)
    if as_json:
        said = json.loads(out.getvalue())
        assert (said["looked"], said["healed"], [drift["kind"] for drift in said["found"]]) == (1, [], ["never_woken"])
    else:
        assert "x  never_woken" in out.getvalue()
        assert "1 disagreements found, 0 mended" in out.getvalue()
    assert one().wake_at is None


def test_it_walks_window_after_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.services.reconcile.WINDOW", 2)
    for number in range(5):
        start(f"x{number}")
    Instance.objects.update(wake_at=None)
    assert len(heal()) == 5


def test_a_turn_goes_on_where_the_last_one_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.services.reconcile.WINDOW", 2)
    monkeypatch.setattr("execution.services.reconcile.OPEN_WINDOW", 2)
    for number in range(5):
        start(f"x{number}")
    Instance.objects.update(wake_at=None)
    turns = [reconcile_turn(actor=ACTOR, every=0.0) for _ in range(3)]
    assert [len(turn.healed) if turn else None for turn in turns] == [2, 2, 1]
    place = Reconciler.objects.get()
    assert (place.rounds, place.healed, place.place) == (1, 5, {})


def test_hosts_take_turns() -> None:
    assert reconcile_turn(actor=ACTOR, every=0.0) is not None
    assert reconcile_turn(actor=ACTOR, every=60.0) is None


def test_what_it_has_mended_stands_on_the_workers_page_and_in_the_metrics(admin_client: Client) -> None:
    start("x")
    Instance.objects.update(wake_at=None)
    assert reconcile_turn(actor=ACTOR, every=0.0) is not None
    page = admin_client.get("/admin/execution/enginesession/").content.decode()
    assert "would never have been woken" in page
    assert "/admin/execution/instance/x/change/" in page
    samples = {sample.name: sample.value for metric in EngineCollector().collect() for sample in metric.samples}
    assert samples["disttask_reconciler_healed_total"] == 1
    assert samples["disttask_reconciler_looked_total"] == 1


def test_the_queue_brings_it_round(monkeypatch: pytest.MonkeyPatch) -> None:
    start("x")
    Instance.objects.update(wake_at=None)
    monkeypatch.setattr("execution.jobs.connections.close_all", lambda: None)
    jobs.reconcile()
    assert one().wake_at is not None
    assert AuditEntry.objects.get(act="reconcile.heal").actor == "reconciler"


def test_one_that_cannot_be_mended_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = healing.heal
    start("x0")
    start("x1")
    Instance.objects.update(wake_at=None)

    def fails(hold: Any, drifts: Any, **rest: Any) -> Any:
        if hold.state.id == "x0":
            raise RuntimeError("no")
        return real(hold, drifts, **rest)

    monkeypatch.setattr("execution.services.reconcile.heal", fails)
    assert [drift.instance_id for drift in reconcile_all(actor=ACTOR).healed] == ["x1"]
