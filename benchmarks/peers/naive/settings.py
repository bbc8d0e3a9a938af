"""Django for the baseline and for plain django-q2: its ORM broker on the store under test."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

_parts = urlsplit(os.environ["DISTTASK_BENCH_PEER_DATABASE"])
_engine = "mysql" if _parts.scheme == "mysql" else "postgresql"

SECRET_KEY = "only for the bench"
USE_TZ = True
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django_q", "benchmarks.peers.naive"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS = ["models.W037"]
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": f"django.db.backends.{_engine}",
        "HOST": _parts.hostname,
        "PORT": str(_parts.port),
        "USER": _parts.username,
        "NAME": _parts.path.removeprefix("/"),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"isolation_level": "read committed"} if _engine == "mysql" else {},
    }
}
Q_CLUSTER = {
    "name": "bench",
    "workers": 4,  # on two cores more bring nothing
    "recycle": 100_000,
    "timeout": 60,
    "retry": 120,
    "save_limit": 0,
    "queue_limit": 50,
    "bulk": 1,
    "catch_up": False,
    "scheduler": False,
    "log_level": "ERROR",
    "poll": 0.2,
    "orm": "default",
}
