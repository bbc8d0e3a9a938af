"""What the templates of the run page need, computed from a `Run`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from disttask_project.console.labels import action_word, look
from execution.admin.acts import Offer, instance_offers, rerun_offer, task_offers
from execution.admin.graph import graph_of
from execution.admin.timeline import timeline_of
from execution.domain.states import InstanceStatus
from execution.models import Attempt
from execution.selectors.run_page import Run, RunTask, attempt
from flows.domain.compiled import Kind

# More causes than this are listed by name only: the first ones decide what to do.
FULL_CAUSES: Final = 3
MAX_TASK_ROWS: Final = 300
MAX_GRAPH: Final = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that keeps the run from going on, with the acts that may mend it."""

    task: RunTask
    attempt: Attempt | None
    tries: int
    tries_max: int
    offers: Sequence[Offer]
    exception_url: str
    check: RunTask | None = None  # what is asked about a task of which nobody knows whether it took effect


def build(run: Run, request: HttpRequest) -> dict[str, Any]:
    """The whole context, for the page and for its live part alike."""
    may = request.user.has_perm
    problems = run.problems()
    task = request.GET.get("task", "")
    rows = _task_rows(run)
    draw = len(run.tasks) <= MAX_GRAPH or "graph" in request.GET
    return {
        "run": run,
        "instance": run.instance,
        "flow": run.instance.flow,
        "rev": run.version_mark,
        "is_live": not _has_ended(run),
        "causes": [_cause(run, problem, may) for problem in problems[:FULL_CAUSES]],
        "more_causes": problems[FULL_CAUSES:],
        "waiting": run.waiting,
        "offers": instance_offers(run.instance, may, can_undo=run.detail.has_undo),
        "graph": graph_of(run) if draw else SafeString(""),
        "graph_on_request": not draw,
        "timeline": timeline_of(run),
        "task_rows": rows,
        "reruns": {task.task_id: offer for task in rows if (offer := rerun_offer(run.instance, task, may))},
        "tasks_hidden": len(run.tasks) - len(rows),
        "chosen": task,
        "handover": handover(run, problems, request),
    }


def handover(run: Run, problems: Sequence[RunTask], request: HttpRequest) -> str:
    """Plain text for the group chat: what, why, the last act, where to look."""
    instance = run.instance
    lines = [
        _("%(id)s (%(flow)s v%(version)s): %(status)s")
        % {
            "id": instance.pk,
            "flow": instance.flow.name,
            "version": instance.version.number,
            "status": look("instance", instance.status).word,
        }
    ]
    for problem in problems[:FULL_CAUSES]:
        lines.append(f"- {problem.task_id}: {problem.row.error_code} {problem.row.error_message[:300]}")
    if run.audit:
        last = run.audit[0]
        at = timezone.localtime(last.at).strftime("%Y-%m-%d %H:%M:%S %z")
        lines.append(
            _("Last act: %(act)s by %(who)s, %(at)s") % {"act": action_word(last.act), "who": last.actor, "at": at}
        )
        if last.reason:
            lines.append(last.reason[:300])
    lines.append(request.build_absolute_uri(reverse("admin:execution_instance_change", args=[instance.pk])))
    return "\n".join(lines)


def _has_ended(run: Run) -> bool:
    """Nothing will change without a person: an ended run, or a failed one that holds with nothing in flight."""
    try:
        ended = InstanceStatus(run.instance.status).is_terminal
    except ValueError:
        return False
    return ended or run.instance.closed


def _cause(run: Run, task: RunTask, may: Callable[[str], bool]) -> Cause:
    row = task.row
    return Cause(
        task=task,
        attempt=attempt(run.instance.pk, task.task_id, row.attempt) if row.attempt else None,
        tries=row.retries + 1,
        tries_max=row.max_retry + 1,
        offers=task_offers(run.instance, task, may),
        exception_url=_exception_url(run, task),
        check=next(
            (other for other in run.tasks if other.row.kind == Kind.CHECK and other.row.of == task.task_id), None
        ),
    )


def _exception_url(run: Run, task: RunTask) -> str:
    # The exceptions belong to an app above this one: reached by the reverse key and a URL's name, never imported.
    exceptions: Any = getattr(run.instance, "exceptions")  # noqa: B009
    found = exceptions.filter(task_id=task.task_id).order_by("-run").values_list("pk", flat=True).first()
    return reverse("admin:retries_exceptionrecord_change", args=[found]) if found else ""


def _task_rows(run: Run) -> list[RunTask]:
    """All tasks, or of a big flow those that have begun or failed, problems first."""
    if len(run.tasks) <= MAX_TASK_ROWS:
        return list(run.tasks)
    rank: Mapping[str, int] = {"failed": 0, "unknown": 1, "retrying": 2, "running": 3}
    return sorted(run.tasks, key=lambda task: rank.get(task.status, 4 if task.row.attempt else 5))[:MAX_TASK_ROWS]
