"""`manage.py runengine`: a driver that needs no queue."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand

from execution.engine.hosting import Standalone
from execution.jobs import reconcile_beside, run_driver


class Command(BaseCommand):
    help = "Run the engine in this process, without the queue, until it is told to stop (SIGTERM drains)."

    def handle(self, *_args: Any, **_options: Any) -> None:
        host = Standalone()

        def go(_signal: int, _frame: object) -> None:
            host.going = True

        signal.signal(signal.SIGTERM, go)
        signal.signal(signal.SIGINT, go)
        reconcile_beside(lambda: host.going)
        run_driver(host)
