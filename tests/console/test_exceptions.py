"""The inbox by cause, the list, the case page, and acts on one or many."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from execution.models import Instance
from flows.models import Flow
from retries.models import ExceptionRecord
from tests.console import factory

pytestmark = [pytest.mark.django_db, pytest.mark.store]

INBOX = "/admin/retries/exceptionrecord/"
BULK = f"{INBOX}bulk/"


@pytest.fixture
def flow(db: None) -> Flow:
    return factory.make_flow()


def texts(response: object) -> list[str]:
    return [str(message) for message in response.context["messages"]]  # type: ignore[attr-defined]


def test_it_groups_what_has_one_cause(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "a", message="order 1 refused")
    factory.failed(flow, "b", message="order 2 refused")
    factory.failed(flow, "c", message="no such account")
    groups = as_role("viewer").get(INBOX).context["groups"]
    assert sorted(group.waiting for group in groups) == [1, 2]


def test_it_narrows_the_list(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "a")
    factory.retrying(flow, "b")
    client = as_role("viewer")

    def found(**query: str) -> set[str]:
        rows = client.get(INBOX, {"view": "list", **query}).context["page"].rows
        return {row.instance_id for row in rows}

    assert found() == {"a", "b"}
    assert found(state="open") == {"a"}
    assert found(error_code="TIMEOUT") == {"b"}
    assert found(instance="a", handled="0") == {"a"}
    assert found(flow="nothing") == set()
    assert found(handled="1", state="all") == set()


def test_it_shows_a_case_and_leads_to_its_run(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "a")
    case = ExceptionRecord.objects.get()
    html = as_role("operator").get(f"{INBOX}{case.pk}/change/").content.decode()
    assert "HTTP_503" in html
    assert "/admin/execution/instance/a/change/" in html


def test_it_retries_one_from_its_case(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "a")
    case = ExceptionRecord.objects.get()
    response = as_role("operator").post(f"{INBOX}{case.pk}/act/", {"act": "retry"}, follow=True)
    assert texts(response) == ["Retry: the task is due now."]
    assert Instance.objects.get(pk="a").status == "running"


def test_it_handles_one_only_with_a_remark(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "a")
    case = ExceptionRecord.objects.get()
    client = as_role("operator")
    assert "remark" in " ".join(texts(client.post(f"{INBOX}{case.pk}/act/", {"act": "handle"}, follow=True)))
    client.post(f"{INBOX}{case.pk}/act/", {"act": "handle", "reason": "refunded by hand"})
    case.refresh_from_db()
    assert (case.handled, case.handled_by, case.handled_remark) == (True, "operator", "refunded by hand")


def test_each_act_of_the_case_page_tells_what_it_did(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "a")
    case = ExceptionRecord.objects.get()
    client = as_role("operator")

    def told(act: str, **fields: str) -> list[str]:
        return texts(client.post(f"{INBOX}{case.pk}/act/", {"act": act, **fields}, follow=True))

    assert told("acknowledge") == ["Acknowledged."]
    assert told("assign", due_at="2020-01-01T04:00", taken_from="") == ["Assigned."]
    assert told("comment", reason="called the bank") == ["Comment added."]
    html = client.get(f"{INBOX}{case.pk}/change/").content.decode()
    assert "overdue" in html
    assert "called the bank" in html
    assert len(client.get(INBOX, {"view": "list", "owner": "mine"}).context["page"].rows) == 1
    assert len(client.get(INBOX, {"view": "list", "owner": "overdue"}).context["page"].rows) == 1
    assert len(client.get(INBOX, {"view": "list", "owner": "none"}).context["page"].rows) == 0
    assert told("ignore", reason="planned") == ["Ignored until it occurs again."]
    assert told("reopen", reason="it was not") == ["Reopened."]
    assert told("handle", reason="by hand", resolution="expected") == ["Marked as handled."]
    assert "already handled by operator" in told("handle", reason="by hand")[0]
    assert "operator" in client.get(f"{INBOX}{case.pk}/change/").context["handover"]


def test_it_shows_a_bulk_act_before_it_is_done(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "a")
    factory.retrying(flow, "b")
    ids = list(ExceptionRecord.objects.values_list("pk", flat=True))
    response = as_role("operator").post(BULK, {"act": "retry", "chosen": ids})
    preview = response.context["preview"]
    assert preview.causes == [(("demo-order", "deduct", "HTTP_503"), 1)]
    assert preview.excluded == [("retrying", 1)]
    assert Instance.objects.get(pk="a").status == "failed"


def test_it_does_a_bulk_act_and_tells_each_outcome(flow: Flow, as_role: Callable[..., Client]) -> None:
    for name in ("a", "b", "c"):
        factory.failed(flow, name)
    Instance.objects.filter(pk="c").update(closed=True)
    ids = list(ExceptionRecord.objects.values_list("pk", flat=True))
    client = as_role("operator")
    missing = client.post(BULK, {"act": "retry", "chosen": ids, "confirmed": "1"})
    assert b"Say why" in missing.content
    response = client.post(
        BULK, {"act": "retry", "chosen": ids, "confirmed": "1", "reason": "bank is back"}, follow=True
    )
    assert texts(response)[0] == "2 exceptions retried."
    assert texts(response)[1].startswith("1 refused: ")
    assert set(Instance.objects.filter(status="running").values_list("pk", flat=True)) == {"a", "b"}


def test_it_acts_on_a_whole_group_at_most_500(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "a")
    group = ExceptionRecord.objects.get().fingerprint
    response = as_role("operator").post(BULK, {"act": "handle", "group": group})
    assert response.context["ids"] == [ExceptionRecord.objects.get().pk]


@pytest.mark.parametrize(("act", "state"), [("acknowledge", "acknowledged"), ("assign", "open"), ("ignore", "ignored")])
def test_it_does_each_act_on_a_group(flow: Flow, as_role: Callable[..., Client], act: str, state: str) -> None:
    for name in ("a", "b"):
        factory.failed(flow, name)
    client = as_role("operator")
    ids = client.post(BULK, {"act": act, "group": ExceptionRecord.objects.all()[0].fingerprint}).context["ids"]
    response = client.post(BULK, {"act": act, "chosen": ids, "confirmed": "1", "reason": "known"}, follow=True)
    assert texts(response) == ["2 exceptions: done."]
    assert set(ExceptionRecord.objects.values_list("state", flat=True)) == {state}


def test_it_refuses_bulk_to_who_may_not(flow: Flow, as_role: Callable[..., Client]) -> None:
    factory.failed(flow, "a")
    assert as_role("viewer").post(BULK, {"act": "retry", "chosen": []}).status_code == 403
    assert as_role("operator").post(BULK, {"act": "drop", "chosen": []}).status_code == 403
    assert as_role("operator").get(BULK).status_code == 405
