"""Commands: the same services as REST, `--json`, exit codes 0, 1 and 2."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.actor import system_actor
from execution.management.tx import arguments
from execution.models import Instance
from flows.services import create_flow
from retries.models import ExceptionRecord
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]


@pytest.fixture(autouse=True)
def flow() -> None:
    definition = {"name": "one", "tasks": [{"id": "a", "task_name": "noop", "input": {"n": "${params.n}"}}]}
    create_flow(definition=definition, actor=system_actor())


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_it_starts_with_pairs_and_files(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"n": 1, "deep": {"a": 1}}')
    started = run_json(
        "tx", "start", "one", "--params", str(tmp_path / "params.json"), "-p", "n=2", "-p", "deep.b=x", "--id", "O-1"
    )
    assert started["instance_id"] == "O-1"
    assert Instance.objects.get(pk="O-1").params == {"n": 2, "deep": {"a": 1, "b": "x"}}
    assert Instance.objects.get(pk="O-1").create_user


def test_a_flow_may_be_named_by_its_id() -> None:
    flow_id = run_json("tx", "start", "one", "-p", "n=1")["flow_id"]
    assert run_json("tx", "start", flow_id, "-p", "n=1")["flow_name"] == "one"


def test_waiting_exits_with_1_unless_it_ends_well() -> None:
    run("tx", "start", "one", "-p", "n=1", "--id", "good")
    drive()
    assert run_json("tx", "start", "one", "-p", "n=1", "--id", "good", "--wait")["status"] == "success"
    run("tx", "start", "one", "-p", "n=1", "--id", "bad")
    drive(a=refused())
    with pytest.raises(SystemExit) as ended:
        run("tx", "start", "one", "-p", "n=1", "--id", "bad", "--wait")
    assert ended.value.code == 1


def test_status_says_what_failed_and_what_can_mend_it() -> None:
    run("tx", "start", "one", "-p", "n=1", "--id", "O-1")
    drive(a=refused())
    text = run("tx", "status", "O-1")
    assert "CARD_DECLINED" in text
    assert "retry, retry-changed, mark-success, skip, close, cancel" in text
    shown = run_json("tx", "status", "O-1")
    assert (shown["cause"]["code"], shown["waiting"]["code"]) == ("CARD_DECLINED", "person")
    with pytest.raises(SystemExit):
        run("tx", "watch", "O-1")


def test_it_lists_and_acts() -> None:
    run("tx", "start", "one", "-p", "n=1", "--id", "O-1")
    drive(a=refused())
    assert "O-1" in run("tx", "list", "--needs-attention")
    assert [row["instance_id"] for row in run_json("tx", "list", "--status", "failed")] == ["O-1"]
    assert run_json("tx", "retry", "O-1", "--task", "a")["state"] == "done"
    drive(a=refused())
    assert run_json("tx", "skip", "O-1", "--task", "a", "--reason", "not needed")["status"] == "success"
    assert set(AuditEntry.objects.filter(object_type="task").values_list("source", flat=True)) == {"cli"}


def test_what_is_refused_exits_with_1_and_says_why() -> None:
    run("tx", "start", "one", "-p", "n=1", "--id", "O-1")
    for words in (
        ("tx", "start", "nothing"),
        ("tx", "start", "one", "--id", "no good"),
        ("tx", "retry", "O-1"),
        ("tx", "status", "nothing"),
        ("tx", "compensate", "O-1"),
        ("exceptions", "show", "nothing"),
    ):
        with pytest.raises(CommandError) as told:
            run(*words)
        assert told.value.returncode == 1
        assert str(told.value)


def test_wrong_usage_exits_with_2() -> None:
    for words in (("tx", "start", "one", "-p", "n"), ("tx", "skip", "O-1"), ("tx", "start", "one", "--params", "/no")):
        with pytest.raises(CommandError) as told:
            run(*words)
        assert told.value.returncode in (1, 2)


def test_the_inbox_is_worked_from_the_terminal() -> None:
    run("tx", "start", "one", "-p", "n=1", "--id", "O-1")
    drive(a=refused())
    record = ExceptionRecord.objects.get()
    assert record.pk in run("exceptions", "list")
    assert "CARD_DECLINED" in run("exceptions", "show", record.pk)
    assert run_json("exceptions", "retry", record.pk)["state"] == "done"
    drive(a=refused())
    assert run_json("exceptions", "acknowledge", record.pk)["state"] == "acknowledged"
    run("exceptions", "comment", record.pk, "--comment", "called the bank")
    assert "called the bank" in run("exceptions", "comments", record.pk)
    assert run_json("exceptions", "ignore", record.pk, "--reason", "planned")["state"] == "ignored"
    assert run_json("exceptions", "reopen", record.pk, "--reason", "it was not")["state"] == "open"
    assert run_json("exceptions", "handle", record.pk, "--remark", "by hand")["handled"] is True
    assert run_json("exceptions", "list")[:1] == []


def test_purge_counts_before_it_removes() -> None:
    assert run_json("purge", "--older-than", "90d", "--dry-run") == {"instances": 0, "others": {}, "dry_run": True}
    assert "0 instances removed" in run("purge", "--older-than", "90d")


@pytest.mark.parametrize(
    ("written", "value"),
    [("n=5", 5), ("n=x", "x"), ('n="5"', "5"), ("n=", ""), ("n=null", None), ("n=[1]", [1]), ("n=a=b", "a=b")],
)
def test_a_value_that_is_no_json_is_a_string(written: str, value: Any) -> None:
    assert arguments.nest({}, [arguments.pair(written)]) == {"n": value}
