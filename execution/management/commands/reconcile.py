from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils.translation import gettext as _t

from disttask_project.commands import ServiceCommand
from execution.services.reconcile import reconcile_all


class Command(ServiceCommand):
    help = "Look at every transaction for rows that disagree with each other, and bring them together."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what disagrees.")
        self.add_json(parser)

    def run(self, options: dict[str, Any]) -> int:
        report = reconcile_all(actor=self.actor, dry_run=options["dry_run"])
        if options["json"]:
            self.print_json(report.as_dict())
            return 0
        for drift in report.found:
            self.stdout.write("  ".join(filter(None, [drift.instance_id, drift.kind, drift.task_id, drift.found])))
        for instance_id in report.unreadable:
            self.stdout.write(_t("{id} cannot be read; it is left as it is.").format(id=instance_id))
        said = _t("{looked} instances looked at, {found} disagreements found, {healed} mended.")
        self.stdout.write(said.format(looked=report.looked, found=len(report.found), healed=len(report.healed)))
        return 0
