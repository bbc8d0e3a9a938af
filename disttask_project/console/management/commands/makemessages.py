"""`makemessages` for this project: the domain's `text(...)` counts as a translatable string."""

from __future__ import annotations

from django.core.management.commands import makemessages


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=text"]  # noqa: RUF012 - Django's own shape
