"""Admin pages of the engine: Django finds them here."""

from execution.admin import instances, messages, overview, workers

__all__ = ["instances", "messages", "overview", "workers"]
