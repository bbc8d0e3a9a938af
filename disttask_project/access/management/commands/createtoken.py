from __future__ import annotations

import json
from argparse import ArgumentParser
from getpass import getuser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from disttask_project.access.services import create_token
from disttask_project.kernel.actor import system_actor
from disttask_project.kernel.errors import DisttaskError


class Command(BaseCommand):
    help = "Make an API token for a user and print it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER")
        parser.add_argument("--name", default="", help="What it is for, shown in the console.")
        parser.add_argument("--expires", type=int, metavar="DAYS", help="Days until it expires.")
        parser.add_argument("--json", action="store_true", help='Print {"token": ...}.')

    def handle(self, *_args: Any, **options: Any) -> None:
        actor = system_actor(_host_user(), source="cli")
        try:
            token = create_token(username=options["user"], name=options["name"], days=options["expires"], actor=actor)
        except DisttaskError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps({"token": token}) if options["json"] else token)


def _host_user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "system"
