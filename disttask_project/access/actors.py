"""From whoever is signed in to the `Actor` that services check and audit."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin

from disttask_project.kernel.actor import Actor, Source


def actor_from_user(
    user: AbstractBaseUser | AnonymousUser, *, source: Source, request_id: str = "", address: str = ""
) -> Actor:
    """The actor of a user; nobody may do anything."""
    if isinstance(user, AnonymousUser) or not isinstance(user, PermissionsMixin) or not user.is_active:
        return Actor(name="", source=source, request_id=request_id, address=address)
    return Actor(name=user.get_username(), source=source, may=user.has_perm, request_id=request_id, address=address)


def actor_from_request(request: Any, source: Source) -> Actor:
    """The actor of a Django or DRF request, with the request's id and the address it came from."""
    return actor_from_user(
        request.user,
        source=source,
        request_id=getattr(request, "request_id", ""),
        address=client_address(request),
    )


def client_address(request: Any) -> str:
    """Where the request came from; `X-Forwarded-For` counts only behind a proxy that is trusted to set it."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if forwarded and settings.DISTTASK["SECURITY_TRUST_PROXY"]:
        # The last one is what our own proxy saw; those before it are the caller's claim.
        return str(forwarded.rsplit(",", 1)[-1].strip()[:64])
    return str(request.META.get("REMOTE_ADDR", ""))[:64]
