"""`Authorization: Bearer TOKEN`, or `Token TOKEN`."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

PREFIXES = (b"bearer", b"token")


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """A wrong, expired or revoked token is 401 at once; no header leaves the next scheme its turn."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() not in PREFIXES:
            return None
        if len(words) != 2 or not words[1].isascii():
            raise AuthenticationFailed(_("Invalid token header."))
        user, token = self.authenticate_credentials(words[1])
        return user, token

    def authenticate_header(self, _request: Request) -> str:
        return 'Bearer realm="disttask"'

    def _cleanup_token(self, auth_token: Any) -> bool:
        # Knox would read, and delete, all of the user's tokens at each request; `purge` clears expired ones.
        return auth_token.expiry is not None and auth_token.expiry < timezone.now()
