from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from getpass import getuser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from disttask_project.i18n import translated
from disttask_project.kernel.actor import Actor, system_actor
from disttask_project.kernel.errors import DisttaskError, Problem
from disttask_project.kernel.json import canonical
from disttask_project.paging import MAX_PAGE_SIZE, PageRequest
from flows import drills, selectors, services
from flows.domain import drawing
from flows.domain.compiled import CompiledFlow
from flows.domain.definition import Report, compile_flow, invalid, prepare_definition
from flows.domain.diffing import diff_definitions
from flows.domain.problems import Problems
from flows.domain.reading import MAX_BYTES, decode_document
from flows.models import Flow, FlowVersion


class Command(BaseCommand):
    help = "Check, save, publish, show and compare flows. FILE may be - for standard input. Exit code 1: it failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
        for name, explain in (
            ("validate", "Check a definition and list everything wrong with it."),
            ("apply", "Save a definition under its name: a new flow or a new version, none if nothing changed."),
            ("publish", "Make a version the current one; an older one is the way back."),
            ("export", "Print a version's definition."),
            ("diff", "Compare two versions, or the current one with a file."),
            ("graph", "Draw a flow or a file."),
            ("dry-run", "Play every failure of a flow without calling anything: what is undone, how it ends."),
            ("list", "List the flows."),
        ):
            act = acts.add_parser(name, help=explain, description=explain)
            act.add_argument("--json", action="store_true", help="Print one JSON value.")
            getattr(self, f"_{name.replace('-', '_')}_arguments")(act)

    def _validate_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")

    def _apply_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--draft", action="store_true", help="Keep it back: publish it later.")
        parser.add_argument("--note", default="", help="What changed and why.")

    def _publish_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("number", metavar="NUMBER", type=int, nargs="?", help="Default: the latest.")
        parser.add_argument("--reason", default="", help="Kept in the operations log.")

    def _export_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("number", metavar="NUMBER", type=int, nargs="?", help="Default: the current one.")

    def _diff_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("old", metavar="OLD", help="A version's number, or a FILE to compare the current one with.")
        parser.add_argument("new", metavar="NEW", type=int, nargs="?", help="Default: the current one.")

    def _graph_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", metavar="NAME|FILE")
        parser.add_argument("number", metavar="NUMBER", type=int, nargs="?", help="Default: the current one.")
        parser.add_argument("--format", choices=("svg", "mermaid", "json"), default="mermaid")

    def _dry_run_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", metavar="NAME|FILE")
        parser.add_argument("number", metavar="NUMBER", type=int, nargs="?", help="Default: the current one.")
        parser.add_argument("--failures", action="store_true", help="Play them; else only what holds without playing.")

    def _list_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--search", help="A part of the name.")

    def handle(self, *_args: Any, **options: Any) -> None:
        self._as_json = bool(options["json"])
        try:
            getattr(self, f"_{options['act'].replace('-', '_')}")(options)
        except DisttaskError as error:
            self._fail(error)

    def _validate(self, options: dict[str, Any]) -> None:
        report = selectors.validate_definition(read_file(options["file"]))
        if self._as_json:
            self._print(
                {"valid": report.is_valid, "problems": _listed(report.problems), "warnings": _listed(report.warnings)}
            )
        else:
            self._show_report(report)
        if not report.is_valid:
            raise SystemExit(1)

    def _show_report(self, report: Report) -> None:
        for problem in report.problems:
            self.stderr.write(shown(problem))
        for warning in report.warnings:
            self.stderr.write(f"warning: {shown(warning)}")
        if report.is_valid:
            self.stdout.write("valid")

    def _apply(self, options: dict[str, Any]) -> None:
        document = _decoded(read_file(options["file"]))
        name = document.get("name") if isinstance(document, dict) else None
        actor, draft, note = _actor(), options["draft"], options["note"]
        if not isinstance(name, str) or not selectors.name_exists(name):
            flow = services.create_flow(definition=document, actor=actor, draft=draft, note=note)
            self._saved(flow, selectors.latest_version(flow), "created")
            return
        flow = selectors.find_flow(name)
        latest = selectors.latest_version(flow)
        is_live = draft or flow.current_id == latest.pk
        if is_live and canonical(latest.definition) == canonical(document):
            self._saved(flow, latest, "unchanged")
            return
        version = services.save_version(flow_id=flow.pk, definition=document, actor=actor, draft=draft, note=note)
        self._saved(flow, version, "saved")

    def _saved(self, flow: Flow, version: FlowVersion, what: str) -> None:
        answer = {"id": flow.pk, "name": flow.name, "version": version.number, "state": version.state, "result": what}
        self._print(answer, f"{flow.name} version {version.number} {what} ({version.state})")

    def _publish(self, options: dict[str, Any]) -> None:
        flow = selectors.find_flow(options["name"])
        number = options["number"] or flow.latest_number
        version = services.publish_version(flow_id=flow.pk, number=number, actor=_actor(), reason=options["reason"])
        self._saved(flow, version, "published")

    def _export(self, options: dict[str, Any]) -> None:
        version = selectors.chosen_version(selectors.find_flow(options["name"]), options["number"])
        self._print(version.definition, json.dumps(version.definition, ensure_ascii=False, indent=2))

    def _diff(self, options: dict[str, Any]) -> None:
        flow = selectors.find_flow(options["name"])
        new = selectors.chosen_version(flow, options["new"])
        if options["old"].isdecimal():
            old, name = selectors.chosen_version(flow, int(options["old"])).definition, f"version {options['old']}"
            difference = diff_definitions(old, new.definition, names=(name, f"version {new.number}"))
        else:
            document = _valid(read_file(options["old"]))
            names = (f"version {new.number}", options["old"])
            difference = diff_definitions(new.definition, document, names=names)
        answer = {
            "added": difference.added,
            "removed": difference.removed,
            "changed": difference.changed,
            "flow_keys": difference.flow_keys,
            "text": difference.text,
        }
        self._print(answer, difference.text or "no difference")

    def _graph(self, options: dict[str, Any]) -> None:
        graph = _graph(options["target"], options["number"])
        kind = "json" if self._as_json else options["format"]
        if kind == "svg":
            self.stdout.write(drawing.draw_svg(graph, standalone=True))
        elif kind == "mermaid":
            self.stdout.write(drawing.to_mermaid(graph), ending="")
        else:
            self._print(drawing.to_json(graph), json.dumps(drawing.to_json(graph), ensure_ascii=False, indent=2))

    def _dry_run(self, options: dict[str, Any]) -> None:
        flow = _compiled(options["target"], options["number"])
        matrix = drills.failure_matrix(flow, play=options["failures"])
        self._print(matrix, "\n".join(drills.lines_of(matrix)))

    def _list(self, options: dict[str, Any]) -> None:
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            asked = PageRequest(page_size=MAX_PAGE_SIZE, cursor=cursor, ordering="name")
            page = selectors.list_flows(filters=selectors.FlowFilter(search=options["search"]), asked=asked)
            rows.extend(_row(flow) for flow in page.rows)
            if page.next is None:
                break
            cursor = page.next
        lines = [f"{row['name']}\tversion {row['version'] or '-'}\t{row['state']}" for row in rows]
        self._print(rows, "\n".join(lines) or "no flows yet: flow apply FILE makes one")

    def _print(self, value: Any, plain: str | None = None) -> None:
        if self._as_json or plain is None:
            self.stdout.write(json.dumps(value, ensure_ascii=False))
        else:
            self.stdout.write(plain)

    def _fail(self, error: DisttaskError) -> None:
        message = translated(error.message)
        if self._as_json:
            self._print({"error": error.symbol, "message": message, "errors": _listed(error.problems)})
            raise SystemExit(1)
        lines = [message, *(f"  {shown(problem)}" for problem in error.problems)]
        raise CommandError("\n".join(lines)) from error


