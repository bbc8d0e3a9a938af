"""Every page, for every role, in both languages: it renders, and it costs a bounded number of queries."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.console import factory
from tests.console.conftest import LANGUAGES, ROLES

pytestmark = [pytest.mark.django_db, pytest.mark.store]

RUN = "/admin/execution/instance/{}/change/"
LISTS = {
    "/admin/": 14,
    "/admin/execution/instance/": 9,
    "/admin/execution/instance/?status=failed&period=24h": 9,
    "/admin/execution/instance/?attention=1": 9,
    "/admin/execution/enginesession/": 7,
    "/admin/execution/localmessage/": 6,
    "/admin/execution/target/": 8,
    "/admin/retries/exceptionrecord/": 7,
    "/admin/retries/exceptionrecord/?view=list": 6,
    "/admin/flows/flow/": 6,
    "/admin/flows/taskdefinition/": 6,
}
RUNS = ("ok", "failed", "retrying", "running", "paused")


@pytest.fixture
def store_of_runs() -> None:
    flow = factory.make_flow()
    factory.worker()
    factory.succeeded(flow, "ok")
    factory.failed(flow, "failed")
    factory.retrying(flow, "retrying")
    factory.running(flow, "running")
    factory.paused(flow, "paused")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.usefixtures("store_of_runs")
def test_it_shows_every_list_to_every_role(as_role: Callable[..., Client], role: str, language: str) -> None:
    client = as_role(role, language)
    for path, most in LISTS.items():
        with CaptureQueriesContext(connection) as queries:
            response = client.get(path)
        assert response.status_code == 200, path
        assert len(queries) <= most, f"{path}: {len(queries)}\n" + "\n".join(q["sql"][:160] for q in queries)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.usefixtures("store_of_runs")
def test_it_shows_every_kind_of_run_to_every_role(as_role: Callable[..., Client], role: str, language: str) -> None:
    client = as_role(role, language)
    for name in RUNS:
        with CaptureQueriesContext(connection) as queries:
            response = client.get(RUN.format(name))
        assert response.status_code == 200
        assert len(queries) <= 24, "\n".join(q["sql"][:160] for q in queries)


@pytest.mark.usefixtures("store_of_runs")
def test_it_reads_no_more_for_many_runs_than_for_few(as_role: Callable[..., Client]) -> None:
    client = as_role("viewer")
    with CaptureQueriesContext(connection) as few:
        client.get("/admin/execution/instance/")
    flow = factory.make_flow("another")
    for number in range(30):
        factory.failed(flow, f"more-{number}")
    with CaptureQueriesContext(connection) as many:
        client.get("/admin/execution/instance/")
    assert len(many) == len(few)
    assert not [query for query in many if "COUNT(" in query["sql"].upper()]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/admin/audit/auditentry/", {"administrator", "superuser"}),
        ("/admin/access/apitoken/", {"administrator", "superuser"}),
        ("/admin/auth/user/", {"administrator", "superuser"}),
        ("/admin/django_q/ormq/", {"superuser"}),
        ("/admin/django_q/success/", {"superuser"}),
        ("/admin/django_q/failure/", {"superuser"}),
        ("/admin/flows/flow/new/", {"editor", "administrator", "superuser"}),
        ("/admin/execution/instance/start/", {"operator", "editor", "administrator", "superuser"}),
    ],
)
def test_it_keeps_a_page_from_roles_that_may_not_see_it(
    as_role: Callable[..., Client], path: str, allowed: set[str]
) -> None:
    statuses = {role: as_role(role).get(path).status_code for role in (*ROLES, "superuser")}
    assert {role for role, status in statuses.items() if status == 200} == allowed
    assert {status for role, status in statuses.items() if role not in allowed} <= {403}


def test_it_offers_no_way_to_change_the_queue(as_role: Callable[..., Client]) -> None:
    client = as_role("superuser")
    assert client.get("/admin/django_q/schedule/").status_code == 404
    assert client.get("/admin/django_q/schedule/add/").status_code == 404
    assert client.get("/admin/django_q/ormq/add/").status_code == 403
    assert b"resubmit" not in client.get("/admin/django_q/failure/").content.lower()


def test_it_says_what_to_do_when_there_is_nothing_yet(as_role: Callable[..., Client]) -> None:
    client = as_role("operator")
    assert b"manage.py flow apply" in client.get("/admin/").content
    assert b"manage.py runcluster" in client.get("/admin/").content
    assert b"manage.py tx start" in client.get("/admin/execution/instance/").content


def test_it_sends_a_stranger_to_the_login() -> None:
    response = Client().get("/admin/execution/instance/")
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")
