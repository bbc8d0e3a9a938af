"""Tokens, groups and who an actor is."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from disttask_project.access.actors import actor_from_request
from disttask_project.access.authentication import TokenAuthentication
from disttask_project.access.models import ApiToken
from disttask_project.access.services import create_token, revoke_token
from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.actor import Actor, system_actor
from disttask_project.kernel.errors import Forbidden, InvalidInput, NotFound

pytestmark = [pytest.mark.store, pytest.mark.django_db]


@pytest.fixture
def user() -> User:
    return User.objects.create_user("li.wei", password="a-long-password-1")


def sign_in(header: str) -> tuple[User, ApiToken] | None:
    request = Request(RequestFactory().get("/", headers={"Authorization": header}))
    return TokenAuthentication().authenticate(request)


def create(*arguments: str) -> str:
    out = StringIO()
    call_command("createtoken", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("prefix", ["Bearer", "Token", "bearer"])
def test_a_token_signs_its_user_in(user: User, prefix: str) -> None:
    token = create("li.wei", "--name", "ci", "--expires", "7").strip()
    signed = sign_in(f"{prefix} {token}")
    assert signed is not None
    assert (signed[0], signed[1].name) == (user, "ci")
    assert timedelta(days=6) < signed[1].expiry - timezone.now() <= timedelta(days=7)


def test_it_prints_the_token_alone(user: User) -> None:
    assert create("li.wei").count("\n") == 1
    assert set(json.loads(create("li.wei", "--json"))) == {"token"}


def test_it_keeps_no_token_readable(user: User) -> None:
    token = create("li.wei").strip()
    stored = ApiToken.objects.values().get()
    assert token not in str(stored)
    assert token not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("header", ["", "Basic abc", "Digest x y"])
def test_it_leaves_other_schemes_alone(header: str) -> None:
    assert sign_in(header) is None


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer wrong", "Token \xff\xfe"])
def test_it_refuses_a_wrong_token(header: str) -> None:
    with pytest.raises(AuthenticationFailed):
        sign_in(header)


def test_it_refuses_an_expired_or_revoked_token_or_user(user: User) -> None:
    token = create("li.wei").strip()
    user.is_active = False
    user.save()
    with pytest.raises(AuthenticationFailed):
        sign_in(f"Bearer {token}")
    user.is_active = True
    user.save()
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    with pytest.raises(AuthenticationFailed):
        sign_in(f"Bearer {token}")
    ApiToken.objects.update(expiry=None)
    revoke_token(token_key=ApiToken.objects.get().token_key, actor=system_actor())
    with pytest.raises(AuthenticationFailed):
        sign_in(f"Bearer {token}")


def test_it_costs_one_query_however_many_tokens_a_user_has(user: User) -> None:
    tokens = [create("li.wei").strip() for _ in range(5)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        sign_in(f"Bearer {tokens[2]}")
    assert len(queries) == 1


def test_it_says_who_made_and_revoked_a_token(user: User) -> None:
    create("li.wei", "--name", "ci")
    revoke_token(token_key=ApiToken.objects.get().token_key, actor=system_actor("root", source="cli"))
    rows = AuditEntry.objects.order_by("at", "id").values_list("act", "source", "object_type")
    assert list(rows) == [("create_token", "cli", "token"), ("revoke_token", "cli", "token")]


def test_it_refuses_what_makes_no_sense(user: User) -> None:
    with pytest.raises(CommandError, match="no active user nobody"):
        create("nobody")
    with pytest.raises(CommandError, match="between 1 and"):
        create("li.wei", "--expires", "0")
    with pytest.raises(InvalidInput):
        create_token(username="li.wei", name="x" * 101, actor=system_actor())
    with pytest.raises(Forbidden):
        create_token(username="li.wei", actor=Actor(name="x", source="rest"))
    with pytest.raises(NotFound):
        revoke_token(token_key="none", actor=system_actor())


@pytest.mark.parametrize(
    ("group", "may", "may_not"),
    [
        (
            "Viewer",
            ["execution.view_instance", "flows.view_flow"],
            ["execution.retry_instance", "audit.view_auditentry"],
        ),
        ("Operator", ["execution.retry_instance", "retries.handle_exception"], ["flows.edit_flow"]),
        ("Flow editor", ["flows.edit_flow", "flows.publish_flow"], ["execution.skip_task"]),
        ("Administrator", ["auth.add_user", "access.add_apitoken", "audit.view_auditentry", "flows.edit_flow"], []),
    ],
)
def test_a_group_may_do_its_work_and_no_more(group: str, may: list[str], may_not: list[str], user: User) -> None:
    user.groups.add(Group.objects.get(name=group))
    assert [permission for permission in may if not user.has_perm(permission)] == []
    assert [permission for permission in may_not if user.has_perm(permission)] == []


def test_an_actor_carries_user_right_request_and_address(user: User) -> None:
    user.groups.add(Group.objects.get(name="Viewer"))
    request = RequestFactory().get("/", REMOTE_ADDR="10.1.2.3", HTTP_X_FORWARDED_FOR="1.1.1.1")
    request.user, request.request_id = user, "r1"  # type: ignore[attr-defined]
    actor = actor_from_request(request, "rest")
    assert (actor.name, actor.source, actor.request_id, actor.address) == ("li.wei", "rest", "r1", "10.1.2.3")
    assert actor.may("flows.view_flow")
    assert not actor.may("flows.edit_flow")


def test_nobody_may_do_nothing() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    with pytest.raises(Forbidden):
        actor_from_request(request, "rest").require("flows.view_flow")


def test_it_believes_a_forwarded_address_only_behind_a_trusted_proxy(settings: object) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 1.2.3.4")
    request.user = AnonymousUser()
    settings.DISTTASK = {**settings.DISTTASK, "SECURITY_TRUST_PROXY": True}  # type: ignore[attr-defined]
    assert actor_from_request(request, "rest").address == "1.2.3.4"
