from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from disttask_project.access.groups import ADMINISTRATOR, FLOW_EDITOR, OPERATOR, VIEWER

ROLES = {"viewer": VIEWER, "operator": OPERATOR, "editor": FLOW_EDITOR, "administrator": ADMINISTRATOR}
LANGUAGES = ("zh-hans", "en")


def make_user(name: str, group: str = "", *, password: str = "a-long-password", **more: Any) -> User:
    user = User.objects.create_user(name, password=password, is_staff=True, **more)
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def as_role(db: None) -> Callable[..., Client]:
    """A signed-in browser of a role (or `superuser`), in a language."""

    def make(role: str, language: str = "en") -> Client:
        existing = User.objects.filter(username=role).first()
        is_super = role == "superuser"
        user = existing or make_user(role, ROLES.get(role, ""), is_superuser=is_super)
        client = Client(headers={"accept-language": language})
        client.force_login(user)
        return client

    return make
