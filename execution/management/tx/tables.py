"""Transactions on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.timezone import localtime
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from disttask_project.i18n import translated
from disttask_project.kernel import json
from execution.models import Instance
from execution.selectors.compensation import CompensationPlan
from execution.selectors.diagnosis import Cause
from execution.selectors.tasks import InstanceDetail, TaskView
from execution.selectors.waiting import Waiting

STYLES = {
    "success": ("✔", "green"),
    "failed": ("✘", "bold red"),
    "running": ("▶", "cyan"),
    "retrying": ("↻", "yellow"),
    "unknown": ("?", "magenta"),
    "skipped": ("»", "dim"),
    "cancelled": ("■", "dim"),
    "paused": ("‖", "yellow"),
    "compensating": ("↶", "yellow"),
    "compensated": ("↶", "dim"),
    "pending": ("·", "dim"),
}


def status_text(status: str) -> Text:
    """Sign, word and colour."""
    sign, style = STYLES.get(status, ("·", ""))
    return Text(f"{sign} {status}", style=style)


def undo_plan(plan: CompensationPlan) -> RenderableType:
    """Step by step what would be undone, what has nothing to undo, and what stands in the way."""
    table = Table(box=None, pad_edge=False)
    for title in ("Step", "Task", "Undo", "Input"):
        table.add_column(title)
    for undo in plan.undo:
        doubt = " ?" if undo.outcome_unknown else ""
        shown = undo.input_problem or json.dumps(undo.input)
        table.add_row(str(undo.step), escape(undo.task_id + doubt), escape(undo.task_name), escape(shown[:200]))
    parts: list[RenderableType] = [table]
    if plan.nothing_to_undo:
        names = ", ".join(view.task_id for view in plan.nothing_to_undo)
        parts.append(Text(f"nothing to undo: {names}", style="dim"))
    if not plan.is_ready:
        parts.append(Text(str(translated(plan.why_not)), style="yellow"))
    return Group(*parts)


def listing(rows: Sequence[Instance]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("ID", no_wrap=True, overflow="fold", min_width=max((len(row.pk) for row in rows), default=2))
    for title in ("Flow", "Status", "Started", "Error"):
        table.add_column(title)
    for row in rows:
        error = row.error.get("code", "") if isinstance(row.error, dict) else ""
        status = status_text(row.status)
        if row.needs_attention:
            status.append(" !", style="bold red")
        table.add_row(
            escape(row.pk),
            escape(f"{row.flow.name} v{row.version.number}"),
            status,
            _time(row.created_at),
            escape(error),
        )
    return table


def run(detail: InstanceDetail, cause: Cause | None, waiting: Waiting | None) -> RenderableType:
    """One transaction: header, tasks, what failed and why it is not moving."""
    instance = detail.instance
    head = Text.assemble(
        (instance.pk, "bold"), f"  {instance.flow.name} v{instance.version.number}  ", status_text(instance.status)
    )
    parts: list[RenderableType] = [head, _tasks(detail.tasks)]
    if cause is not None:
        parts.append(_cause(cause))
    if waiting is not None:
        until = f" {_time(waiting.until)}" if waiting.until else ""
        parts.append(Text(f"{translated(waiting.message)}{until}", style="yellow"))
    return Group(*parts)


def _tasks(tasks: Sequence[TaskView]) -> Table:
    table = Table("Task", "Type", "Status", "Attempt", "Took", "Error", box=None, pad_edge=False)
    for task in tasks:
        name = task.task_id if task.name in (task.task_id, task.task_name) else f"{task.task_id} ({task.name})"
        tried = f"{task.retries + 1} of {task.max_retry + 1}" if task.attempt else ""
        error = f"{task.error_code} {task.error_message}".strip() if task.status != "success" else ""
        table.add_row(
            escape(name), escape(task.type), status_text(task.status), tried, _took(task), escape(error[:120])
        )
    return table


def _cause(cause: Cause) -> Text:
    place = f"{cause.task_id} (attempt {cause.attempt} of {cause.attempts_max})" if cause.task_id else ""
    target = f" at {cause.target}" if cause.target else ""
    acts = ", ".join(mend.act.replace("_", "-") for mend in cause.mends)
    told = Text.assemble(
        ("\nWhat failed: ", "bold"), f"{place}{target}: ", (cause.code, "bold red"), f" {cause.message}"
    )
    if acts:
        told.append(f"\nWhat can mend it, safest first: {acts}")
    return told


def _took(task: TaskView) -> str:
    if task.started_at is None or task.completed_at is None:
        return ""
    seconds = (task.completed_at - task.started_at).total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _time(moment: datetime | None) -> str:
    return f"{localtime(moment):%Y-%m-%d %H:%M:%S %Z}" if moment else ""
