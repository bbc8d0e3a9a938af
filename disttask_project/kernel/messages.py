"""Messages of code that knows no Django: English text now, translatable later.

`text("... {name}", name=...)` is the English sentence and remembers its template, which `makemessages`
extracts (keyword `text`) and `disttask_project.i18n.translated` looks up in the active language.
"""

from __future__ import annotations

from typing import Any


class Message(str):
    """A `str` that knows the template and the values it was made of."""

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, values: dict[str, Any]) -> Message:
        message = super().__new__(cls, template.format(**values) if values else template)
        message.template = template
        message.values = values
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.template, self.values)


def text(template: str, /, **values: Any) -> Message:
    """A message; without values the template is taken as it is (braces need no doubling then)."""
    return Message(template, values)
