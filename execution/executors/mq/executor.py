"""Task type mq: sends a message."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from disttask_project.kernel import json
from disttask_project.kernel.errors import Problem
from disttask_project.kernel.messages import Message as Words
from disttask_project.kernel.messages import text
from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.base import Call, Executor, register
from execution.executors.mq.backend import COMING, Backend, Message, backends
from execution.executors.options import MqOptions, mq_options
from execution.executors.schema import parse
from execution.executors.sealing import sealed_error, sealed_value
from execution.executors.secrets import reveal

# What RocketMQ takes as a topic, and a dot as in the seed's `payment.completed`.
_TOPIC: Final = re.compile(r"[%|A-Za-z0-9_.-]{1,127}")
MAX_BODY: Final = 4 * 1024 * 1024
MAX_DELAY: Final = 40 * 24 * 3600


def _scalar_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_scalar_text)]


class MqConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    topic: str = Field(description="Letters, digits and . _ - % |, up to 127.")
    tag: Text = Field(default="", max_length=255)
    key: Text = Field(default="", max_length=255, description="A business key, beside the idempotency key.")
    properties: dict[str, Text] = Field(default_factory=dict)
    delay_seconds: float = Field(default=0, ge=0, le=MAX_DELAY)
    ordering_key: Text = Field(default="", max_length=255, description="Messages with the same one keep their order.")
    body: Any = Field(default=None, description="In place of the input. A string goes out as it is.")

    @field_validator("topic")
    @classmethod
    def _topic_is_a_name(cls, topic: str) -> str:
        if not _TOPIC.fullmatch(topic) and "${" not in topic:
            raise ValueError(text("Must be letters, digits and . _ - % |, at most 127."))
        return topic


def backend_fault(name: str) -> Words | None:
    """Why a backend cannot be used, or None."""
    if name in backends():
        return None
    known = ", ".join(backends())
    if name in COMING:
        return text("The mq backend {name} is not available yet; there is: {known}.", name=name, known=known)
    return text("There is no mq backend {name}; there is: {known}.", name=name, known=known)


@register
class MqExecutor(Executor):
    """The idempotency key travels as the message's key; the local backend keeps one message a key."""

    name = "mq"
    config_model = MqConfig
    max_threads = 4
    description = "Sends a message to a topic."

    def __init__(self, options: MqOptions | None = None) -> None:
        self._options = options or mq_options()
        self._made: Backend | None = None

    @classmethod
    def config_problems(cls, config: Mapping[str, Any]) -> Sequence[Problem]:
        """Also whether the configured backend is there."""
        fault = backend_fault(mq_options().backend)
        return [
            *super().config_problems(config),
            *([Problem(loc=(), code="not_available", message=fault)] if fault else []),
        ]

    @classmethod
    def target(cls, config: Mapping[str, Any]) -> str:
        """The topic."""
        return str(config["topic"])

    def execute(self, call: Call) -> Result:
        config, secrets = reveal(call.config)
        try:
            message = _message(parse(MqConfig, config), call)
            sent = self._backend().send(message, deadline=call.deadline)
        except Exception as error:
            if secrets:
                raise sealed_error(error, secrets) from None
            raise
        value = {"message_id": sent.message_id, "queue": sent.queue}
        return Result(value=sealed_value(value if sent.offset is None else value | {"offset": sent.offset}, secrets))

    def _backend(self) -> Backend:
        if self._made is None:
            fault = backend_fault(self._options.backend)
            if fault:
                raise TaskFailed(Sort.REFUSED, "MQ_BACKEND_MISSING", fault)
            self._made = backends()[self._options.backend]()
        return self._made

    async def close(self) -> None:
        backend, self._made = self._made, None
        if backend is not None:
            await asyncio.to_thread(backend.close)


def _message(config: MqConfig, call: Call) -> Message:
    body = config.body if config.body is not None else dict(call.input)
    written = body if isinstance(body, str) else json.dumps(body)
    if len(written.encode()) > MAX_BODY:
        raise TaskFailed(
            Sort.REFUSED, "REQUEST_TOO_LARGE", text("The message body is above {most} bytes.", most=MAX_BODY)
        )
    return Message(
        topic=config.topic,
        body=written,
        idempotency_key=call.key,
        tag=config.tag,
        key=config.key,
        properties=config.properties,
        delay_seconds=config.delay_seconds,
        ordering_key=config.ordering_key,
    )
