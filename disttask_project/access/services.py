"""Making and revoking API tokens."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from disttask_project.access.models import ApiToken
from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import InvalidInput, NotFound

MAX_DAYS = 3650


def create_token(*, username: str, name: str = "", days: int | None = None, actor: Actor) -> str:
    """A new token of an active user, valid for `days` (else `[security] token_days`).

    Returned this once, stored as a digest. Raises `NotFound`, `InvalidInput`, `Forbidden`.
    """
    actor.require("access.add_apitoken")
    if days is None:
        days = settings.DISTTASK["SECURITY_TOKEN_DAYS"]
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput(_("A token lasts between 1 and {most} days.").format(most=MAX_DAYS))
    if len(name) > 100:
        raise InvalidInput(_("The token's name is longer than 100 characters."))
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFound(_("There is no active user {name}.").format(name=username))
    with transaction.atomic():
        token, plain = ApiToken.objects.create(user=user, expiry=timedelta(days=days), name=name)
        record(
            actor=actor,
            act="create_token",
            object_type="token",
            object_id=token.token_key,
            after={"user": username, "name": name, "days": days},
        )
    return str(plain)


def revoke_token(*, token_key: str, actor: Actor) -> None:
    """The token is refused from its next use on. One's own needs no permission. Raises `NotFound`, `Forbidden`."""
    with transaction.atomic():
        token = ApiToken.objects.select_related("user").filter(token_key=token_key).first()
        if token is None or token.user.get_username() != actor.name:
            actor.require("access.delete_apitoken")
        if token is None:
            raise NotFound(_("There is no token {key}.").format(key=token_key))
        before = {"user": token.user.get_username(), "name": token.name}
        token.delete()
        record(actor=actor, act="revoke_token", object_type="token", object_id=token_key, before=before)
