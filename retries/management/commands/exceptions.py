from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.utils.dateparse import parse_datetime
from rich.markup import escape
from rich.table import Table

from disttask_project.commands import ServiceCommand, read_json
from disttask_project.i18n import translated
from disttask_project.paging import PageRequest
from retries import services
from retries.models import ExceptionComment, ExceptionRecord
from retries.selectors import plain, records


class Command(ServiceCommand):
    help = "List, show and retry exceptions, and act on their records."

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
        handle.add_argument("--resolution", choices=ExceptionRecord.Resolution.values, default="fixed_outside")
        others = _add_acts(verbs)
        for one in (show, retry, handle, *others):
            one.add_argument("id", metavar="ID")
        for verb in (listing, show, retry, handle, *others):
            self.add_json(verb)

    def run(self, options: dict[str, Any]) -> int:
        work = {"list": self._list, "show": self._show, "retry": self._retry, "comments": self._comments}
        work.get(options["verb"], self._act)(options)
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

    def _comments(self, options: dict[str, Any]) -> None:
        found = records.comments_of(options["id"])
        if options["json"]:
            self.print_json([plain.comment(row) for row in found])
            return
        for row in found:
            self.stdout.write(f"{row.at:%Y-%m-%d %H:%M:%S} {row.author}: {row.text}")

    def _act(self, options: dict[str, Any]) -> None:
        service, names = _SERVICES[options["verb"]]
        given = {name: options[name] for name in names}
        found = service(exception_id=options["id"], actor=self.actor, **given)
        if isinstance(found, ExceptionComment):
            shown, word = plain.comment(found), found.text
        else:
            shown, word = plain.exception(found), translated(found.get_state_display())
        if options["json"]:
            self.print_json(shown)
        else:
            self.stdout.write(word)


_SERVICES: Final[Mapping[str, tuple[Callable[..., ExceptionRecord | ExceptionComment], tuple[str, ...]]]] = {
    "handle": (services.handle_exception, ("remark", "resolution")),
    "acknowledge": (services.acknowledge_exception, ("reason",)),
    "assign": (services.assign_exception, ("user", "due_at", "taken_from", "reason")),
    "ignore": (services.ignore_exception, ("reason",)),
    "reopen": (services.reopen_exception, ("reason",)),
    "comment": (services.comment_exception, ("comment",)),
}


def _add_acts(verbs: Any) -> list[ArgumentParser]:
    acknowledge = verbs.add_parser("acknowledge", help="Say that it is seen.")
    assign = verbs.add_parser("assign", help="Give it to somebody.")
    assign.add_argument("--user", required=True, metavar="NAME")
    assign.add_argument("--due-at", type=_time, metavar="TIME", help="Such as 2026-11-23T08:00:00Z.")
    assign.add_argument("--taken-from", default="", metavar="NAME", help="Who has it now.")
    ignore = verbs.add_parser("ignore", help="Leave it alone until it occurs again.")
    reopen = verbs.add_parser("reopen", help="Put back what a person closed.")
    for one in (acknowledge, assign):
        one.add_argument("--reason", default="", metavar="TEXT")
    for one in (ignore, reopen):
        one.add_argument("--reason", required=True, metavar="TEXT")
    comment = verbs.add_parser("comment", help="Write a comment.")
    comment.add_argument("--comment", required=True, metavar="TEXT")
    comments = verbs.add_parser("comments", help="Show the comments.")
    return [acknowledge, assign, ignore, reopen, comment, comments]


def _time(written: str) -> datetime:
    found = parse_datetime(written)
    if found is None or found.tzinfo is None:
        raise ValueError(written)
    return found
