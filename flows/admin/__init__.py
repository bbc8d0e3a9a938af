"""Admin pages of flows and of the task catalog: Django finds them here."""

from flows.admin import flows, task_types

__all__ = ["flows", "task_types"]
