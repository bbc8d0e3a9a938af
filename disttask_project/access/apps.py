from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    name = "disttask_project.access"
    label = "access"
    verbose_name = _("Tokens")

    def ready(self) -> None:
        from disttask_project.access.groups import ensure_groups  # noqa: PLC0415  needs the loaded models

        post_migrate.connect(ensure_groups, dispatch_uid="access.groups")
