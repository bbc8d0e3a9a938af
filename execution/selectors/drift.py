"""What the reconciler has done, for console and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import pgettext_lazy

from execution.models import Reconciler

WORDS: Final = {
    "never_woken": pgettext_lazy("drift", "would never have been woken"),
    "woken_too_late": pgettext_lazy("drift", "would have been woken too late"),
    "log_number": pgettext_lazy("drift", "the next number of its log was taken"),
    "task_and_log": pgettext_lazy("drift", "a task did not stand as its log says"),
    "open_attempt": pgettext_lazy("drift", "an attempt was left open"),
    "task_under_way": pgettext_lazy("drift", "a task was under way in an instance at rest"),
    "attention": pgettext_lazy("drift", "the mark for a person was wrong"),
    "exception_left": pgettext_lazy("drift", "an exception of what is well was open"),
    "exception_missing": pgettext_lazy("drift", "a failure had no exception"),
    "tag_missing": pgettext_lazy("drift", "a tag was missing"),
    "act_key": pgettext_lazy("drift", "a decided act kept others out"),
    "act_of_nobody": pgettext_lazy("drift", "an act of an instance that is gone"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """`kinds` in words."""

    at: datetime
    instance_id: str
    kinds: Sequence[Any]
    task_ids: Sequence[str]


def reconciler() -> Reconciler | None:
    """Where its walk stands; None before its first turn."""
    return Reconciler.objects.first()


def reconciled() -> tuple[int, int]:
    """Instances looked at and disagreements mended, by all hosts since the first turn."""
    row = reconciler()
    return (row.looked, row.healed) if row else (0, 0)


def last_healed(row: Reconciler | None) -> list[Healed]:
    """The newest mends, newest first."""
    return [
        Healed(
            at=datetime.fromisoformat(told["at"]),
            instance_id=told["instance_id"],
            kinds=[WORDS.get(kind, kind) for kind in told["kinds"]],
            task_ids=told["task_ids"],
        )
        for told in (row.recent or [] if row else [])
    ]
