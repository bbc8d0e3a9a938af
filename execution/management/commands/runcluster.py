"""`manage.py runcluster`: the django-q2 cluster as the engine's host, watched and replaced when it is wedged."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _t

from execution.engine.loading import engine_settings
from execution.engine.sessions import run_folder
from execution.engine.supervisor import Supervisor, environment_of
from execution.jobs import WatchedQueue


class Command(BaseCommand):
    help = "Run the queue's workers that drive instances, until told to stop (SIGTERM drains, at most 10 s)."

    def handle(self, *_args: Any, **_options: Any) -> None:
        lock = self._only_one()
        supervisor = Supervisor(
            command=[sys.executable, "-m", "django", "qcluster"],
            home=settings.HOME,
            environment=environment_of(os.environ["DJANGO_SETTINGS_MODULE"], settings.BASE_DIR),
            settings=engine_settings(),
            queue=WatchedQueue(),
        )

        def stop(_signal: int, _frame: object) -> None:
            supervisor.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        try:
            supervisor.run()
        finally:
            os.close(lock)

    def _only_one(self) -> int:
        """Two clusters in one home would end each other as leftovers."""
        path = run_folder(settings.HOME) / "runcluster.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise CommandError(
                _t("A runcluster is at work in {home} already. Give the other a DISTTASK_HOME of its own.").format(
                    home=settings.HOME
                )
            ) from error
        return handle
