"""The undo page and its acts, in both languages."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from disttask_project.kernel.actor import system_actor
from execution.models import Attempt, Instance
from execution.services.start import start_instance
from flows.services import create_flow
from tests.fakes.driving import drive, refused
from tests.integration.api.test_compensation import SAGA

pytestmark = [pytest.mark.django_db, pytest.mark.store]
RUN = "/admin/execution/instance/S-1"


@pytest.fixture
def operator(client: Client, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("night"))
    return client


@pytest.fixture
def held(db: None) -> str:
    create_flow(definition=SAGA, actor=system_actor())
    start_instance(flow_name="saga", instance_id="S-1", actor=system_actor())
    drive(end=refused())
    return "S-1"


def page(client: Client, path: str, language: str = "en") -> str:
    answer = client.get(path, headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_run_page_leads_to_the_undo_page(operator: Client, held: str) -> None:
    assert f'href="{RUN}/compensate/"' in page(operator, f"{RUN}/change/")
    assert 'value="rerun"' in page(operator, f"{RUN}/change/")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Undo as shown", "already undone outside", "Nothing to undo", "Input of the undo")),
        ("zh-hans", ("按所示补偿", "已在系统外撤销", "无需补偿", "补偿的输入")),
    ],
)
def test_the_plan_is_shown_in_both_languages(
    operator: Client, held: str, language: str, words: tuple[str, ...]
) -> None:
    shown = page(operator, f"{RUN}/compensate/", language)
    for word in (*words, "ship", "CARD_DECLINED"):
        assert word in shown


def test_a_person_undoes_a_part_with_a_changed_input(operator: Client, held: str) -> None:
    posted = {"do-ship": "undo", "input-ship": '{"paid": 4}', "do-pay": "leave", "reason": "agreed"}
    assert operator.post(f"{RUN}/compensate/", posted).status_code == 302
    drive()
    assert Instance.objects.get(pk=held).status == "failed"
    assert Attempt.objects.get(task_id="ship.undo").request["input"]["paid"] == 4
    assert not Attempt.objects.filter(task_id="pay.undo").exists()


@pytest.mark.parametrize(
    ("posted", "told"),
    [
        ({"do-ship": "undo", "do-pay": "undo"}, "Say why"),
        ({"do-ship": "leave", "do-pay": "leave", "reason": "x"}, "Choose at least one task"),
        ({"do-ship": "undo", "input-ship": "{", "reason": "x"}, "alert"),
        ({"do-ship": "undo", "input-ship": "[1]", "reason": "x"}, "JSON object"),
        ({"do-ship": "leave", "do-pay": "undo", "reason": "x"}, "must be undone too"),
    ],
)
def test_a_choice_that_cannot_be_is_shown_again(operator: Client, held: str, posted: dict[str, str], told: str) -> None:
    answer = operator.post(f"{RUN}/compensate/", posted, headers={"accept-language": "en"})
    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert Instance.objects.get(pk=held).status == "failed"


def test_a_stuck_undo_has_its_buttons(operator: Client, held: str) -> None:
    operator.post(f"{RUN}/compensate/", {"do-ship": "undo", "do-pay": "undo", "reason": "agreed"})
    drive(**{"ship.undo": refused("NO_REFUND")})
    shown = page(operator, f"{RUN}/change/")
    for word in ("NO_REFUND", "Retry the undo", "Mark as undone", "Leave as it is"):
        assert word in shown
    act = {"act": "skip", "task_id": "ship.undo", "reason": "kept"}
    assert operator.post(f"{RUN}/act/", act).status_code == 302
    drive()
    assert Instance.objects.get(pk=held).status == "compensated"


def test_it_runs_again_from_a_task(operator: Client, held: str) -> None:
    operator.post(f"{RUN}/act/", {"act": "rerun", "task_id": "ship", "reason": "again"})
    drive()
    assert Instance.objects.get(pk=held).status == "success"


def test_who_may_not_undo_does_not_see_the_page(client: Client, held: str, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("reader", is_staff=True)
    client.force_login(user)
    assert client.get(f"{RUN}/compensate/").status_code == 403
