"""Admin pages of flows and of the task catalog: Django finds them here."""

from flows.admin import descriptor_sets, flows, task_types

__all__ = ["descriptor_sets", "flows", "task_types"]
