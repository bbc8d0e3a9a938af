"""The checks of a start as a deployer meets them: a process, its exit code and its words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECRET = "s-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2


def manage(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("DISTTASK_", "DJANGO_"))}
    environ |= {"DISTTASK_HOME": str(home), **{f"DISTTASK_{key}": value for key, value in variables.items()}}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_it_refuses_an_unsafe_start_in_plain_words(tmp_path: Path) -> None:
    done = manage(tmp_path, "migrate", SECRET_KEY="short", ALLOWED_HOSTS="*")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "[app] secret_key from environment DISTTASK_SECRET_KEY is shorter than 50" in done.stderr
    assert "[app] allowed_hosts from environment DISTTASK_ALLOWED_HOSTS holds '*'" in done.stderr
    assert "Set DISTTASK_SECRET_KEY" in done.stderr


def test_check_names_every_fault_at_once(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", SECRET_KEY=SECRET, PORT="abc", BROKER_URL="amqp://x", DATABSE_URL="x")
    assert done.returncode == 1
    for expected in ("disttask.E001", "disttask.E008", "disttask.W001", "DISTTASK_DATABASE_URL?"):
        assert expected in done.stderr


def test_the_production_profile_passes_django_s_deployment_check(tmp_path: Path) -> None:
    done = manage(
        tmp_path,
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        SECRET_KEY=SECRET,
        HOST="0.0.0.0",
        ALLOWED_HOSTS="ops.example.com",
    )
    assert done.returncode == 0, done.stderr


def test_showconfig_masks_secrets_and_names_sources(tmp_path: Path) -> None:
    url = "mysql://u:hidden-word@127.0.0.1:1/x"
    done = manage(tmp_path, "showconfig", "--json", SECRET_KEY=SECRET, DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "hidden-word" not in done.stdout + done.stderr
    rows = {(row["section"], row["name"]): row for row in json.loads(done.stdout)["keys"]}
    assert rows["database", "url"]["source"] == "environment DISTTASK_DATABASE_URL"
    assert rows["app", "port"] | {"help": ""} == {
        "section": "app",
        "name": "port",
        "value": 8080,
        "source": "default",
        "variable": "DISTTASK_PORT",
        "help": "",
    }
