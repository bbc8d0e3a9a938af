"""Small pieces all pages are made of. Everything they print is escaped; nothing they print is script."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, Final

from django import template
from django.db.models import Model
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext

from disttask_project.console import labels
from disttask_project.console.icons import ICONS
from disttask_project.console.payloads import pretty
from disttask_project.i18n import translated
from disttask_project.kernel.redaction import redact

register = template.Library()

# A payload beyond this many characters is cut on the page; the REST API has it whole.
SHOWN_CHARACTERS: Final = 60_000


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of ours, inline, coloured by the text around it and silent to screen readers."""
    body = mark_safe(ICONS.get(name, ICONS["dot"]))  # noqa: S308 - a constant of ours
    return format_html(
        '<svg class="dt-icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false">{}</svg>',
        body,
    )


@register.simple_tag
def status(value: str, kind: str = "instance") -> SafeString:
    """Icon, word and colour of a status."""
    found = labels.look(kind, value)
    return format_html(
        '<span class="dt-status dt-tone-{}">{}<span>{}</span></span>', found.tone, icon(found.icon), found.word
    )


@register.simple_tag
def ident(value: Any, href: str = "") -> SafeString:
    """An id byte for byte, in a fixed-width face, with a copy button."""
    text = str(value)
    shown = (
        format_html('<a class="dt-id" href="{}">{}</a>', href, text)
        if href
        else format_html('<code class="dt-id">{}</code>', text)
    )
    return format_html(
        '<span class="dt-ident">{}<button type="button" class="dt-copy" data-copy="{}" title="{}" aria-label="{}">'
        "{}</button></span>",
        shown,
        text,
        gettext("Copy"),
        gettext("Copy %(value)s") % {"value": text},
        icon("copy"),
    )


@register.simple_tag
def when(moment: datetime | None, form: str = "full") -> SafeString:
    """A time with its zone, and how far it is from now; `form` is `full`, `clock` or `hint`."""
    if not moment:  # None, or "" where a template found nothing
        return mark_safe('<span class="dt-none">-</span>')
    local = timezone.localtime(moment)
    text = f"{local:%Y-%m-%d %H:%M:%S} {zone_name(local)}"
    hint = relative(moment, timezone.now())
    shown = {"full": text, "clock": f"{local:%H:%M:%S}"}.get(form, "")
    return format_html(
        '<time class="dt-time" datetime="{}" title="{}">{}{}</time>',
        moment.isoformat(),
        text,
        format_html("<span>{}</span> ", shown) if shown else "",
        "" if form == "clock" else format_html('<span class="dt-ago" data-ago>{}</span>', hint),
    )


def zone_name(local: datetime) -> str:
    """The zone as people say it (CST is three zones, so the offset is named where the zone is not UTC)."""
    offset = local.utcoffset() or timedelta()
    if not offset:
        return "UTC"
    minutes = int(offset.total_seconds() // 60)
    sign, minutes = ("+", minutes) if minutes >= 0 else ("-", -minutes)
    return f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def relative(moment: datetime, now: datetime) -> str:
    """How far away, in one unit: "3 min ago", "in 20 s"."""
    seconds = int((moment - now).total_seconds())
    template_text = gettext("in %(span)s") if seconds > 0 else gettext("%(span)s ago")
    return template_text % {"span": span(abs(seconds))}


def span(seconds: int) -> str:
    """A length of time in its largest unit."""
    if seconds < 60:
        return ngettext("%(n)d s", "%(n)d s", seconds) % {"n": seconds}
    if seconds < 3600:
        return ngettext("%(n)d min", "%(n)d min", seconds // 60) % {"n": seconds // 60}
    if seconds < 86400:
        return ngettext("%(n)d h", "%(n)d h", seconds // 3600) % {"n": seconds // 3600}
    return ngettext("%(n)d day", "%(n)d days", seconds // 86400) % {"n": seconds // 86400}


@register.filter
def duration(value: float | timedelta | None) -> str:
    """Milliseconds or a timedelta as people read it: `12 ms`, `3.4 s`, `2 min 5 s`."""
    if value is None:
        return "-"
    millis = value.total_seconds() * 1000 if isinstance(value, timedelta) else float(value)
    if not math.isfinite(millis) or millis < 0:
        return "-"
    if millis < 1000:
        return gettext("%(n)s ms") % {"n": f"{millis:.0f}" if millis >= 10 else f"{millis:.1f}"}
    seconds = millis / 1000
    if seconds < 60:
        return gettext("%(n)s s") % {"n": f"{seconds:.1f}"}
    if seconds < 3600:
        return gettext("%(minutes)d min %(seconds)d s") % {"minutes": seconds // 60, "seconds": seconds % 60}
    return gettext("%(hours)d h %(minutes)d min") % {"hours": seconds // 3600, "minutes": seconds % 3600 // 60}


@register.simple_tag
def count_text(count: int, limit: int) -> str:
    """A bounded count: exact up to the limit, "10000+" beyond it."""
    return f"{limit}+" if count > limit else str(count)


@register.simple_tag
def length_between(start: datetime | None, end: datetime | None) -> str:
    return duration(end - start if start and end else None)


@register.inclusion_tag("console/payload.html")
def payload(value: Any, title: str, name: str = "", opened: bool = False) -> dict[str, Any]:
    """A JSON value, folded, with secrets masked; `name` keeps its state over a refresh."""
    text = redact(value) if isinstance(value, str) else pretty(redact(value))
    cut = len(text) > SHOWN_CHARACTERS
    return {
        "title": title,
        "name": name,
        "opened": opened,
        "is_empty": value in (None, "", {}, []),
        "text": text[:SHOWN_CHARACTERS],
        "cut": len(text) - SHOWN_CHARACTERS if cut else 0,
    }


@register.filter
def message(value: Any) -> str:
    """A domain message in the active language."""
    return translated(value)


@register.filter
def spoken(value: str) -> str:
    """A plain sentence of the code in the active language, where the catalogue has it."""
    return gettext(value) if value else ""


@register.filter
def action_word(value: str) -> Any:
    """The word for an action of a log; an unknown one as it is."""
    return labels.action_word(value)


@register.filter
def object_word(value: str) -> Any:
    return labels.OBJECTS.get(value, value)


@register.filter
def skip_word(value: str) -> Any:
    return labels.SKIP_REASONS.get(value, value)


@register.filter
def crumb(value: Any) -> str:
    """A title of the page's crumbs: words get a capital, an object's own name is left byte for byte."""
    return str(value) if isinstance(value, Model) else capfirst(str(value))


@register.simple_tag
def console_assets() -> SafeString:
    """What our pages need beyond what the theme has loaded already."""
    # The theme renders a widget while it is imported, which loads this module: at its top this would be a cycle.
    from disttask_project.console import theme  # noqa: PLC0415

    tags = [] if theme.BRINGS_HTMX else [format_html('<script src="{}"></script>', static("vendor/htmx/htmx.js"))]
    if not theme.BRINGS_ASSETS:
        tags.append(format_html('<link rel="stylesheet" href="{}">', static("console/console.css")))
        tags.append(format_html('<script src="{}" defer></script>', static("console/console.js")))
    return SafeString("".join(tags))
