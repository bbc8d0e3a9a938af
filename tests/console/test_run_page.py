"""The run page: cause first, why it waits, live part, attempts, secrets masked, acts through the services."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from disttask_project.audit.models import AuditEntry
from execution.models import Instance, Task
from flows.models import Flow
from tests.console import factory

pytestmark = [pytest.mark.django_db, pytest.mark.store]

RUN = "/admin/execution/instance/r1/change/"
ACT = "/admin/execution/instance/r1/act/"
HTMX_POLL = "/admin/execution/instance/r1/live/"


@pytest.fixture
def flow(db: None) -> Flow:
    return factory.make_flow()


def page(client: Client, path: str = RUN) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def said(client: Client, response_path: str = RUN) -> list[str]:
    return [str(message) for message in client.get(response_path).context["messages"]]


def test_it_opens_with_the_cause_and_the_safest_act_first(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    html = page(as_role("operator"))
    cause = html.index("HTTP_503")
    assert cause < html.index('id="s-graph"')
    assert "attempt 4 of 4" in html
    acts = [html.index(f'value="{act}"') for act in ("retry", "mark_success", "skip")]
    assert acts == sorted(acts)
    assert "/admin/retries/exceptionrecord/" in html[cause:]


def test_it_offers_no_act_to_a_viewer(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    assert 'name="act"' not in page(as_role("viewer"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (factory.failed, "Waiting for a person: deduct."),
        (factory.retrying, "backs off"),
        (factory.running, "Waiting for the answer to deduct."),
        (factory.paused, "Paused"),
    ],
)
def test_it_says_why_a_run_is_not_moving(
    flow: Flow, as_role: Callable[..., Client], make: Callable[[Flow, str], Instance], words: str
) -> None:
    factory.worker()
    make(flow, "r1")
    assert words in page(as_role("viewer"))


def test_it_says_that_no_worker_is_alive(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.worker(silent=True)
    factory.running(flow, "r1")
    assert "No worker is alive" in page(as_role("viewer"))


def test_it_masks_secrets_wherever_it_shows_data(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    client = as_role("superuser")
    everything = page(client) + page(client, "/admin/execution/instance/r1/attempts/deduct/")
    assert "do-not-show-me" not in everything
    assert "${secret:PAYMENT}" in everything
    assert "***" in everything


def test_it_shows_attempts_with_request_answer_and_key(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    html = page(as_role("viewer"), "/admin/execution/instance/r1/attempts/deduct/")
    assert html.count("dt-attempt") >= 4
    assert "r1:deduct" in html
    assert "账户系统维护中" in html


def test_it_answers_204_until_something_changes(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.running(flow, "r1")
    client = as_role("viewer")
    rev = client.get(RUN).context["rev"]
    assert client.get(HTMX_POLL, {"rev": rev}).status_code == 204
    Instance.objects.filter(pk="r1").update(rev=999)
    fresh = client.get(HTMX_POLL, {"rev": rev})
    assert fresh.status_code == 200
    assert b"data-fragment" in fresh.content
    assert b"<html" not in fresh.content


def test_it_stops_polling_at_the_end(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.succeeded(flow, "r1")
    assert "data-ended" in page(as_role("viewer"))


def test_it_retries_in_one_click_and_leaves_a_trail(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    client = as_role("operator")
    response = client.post(ACT, {"act": "retry", "task_id": "deduct"}, follow=True)
    assert [str(message) for message in response.context["messages"]] == ["Retry: the task is due now."]
    assert Instance.objects.get(pk="r1").status == "running"
    entry = AuditEntry.objects.get(act="task.retry")
    assert (entry.actor, entry.source, entry.object_id) == ("operator", "console", "r1:deduct")


def test_it_tells_who_was_faster(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    client = as_role("operator")
    client.post(ACT, {"act": "retry", "task_id": "deduct"})
    response = client.post(ACT, {"act": "retry", "task_id": "deduct"}, follow=True)
    texts = " ".join(str(message) for message in response.context["messages"])
    assert "already retried by operator" in texts


@pytest.mark.parametrize("act", ["skip", "mark_success", "cancel", "close"])
def test_it_wants_a_reason_for_what_cannot_be_taken_back(flow: Flow, as_role: Callable[..., Client], act: str) -> None:
    factory.failed(flow, "r1")
    client = as_role("operator")
    response = client.post(ACT, {"act": act, "task_id": "" if act in ("cancel", "close") else "deduct"}, follow=True)
    assert "Say why" in " ".join(str(message) for message in response.context["messages"])
    assert Instance.objects.get(pk="r1").status == "failed"


def test_it_marks_a_task_as_successful_with_an_output(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    given = {"act": "mark_success", "task_id": "deduct", "reason": "paid by hand", "output": '{"paid": true}'}
    as_role("operator").post(ACT, given)
    assert Task.objects.get(instance_id="r1", task_id="deduct").status == "success"


def test_it_refuses_an_output_that_is_no_object(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    given = {"act": "mark_success", "task_id": "deduct", "reason": "x", "output": "[1,"}
    response = as_role("operator").post(ACT, given, follow=True)
    assert "Not valid JSON" in " ".join(str(message) for message in response.context["messages"])


def test_it_shows_what_was_sent_when_the_input_is_to_change(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    client = as_role("operator")
    html = page(client, "/admin/execution/instance/r1/change-input/deduct/")
    assert "128.50" in html
    wrong = client.post(ACT, {"act": "retry_changed", "task_id": "deduct", "reason": "r", "input": "{oops"})
    assert b"{oops" in wrong.content
    assert b"Not valid JSON" in wrong.content


def test_it_retries_with_changed_input_as_a_new_run(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    given = {"act": "retry_changed", "task_id": "deduct", "reason": "wrong amount", "input": '{"amount": "1.00"}'}
    response = as_role("operator").post(ACT, given, follow=True)
    assert [str(message) for message in response.context["messages"]] == ["Retry: the task is due now."]
    task = Task.objects.get(instance_id="r1", task_id="deduct")
    assert task.run == 2
    assert task.input_override == {"input": {"amount": "1.00"}}


def test_it_checks_the_right_in_the_service_not_by_hiding(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "r1")
    response = as_role("viewer").post(ACT, {"act": "retry", "task_id": "deduct"}, follow=True)
    assert "execution.retry_instance" in " ".join(str(message) for message in response.context["messages"])
    assert Instance.objects.get(pk="r1").status == "failed"


def test_it_pauses_resumes_and_cancels(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.retrying(flow, "r1")
    client = as_role("operator")
    for act, status in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        client.post(ACT, {"act": act, "task_id": "", "reason": "because"})
        assert Instance.objects.get(pk="r1").status == status


def test_it_finds_runs_by_the_start_of_an_id_and_by_many_ids(flow: Flow, as_role: Callable[..., Client]) -> None:
    for name in ("aa-1", "aa-2", "bb-1"):
        factory.succeeded(flow, name)
    client = as_role("viewer")

    def found(query: str) -> set[str]:
        context = client.get("/admin/execution/instance/", {"q": query}).context
        return {row["instance"].pk for row in context["rows"]}

    assert found("aa-") == {"aa-1", "aa-2"}
    assert found("AA-") == set()
    assert found("aa-1\r\nbb-1, nothing") == {"aa-1", "bb-1"}
    assert client.get("/admin/execution/instance/", {"q": "aa-1\nnothing"}).context["missing"] == ["nothing"]
    assert found("';--") == set()


def test_it_pages_by_the_last_row_without_losing_or_doubling(flow: Flow, as_role: Callable[..., Client]) -> None:
    names = {factory.succeeded(flow, f"p-{number:03d}").pk for number in range(60)}
    client = as_role("viewer")
    first = client.get("/admin/execution/instance/").context
    second = client.get("/admin/execution/instance/" + first["page"].next_query).context
    seen = [row["instance"].pk for row in [*first["rows"], *second["rows"]]]
    assert len(seen) == len(set(seen)) == 60
    assert set(seen) == names
    assert client.get("/admin/execution/instance/?after=nonsense").status_code == 200


def test_a_status_it_does_not_know_shows_as_text(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.succeeded(flow, "r1")
    Instance.objects.filter(pk="r1").update(status="teleported")
    Task.objects.filter(instance_id="r1", task_id="notify").update(status="dreaming")
    client = as_role("viewer")
    assert "teleported" in page(client, "/admin/execution/instance/")
    html = page(client)
    assert "teleported" in html
    assert "dreaming" in html
