from __future__ import annotations

import argparse
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from rich.markup import escape
from rich.table import Table

from disttask_project.commands import ServiceCommand
from execution.selectors import plain, targets
from execution.selectors.targets import MOST_PARKED, TargetView
from execution.services.targets import close_target, limit_target, open_target


def moment(written: str) -> datetime:
    """`2026-12-01T04:00:00Z`."""
    found = parse_datetime(written)
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{written!r} is no time with a zone; write 2026-12-01T04:00:00Z")
    return found


class Command(ServiceCommand):
    help = "Look at the targets of tasks, open and close their circuit breakers, set their limits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        listing = verbs.add_parser("list", help="List targets: those that need a look first.")
        show = verbs.add_parser("show", help="Show one target.")
        opening = verbs.add_parser("open", help="Send it nothing, until a time or until further notice.")
        closing = verbs.add_parser("close", help="Let calls pass again; until a time whatever they come to.")
        limit = verbs.add_parser("limit", help="Set both limits; what is left out is as the configuration says.")
        limit.add_argument("--concurrency", type=int, metavar="N", help="Calls in flight at a time; 0: no limit.")
        limit.add_argument("--rate", type=float, metavar="N", help="Calls begun a second; 0: no limit.")
        for verb in (show, opening, closing, limit):
            verb.add_argument("id", metavar="TARGET", help="Task type and address: http:bank.example:443")
        for verb in (opening, closing):
            verb.add_argument("--until", type=moment, metavar="TIME", help="2026-12-01T04:00:00Z")
        for verb in (opening, closing, limit):
            verb.add_argument("--reason", required=True, metavar="TEXT")
        for verb in (listing, show, opening, closing, limit):
            self.add_json(verb)

    def run(self, options: dict[str, Any]) -> int:
        verb = options["verb"]
        common = {"target_id": options.get("id", ""), "reason": options.get("reason", ""), "actor": self.actor}
        if verb == "open":
            open_target(until=options["until"], **common)
        elif verb == "close":
            close_target(until=options["until"], **common)
        elif verb == "limit":
            limit_target(concurrency=options["concurrency"], rate=options["rate"], **common)
        now = datetime.now(UTC)
        views = targets.list_targets(now=now) if verb == "list" else [targets.get_target(options["id"], now=now)]
        if options["json"]:
            shown = [plain.target(view) for view in views]
            self.print_json(shown if verb == "list" else shown[0])
        else:
            self.console.print(_table(views))
        return 0


def _table(views: list[TargetView]) -> Table:
    table = Table(
        "Target", "State", "Until", "Calls", "Errors", "p50 ms", "p95 ms", "Parked", "Limits", box=None, pad_edge=False
    )
    for view in views:
        parked = f"{MOST_PARKED}+" if view.parked_is_more else str(view.parked)
        limits = [f"{view.concurrency} at a time"] if view.concurrency else []
        limits += [f"{view.rate:g}/s"] if view.rate else []
        cells = (
            view.id,
            f"{view.state} (by {view.forced_by})" if view.forced else view.state,
            view.until.isoformat(timespec="seconds") if view.until else "",
            str(view.figures.calls),
            f"{view.error_percent} %",
            "" if view.figures.p50 is None else f"{view.figures.p50:g}",
            "" if view.figures.p95 is None else f"{view.figures.p95:g}",
            parked,
            ", ".join(limits),
        )
        table.add_row(*(escape(cell) for cell in cells))
    return table
