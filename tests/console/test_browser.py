"""The console in a real browser: the night's journey in Chinese, accessibility, and nothing that the policy refuses."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from disttask_project.kernel.actor import system_actor
from execution.models import Instance
from execution.services.start import start_instance
from execution.target_models import Target
from tests.console import factory
from tests.console.browsing import browsing
from tests.console.conftest import make_user
from tests.fakes.driving import drive, refused

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.store,
    pytest.mark.django_db(transaction=True, serialized_rollback=False),
]

PASSWORD = "a-long-password"
PAGES = (
    "/admin/",
    "/admin/execution/instance/",
    "/admin/execution/instance/failed-1/change/",
    "/admin/execution/instance/running-1/change/",
    "/admin/execution/instance/start/",
    "/admin/retries/exceptionrecord/",
    "/admin/retries/exceptionrecord/?view=list",
    "/admin/flows/flow/",
    "/admin/flows/flow/new/",
    "/admin/flows/taskdefinition/",
    "/admin/audit/auditentry/",
    "/admin/execution/enginesession/",
    "/admin/execution/target/",
    "/admin/access/apitoken/",
)


@pytest.fixture(autouse=True)
def _orm_beside_playwright(monkeypatch: pytest.MonkeyPatch) -> None:
    # Playwright's loop runs in this thread; the ORM calls here are ours and not made from inside it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def test_a_failed_run_is_found_understood_and_mended_in_two_clicks(live_server: object) -> None:
    make_user("li.wei", password=PASSWORD, is_superuser=True)
    factory.make_flow()
    factory.worker()
    start_instance(actor=system_actor(), flow_name="demo-order", params={"order_no": "7"}, instance_id="order-7")
    drive(deduct=refused("CARD_DECLINED", "余额不足"))
    assert Instance.objects.get().status == "failed"
    with browsing(str(live_server)) as window:
        page = window.page
        window.login("li.wei", PASSWORD)
        expect(page.get_by_role("heading", name="待人工处理")).to_be_visible()
        page.get_by_role("link", name="order-7").click()
        expect(page.locator("#s-causes")).to_contain_text("CARD_DECLINED")
        expect(page.locator("#s-causes")).to_contain_text("余额不足")
        page.get_by_role("button", name="重试", exact=True).click()
        expect(page.get_by_text("已重试：任务立即执行。")).to_be_visible()
        drive()
        expect(page.locator("#s-head .dt-status").first).to_have_text("成功", timeout=10_000)
        assert window.complaints == []
        assert window.outside == []
    assert Instance.objects.get().status == "success"


def test_the_judge_of_accessibility_is_awake(live_server: object) -> None:
    with browsing(str(live_server)) as window:
        window.page.set_content("<html><body><img src='data:,'><button></button></body></html>")
        assert {finding.split(":")[0] for finding in window.axe_findings()} >= {"image-alt", "button-name"}


@pytest.mark.parametrize(("locale", "scheme"), [("zh-CN", "light"), ("en-US", "dark")])
def test_every_page_is_accessible_and_keeps_the_policy(live_server: object, locale: str, scheme: str) -> None:
    make_user("li.wei", password=PASSWORD, is_superuser=True)
    flow = factory.make_flow()
    factory.worker()
    factory.targets()
    factory.failed(flow, "failed-1")
    factory.running(flow, "running-1")
    with browsing(str(live_server), locale=locale, scheme=scheme) as window:
        window.login("li.wei", PASSWORD)
        findings = {}
        for path in PAGES:
            window.go(path)
            found = window.axe_findings()
            if found:
                findings[path] = found
        assert findings == {}
        assert window.complaints == []
        assert window.outside == []


def test_a_phone_shows_every_page_without_scrolling_sideways(live_server: object) -> None:
    make_user("li.wei", password=PASSWORD, is_superuser=True)
    flow = factory.make_flow()
    factory.targets()
    factory.failed(flow, "failed-1")
    factory.running(flow, "running-1")
    with browsing(str(live_server), width=390, height=844) as window:
        window.login("li.wei", PASSWORD)
        for path in PAGES:
            window.go(path)
            too_wide = window.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert too_wide <= 0, path


def test_a_live_page_leaves_alone_what_somebody_is_using(live_server: object) -> None:
    make_user("li.wei", password=PASSWORD, is_superuser=True)
    factory.make_flow()
    start_instance(actor=system_actor(), flow_name="demo-order", params={"order_no": "7"}, instance_id="order-8")
    drive(deduct=refused())
    with browsing(str(live_server)) as window:
        page = window.page
        window.login("li.wei", PASSWORD)
        window.go("/admin/execution/instance/order-8/change/")
        page.locator("#act-deduct-skip > summary").click()
        page.fill("#deduct-skip-reason", "写到一半")
        Instance.objects.filter(pk="order-8").update(rev=999, status="running")
        page.wait_for_timeout(3_000)
        assert page.input_value("#deduct-skip-reason") == "写到一半"
        expect(page.locator("#s-head .dt-status").first).to_have_text("失败")


def test_a_window_of_maintenance_is_opened_by_hand(live_server: object) -> None:
    make_user("li.wei", password=PASSWORD, is_superuser=True)
    factory.targets()
    with browsing(str(live_server)) as window:
        page = window.page
        window.login("li.wei", PASSWORD)
        window.go("/admin/execution/target/")
        row = page.locator("tr", has_text="db:orders")
        row.get_by_text("打开", exact=True).click()
        row.get_by_label("截止时间").first.fill("2099-12-01T04:00")
        row.get_by_label("原因").first.fill("维护")
        row.get_by_role("button", name="停止调用").click()
        expect(page.get_by_text("已停止向 db:orders 发起调用，相关任务暂停等待。")).to_be_visible()
        expect(row).to_contain_text("由 li.wei 操作")
        assert window.complaints == []
    found = Target.objects.get(pk="db:orders")
    assert (found.forced, found.forced_until is not None, found.reason) == ("open", True, "维护")


def test_the_editor_marks_a_problem_and_jumps_to_it(live_server: object) -> None:
    make_user("li.wei", password=PASSWORD, is_superuser=True)
    with browsing(str(live_server)) as window:
        page = window.page
        window.login("li.wei", PASSWORD)
        window.go("/admin/flows/flow/new/")
        expect(page.locator("#editor-state")).to_have_text("没有问题。")
        expect(page.locator("#editor-graph svg")).to_be_visible()
        page.locator(".cm-content").click()
        page.keyboard.press("Control+End")
        page.keyboard.press("Control+a")
        page.keyboard.insert_text('{"name": "x", "tasks": [\n{"id": "a", "task_name": "nothing_like_it"}]}')
        problem = page.locator("#editor-problems button").first
        expect(problem).to_contain_text("tasks.0.task_name")
        problem.click()
        selected = page.evaluate("window.getSelection().toString()")
        assert selected == '"task_name"' or "task_name" in selected
        assert window.complaints == []
