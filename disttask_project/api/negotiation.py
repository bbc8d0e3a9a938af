"""Which renderer answers: by Accept, or by `?format=json|api`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer


class FormatNegotiation(DefaultContentNegotiation):
    """DRF answers 404 to a `?format=` it does not know; here an endpoint may give the word a meaning of its own."""

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> Any:  # noqa: A002  DRF's name
        offered = list(renderers)
        return [renderer for renderer in offered if renderer.format == format] or offered
