"""The base of our commands: one actor, errors told alike, `--json`, exit codes 0 done, 1 failed, 2 usage, 75 later."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from argparse import ArgumentParser
from getpass import getuser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from disttask_project.i18n import translated
from disttask_project.kernel import json
from disttask_project.kernel.actor import Actor, system_actor
from disttask_project.kernel.errors import DisttaskError, TooMany, Unavailable
from disttask_project.kernel.messages import text

USAGE: Final = 2
LATER: Final = 75  # EX_TEMPFAIL: the same command may succeed after a while
PIPE_WIDTH: Final = 200  # of a table that is read by a program: wide enough to cut nothing


class ServiceCommand(BaseCommand, ABC):
    """`run` does the work; a `DisttaskError` is told in plain words, every problem on a line, and exits with 1."""

    def add_json(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            code = self.run(options)
        except DisttaskError as error:
            self._tell(error, as_json=bool(options.get("json")))
            code = LATER if isinstance(error, TooMany | Unavailable) else 1
            raise CommandError(translated(error.message), returncode=code) from error
        except KeyboardInterrupt:
            self.stderr.write("")
            sys.exit(130)
        if code:
            sys.exit(code)

    @abstractmethod
    def run(self, options: dict[str, Any]) -> int:
        """Do the work; the exit code."""

    @property
    def actor(self) -> Actor:
        """Whoever runs commands on this host may do everything; the operations log names the host's user."""
        return system_actor(host_user(), source="cli")

    @property
    def console(self) -> Console:
        """For tables; as wide as the terminal, plain where there is none."""
        out: Any = self.stdout
        return Console(file=out, width=None if self.stdout.isatty() else PIPE_WIDTH)

    def print_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value))

    def _tell(self, error: DisttaskError, *, as_json: bool) -> None:
        problems = [
            {"loc": list(each.loc), "code": each.code, "message": translated(each.message)} for each in error.problems
        ]
        if as_json:
            told = {"error": error.symbol, "message": translated(error.message), "errors": problems}
            self.print_json(told | ({"retry_after": error.retry_after} if isinstance(error, TooMany) else {}))
            return
        for problem in problems:
            place = ".".join(str(part) for part in problem["loc"]) or "-"
            self.stderr.write(f"  {place}: {problem['message']}")


def read_json(name: str) -> Any:
    """JSON from a file, or from standard input where `name` is `-`; strict, as everywhere."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(
            translated(text("{name} cannot be read: {reason}", name=name, reason=error.strerror or "")),
            returncode=USAGE,
        ) from error
    return json.loads(content)


def host_user() -> str:
    """The operating system's user, whom the operations log names."""
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "system"