def _row(flow: Flow) -> dict[str, Any]:
    return {
        "id": flow.pk,
        "name": flow.name,
        "flow_type": flow.flow_type,
        "version": flow.current.number if flow.current else None,
        "is_active": flow.is_active,
        "state": "active" if flow.is_active else "inactive",
    }


def _graph(target: str, number: int | None) -> drawing.Graph:
    return drawing.graph_of(_compiled(target, number))


def _compiled(target: str, number: int | None) -> CompiledFlow:
    """Of a file where there is one of that name (or `-`), else of a flow."""
    if target == "-" or Path(target).is_file():
        prepared = prepare_definition(read_file(target), catalog=selectors.load_catalog())
        if prepared.pinned is None:
            raise invalid(prepared.report)
        return compile_flow(prepared.pinned)
    return selectors.compiled_version(selectors.chosen_version(selectors.find_flow(target), number).pk)


def read_file(name: str) -> bytes:
    """The bytes of a file, or of standard input for `-`; one more than is accepted at most."""
    if name == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}", returncode=2) from error


def _decoded(content: bytes) -> Any:
    problems = Problems()
    document = decode_document(content, problems)
    if problems:
        raise invalid(Report(problems=problems.listed()))
    return document


def _valid(content: bytes) -> Any:
    document = _decoded(content)
    report = selectors.validate_definition(document)
    if not report.is_valid:
        raise invalid(report)
    return document


def shown(problem: Problem) -> str:
    """`tasks[0].config.url: Must be a string. (wrong_type)`"""
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in problem.loc).lstrip(".")
    return f"{place or 'document'}: {translated(problem.message)} ({problem.code})"


def _listed(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    return [{**problem.as_dict(), "message": translated(problem.message)} for problem in problems]


def _actor() -> Actor:
    try:
        return system_actor(getuser(), source="cli")
    except (KeyError, OSError):  # a container's user may have no name
        return system_actor(source="cli")
