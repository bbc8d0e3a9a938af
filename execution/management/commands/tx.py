from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.core.management.base import CommandError
from rich.live import Live

from disttask_project.commands import USAGE, ServiceCommand, read_json
from disttask_project.i18n import translated
from disttask_project.paging import PageRequest
from execution.management.tx import arguments, tables
from execution.selectors import compensation, diagnosis, instances, plain, tasks
from execution.selectors.tasks import InstanceDetail
from execution.services import acts
from execution.services.performing import ActAnswer
from execution.services.start import start_instance
from flows.starting import is_flow_id

POLL_SECONDS: Final = 0.2
FRAME_SECONDS: Final = 0.25


class Command(ServiceCommand):
    help = "Start, look at and act on transactions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        arguments.add_arguments(parser)

    def run(self, options: dict[str, Any]) -> int:
        verbs: Mapping[str, Callable[[dict[str, Any]], int]] = {
            "start": self._start,
            "status": self._status,
            "watch": self._watch,
            "list": self._list,
            "compensate": self._compensate,
            "rerun": self._rerun,
        }
        verb = verbs.get(options["verb"])
        return verb(options) if verb else self._act(options)

    def _start(self, options: dict[str, Any]) -> int:
        given = read_json(options["params"]) if options["params"] else {}
        if not isinstance(given, dict):
            raise CommandError("--params must be a JSON object", returncode=USAGE)
        named = {"flow_id": options["flow"]} if is_flow_id(options["flow"]) else {"flow_name": options["flow"]}
        started = start_instance(
            **named,
            version=options["flow_version"],
            params=arguments.nest(given, options["pairs"]),
            instance_id=options["id"],
            tags=dict(options["tags"]) or None,
            actor=self.actor,
        )
        if not options["wait"]:
            self._say(options, started.as_dict(), started.instance_id)
            return 0
        self._wait(started.instance_id, options["timeout"])
        detail = tasks.instance_detail(started.instance_id)
        if options["json"]:
            self.print_json(plain.transaction_detail(detail))
        else:
            self._show(detail)
        return 0 if detail.instance.status == "success" else 1

    def _wait(self, instance_id: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not instances.has_come_to_rest(instance_id):
            time.sleep(POLL_SECONDS)

    def _status(self, options: dict[str, Any]) -> int:
        detail = tasks.instance_detail(options["id"])
        if options["json"]:
            self.print_json(plain.transaction_detail(detail) | self._diagnosis(detail))
        else:
            self._show(detail)
        return 0

    def _watch(self, options: dict[str, Any]) -> int:
        """Live until it has come to rest; Ctrl-C leaves it running and the terminal clean."""
        detail = tasks.instance_detail(options["id"])
        if options["json"]:
            self._wait(options["id"], float("inf"))
            detail = tasks.instance_detail(options["id"])
            self.print_json(plain.transaction_detail(detail) | self._diagnosis(detail))
        else:
            with Live(self._frame(detail), console=self.console, auto_refresh=False) as live:
                while not instances.has_come_to_rest(options["id"]):
                    time.sleep(FRAME_SECONDS)
                    live.update(self._frame(tasks.instance_detail(options["id"])), refresh=True)
                detail = tasks.instance_detail(options["id"])
                live.update(self._frame(detail), refresh=True)
        return 0 if detail.instance.status == "success" else 1

    def _list(self, options: dict[str, Any]) -> int:
        page = instances.list_instances(
            filters=instances.InstanceFilter(
                status=options["status"],
                flow_name=options["flow"],
                tags=dict(options["tags"]),
                error_code=options["error_code"],
                needs_attention=True if options["needs_attention"] else None,
            ),
            asked=PageRequest(page_size=options["limit"]),
        )
        if options["json"]:
            self.print_json([plain.transaction(row) for row in page.rows])
        else:
            self.console.print(tables.listing(page.rows))
        return 0

    def _act(self, options: dict[str, Any]) -> int:
        act = options["verb"].replace("-", "_")
        files = {name: read_json(options[name]) for name in ("input", "config", "output") if options.get(name)}
        payload = {**files}
        if options.get("force"):
            payload["force"] = True
        if act == "retry":
            answer: ActAnswer = acts.retry(
                instance_id=options["id"],
                task_id=options["task"],
                reason=options["reason"],
                outcome=options["outcome"],
                actor=self.actor,
                **payload,
            )
        else:
            answer = acts.perform(
                act=act,
                instance_id=options["id"],
                task_id=options.get("task", ""),
                reason=options["reason"],
                payload=payload,
                actor=self.actor,
            )
        self._told(options, answer)
        return 0

    def _rerun(self, options: dict[str, Any]) -> int:
        files = {name: read_json(options[name]) for name in ("input", "config") if options.get(name)}
        self._told(
            options,
            acts.rerun(
                instance_id=options["id"],
                task_id=options["task"],
                reason=options["reason"],
                actor=self.actor,
                **files,
            ),
        )
        return 0

    def _compensate(self, options: dict[str, Any]) -> int:
        """`--dry-run` shows the plan."""
        if options["dry_run"]:
            plan = compensation.plan(tasks.instance_detail(options["id"]))
            if options["json"]:
                self.print_json(plain.compensation_plan(plan))
            else:
                self.console.print(tables.undo_plan(plan))
            return 0
        inputs = read_json(options["inputs"]) if options["inputs"] else {}
        if not isinstance(inputs, dict):
            raise CommandError("--inputs must be a JSON object", returncode=USAGE)
        self._told(
            options,
            acts.compensate(
                instance_id=options["id"],
                reason=options["reason"],
                tasks=options["tasks"],
                outside=options["outside"],
                inputs=inputs,
                actor=self.actor,
            ),
        )
        return 0

    def _told(self, options: dict[str, Any], answer: ActAnswer) -> None:
        self._say(options, answer.as_dict(), f"{answer.act}: {translated(answer.message)}")

    def _say(self, options: dict[str, Any], data: dict[str, Any], text: str) -> None:
        if options["json"]:
            self.print_json(data)
        else:
            self.stdout.write(text)

    def _show(self, detail: InstanceDetail) -> None:
        self.console.print(self._frame(detail))

    def _frame(self, detail: InstanceDetail) -> Any:
        now = datetime.now(UTC)
        return tables.run(detail, diagnosis.cause(detail), diagnosis.waiting_reason(detail, now=now))

    def _diagnosis(self, detail: InstanceDetail) -> dict[str, Any]:
        cause = diagnosis.cause(detail)
        waiting = diagnosis.waiting_reason(detail, now=datetime.now(UTC))
        return {
            "cause": plain.cause(cause) if cause else None,
            "waiting": plain.waiting(waiting) if waiting else None,
        }
