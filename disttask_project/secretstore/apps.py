from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SecretStoreConfig(AppConfig):
    name = "disttask_project.secretstore"
    label = "secretstore"
    verbose_name = _("Secrets")
