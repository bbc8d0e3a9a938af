"""Setting and removing secrets. The operations log says who and when, never what."""

from __future__ import annotations

import re
from typing import Final

from django.db import transaction

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.clock import Clock, SystemClock
from disttask_project.kernel.errors import Conflict, InvalidInput, NotFound, Problem
from disttask_project.kernel.messages import Message, text
from disttask_project.secretstore.models import StoredSecret
from disttask_project.secretstore.sealing import CannotOpen, open_sealed, seal

EDIT: Final = "secretstore.edit_secret"
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
MAX_BYTES: Final = 16 * 1024  # a private key with its chain fits
MAX_SECRETS: Final = 1_000  # all are held in memory by every engine


def set_secret(*, name: str, value: str, note: str = "", actor: Actor, clock: Clock | None = None) -> StoredSecret:
    """Store or replace a secret; engines send the new value within seconds. Raises `Forbidden`, `InvalidInput`,
    `Conflict` where the store is full."""
    actor.require(EDIT)
    _check(name, value, note)
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        row = StoredSecret.objects.select_for_update().filter(pk=name).first()
        is_new = row is None
        if row is None:
            if StoredSecret.objects.count() >= MAX_SECRETS:
                raise Conflict(
                    text("There are {most} secrets already; remove some first.", most=MAX_SECRETS),
                    symbol="TOO_MANY_SECRETS",
                )
            row = StoredSecret(name=name, created_at=now)
        row.sealed, row.note, row.updated_at, row.updated_user = seal(name, value), note, now, actor.name
        row.save()
        record(
            actor=actor,
            act="add_secret" if is_new else "replace_secret",
            object_type="secret",
            object_id=name,
            after={"note": note},
        )
    return row


def delete_secret(*, name: str, reason: str = "", actor: Actor) -> None:
    """Tasks that name it fail from now on, saying so. Raises `NotFound`, `Forbidden`."""
    actor.require(EDIT)
    with transaction.atomic():
        gone, _each = StoredSecret.objects.filter(pk=name).delete()
        if not gone:
            raise NotFound(text("There is no secret {name} in the store.", name=name[:64]), symbol="SECRET_NOT_FOUND")
        record(actor=actor, act="delete_secret", object_type="secret", object_id=name, reason=reason)


def reseal_secrets(*, actor: Actor) -> tuple[int, list[str]]:
    """Seal every secret under the current key: how many, and the names that no key at hand opens."""
    actor.require(EDIT)
    closed: list[str] = []
    with transaction.atomic():
        rows = list(StoredSecret.objects.select_for_update().order_by("name"))
        for row in rows:
            try:
                row.sealed = seal(row.name, open_sealed(row.name, row.sealed))
            except CannotOpen:
                closed.append(row.name)
        opened = [row for row in rows if row.name not in closed]
        StoredSecret.objects.bulk_update(opened, ["sealed"])
        record(
            actor=actor,
            act="reseal_secrets",
            object_type="secret",
            object_id="*",
            after={"resealed": len(opened), "closed": closed},
        )
    return len(opened), closed


def _check(name: str, value: str, note: str) -> None:
    faults: list[tuple[str, str, Message]] = []
    if not NAME.fullmatch(name):
        faults.append(
            ("name", "bad_value", text("A name is a letter, then up to 63 letters, digits and underscores: BANK_KEY."))
        )
    if not value:
        faults.append(("value", "required", text("A secret has a value.")))
    elif len(value.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        faults.append(("value", "too_long", text("A secret has at most {most} bytes.", most=MAX_BYTES)))
    if len(note) > 255:
        faults.append(("note", "too_long", text("A note has at most {most} characters.", most=255)))
    if faults:
        raise InvalidInput(
            text("The secret cannot be stored."),
            problems=[Problem(loc=(loc,), code=code, message=message) for loc, code, message in faults],
        )
