"""Every act of the case page, clicked in a real browser, in both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from retries.models import ExceptionRecord
from tests.console import factory
from tests.console.browsing import Browsing, browsing
from tests.console.conftest import make_user

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, serialized_rollback=False),
]

PASSWORD = "a-long-password"
WORDS = {
    "en-US": {
        "acknowledge": ("Acknowledge", "Acknowledged."),
        "take": ("Take it", "Assigned."),
        "comment": ("Add comment", "Comment added."),
        "ignore": ("Ignore", "Ignore it", "Ignored until it occurs again."),
        "reopen": ("Reopen", "Reopen it", "Reopened."),
        "handle": ("Handle", "Mark as handled", "Marked as handled."),
        "assign": ("Assign", "Assign", "Assigned."),
    },
    "zh-CN": {
        "acknowledge": ("确认", "已确认。"),
        "take": ("由我负责", "已指派。"),
        "comment": ("添加评论", "已添加评论。"),
        "ignore": ("忽略", "确定忽略", "已忽略，直到再次发生。"),
        "reopen": ("重新打开", "确定重新打开", "已重新打开。"),
        "handle": ("人工处理", "标记为已处理", "已标记为人工处理。"),
        "assign": ("指派", "指派", "已指派。"),
    },
}


@pytest.fixture(autouse=True)
def _orm_beside_playwright(monkeypatch: pytest.MonkeyPatch) -> None:
    # Playwright's loop runs in this thread; the ORM calls here are ours and not made from inside it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def click(window: Browsing, button: str, told: str) -> None:
    window.page.get_by_role("button", name=button, exact=True).locator("visible=true").click()
    expect(window.page.get_by_text(told)).to_be_visible()


def fill_in(window: Browsing, words: tuple[str, ...], field: str, value: str) -> None:
    summary, button, told = words
    window.page.locator("summary").get_by_text(summary, exact=True).click()
    window.page.fill(field, value)
    click(window, button, told)


@pytest.mark.parametrize(("locale", "width"), [("zh-CN", 1400), ("en-US", 390)])
def test_every_act_on_a_case_is_clicked(live_server: object, locale: str, width: int) -> None:
    make_user("li.wei", password=PASSWORD, is_superuser=True)
    factory.failed(factory.make_flow(), "failed-1")
    case = ExceptionRecord.objects.get()
    words = WORDS[locale]
    with browsing(str(live_server), locale=locale, width=width, scheme="dark") as window:
        window.login("li.wei", PASSWORD)
        window.go(f"/admin/retries/exceptionrecord/{case.pk}/change/")
        click(window, *words["acknowledge"])
        click(window, *words["take"])
        fill_in(window, words["assign"], "#case-due", "2020-01-01T04:00")
        window.page.fill("#case-comment", "called the bank")
        click(window, *words["comment"])
        fill_in(window, words["ignore"], "#case-ignore", "planned")
        fill_in(window, words["reopen"], "#case-reopen", "it was not")
        assert window.axe_findings() == []
        assert window.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        fill_in(window, words["handle"], "#case-remark", "refunded by hand")
        assert window.complaints == []
    case.refresh_from_db()
    assert (case.state, case.assignee, case.handled_remark) == ("resolved", "li.wei", "refunded by hand")
