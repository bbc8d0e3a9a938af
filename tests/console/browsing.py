"""A real browser: Chromium by path, no outside address reachable, every complaint of it noted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = os.environ.get("DISTTASK_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
AXE_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


@dataclass  # no slots: Playwright keeps notes of its own on the object
class Browsing:
    """One window. `complaints` are script errors, refusals of the policy and failed loads; `outside` foreign URLs."""

    context: BrowserContext
    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)
        # The theme hides its page until its script has begun.
        self.page.wait_for_selector("#page", state="visible")

    def login(self, name: str, password: str) -> None:
        self.go("/admin/login/?next=/admin/")
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", password)
        self.page.press("[name=password]", "Enter")
        self.page.wait_for_url("**/admin/")

    def axe_findings(self) -> list[str]:
        """Violations of WCAG A and AA on the page as it stands."""
        found = Axe().run(self.page, options=AXE_RULES).response["violations"]
        return [f"{each['id']}: {node['html'][:160]}" for each in found for node in each["nodes"]]

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            self.complaints.append(message.text)

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.outside.append(request.url)

    def listen(self) -> None:
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note_request)


@contextmanager
def browsing(
    base: str, *, locale: str = "zh-CN", width: int = 1440, height: int = 900, scheme: str = "light"
) -> Iterator[Browsing]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(
            locale=locale,
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        window = Browsing(context=context, page=context.new_page(), base=base)
        window.listen()
        try:
            yield window
        finally:
            browser.close()
