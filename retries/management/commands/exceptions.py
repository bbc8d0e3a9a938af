from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from rich.markup import escape
from rich.table import Table

from disttask_project.commands import ServiceCommand, read_json
from disttask_project.i18n import translated
from disttask_project.paging import PageRequest
from retries import services
from retries.models import ExceptionRecord
from retries.selectors import plain, records


class Command(ServiceCommand):
    help = "List, show, retry and handle exceptions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        listing = verbs.add_parser("list", help="List exceptions, the latest first; open ones by default.")
        listing.add_argument("--state", action="append", choices=ExceptionRecord.State.values)
        listing.add_argument("--all", action="store_true", help="Closed ones too.")
        listing.add_argument("--error-code", metavar="CODE")
        listing.add_argument("--instance", metavar="ID")
        listing.add_argument("--limit", type=int, default=20)
        show = verbs.add_parser("show", help="Show one exception.")
        retry = verbs.add_parser("retry", help="Retry the task that it is about.")
        retry.add_argument("--reason", default="", metavar="TEXT")
        retry.add_argument("--input", metavar="FILE", help="Input fields to change, as JSON.")
        retry.add_argument("--config", metavar="FILE", help="Config keys to change, as JSON.")
        retry.add_argument("--outcome", choices=["not_applied"])
        handle = verbs.add_parser("handle", help="Mark as handled; nothing resumes.")
        handle.add_argument("--remark", required=True, metavar="TEXT")
        for one in (show, retry, handle):
            one.add_argument("id", metavar="ID")
        for verb in (listing, show, retry, handle):
            self.add_json(verb)

    def run(self, options: dict[str, Any]) -> int:
        work = {"list": self._list, "show": self._show, "retry": self._retry, "handle": self._handle}
        work[options["verb"]](options)
        return 0

    def _list(self, options: dict[str, Any]) -> None:
        states = options["state"] or ([] if options["all"] else [str(state) for state in records.OPEN])
        filters = records.ExceptionFilter(
            state=states, error_code=options["error_code"], instance_id=options["instance"]
        )
        page = records.list_exceptions(filters=filters, asked=PageRequest(page_size=options["limit"]))
        if options["json"]:
            self.print_json([plain.exception(row) for row in page.rows])
            return
        table = Table("ID", "Instance", "Task", "Code", "State", "Message", box=None, pad_edge=False)
        for row in page.rows:
            cells = (row.pk, row.instance_id, row.task_id, row.error_code, row.state, row.error_message[:80])
            table.add_row(*(escape(cell) for cell in cells))
        self.console.print(table)

    def _show(self, options: dict[str, Any]) -> None:
        shown = plain.exception(records.get_exception(options["id"]))
        if options["json"]:
            self.print_json(shown)
            return
        for name, value in shown.items():
            self.stdout.write(f"{name}: {'' if value is None else value}")

    def _retry(self, options: dict[str, Any]) -> None:
        changes = {name: read_json(options[name]) for name in ("input", "config") if options[name]}
        answer = services.retry_exception(
            exception_id=options["id"],
            reason=options["reason"],
            outcome=options["outcome"],
            actor=self.actor,
            **changes,
        )
        if options["json"]:
            self.print_json(answer.as_dict())
        else:
            self.stdout.write(f"{answer.act}: {translated(answer.message)}")

    def _handle(self, options: dict[str, Any]) -> None:
        found = services.handle_exception(exception_id=options["id"], remark=options["remark"], actor=self.actor)
        if options["json"]:
            self.print_json(plain.exception(found))
        else:
            self.stdout.write(translated(found.get_state_display()))
