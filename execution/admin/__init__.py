"""Admin pages of the engine: Django finds them here."""

from execution.admin import instances, messages, overview, targets, workers

__all__ = ["instances", "messages", "overview", "targets", "workers"]
