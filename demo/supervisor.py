"""The supervisor: targets, preparation, cluster and console, in that order; then it watches them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

from demo.banner import banner
from demo.children import COLOURS, Child, Terminal
from demo.leftovers import end_leftovers, mark
from demo.places import BASE, HOST, Place, answers

STOP_SECONDS: Final = 15  # the cluster drains for up to 10 s
START_SECONDS: Final = 60
TICK: Final = 0.1


class Terminated(Exception):
    """Something the demo cannot do without failed at the start."""


class Supervisor:
    """Runs one copy until it is told to stop. Signals only set flags: the loop acts on them."""

    def __init__(self, here: Place) -> None:
        self._here = here
        self._terminal = Terminal(sys.stdout.buffer, colour=sys.stdout.isatty())
        self._environment = {
            **os.environ,
            **mark(here.home),
            "DISTTASK_PROFILE": "demo",
            "DISTTASK_HOME": str(here.home.resolve()),
            "DISTTASK_PORT": str(here.port),
            "PYTHONUNBUFFERED": "1",
            # setproctitle, where it is installed, would write a long title over the mark.
            "SPT_NOENV": "1",
        }
        self._targets = self._make_targets()
        self._hands = self._make_hands()
        self._stops = 0
        self._reset_asked = False

    def on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stops += 1

    def on_reset(self, _number: int, _frame: FrameType | None) -> None:
        self._reset_asked = True

    def run(self) -> None:
        """Start everything and watch it; returns when told to stop. Raises `Terminated`."""
        began = time.monotonic()
        self._here.inventory_mode.unlink(missing_ok=True)
        self._start(began)
        self._here.reset_asked.unlink(missing_ok=True)
        while not self._stopping:
            if self._reset_asked:
                self._reset()
            for child in (*self._targets, *self._hands):
                child.watch()
            time.sleep(TICK)

    def stop(self) -> None:
        """End everything: those who work first, then those they call; nothing of ours is left afterwards."""
        self._say("stopping")
        already = self._stops
        for children, seconds in ((self._hands, STOP_SECONDS), (self._targets, 3)):
            for child in children:
                child.ask_to_stop()
            deadline = time.monotonic() + seconds
            # A second Ctrl-C means now.
            while any(child.is_alive() for child in children) and time.monotonic() < deadline:
                if self._stops > max(already, 1):
                    break
                time.sleep(0.05)
            for child in children:
                child.finish()
        end_leftovers(self._here.home, patience=1)
        self._say("stopped")

    @property
    def _stopping(self) -> bool:
        return self._stops > 0 or self._terminal.is_gone

    def _start(self, began: float, *, reset: bool = False) -> None:
        web, cluster = self._hands
        # The console asks the database for nothing while it comes up, so it need not wait for the tables.
        for child in (*self._targets, web):
            child.start()
        prepared = self._prepare(reset=reset)
        self._wait("the demo's services", self._targets_listen)
        self._wait("the console", self._console_answers)
        if not self._stopping:
            cluster.start()
            text = banner(self._here, prepared, seconds=time.monotonic() - began)
            self._terminal.write(text.encode())

    def _reset(self) -> None:
        self._reset_asked = False
        self._say("back to the first screen")
        self.stop()
        if self._stopping:
            return
        shutil.rmtree(self._here.targets, ignore_errors=True)
        self._start(time.monotonic(), reset=True)
        self._here.reset_asked.unlink(missing_ok=True)

    def _prepare(self, *, reset: bool) -> dict[str, Any]:
        """Tables, admin and demo orders, in a process of its own: Django stays out of this one."""
        self._say("preparing the database, the user admin and the demo orders")
        self._here.targets.mkdir(parents=True, exist_ok=True)
        self._here.prepared.unlink(missing_ok=True)
        command = [sys.executable, "-m", "demo.prepare", *(["--reset"] if reset else [])]
        child = self._child("prepare", command)
        child.start()
        while child.is_alive() and not self._stopping:
            time.sleep(TICK / 2)
        if self._stopping:
            child.finish()
            return {}
        if not self._here.prepared.exists():
            raise Terminated("the preparation failed, the lines above say why")
        answer: dict[str, Any] = json.loads(self._here.prepared.read_text(encoding="utf-8"))
        return answer

    def _wait(self, what: str, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_ready() and not self._stopping:
            if time.monotonic() > deadline:
                raise Terminated(f"{what} did not come up in {START_SECONDS} s, the lines above say why")
            for child in (*self._targets, *self._hands):
                if child.process is not None:
                    child.watch()
            time.sleep(TICK)

    def _targets_listen(self) -> bool:
        here = self._here
        return all(answers(port) for port in (here.payment_port, here.inventory_port, here.orders_port))

    def _console_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self._here.port}/healthz", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _say(self, line: str) -> None:
        self._terminal.say("demo", line)

    def _make_targets(self) -> list[Child]:
        here, python = self._here, [sys.executable, "-m"]
        ledger = ("--ledger", str(here.payment_ledger))
        stock = ("--ledger", str(here.inventory_ledger), "--mode-file", str(here.inventory_mode))
        return [
            self._child("payment", [*python, "demo.payment.server", "--port", str(here.payment_port), *ledger]),
            self._child("inventory", [*python, "demo.inventory", "--port", str(here.inventory_port), *stock]),
            self._child(
                "orders",
                [*python, "demo.orders", "--port", str(here.orders_port), "--database", str(here.orders_database)],
            ),
        ]

    def _make_hands(self) -> list[Child]:
        # One worker: the demo has one visitor, and each further one costs a second of start-up.
        options = ["--workers", "1", "--threads", "16", "--graceful-timeout", "3", "--log-level", "warning"]
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", str(BASE / "deploy" / "gunicorn.conf.py"), *options]
        return [
            self._child("web", [*gunicorn, "disttask_project.wsgi"]),
            self._child("cluster", [sys.executable, str(BASE / "manage.py"), "runcluster"]),
        ]

    def _child(self, name: str, command: Sequence[str]) -> Child:
        colour = COLOURS[sum(name.encode()) % len(COLOURS)]
        return Child(name=name, command=command, environment=self._environment, terminal=self._terminal, colour=colour)
