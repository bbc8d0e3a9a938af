from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class FlowsConfig(AppConfig):
    name = "flows"
    verbose_name = _("Flows")

    def ready(self) -> None:
        from django.conf import settings  # noqa: PLC0415  read once the apps are known

        from flows.domain import celnumbers  # noqa: PLC0415  heavy; only where apps are loaded

        celnumbers.set_time_zone(settings.TIME_ZONE)
        post_migrate.connect(sync_catalog, sender=self, dispatch_uid="flows.catalog")


def sync_catalog(*, using: str, **_kwargs: Any) -> None:
    """Receiver of `post_migrate`: the catalog's rows of code entries say what the code says."""
    if using != "default":
        return
    from disttask_project.kernel.clock import SystemClock  # noqa: PLC0415
    from flows.domain.catalog import CODE_ENTRIES  # noqa: PLC0415
    from flows.repository import sync_code_entries  # noqa: PLC0415  needs the loaded models

    sync_code_entries(CODE_ENTRIES, now=SystemClock().now())
