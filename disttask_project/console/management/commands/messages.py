"""Bring the Chinese catalogues in step with the sources and compile them."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from disttask_project.console.catalogue import catalogues, update


class Command(BaseCommand):
    help = "Update and compile the Chinese catalogues; exits 1 while a message has no translation."

    def handle(self, *_args: Any, **_options: Any) -> None:
        missing: list[str] = []
        for catalogue in catalogues():
            wanting = update(catalogue)
            self.stdout.write(f"{catalogue.path}: {len(catalogue.wanted)} messages, {len(wanting)} not translated")
            missing += wanting
        for message in missing:
            self.stdout.write(repr(message))
        if missing:
            sys.exit(1)
