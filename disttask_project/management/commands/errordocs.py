from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from disttask_project.api.symbols import as_markdown

PAGE: Final = Path(settings.BASE_DIR) / "docs" / "errors.md"


class Command(BaseCommand):
    help = "Write docs/errors.md, the list of error symbols."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Only say whether the page is in step.")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not options["check"]:
            PAGE.write_text(as_markdown(), encoding="utf-8")
            self.stdout.write(str(PAGE))
        elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != as_markdown():
            raise CommandError("docs/errors.md is not in step: run manage.py errordocs")
