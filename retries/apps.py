from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RetriesConfig(AppConfig):
    name = "retries"
    verbose_name = _("Exceptions")

    def ready(self) -> None:
        from execution.services.reconcile import register_records  # noqa: PLC0415  models must be loaded first
        from retries.selectors.records import records_of  # noqa: PLC0415

        register_records(records_of)
