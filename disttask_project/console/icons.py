"""Our icons: strokes on a 16 by 16 field, drawn with the colour of the text beside them."""

from __future__ import annotations

from typing import Final

_LINE = 'fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"'


def _line(d: str) -> str:
    return f'<path {_LINE} d="{d}"/>'


_RING = f'<circle {_LINE} cx="8" cy="8" r="6.2"/>'

ICONS: Final[dict[str, str]] = {
    "dot": '<circle cx="8" cy="8" r="3" fill="currentColor"/>',
    "check": _RING + _line("M5.2 8.2l2 2 3.6-4"),
    "cross": _RING + _line("M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4"),
    "clock": _RING + _line("M8 4.6V8l2.2 1.4"),
    "play": _RING + '<path d="M6.6 5.4v5.2l4.2-2.6z" fill="currentColor"/>',
    "pause": _RING + _line("M6.4 5.8v4.4M9.6 5.8v4.4"),
    "stop": _RING + _line("M5.2 8h5.6"),
    "retry": _line("M13.2 8a5.2 5.2 0 1 1-1.6-3.7M13.4 2.4v2.6h-2.6"),
    "skip": _line("M3 4l5 4-5 4zM8 4l5 4-5 4z"),
    "undo": _line("M5.4 3.2L2.6 6l2.8 2.8M2.8 6h6.4a4 4 0 0 1 0 7.8H6"),
    "question": _RING + _line("M6.3 6.3a1.8 1.8 0 1 1 2.5 1.9c-.6.3-.8.6-.8 1.2M8 11.3v.1"),
    "alert": _line("M8 2.2l6 11H2zM8 6.4v3M8 11.4v.1"),
    "eye": _line("M1.8 8S4 4 8 4s6.2 4 6.2 4-2.2 4-6.2 4-6.2-4-6.2-4z")
    + '<circle cx="8" cy="8" r="1.6" fill="currentColor"/>',
    "copy": _line("M6 5.6h6.4v7.6H6zM9.6 5.4V2.8H3.6v7.6h2.2"),
    "link": _line(
        "M6.6 9.4l2.8-2.8M7.4 4.8l1.4-1.4a2.7 2.7 0 0 1 3.8 3.8l-1.4 1.4"
        "M8.6 11.2l-1.4 1.4a2.7 2.7 0 0 1-3.8-3.8l1.4-1.4"
    ),
    "search": '<circle fill="none" stroke="currentColor" stroke-width="1.6" cx="7" cy="7" r="4.2"/>'
    + _line("M10.2 10.2l3.4 3.4"),
    "right": _line("M6 3.5L10.5 8 6 12.5"),
    "person": '<circle fill="none" stroke="currentColor" stroke-width="1.6" cx="8" cy="5.2" r="2.6"/>'
    + _line("M2.8 13.6c.6-3 2.6-4.4 5.2-4.4s4.6 1.4 5.2 4.4"),
}
