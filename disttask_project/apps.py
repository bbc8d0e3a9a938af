from urllib.parse import unquote, urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from disttask_project.kernel.redaction import register_secret


class DisttaskConfig(AppConfig):
    name = "disttask_project"
    label = "disttask"
    verbose_name = _("disttask")

    def ready(self) -> None:
        from disttask_project import checks  # noqa: F401, PLC0415  Django loads checks by import

        for entry in settings.CONFIGURATION.all_entries():
            if entry.key.secret and entry.value:
                register_secret(entry.value)
                if "://" in entry.value:
                    register_secret(unquote(urlsplit(entry.value).password or ""))
