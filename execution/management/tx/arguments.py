"""The words of `manage.py tx`."""

from __future__ import annotations

import argparse
from typing import Any, Final

from disttask_project.kernel import json
from disttask_project.kernel.errors import Malformed

REASONED: Final = ("skip", "mark-success", "rerun", "compensate", "cancel", "close")
TASKED: Final = ("skip", "mark-success", "rerun")
ACTS: Final = {
    "retry": "Try failed tasks again now.",
    "skip": "Leave a task out.",
    "mark-success": "Say that a task took effect.",
    "pause": "Start nothing more until resume.",
    "resume": "Go on after a pause.",
    "cancel": "End a transaction; nothing that was done is undone.",
    "close": "Accept a failure as final.",
    "rerun": "Run a task and all after it once more.",
    "compensate": "Undo what was done.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Each verb with its own arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_start(verbs)
    _add_readers(verbs)
    for act, text in ACTS.items():
        _add_act(verbs, act, text)


def _add_start(verbs: Any) -> None:
    start = verbs.add_parser("start", help="Start a transaction.")
    start.add_argument("flow", metavar="FLOW", help="Name of the flow, or its ID.")
    start.add_argument(
        "-p", dest="pairs", action="append", default=[], metavar="KEY=VALUE", type=pair, help="One parameter."
    )
    start.add_argument("--params", metavar="FILE", help="All parameters as a JSON object; - reads standard input.")
    start.add_argument("--tag", dest="tags", action="append", default=[], metavar="KEY=VALUE", type=tag)
    start.add_argument("--id", metavar="ID", help="Instance ID: your order number.")
    start.add_argument("--version", type=int, dest="flow_version", metavar="N", help="Version of the flow.")
    start.add_argument("--wait", action="store_true", help="Wait for its end; exit 1 unless success.")
    start.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="How long to wait at most.")
    start.add_argument("--json", action="store_true")


def _add_readers(verbs: Any) -> None:
    for verb, text in (("status", "Show one transaction and why it stands so."), ("watch", "Show it live.")):
        parser = verbs.add_parser(verb, help=text)
        parser.add_argument("id", metavar="ID")
        parser.add_argument("--json", action="store_true")
    listing = verbs.add_parser("list", help="List transactions, the latest first.")
    listing.add_argument("--status", action="append", default=[])
    listing.add_argument("--flow", metavar="NAME")
    listing.add_argument("--tag", dest="tags", action="append", default=[], metavar="KEY=VALUE", type=tag)
    listing.add_argument("--error-code", metavar="CODE")
    listing.add_argument("--needs-attention", action="store_true")
    listing.add_argument("--limit", type=int, default=20)
    listing.add_argument("--json", action="store_true")


def _add_act(verbs: Any, act: str, text: str) -> None:
    parser = verbs.add_parser(act, help=text)
    parser.add_argument("id", metavar="ID")
    if act in TASKED or act == "retry":
        parser.add_argument("--task", required=act in TASKED, default="", metavar="TASK")
    parser.add_argument("--reason", required=act in REASONED and act != "compensate", default="", metavar="TEXT")
    if act in ("retry", "rerun"):
        parser.add_argument("--input", metavar="FILE", help="Input fields to change, as JSON.")
        parser.add_argument("--config", metavar="FILE", help="Config keys to change, as JSON.")
    if act == "retry":
        parser.add_argument("--outcome", choices=["not_applied"])
    if act == "compensate":
        _add_plan(parser)
    if act == "mark-success":
        parser.add_argument("--output", metavar="FILE", help="The task's output, as JSON.")
    if act == "cancel":
        parser.add_argument("--force", action="store_true", help="Give up calls in flight.")
    parser.add_argument("--json", action="store_true")


def _add_plan(parser: Any) -> None:
    parser.add_argument("--task", dest="tasks", action="append", metavar="TASK", help="Only this one (repeatable).")
    parser.add_argument(
        "--outside", action="append", default=[], metavar="TASK", help="Undone already, by other hands (repeatable)."
    )
    parser.add_argument("--inputs", metavar="FILE", help="By task: input fields of its undo to change, as JSON.")
    parser.add_argument("--dry-run", action="store_true", help="Show what would be undone, and change nothing.")


def pair(written: str) -> tuple[list[str], Any]:
    """`deduct.amount=5` is `{"deduct": {"amount": 5}}`; a value that is no JSON is a string."""
    key, sign, value = written.partition("=")
    if not sign or not all(key.split(".")):
        raise argparse.ArgumentTypeError(f"{written!r} is not KEY=VALUE")
    try:
        return key.split("."), json.loads(value)
    except Malformed:
        return key.split("."), value


def tag(written: str) -> tuple[str, str]:
    """`KEY=VALUE`, a string as it is."""
    key, sign, value = written.partition("=")
    if not sign or not key:
        raise argparse.ArgumentTypeError(f"{written!r} is not KEY=VALUE")
    return key, value


def nest(params: dict[str, Any], pairs: list[tuple[list[str], Any]]) -> dict[str, Any]:
    """The pairs put into a copy of `params`, later ones over earlier ones."""
    result = dict(params)
    for path, value in pairs:
        place = result
        for key in path[:-1]:
            inner = place.get(key)
            place[key] = dict(inner) if isinstance(inner, dict) else {}
            place = place[key]
        place[path[-1]] = value
    return result
