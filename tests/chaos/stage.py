"""A stage: a scratch home, databases of its own, Django set up on them. One a process; several faults may share it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import flow
from tests.chaos.scratch import run, scratch_database, target_database

CHAOS_LEASE = 2.0
DEFAULT_LEASE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`store`: sqlite, mariadb or postgres."""

    home: Path
    store: str
    url: str
    target_url: str
    port: int  # of the targets
    seed: int
    quick: bool

    def folder(self, name: str) -> Path:
        made = self.home / name
        made.mkdir()
        return made

    def db_effects(self) -> list[tuple[str, str]]:
        return [(str(row[0]), str(row[1])) for row in run(self.target_url, f"SELECT instance, task FROM {flow.TABLE}")]

    def wipe(self) -> None:
        """No instance of an earlier fault is left, and nothing that names one."""
        from django.apps import apps
        from django.db import connection, connections

        # By hand: rows that a fault has spoiled cannot be read.
        with connection.cursor() as cursor:
            for label in ("execution", "retries", "django_q"):
                for model in apps.get_app_config(label).get_models():
                    cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")
        run(self.target_url, f"DELETE FROM {flow.TABLE}")
        connections.close_all()


def store_of(url: str) -> str:
    return {"": "sqlite", "sqlite": "sqlite", "mysql": "mariadb", "postgres": "postgres"}[url.partition(":")[0]]


@contextmanager
def stage(
    *, url: str = "", seed: int = 1, quick: bool = False, lease: float = CHAOS_LEASE, more: Mapping[str, str] = {}
) -> Iterator[Stage]:
    """The home is kept where the block fails, and where DISTTASK_CHAOS_KEEP is set."""
    home = Path(tempfile.mkdtemp(prefix="disttask-chaos-"))
    keep = "DISTTASK_CHAOS_KEEP" in os.environ
    try:
        with ExitStack() as stack:
            database = stack.enter_context(scratch_database(url))
            target_url = stack.enter_context(target_database(url, home))
            port = free_port()
            set_environment(home, database, lease=lease)
            os.environ.update(flow.environment(port=port, target_url=target_url))
            os.environ.update(more)
            _set_up()
            stack.callback(_close)
            yield Stage(
                home=home,
                store=store_of(url),
                url=database,
                target_url=target_url,
                port=port,
                seed=seed,
                quick=quick,
            )
    except BaseException:
        keep = True
        raise
    finally:
        if keep:
            print(f"home kept: {home}", file=sys.stderr)
        else:
            shutil.rmtree(home, ignore_errors=True)


def set_environment(home: Path, database: str, *, lease: float) -> None:
    """Whatever the caller had configured is not this run's."""
    for key in [key for key in os.environ if key.startswith("DISTTASK_") and not key.startswith("DISTTASK_CHAOS_")]:
        del os.environ[key]
    os.environ |= {
        "DISTTASK_HOME": str(home),
        "DISTTASK_PROFILE": "test",
        "DISTTASK_ENGINE_LEASE_SECONDS": str(lease),
        "DISTTASK_ENGINE_WORKERS": "3",
        "DJANGO_SETTINGS_MODULE": os.environ.get("DISTTASK_CHAOS_SETTINGS", "disttask_project.settings"),
    }
    if database:
        os.environ["DISTTASK_DATABASE_URL"] = database


def _set_up() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _close()


def _close() -> None:
    from django.db import connections

    connections.close_all()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
