"""The four groups and what each may do, made after every migration.

What a deployer adds to them stays and what is taken away comes back: for less, make a group of your own.
"""

from __future__ import annotations

from typing import Any, Final

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

OWN_APPS_IN_ORDER: Final = ("audit", "access", "secretstore", "flows", "execution", "retries")
VIEWER: Final = "Viewer"
OPERATOR: Final = "Operator"
FLOW_EDITOR: Final = "Flow editor"
ADMINISTRATOR: Final = "Administrator"

_OPERATING: Final = (
    "start_instance",
    "retry_instance",
    "edit_input",
    "skip_task",
    "mark_task_success",
    "cancel_instance",
    "compensate_instance",
    "operate_target",
    "handle_exception",
    "bulk_operate",
)
_EDITING: Final = ("edit_flow", "publish_flow", "edit_task_definition", "start_instance", "try_task")
# Tokens, secrets and the operations log are for administrators.
_PRIVATE: Final = ("audit", "access", "secretstore")
_VIEWING: Final = Q(codename__startswith="view_") & ~Q(content_type__app_label__in=_PRIVATE)

GROUPS: Final[dict[str, Q]] = {
    VIEWER: _VIEWING,
    OPERATOR: _VIEWING | Q(codename__in=_OPERATING),
    FLOW_EDITOR: _VIEWING | Q(codename__in=_EDITING),
    ADMINISTRATOR: Q(),
}
_LAST_APP: Final = OWN_APPS_IN_ORDER[-1]


def ensure_groups(*, app_config: AppConfig, **_kwargs: Any) -> None:
    """Receiver of `post_migrate`, which comes once an app: at the last of ours all permissions are made."""
    if app_config.label != _LAST_APP:
        return
    own = Permission.objects.filter(content_type__app_label__in=OWN_APPS_IN_ORDER)
    for name, rule in GROUPS.items():
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.add(*own.filter(rule))
    users = Permission.objects.filter(content_type__app_label="auth")
    Group.objects.get(name=ADMINISTRATOR).permissions.add(*users)
