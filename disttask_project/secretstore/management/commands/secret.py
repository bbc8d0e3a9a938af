"""`manage.py secret set|list|delete|reseal`: the encrypted store, from the host."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from rich.table import Table

from disttask_project.commands import ServiceCommand
from disttask_project.kernel.times import rfc3339
from disttask_project.secretstore.selectors import list_secrets
from disttask_project.secretstore.services import delete_secret, reseal_secrets, set_secret


class Command(ServiceCommand):
    help = "Keep secrets for tasks in the encrypted store; a value is read from standard input and never printed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_json(parser)
        acts = parser.add_subparsers(dest="act", required=True)
        put = acts.add_parser("set", help="Store or replace a secret; its value comes from standard input.")
        put.add_argument("name")
        put.add_argument("--note", default="", help="What it is for.")
        acts.add_parser("list", help="Names and dates, without values.")
        gone = acts.add_parser("delete", help="Remove a secret.")
        gone.add_argument("name")
        gone.add_argument("--reason", default="")
        acts.add_parser("reseal", help="Encrypt all anew under the current key.")
        for each in acts.choices.values():
            self.add_json(each)

    def run(self, options: dict[str, Any]) -> int:
        match options["act"]:
            case "set":
                value = sys.stdin.read().rstrip("\r\n")
                set_secret(name=options["name"], value=value, note=options["note"], actor=self.actor)
                self._say({"name": options["name"], "stored": True}, f"{options['name']} is stored.", options)
            case "delete":
                delete_secret(name=options["name"], reason=options["reason"], actor=self.actor)
                self._say({"name": options["name"], "deleted": True}, f"{options['name']} is removed.", options)
            case "reseal":
                count, closed = reseal_secrets(actor=self.actor)
                self._say({"resealed": count, "closed": closed}, f"{count} resealed.", options)
                for name in closed:
                    self.stderr.write(f"{name}: no key at hand opens it; set it anew.")
                return 1 if closed else 0
            case _:
                self._list(options)
        return 0

    def _say(self, value: dict[str, Any], plain: str, options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json(value)
        else:
            self.stdout.write(plain)

    def _list(self, options: dict[str, Any]) -> None:
        rows = list_secrets()
        if options["json"]:
            self.print_json(
                [{"name": row.name, "note": row.note, "updated_at": rfc3339(row.updated_at)} for row in rows]
            )
            return
        table = Table("Name", "Note", "Updated", "By", box=None)
        for row in rows:
            table.add_row(row.name, row.note, rfc3339(row.updated_at), row.updated_user)
        self.console.print(table)
