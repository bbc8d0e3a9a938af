"""The reconciler: finds rows that disagree (a hand in the database, a restore, a bug of ours) and mends them.

It walks all instances at a slow pace, those that are open more often, a window a turn; so a turn costs the same however
large the tables are. It never touches what a live lease holds: the holder's next record tells the truth. What it mends
it takes by the fence like an operator's act, in one transaction with its audit row.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import F

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from execution.engine.change import Change
from execution.engine.loading import current_store, failure_port
from execution.models import OperatorAction, Reconciler
from execution.repository import drift as rows_of
from execution.repository.drift import Drift, Record, register_records
from execution.services.bell import ring_on_commit
from execution.services.faults import telling_store_faults
from execution.services.healing import heal
from execution.stores.base import StoreUnavailable
from flows.selectors import compiled_version

__all__ = ["Record", "Report", "reconcile_all", "reconcile_turn", "register_records"]

log = structlog.get_logger(__name__)

OPEN_WINDOW: Final = 500  # instances a turn, of those that are open
WINDOW: Final = 200  # and of all
ACTS: Final = 200
NAME: Final = "reconciler"
RECENT: Final = 10


@dataclass(slots=True, kw_only=True)
class Report:
    """What a turn looked at, what it found, and what of that it mended (nothing in a dry run)."""

    looked: int = 0
    found: list[Drift] = field(default_factory=list)
    healed: list[Drift] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    dry_run: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {
            "looked": self.looked,
            "found": [asdict(drift) for drift in self.found],
            "healed": [asdict(drift) for drift in self.healed],
            "unreadable": self.unreadable,
            "dry_run": self.dry_run,
        }


def reconcile_all(*, actor: Actor, dry_run: bool = False) -> Report:
    """Every instance there is, window after window."""
    report = Report(dry_run=dry_run)
    with telling_store_faults():
        _mend_acts(actor, report)
        place: dict[str, Any] = {}
        while True:
            ids, place = rows_of.window(place, size=WINDOW, only_open=False)
            _work(ids, actor, report)
            if not place:
                break
        if not dry_run:
            _note(report, rounds=1)
        return report


def reconcile_turn(*, actor: Actor, every: float) -> Report | None:
    """One turn of the slow walk, unless another host has had one within `every` seconds: then None."""
    now = current_store().now()
    with telling_store_faults():
        _walk()
        mine = Reconciler.objects.filter(id=NAME, looked_at__lte=now - timedelta(seconds=every))
        return _turn(actor) if mine.update(looked_at=now) else None


def _turn(actor: Actor) -> Report:
    report = Report()
    place = _walk()
    open_ids, open_next = rows_of.window(place.open_place or {}, size=OPEN_WINDOW, only_open=True)
    ids, following = rows_of.window(place.place or {}, size=WINDOW, only_open=False)
    _mend_acts(actor, report)
    _work({*open_ids, *ids, *rows_of.asked_of(ACTS)}, actor, report)
    _note(report, rounds=int(not following), open_place=open_next, place=following)
    return report


def _walk() -> Reconciler:
    long_ago = current_store().now() - timedelta(days=1)
    return Reconciler.objects.get_or_create(id=NAME, defaults={"looked_at": long_ago})[0]


def _note(report: Report, *, rounds: int, **places: Any) -> None:
    """What was done, for console and metrics."""
    now = current_store().now()
    by_instance: dict[str, list[Drift]] = {}
    for drift in report.healed:
        by_instance.setdefault(drift.instance_id, []).append(drift)
    new = [
        {
            "at": now.isoformat(),
            "instance_id": instance_id,
            "kinds": sorted({drift.kind for drift in drifts}),
            "task_ids": sorted({drift.task_id for drift in drifts if drift.task_id}),
        }
        for instance_id, drifts in by_instance.items()
    ]
    walk = _walk()
    Reconciler.objects.filter(id=NAME).update(
        looked_at=now,
        looked=F("looked") + report.looked,
        healed=F("healed") + len(report.healed),
        rounds=F("rounds") + rounds,
        recent=[*reversed(new), *(walk.recent or [])][:RECENT],
        **places,
    )


def _work(ids: Collection[str], actor: Actor, report: Report) -> None:
    store = current_store()
    suspected = rows_of.look(ids, now=store.now(), tags_of=_tags_of)
    report.looked += len(ids)
    for instance_id in sorted({drift.instance_id for drift in suspected}):
        if report.dry_run:
            # A second look, since the first was not at one moment.
            again = rows_of.look([instance_id], now=store.now(), tags_of=_tags_of)
            report.found += [drift for drift in again if drift in suspected]
            continue
        try:
            _heal(instance_id, actor, report)
        except LookupError:
            report.unreadable.append(instance_id)
        except StoreUnavailable:
            raise
        except Exception:
            # One that cannot be mended must not keep the others from it.
            log.exception("reconcile_failed", instance_id=instance_id)


def _heal(instance_id: str, actor: Actor, report: Report) -> None:
    store = current_store()
    with transaction.atomic(), store.hold(instance_id, owner=NAME, now=store.now()) as hold:
        if hold is None:
            return
        drifts = rows_of.look([instance_id], now=store.now(), tags_of=_tags_of)
        if not drifts:
            return
        # Nothing here is left to chance: no retry is decided.
        change = Change(hold.state, now=store.now(), rng=random.Random(0), port=failure_port())  # noqa: S311
        unit = heal(hold, drifts, change=change)
        if unit is not None:
            hold.apply(unit)
        record(
            actor=actor,
            act="reconcile.heal",
            object_type="instance",
            object_id=instance_id,
            after={"healed": [asdict(drift) for drift in drifts]},
        )
        ring_on_commit()
    report.found += drifts
    report.healed += drifts
    log.warning("reconciled", instance_id=instance_id, kinds=dict(Counter(drift.kind for drift in drifts)))


def _mend_acts(actor: Actor, report: Report) -> None:
    """An act that is decided must not keep its key; one whose instance is gone will never be decided."""
    for action_id, instance_id, decided in rows_of.stale_keys(ACTS):
        kind = "act_key" if decided else "act_of_nobody"
        drift = Drift(instance_id=instance_id, kind=kind, found=action_id)
        report.found.append(drift)
        if report.dry_run:
            continue
        with transaction.atomic():
            act = OperatorAction.objects.filter(pk=action_id)
            if decided:
                act.exclude(state="asked").update(open_key=None)
            else:
                verdict = {"code": "NOT_FOUND", "message": "the transaction is gone"}
                act.filter(state="asked").update(
                    open_key=None, state="refused", verdict=verdict, decided_at=current_store().now()
                )
            record(
                actor=actor,
                act="reconcile.heal",
                object_type="instance",
                object_id=instance_id,
                after={"healed": [asdict(drift)]},
            )
        report.healed.append(drift)


def _tags_of(version_id: str) -> Collection[str]:
    """The tags a version derives; none where it cannot be compiled any more."""
    try:
        return compiled_version(version_id).tags.keys()
    except Exception:
        log.debug("tags_unknown", version_id=version_id, exc_info=True)
        return ()
