"""`manage.py check`: the configuration's faults, each with key, source and mend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  Django's own name

from disttask_project.config.sources import Fault


@register("disttask")
def configuration(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    return [_message(fault) for fault in settings.CONFIGURATION_FAULTS]


def _message(fault: Fault) -> CheckMessage:
    kind = Error if fault.is_error else Warning
    return kind(fault.message, hint=fault.mend, id=f"disttask.{fault.id}")
