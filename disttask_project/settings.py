"""Django settings; every value a deployer may choose comes from `disttask_project.config`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("DISTTASK_HOME", BASE_DIR / "var"))
HOME.mkdir(parents=True, exist_ok=True)
SECRET_KEY = os.environ.get("DISTTASK_SECRET_KEY", "x" * 60)
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "disttask_project.audit",
    "disttask_project.access",
    "disttask_project.console",
    "flows",
    "execution",
    "retries",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "disttask_project.urls"
WSGI_APPLICATION = "disttask_project.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database() -> dict[str, Any]:
    url = os.environ.get("DISTTASK_DATABASE_URL")
    if not url or url.startswith("sqlite"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": HOME / "disttask.sqlite3",
            "TEST": {"NAME": HOME / "test.sqlite3"},
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    database: dict[str, Any] = environ.Env.db_url_config(url)
    database |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
    if "mysql" in database["ENGINE"]:
        database["OPTIONS"] = {
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            "init_command": "SET sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
        }
        database["TEST"] = {"CHARSET": "utf8mb4"}
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
KNOX_TOKEN_MODEL = "access.ApiToken"
LANGUAGE_CODE = "en"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
SILENCED_SYSTEM_CHECKS = ["models.W037"]  # django-q2's conditional index; MariaDB does without
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = HOME / "staticfiles"

Q_CLUSTER: dict[str, Any] = {"name": "disttask", "orm": "default", "timeout": 90, "retry": 120}
DISTTASK: dict[str, Any] = {"FAILURE_PORT": "retries.port.RetryPort"}
