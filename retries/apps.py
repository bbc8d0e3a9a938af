from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RetriesConfig(AppConfig):
    name = "retries"
    verbose_name = _("Exceptions")
