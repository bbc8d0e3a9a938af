"""What the page of one exception shows, and the text that hands it over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from disttask_project.audit.models import AuditEntry
from disttask_project.console.labels import action_word, look
from retries import services
from retries.admin import bulk
from retries.domain import states
from retries.models import ExceptionRecord
from retries.selectors.inbox import WAITING_STATES
from retries.selectors.records import comments_of


def case_context(found: ExceptionRecord, request: HttpRequest) -> dict[str, Any]:
    entries = AuditEntry.objects.filter(object_type="exception", object_id=found.pk)[:20]
    audit = [entry for entry in entries if entry.act != "exception.comment"]
    may_act = request.user.has_perm(services.HANDLE)
    others = ExceptionRecord.objects.filter(fingerprint=found.fingerprint, state__in=WAITING_STATES)
    return {
        "case": found,
        "can_retry": bulk.is_eligible(found, "retry"),
        "can": {act: may_act and states.may(act, state=found.state, handled=found.handled) for act in states.ACTS},
        "may_act": may_act,
        "is_mine": found.assignee == request.user.get_username(),
        "is_overdue": is_overdue(found),
        "resolutions": [choice for choice in ExceptionRecord.Resolution.choices if choice[0]],
        "zone": timezone.get_current_timezone_name(),
        "others": others.exclude(pk=found.pk).count(),
        "comments": comments_of(found.pk),
        "audit": audit,
        "handover": handover(found, audit, request),
    }


def is_overdue(found: ExceptionRecord) -> bool:
    """Due, and nobody has closed it."""
    live = found.state not in ("resolved", "ignored")
    return live and found.due_at is not None and found.due_at < timezone.now()


def handover(found: ExceptionRecord, audit: Sequence[AuditEntry], request: HttpRequest) -> str:
    """Plain text for the group chat: what, why, the last act, where to look."""
    head = _("%(id)s (%(flow)s, task %(task)s): %(state)s") % {
        "id": found.instance_id,
        "flow": found.flow_name,
        "task": found.task_id,
        "state": look("exception", found.state).word,
    }
    lines = [head, f"{found.error_code} {found.error_message[:300]}"]
    if found.runbook:
        lines.append(_("Runbook: %(address)s") % {"address": found.runbook})
    if found.assignee:
        lines.append(_("Assigned to %(who)s") % {"who": found.assignee})
    if audit:
        last = audit[0]
        at = timezone.localtime(last.at).strftime("%Y-%m-%d %H:%M:%S %z")
        lines.append(
            _("Last act: %(act)s by %(who)s, %(at)s") % {"act": action_word(last.act), "who": last.actor, "at": at}
        )
        if last.reason:
            lines.append(last.reason[:300])
    lines.append(request.build_absolute_uri(reverse("admin:retries_exceptionrecord_change", args=[found.pk])))
    return "\n".join(lines)
