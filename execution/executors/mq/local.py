"""The embedded backend: a table of our own database, readable in the console.

The key is unique, so a message is there once however often it is sent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.db import DatabaseError, IntegrityError, close_old_connections, transaction
from django.utils import timezone

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.mq.backend import Backend, Message, Sent, register_backend
from execution.executors.sealing import outside_text
from execution.models import LocalMessage

ORDERING_PROPERTY = "ordering_key"


@register_backend
class LocalBackend(Backend):
    name: ClassVar[str] = "local"

    def send(self, message: Message, *, deadline: float) -> Sent:
        """One insert; the database's own lock wait bounds it."""
        del deadline
        close_old_connections()  # pool threads outlive connections that the server has closed
        known = _find(message)
        return Sent(message_id=known or _insert(message), queue=self.name)


def _find(message: Message) -> str | None:
    try:
        row = LocalMessage.objects.filter(idempotency_key=message.idempotency_key).only("pk").first()
    except DatabaseError as error:
        raise _failed(Sort.REFUSED_NOW, error) from error
    return None if row is None else str(row.pk)


def _insert(message: Message) -> str:
    is_written = False
    try:
        with transaction.atomic():
            row = LocalMessage.objects.create(**_columns(message))
            is_written = True
        return str(row.pk)
    except IntegrityError as error:
        # Two attempts at once: the other one's row is the message.
        known = _find(message)
        if known is None:
            raise _failed(Sort.REFUSED, error) from error
        return known
    except DatabaseError as error:
        raise _failed(Sort.MAYBE_APPLIED if is_written else Sort.REFUSED_NOW, error) from error


def _columns(message: Message) -> dict[str, Any]:
    now = timezone.now()
    properties = dict(message.properties)
    if message.ordering_key:
        properties[ORDERING_PROPERTY] = message.ordering_key
    return {
        "topic": message.topic,
        "tag": message.tag,
        "idempotency_key": message.idempotency_key,
        "key": message.key,
        "properties": properties,
        "body": message.body,
        "deliver_at": now + timedelta(seconds=message.delay_seconds),
        "created_at": now,
    }


def _failed(sort: Sort, error: Exception) -> TaskFailed:
    return TaskFailed(
        sort,
        "MQ_STORE_FAILED",
        text("The message table could not be written: {reason}.", reason=outside_text(error, 500)),
        type="DatabaseError",
    )
