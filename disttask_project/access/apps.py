from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    name = "disttask_project.access"
    label = "access"
    verbose_name = _("Tokens")
