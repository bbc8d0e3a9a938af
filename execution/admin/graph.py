"""The flow of a run drawn with the state of each task."""

from __future__ import annotations

from django.utils.safestring import SafeString

from execution.selectors.run_page import Run


def graph_of(run: Run) -> SafeString:
    return SafeString("")
