"""For targets whose database user may not create tables: make `disttask_barrier` by hand, with another user."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from disttask_project.i18n import translated
from execution.domain.outcome import TaskFailed
from execution.executors.db.executor import create_barrier
from execution.executors.db.vendor import BARRIER
from execution.executors.options import db_options


class Command(BaseCommand):
    help = "Create the barrier table on a connection of [db.connections], unless it is there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("connection", help="A name from [db.connections].")
        parser.add_argument("--json", action="store_true", help="One JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        alias = options["connection"]
        try:
            create_barrier(alias, db_options())
        except TaskFailed as error:
            raise CommandError(translated(error.failure.message)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"connection": alias, "table": BARRIER}))
        else:
            self.stdout.write(f"{BARRIER} is ready on {alias}.")
