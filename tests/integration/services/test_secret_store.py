"""The encrypted store of secrets, by service, REST, command and console."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.actor import Actor, system_actor
from disttask_project.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound
from disttask_project.secretstore import services
from disttask_project.secretstore.models import StoredSecret
from disttask_project.secretstore.sealing import CannotOpen, open_sealed
from disttask_project.secretstore.selectors import SecretValues

pytestmark = [pytest.mark.django_db, pytest.mark.store]
ADMIN = system_actor("root")
VALUE = "correct horse\nbattery-银行"


def put(name: str = "BANK", value: str = VALUE) -> StoredSecret:
    return services.set_secret(name=name, value=value, note="the bank's", actor=ADMIN)


def values(*names: str) -> list[str]:
    read = SecretValues()
    read.refresh()
    return [read.get(name) for name in names]


def test_a_value_goes_in_sealed_and_comes_out_for_sending() -> None:
    row = put()
    assert "horse" not in row.sealed
    assert values("BANK", "OTHER") == [VALUE, ""]


def test_a_second_value_replaces_the_first() -> None:
    put()
    put(value="another one")
    assert values("BANK") == ["another one"]
    assert [entry.act for entry in AuditEntry.objects.order_by("at", "id")] == ["add_secret", "replace_secret"]


def test_the_operations_log_never_holds_a_value() -> None:
    put()
    entry = AuditEntry.objects.get()
    assert VALUE not in json.dumps([entry.before, entry.after, entry.reason], ensure_ascii=False)


@pytest.mark.parametrize(
    ("name", "value", "loc"),
    [("9A", "v", "name"), ("", "v", "name"), ("A-B", "v", "name"), ("A" * 65, "v", "name"), ("A", "", "value")],
)
def test_it_refuses_what_could_not_be_sent(name: str, value: str, loc: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        put(name, value)
    assert [problem.loc for problem in caught.value.problems] == [(loc,)]
    assert not StoredSecret.objects.exists()


def test_it_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MAX_SECRETS", 1)
    put("ONE")
    put("ONE", "replaced")
    with pytest.raises(Conflict):
        put("TWO")


def test_only_who_may_sets_and_removes() -> None:
    put()
    nobody = Actor(name="li.wei", source="console")
    with pytest.raises(Forbidden):
        services.set_secret(name="BANK", value="mine", actor=nobody)
    with pytest.raises(Forbidden):
        services.delete_secret(name="BANK", actor=nobody)
    assert values("BANK") == [VALUE]


def test_what_is_removed_is_gone() -> None:
    put()
    services.delete_secret(name="BANK", reason="rotated away", actor=ADMIN)
    assert values("BANK") == [""]
    with pytest.raises(NotFound):
        services.delete_secret(name="BANK", actor=ADMIN)


def test_a_row_under_another_name_does_not_open() -> None:
    put()
    StoredSecret.objects.create(
        name="OTHER", sealed=put().sealed, created_at=put().created_at, updated_at=put().updated_at
    )
    assert values("BANK", "OTHER") == [VALUE, ""]


def test_a_former_key_opens_until_all_is_resealed(settings: Any) -> None:
    put()
    old = settings.DISTTASK["SECURITY_SECRETS_KEY"] or settings.SECRET_KEY
    settings.DISTTASK = {**settings.DISTTASK, "SECURITY_SECRETS_KEY": "a new key of the deployer"}
    assert values("BANK") == [""]
    assert services.reseal_secrets(actor=ADMIN) == (0, ["BANK"])
    settings.DISTTASK = {**settings.DISTTASK, "SECURITY_OLD_SECRETS_KEYS": [old]}
    assert values("BANK") == [VALUE]
    assert services.reseal_secrets(actor=ADMIN) == (1, [])
    settings.DISTTASK = {**settings.DISTTASK, "SECURITY_OLD_SECRETS_KEYS": []}
    assert open_sealed("BANK", StoredSecret.objects.get().sealed) == VALUE
    with pytest.raises(CannotOpen):
        open_sealed("BANK", "gAAAAA-not-sealed")


def client() -> tuple[APIClient, Client]:
    user = User.objects.create_superuser("ops", password="ops-secret-1")
    rest, web = APIClient(), Client()
    rest.force_authenticate(user)
    web.force_login(user)
    return rest, web


def test_rest_stores_and_never_shows() -> None:
    rest, _web = client()
    stored = rest.put("/api/v1/secrets/BANK", {"value": VALUE, "note": "n"}, format="json")
    assert stored.status_code == 200, stored.content
    listed = rest.get("/api/v1/secrets")
    assert [row["name"] for row in listed.json()["data"]["list"]] == ["BANK"]
    assert b"horse" not in stored.content + listed.content
    refused = rest.put("/api/v1/secrets/9", {"value": "x"}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["name"])
    assert rest.delete("/api/v1/secrets/BANK").status_code == 200
    assert rest.delete("/api/v1/secrets/BANK").status_code == 404


def test_the_page_stores_and_never_shows() -> None:
    _rest, web = client()
    page = "/admin/secretstore/storedsecret/"
    posted = web.post(page, {"name": "PEM", "value": "-----BEGIN\r\nkey-line\r\n", "note": ""}, follow=True)
    assert b"key-line" not in posted.content
    assert values("PEM") == ["-----BEGIN\nkey-line"]
    refused = web.post(page, {"name": "9 bad", "value": "typed-value"})
    assert refused.status_code == 200
    assert b"typed-value" not in refused.content
    web.post(f"{page}PEM/remove/")
    assert values("PEM") == [""]
    assert web.get(f"{page}PEM/remove/").status_code == 405


def test_the_command_reads_a_value_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from-a-pipe\n"))
    out = io.StringIO()
    call_command("secret", "set", "PIPED", "--note", "n", stdout=out)
    assert values("PIPED") == ["from-a-pipe"]
    call_command("secret", "list", "--json", stdout=out)
    call_command("secret", "reseal", stdout=out)
    call_command("secret", "delete", "PIPED", stdout=out)
    assert "from-a-pipe" not in out.getvalue()
    with pytest.raises(CommandError):
        call_command("secret", "delete", "PIPED", stdout=out)
