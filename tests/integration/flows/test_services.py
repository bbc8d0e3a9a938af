from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound
from flows import cataloguing, selectors, services
from flows.domain.catalog import CODE_ENTRIES
from flows.models import Flow, FlowVersion, TaskDefinition
from flows.repository import insert_flow, sync_code_entries
from tests.integration.flows.builders import ADMIN, actor, document

pytestmark = [pytest.mark.django_db, pytest.mark.store]


def acts() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("act", flat=True))


def test_a_new_flow_is_published_at_once() -> None:
    made = services.create_flow(definition=document(description="下单"), actor=ADMIN, flow_type="trade")
    flow = selectors.get_flow(made.pk)
    assert (flow.name, flow.description, flow.flow_type, flow.is_active) == ("order", "下单", "trade", True)
    assert (flow.create_user, flow.updated_user, flow.latest_number) == ("li.wei", "li.wei", 1)
    assert flow.current is not None
    assert (flow.current.number, flow.current.state, flow.current.published_user) == (1, "published", "li.wei")
    assert flow.current.definition == document(description="下单")
    assert list(selectors.compiled_version(flow.current.pk).tasks) == ["a"]
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.actor, entry.source, entry.object_id) == ("create_flow", "li.wei", "rest", flow.pk)
    assert entry.after["version"] == 1


def test_a_definition_may_come_as_text() -> None:
    flow = services.create_flow(definition=json.dumps(document()), actor=ADMIN)
    assert selectors.get_flow(flow.pk).current.definition == document()  # type: ignore[union-attr]


def test_the_flows_own_name_counts() -> None:
    flow = services.create_flow(name="mine", definition=document("theirs"), actor=ADMIN)
    version = selectors.latest_version(flow)
    assert (flow.name, version.definition["name"]) == ("mine", "theirs")
    assert selectors.compiled_version(version.pk).name == "mine"
    nameless = {key: value for key, value in document().items() if key != "name"}
    assert services.create_flow(name="other", definition=nameless, actor=ADMIN).name == "other"


def test_who_a_caller_acts_for_is_kept_as_claimed() -> None:
    flow = services.create_flow(definition=document(), actor=ADMIN, create_user="shop")
    assert flow.create_user == "shop"
    assert AuditEntry.objects.get().actor == "li.wei"


def test_a_draft_waits_for_its_publication() -> None:
    flow = services.create_flow(definition=document(), actor=actor("flows.edit_flow"), draft=True)
    assert selectors.get_flow(flow.pk).current is None
    version = services.publish_version(flow_id=flow.pk, number=1, actor=ADMIN, reason="go")
    assert (version.state, version.published_user) == ("published", "li.wei")
    assert selectors.get_flow(flow.pk).current == version
    assert acts() == ["create_flow", "publish_version"]


