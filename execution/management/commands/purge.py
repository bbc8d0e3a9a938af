from __future__ import annotations

import argparse
import re
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from disttask_project.commands import ServiceCommand
from execution.services.purge import purge

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


def age(written: str) -> timedelta:
    """`90d`, `12h`, `4w`."""
    match = re.fullmatch(r"(\d{1,6})([hdw])", written)
    if match is None:
        raise argparse.ArgumentTypeError(f"{written!r} is no age; write 90d, 12h or 4w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


class Command(ServiceCommand):
    help = "Remove closed transactions that ended longer ago than an age, with all their rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--older-than", type=age, required=True, metavar="AGE", help="90d, 12h, 4w")
        parser.add_argument("--dry-run", action="store_true", help="Only say how many.")
        self.add_json(parser)

    def run(self, options: dict[str, Any]) -> int:
        def progress(removed: int) -> None:
            if not options["json"]:
                self.stdout.write(f"{removed} ...")

        done = purge(older_than=options["older_than"], dry_run=options["dry_run"], actor=self.actor, progress=progress)
        if options["json"]:
            self.print_json({**asdict(done), "dry_run": options["dry_run"]})
        else:
            said = "would be removed" if options["dry_run"] else "removed"
            self.stdout.write(f"{done.instances} instances {said}.")
        return 0
