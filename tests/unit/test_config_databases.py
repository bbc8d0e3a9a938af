"""From a URL or the seed's keys to Django's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from disttask_project.config.databases import broker, database

HOME = Path("/srv/home")
EMPTY = {"url": "", "engine": "mysql", "host": "", "port": 0, "username": "", "password": "", "name": ""}


def made(**values: Any) -> dict[str, Any]:
    return database({**EMPTY, **values}, home=HOME)


def test_it_keeps_an_embedded_store_that_survives_a_power_cut() -> None:
    settings = made()
    assert settings["ENGINE"] == "django.db.backends.sqlite3"
    assert settings["NAME"] == "/srv/home/disttask.sqlite3"
    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert settings["OPTIONS"]["timeout"] == 20
    assert "synchronous=FULL" in settings["OPTIONS"]["init_command"]
    assert "journal_mode=WAL" in settings["OPTIONS"]["init_command"]


@pytest.mark.parametrize(
    ("url", "engine", "name"),
    [
        ("mysql://u:p%40ss@db:3307/tx", "mysql", "tx"),
        ("mariadb://u:p%40ss@db:3307/tx", "mysql", "tx"),
        ("postgres://u:p%40ss@db:3307/tx", "postgresql", "tx"),
        ("postgresql://u:p%40ss@db:3307/tx", "postgresql", "tx"),
    ],
)
def test_it_reads_a_url(url: str, engine: str, name: str) -> None:
    settings = made(url=url)
    assert settings["ENGINE"] == f"django.db.backends.{engine}"
    shown = [settings[key] for key in ("NAME", "HOST", "PORT", "USER", "PASSWORD")]
    assert shown == [name, "db", 3307, "u", "p@ss"]
    assert settings["CONN_MAX_AGE"] == 600
    assert settings["CONN_HEALTH_CHECKS"] is True


@pytest.mark.parametrize(
    ("url", "name"),
    [("sqlite:////var/lib/x.sqlite3", "/var/lib/x.sqlite3"), ("sqlite:///x.sqlite3", "/srv/home/x.sqlite3")],
)
def test_it_reads_the_url_of_a_file(url: str, name: str) -> None:
    assert made(url=url)["NAME"] == name


def test_it_hands_mongodb_its_own_url() -> None:
    settings = made(url="mongodb://u:p@a:1,b:2/tx?replicaSet=rs")
    assert (settings["ENGINE"], settings["NAME"]) == ("django_mongodb_backend", "tx")
    assert settings["HOST"] == "mongodb://u:p@a:1,b:2/tx?replicaSet=rs"


def test_it_reads_the_seed_s_keys() -> None:
    settings = made(host="127.0.0.1", port=3306)
    assert (settings["NAME"], settings["HOST"], settings["PORT"]) == ("disttask", "127.0.0.1", 3306)
    assert settings["OPTIONS"]["isolation_level"] == "read committed"
    assert settings["OPTIONS"]["charset"] == "utf8mb4"
    assert "STRICT_TRANS_TABLES" in settings["OPTIONS"]["init_command"]


def test_it_names_the_broker() -> None:
    assert broker("orm") == {"orm": "default"}
    assert broker("redis://h:6379/0") == {"redis": "redis://h:6379/0"}
