"""Lengthen leases, and watch what has been asked of instances that are held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from disttask_project.kernel import json
from execution.engine.state import Act
from execution.stores.sql.database import Database
from execution.stores.sql.schema import ACTION, INSTANCE

MINE: Final = f"SELECT id, fence FROM {INSTANCE.name} WHERE id IN ({{ids}}) AND owner = %s ORDER BY id"  # noqa: S608
INBOXES: Final = f"SELECT id, inbox FROM {INSTANCE.name} WHERE id IN ({{ids}}) AND inbox > 0"  # noqa: S608
OPEN_ACTIONS: Final = (
    "SELECT id, instance_id, task_id, act, payload, reason, actor "  # noqa: S608
    f"FROM {ACTION.name} WHERE instance_id IN ({{ids}}) AND state = 'asked' ORDER BY asked_at, id"
)
RENEWED: Final = ("lease_until", "wake_at")


class LeaseSql:
    def __init__(self, database: Database) -> None:
        self._database = database

    def renew(self, owner: str, fences: Mapping[str, int], *, lease: timedelta, now: datetime) -> set[str]:
        if not fences:
            return set()
        until = now + lease
        with self._database.writing("renew") as cursor:
            sql = MINE + cursor.dialect.for_update
            rows = cursor.rows_in(sql, sorted(fences), [owner])
            mine = [instance_id for instance_id, fence in rows if fences[instance_id] == fence]
            cursor.update(INSTANCE, ("id",), RENEWED, [[instance_id, until, until] for instance_id in mine])
        return set(fences) - set(mine)

    def inboxes(self, ids: Iterable[str]) -> dict[str, int]:
        wanted = sorted(ids)
        with self._database.reading() as cursor:
            return dict.fromkeys(wanted, 0) | dict(cursor.rows_in(INBOXES, wanted))

    def open_actions(self, instance_ids: Iterable[str]) -> dict[str, Sequence[Act]]:
        with self._database.reading() as cursor:
            rows = cursor.rows_in(OPEN_ACTIONS, sorted(instance_ids))
        found: dict[str, list[Act]] = {}
        for action_id, instance_id, task_id, act, payload, reason, actor in rows:
            found.setdefault(instance_id, []).append(
                Act(
                    action_id=action_id,
                    act=act,
                    task_id=task_id,
                    payload=json.loads_stored(payload) if payload else {},
                    actor=actor,
                    reason=reason,
                )
            )
        return dict(found)
