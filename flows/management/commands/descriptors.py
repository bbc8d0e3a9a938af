from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from disttask_project.commands import USAGE, ServiceCommand
from disttask_project.i18n import translated
from disttask_project.kernel.messages import text
from flows import describing


class Command(ServiceCommand):
    help = "Descriptors of gRPC services in the task catalog. FILE may be - for standard input. Exit code 1: it failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
        put = acts.add_parser("put", help="Keep a set, as protoc --include_imports --descriptor_set_out writes it.")
        put.add_argument("file", metavar="FILE")
        put.add_argument("--name", default="", help="What to call it; by default its first service.")
        self.add_json(put)
        self.add_json(acts.add_parser("list", help="List the sets, the newest first."))
        for name, explain in (("show", "Show a set and where it is used."), ("remove", "Take a set out.")):
            act = acts.add_parser(name, help=explain)
            act.add_argument("hash", metavar="HASH")
            self.add_json(act)
        act.add_argument("--reason", default="", help="Kept in the operations log.")

    def run(self, options: dict[str, Any]) -> int:
        act = getattr(self, f"_{options['act']}")
        value, lines = act(options)
        if options["json"]:
            self.print_json(value)
        else:
            self.stdout.write("\n".join(lines))
        return 0

    def _put(self, options: dict[str, Any]) -> tuple[Any, list[str]]:
        content = _read(options["file"])
        row, is_new = describing.put_descriptor_set(content=content, name=options["name"], actor=self.actor)
        shown = describing.shown_set(row)
        return {**shown, "new": is_new}, [f"{row.hash} {row.name}"]

    def _list(self, _options: dict[str, Any]) -> tuple[Any, list[str]]:
        rows = [describing.shown_set(row) for row in describing.list_descriptor_sets()]
        return rows, [f"{row['hash']} {row['put_at']} {row['name']}" for row in rows]

    def _show(self, options: dict[str, Any]) -> tuple[Any, list[str]]:
        row = describing.get_descriptor_set(options["hash"])
        shown = describing.shown_with_uses(row)
        lines = [f"{row.hash} {row.name}"]
        for service in row.services:
            lines.append(f"  {service['name']}: {', '.join(method['name'] for method in service['methods'])}")
        lines += [f"  < {use['flow'].name}: {use['task_id']}" for use in describing.uses_of(row)]
        return shown, lines

    def _remove(self, options: dict[str, Any]) -> tuple[Any, list[str]]:
        describing.remove_descriptor_set(digest=options["hash"], reason=options["reason"], actor=self.actor)
        return {"hash": options["hash"], "removed": True}, [options["hash"]]


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        told = translated(text("{name} cannot be read: {reason}", name=name, reason=error.strerror or ""))
        raise CommandError(told, returncode=USAGE) from error
