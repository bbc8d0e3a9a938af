from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from disttask_project.config.example import example_toml
from disttask_project.config.reader import Entry
from disttask_project.kernel.redaction import MASK


class Command(BaseCommand):
    help = "Show every configuration key with its value, the source that decided it and its variable."
    # A configuration that is refused is the one somebody wants to look at.
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own declaration

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object.")
        parser.add_argument("--example", action="store_true", help="Print configs/app.toml anew instead.")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["example"]:
            self.stdout.write(example_toml(), ending="")
            return
        entries = list(settings.CONFIGURATION.all_entries())
        faults = settings.CONFIGURATION_FAULTS
        if options["json"]:
            rows = [_row(entry) for entry in entries]
            problems = [{"id": f"disttask.{f.id}", "message": f.message, "mend": f.mend} for f in faults]
            self.stdout.write(json.dumps({"keys": rows, "problems": problems}, ensure_ascii=False, indent=2))
            return
        for entry in entries:
            shown = json.dumps(_shown(entry), ensure_ascii=False)
            self.stdout.write(f"{entry.label} = {shown}    # {entry.source}")
        for fault in faults:
            self.stderr.write(str(fault))


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "section": f"{entry.key.section}.{entry.name}" if entry.name else entry.key.section,
        "name": entry.key.name,
        "value": _shown(entry),
        "source": entry.source,
        "variable": entry.variable,
        "help": entry.key.help,
    }


def _shown(entry: Entry) -> Any:
    return MASK if entry.key.secret and entry.value and entry.value != entry.key.default else entry.value