def test_a_wrong_definition_leaves_nothing_behind() -> None:
    with pytest.raises(InvalidInput) as refused:
        services.create_flow(definition={"name": "order", "tasks": []}, actor=ADMIN)
    assert [problem.code for problem in refused.value.problems] == ["no_tasks"]
    assert (Flow.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_the_console_refuses_an_engine_timeout() -> None:
    tasks = [{**document()["tasks"][0], "timeout_seconds": 601}]
    with pytest.raises(InvalidInput):
        services.create_flow(definition=document(tasks=tasks), actor=ADMIN)


@pytest.mark.parametrize(
    "more",
    [{"name": "x" * 256}, {"flow_type": "x" * 65}, {"note": "\x00"}, {"create_user": "x" * 151}, {"description": 7}],
)
def test_texts_beside_the_definition_are_checked(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        services.create_flow(definition=document(), actor=ADMIN, **more)
    assert [problem.loc for problem in refused.value.problems] == [(next(iter(more)),)]


def test_a_name_is_taken_once() -> None:
    services.create_flow(definition=document(), actor=ADMIN)
    with pytest.raises(Conflict) as taken:
        services.create_flow(definition=document(), actor=ADMIN)
    assert taken.value.symbol == "FLOW_NAME_TAKEN"
    with pytest.raises(Conflict):
        insert_flow(name="order", description="", flow_type="", user="", now=Flow.objects.get().created_at)
    assert services.create_flow(definition=document("Order"), actor=ADMIN).name == "Order"


def test_a_deleted_flow_frees_its_name_and_keeps_its_versions() -> None:
    flow = services.create_flow(definition=document(), actor=ADMIN)
    version = selectors.latest_version(flow)
    services.delete_flow(flow_id=flow.pk, actor=ADMIN, reason="old")
    with pytest.raises(NotFound):
        selectors.get_flow(flow.pk)
    with pytest.raises(NotFound):
        services.delete_flow(flow_id=flow.pk, actor=ADMIN)
    assert selectors.compiled_version(version.pk).name == "order"
    services.create_flow(definition=document(), actor=ADMIN)
    assert acts() == ["create_flow", "delete_flow", "create_flow"]


def test_each_save_is_a_version() -> None:
    flow = services.create_flow(definition=document(), actor=ADMIN)
    second = services.save_version(
        flow_id=flow.pk, definition=document(on_failure="fail"), actor=ADMIN, note="n", description="d", flow_type="t"
    )
    read = selectors.get_flow(flow.pk)
    assert (second.number, second.note, read.latest_number, read.current) == (2, "n", 2, second)
    assert (read.description, read.flow_type) == ("d", "t")
    draft = services.save_version(flow_id=flow.pk, definition=document(), actor=ADMIN, draft=True)
    assert (draft.number, draft.state, selectors.get_flow(flow.pk).current) == (3, "draft", second)
    assert [version.number for version in selectors.list_versions(flow.pk)] == [3, 2, 1]
    assert acts() == ["create_flow", "save_version", "save_draft"]


def test_an_editor_who_was_overtaken_is_told() -> None:
    flow = services.create_flow(definition=document(), actor=ADMIN)
    services.save_version(flow_id=flow.pk, definition=document(), actor=ADMIN, expected_version=1)
    with pytest.raises(Conflict) as overtaken:
        services.save_version(flow_id=flow.pk, definition=document(), actor=ADMIN, expected_version=1)
    assert overtaken.value.symbol == "VERSION_CONFLICT"
    assert FlowVersion.objects.count() == 2


def test_publishing_an_older_version_is_the_way_back() -> None:
    flow = services.create_flow(definition=document(), actor=ADMIN)
    services.save_version(flow_id=flow.pk, definition=document(), actor=ADMIN)
    first = services.publish_version(flow_id=flow.pk, number=1, actor=ADMIN)
    assert selectors.get_flow(flow.pk).current == first
    services.publish_version(flow_id=flow.pk, number=1, actor=ADMIN)
    assert acts().count("publish_version") == 1
    with pytest.raises(NotFound):
        services.publish_version(flow_id=flow.pk, number=9, actor=ADMIN)


def test_a_flow_is_switched_off_and_on() -> None:
    flow = services.create_flow(definition=document(), actor=ADMIN)
    for is_active in (False, False, True):
        assert services.set_active(flow_id=flow.pk, is_active=is_active, actor=ADMIN).is_active is is_active
    assert acts() == ["create_flow", "deactivate_flow", "activate_flow"]


@pytest.mark.parametrize(
    ("permissions", "call"),
    [
        ((), lambda who: services.create_flow(definition=document(), actor=who)),
        (("flows.edit_flow",), lambda who: services.create_flow(definition=document(), actor=who)),
        ((), lambda who: services.save_version(flow_id="x", definition=document(), actor=who, draft=True)),
        (("flows.edit_flow",), lambda who: services.save_version(flow_id="x", definition=document(), actor=who)),
        (("flows.edit_flow",), lambda who: services.publish_version(flow_id="x", number=1, actor=who)),
        (("flows.edit_flow",), lambda who: services.set_active(flow_id="x", is_active=True, actor=who)),
        (("flows.edit_flow",), lambda who: services.delete_flow(flow_id="x", actor=who)),
        (("flows.edit_flow",), lambda who: cataloguing.save_task_definition(name="x", type="http", actor=who)),
        (("flows.edit_flow",), lambda who: cataloguing.delete_task_definition(name="x", actor=who)),
    ],
)
def test_nobody_writes_without_the_permission(permissions: tuple[str, ...], call: Callable[[Any], Any]) -> None:
    with pytest.raises(Forbidden):
        call(actor(*permissions))


def test_a_catalog_entry_is_written_and_used() -> None:
    fields = [{"name": "amount", "type": "int", "required": True}]
    cataloguing.save_task_definition(
        name="charge", type="http", config={"url": "http://c.example/"}, input_fields=fields, actor=ADMIN
    )
    flow = services.create_flow(definition={"name": "c", "tasks": [{"id": "a", "task_name": "charge"}]}, actor=ADMIN)
    before = selectors.compiled_version(selectors.latest_version(flow).pk).tasks["a"]
    assert before.config.render({}) == {"url": "http://c.example/"}
    assert [item.name for item in before.fields] == ["amount"]
    assert [using.name for using in selectors.flows_using("charge")] == ["c"]
    cataloguing.save_task_definition(name="charge", type="http", config={"url": "http://d.example/"}, actor=ADMIN)
    assert selectors.latest_version(flow).compiled["tasks"][0]["config"] == {"url": "http://c.example/"}
    cataloguing.delete_task_definition(name="charge", actor=ADMIN)
    with pytest.raises(InvalidInput):
        services.save_version(flow_id=flow.pk, definition=selectors.latest_version(flow).definition, actor=ADMIN)
    assert [act for act in acts() if "task_definition" in act] == [
        "create_task_definition",
        "edit_task_definition",
        "delete_task_definition",
    ]


def test_entries_of_code_are_read_only() -> None:
    for call in (
        lambda: cataloguing.save_task_definition(name="deduct", type="http", actor=ADMIN),
        lambda: cataloguing.delete_task_definition(name="deduct", actor=ADMIN),
    ):
        with pytest.raises(Conflict) as refused:
            call()
        assert refused.value.symbol == "CODE_ENTRY"


def test_a_wrong_entry_is_refused_with_every_problem() -> None:
    with pytest.raises(InvalidInput) as refused:
        cataloguing.save_task_definition(name="1", type="soap", input_fields=[{}], actor=ADMIN)
    assert {problem.loc for problem in refused.value.problems} >= {("name",), ("type",), ("input_fields", 0, "name")}
    with pytest.raises(NotFound):
        cataloguing.delete_task_definition(name="nothing", actor=ADMIN)


def test_the_codes_entries_follow_the_code() -> None:
    names = {entry.name for entry in CODE_ENTRIES}
    assert set(TaskDefinition.objects.values_list("name", flat=True)) == names
    row = TaskDefinition.objects.get(name="deduct")
    TaskDefinition.objects.filter(name="deduct").update(description="stale")
    TaskDefinition.objects.filter(name="notify").delete()
    cataloguing.save_task_definition(name="mine", type="http", actor=ADMIN)
    sync_code_entries(CODE_ENTRIES[:3], now=row.updated_at)
    assert set(TaskDefinition.objects.values_list("name", flat=True)) == {
        "deduct",
        "deduct_inventory",
        "notify",
        "mine",
    }
    assert TaskDefinition.objects.get(name="deduct").description == row.description
