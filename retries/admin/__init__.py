"""Admin pages of the exceptions: Django finds them here."""

from retries.admin import exceptions, overview

__all__ = ["exceptions", "overview"]
