"""Django settings; every value a deployer may choose comes from `disttask_project.config`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from disttask_project.config.databases import broker, database
from disttask_project.config.keys import LOOPBACK_HOSTS
from disttask_project.config.reader import read_configuration
from disttask_project.config.safety import faults_of, refusal, usable
from disttask_project.console import theme_settings

BASE_DIR = Path(__file__).resolve().parent.parent

CONFIGURATION = read_configuration(os.environ, BASE_DIR)
CONFIGURATION_FAULTS = faults_of(CONFIGURATION)
# `check` and `showconfig` are how a wrong configuration is looked at, so they alone go on with one.
if not {"check", "showconfig"}.intersection(sys.argv[1:2]) and (reason := refusal(CONFIGURATION_FAULTS)):
    raise ImproperlyConfigured(reason)
CONFIGURATION = usable(CONFIGURATION, CONFIGURATION_FAULTS)

HOME = CONFIGURATION.home
HOME.mkdir(parents=True, exist_ok=True)
DISTTASK: dict[str, Any] = {
    **CONFIGURATION.as_settings(),
    "HOME": HOME,
    # The engine's one joint with the app above it (architecture 4.8).
    "FAILURE_PORT": "retries.port.RetryPort",
}
PRODUCTION = DISTTASK["PROFILE"] == "production"

DEBUG = DISTTASK["DEBUG"]
SECRET_KEY = CONFIGURATION["SECRET_KEY"]
# Loopback always: health checks on the host itself ask under it, and nobody else can be led there.
ALLOWED_HOSTS = list(dict.fromkeys([*DISTTASK["ALLOWED_HOSTS"], *LOOPBACK_HOSTS]))
CSRF_TRUSTED_ORIGINS = DISTTASK["SECURITY_CSRF_TRUSTED_ORIGINS"]

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "knox",
    "csp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "disttask_project",
    "disttask_project.audit",
    "disttask_project.access",
    "disttask_project.secretstore",
    "disttask_project.console",
    "flows",
    "execution",
    "retries",
    # `loaddemo`, in a clone; the installed package has no demo.
    *(["demo"] if (BASE_DIR / "demo" / "shop.py").is_file() else []),
]
MIDDLEWARE = [
    "disttask_project.middleware.RequestContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
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
APPEND_SLASH = True


def _beside(name: str) -> Path:
    """A folder of the repository, or its copy inside the installed package."""
    packaged = BASE_DIR / "disttask_project" / f"_{name}"
    return packaged if packaged.is_dir() else BASE_DIR / name


TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_beside("templates")],
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

DATABASES = {"default": database(CONFIGURATION.section("database"), home=HOME)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# django-q2's index has a condition, which MariaDB ignores. Subdomains and preload lists are the domain
# owner's decision, not ours.
SILENCED_SYSTEM_CHECKS = ["models.W037", "security.W005", "security.W021"]

LANGUAGE_CODE = DISTTASK["LANGUAGE"]
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
# The second holds what the theme leaves untranslated.
LOCALE_PATHS = [_beside("locale"), BASE_DIR / "disttask_project/console/theme_locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = DISTTASK["TIME_ZONE"]

STATIC_URL = "static/"
STATICFILES_DIRS = [folder for folder in [_beside("static")] if folder.is_dir()]
STATIC_ROOT = HOME / "staticfiles"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_ALLOW_ALL_ORIGINS = False
# From the finders where nobody ran collectstatic, so that `make run` needs no such step.
WHITENOISE_USE_FINDERS = not any(STATIC_ROOT.iterdir())

# Security (research/reliability 4). Our own scripts are files; unfold's Alpine needs eval and inline style.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [SELF],
        "object-src": [NONE],
    },
}
HTTPS = DISTTASK["SECURITY_HTTPS"] and not DEBUG
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health$", r"^healthz$", r"^readyz$", r"^metrics$"]  # asked by name inside the network
SECURE_HSTS_SECONDS = DISTTASK["SECURITY_HSTS_SECONDS"] if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if DISTTASK["SECURITY_TRUST_PROXY"] else None
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = int(DISTTASK["SECURITY_SESSION_HOURS"] * 3600)
# Cookies know no ports: two copies on one host would log each other out.
SESSION_COOKIE_NAME = f"disttask_session_{DISTTASK['PORT']}"
CSRF_COOKIE_NAME = f"disttask_csrf_{DISTTASK['PORT']}"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = DISTTASK["API_MAX_BODY_BYTES"]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
FILE_UPLOAD_MAX_MEMORY_SIZE = DISTTASK["API_MAX_BODY_BYTES"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# Knox's own table would stay empty beside ours, and PostgreSQL flushes no table that it points to.
MIGRATION_MODULES = {"knox": None}
KNOX_TOKEN_MODEL = "access.ApiToken"  # noqa: S105  a model's name
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "AUTO_REFRESH": False, "TOKEN_TTL": None}

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "disttask_project.access.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DATETIME_FORMAT": "iso-8601",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "disttask",
    "DESCRIPTION": "Durable distributed transactions: flows, their runs, and what to do when one fails.",
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    # Swagger UI from our own static files: no outside request.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "validatorUrl": None},
    "PREPROCESSING_HOOKS": ["disttask_project.api.schema.only_ours"],
    "POSTPROCESSING_HOOKS": ["disttask_project.api.schema.with_components"],
}

# Wake-ups only (architecture 4.10): a message carries no state, a lost one costs latency, retries are ours.
_SESSION_SECONDS = DISTTASK["ENGINE_MAX_TASK_TIMEOUT"] + 60
Q_CLUSTER: dict[str, Any] = {
    "name": DISTTASK["APP_NAME"],
    "label": _("Queue"),
    "workers": DISTTASK["ENGINE_WORKERS"],
    "timeout": int(_SESSION_SECONDS),
    "retry": int(_SESSION_SECONDS + 60),
    "max_attempts": 1,
    "ack_failures": True,
    "scheduler": False,
    "catch_up": False,
    "save_limit": 20,
    "queue_limit": DISTTASK["ENGINE_WORKERS"],
    "poll": 0.2,
    **broker(DISTTASK["BROKER_URL"]),
}

LOGGING_CONFIG = "disttask_project.logging.configure"
LOGGING = {
    "level": DISTTASK["LOG_LEVEL"],
    "format": DISTTASK["LOG_FORMAT"].replace("auto", "json" if PRODUCTION and not DEBUG else "console"),
    "output": DISTTASK["LOG_OUTPUT"],
    "redact": DISTTASK["LOG_REDACT"],
}

UNFOLD = theme_settings.UNFOLD
