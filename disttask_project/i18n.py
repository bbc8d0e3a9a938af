"""From a message of the domain to the active language."""

from __future__ import annotations

from django.utils.translation import gettext

from disttask_project.kernel.messages import Message


def translated(message: object) -> str:
    """The text of `message` in the active language; a plain string is taken as it is."""
    if not isinstance(message, Message):
        return str(message)
    template = gettext(message.template)
    if not message.values:
        return template
    return template.format(**{key: translated(value) for key, value in message.values.items()})
