from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from demo.loading import load
from demo.places import place
from disttask_project.kernel.errors import DisttaskError


class Command(BaseCommand):
    help = "Load the flow demo-order and its first dozen orders; what is there already stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            loaded = load(place())
        except DisttaskError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(loaded), ensure_ascii=False))
            return
        flow = f"saved version {loaded.version} of demo-order" if loaded.version else "demo-order is up to date"
        self.stdout.write(f"{flow}; {loaded.started} orders started")
        for reason in loaded.refused:
            self.stderr.write(reason)
