from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from flows import selectors
from tests.integration.flows.builders import document

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "order.json"
    path.write_text(json.dumps(document()), encoding="utf-8")
    return path


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command("flow", *map(str, arguments), stdout=out, stderr=out)
    return out.getvalue().strip()


def run_json(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json"))


def failed_json(*arguments: object) -> Any:
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("flow", *map(str, arguments), "--json", stdout=out)
    assert ended.value.code == 1
    return json.loads(out.getvalue())


def change(file: Path, **more: Any) -> None:
    file.write_text(json.dumps(document(**more)), encoding="utf-8")


def test_it_saves_a_file_once_for_each_change(file: Path) -> None:
    assert run("apply", file) == "order version 1 created (published)"
    assert run("apply", file) == "order version 1 unchanged (published)"
    change(file, on_failure="fail")
    assert run_json("apply", file, "--note", "why")["result"] == "saved"
    assert selectors.latest_version(selectors.find_flow("order")).note == "why"


def test_a_draft_is_applied_and_published(file: Path) -> None:
    run("apply", file)
    change(file, on_failure="fail")
    assert run("apply", file, "--draft") == "order version 2 saved (draft)"
    assert run("apply", file, "--draft") == "order version 2 unchanged (draft)"
    assert run("publish", "order") == "order version 2 published (published)"
    assert run("publish", "order", "1") == "order version 1 published (published)"
    assert selectors.find_flow("order").current.number == 1  # type: ignore[union-attr]
    assert run("apply", file) == "order version 3 saved (published)"


def test_it_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(document()).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert run("validate", "-") == "valid"
    stdin.close()


def test_it_lists_what_is_wrong(file: Path) -> None:
    change(file, tasks=[{"id": "a", "task_name": "zzzz", "idempotency_key": "x"}])
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("flow", "validate", str(file), stdout=out, stderr=out)
    assert ended.value.code == 1
    assert "tasks[0].task_name: There is no task type zzzz in the catalog. (unknown_task_name)" in out.getvalue()
    assert "warning: tasks[0].idempotency_key" in out.getvalue()
    answer = failed_json("validate", file)
    assert (answer["valid"], answer["problems"][0]["loc"]) == (False, ["tasks", 0, "task_name"])
    assert failed_json("apply", file)["error"] == "INVALID_DEFINITION"
    with pytest.raises(CommandError, match=r"tasks\[0\]\.task_name"):
        run("apply", file)
    with pytest.raises(CommandError, match="has problems"):
        run("graph", file)


def test_it_exports_what_was_saved(file: Path) -> None:
    run("apply", file)
    assert json.loads(run("export", "order")) == document()
    assert run_json("export", "order", "1") == document()


def test_it_compares_versions_and_files(file: Path) -> None:
    run("apply", file)
    assert run("diff", "order", "1") == "no difference"
    change(file, on_failure="fail")
    assert '+  "on_failure": "fail"' in run("diff", "order", file)
    run("apply", file)
    assert run_json("diff", "order", "1", "2")["flow_keys"] == ["on_failure"]
    assert '-  "on_failure": "fail"' in run("diff", "order", "2", "1")
    file.write_text("{", encoding="utf-8")
    with pytest.raises(CommandError, match="Not valid JSON"):
        run("diff", "order", file)
    file.write_text("{}", encoding="utf-8")
    assert failed_json("diff", "order", file)["errors"][0]["code"] == "required"


def test_it_draws_flows_and_files(file: Path) -> None:
    assert run("graph", file).startswith("flowchart LR")
    run("apply", file)
    assert run("graph", "order", "--format", "svg").startswith("<svg")
    assert json.loads(run("graph", "order", "1", "--format", "json"))["nodes"][0]["id"] == "a"
    assert run_json("graph", "order")["name"] == "order"


def test_it_lists_flows(file: Path) -> None:
    assert "no flows yet" in run("list")
    run("apply", file)
    assert run("list") == "order\tversion 1\tactive"
    assert [row["name"] for row in run_json("list", "--search", "ord")] == ["order"]
    assert run_json("list", "--search", "pay") == []


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no flow nothing") as failed:
        run("export", "nothing")
    assert failed.value.returncode == 1
    with pytest.raises(CommandError, match="No such file") as failed:
        run("apply", tmp_path / "nothing.json")
    assert failed.value.returncode == 2
    with pytest.raises(CommandError):
        run("dance")
