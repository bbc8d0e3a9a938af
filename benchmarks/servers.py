"""The servers under test: databases and Redis of the bench's own (by .ci/services), the http target, the databases."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.meters.databases import PostgresMeter

ROOT: Final = Path(__file__).resolve().parent.parent
PORTS: Final = {"mariadb": 23306, "postgres": 25432, "redis": 26379, "stub": 28080}
STORES: Final = ("mariadb", "postgres")
OURS: Final = "disttask_bench"
GROWN: Final = "disttask_bench_grown"
PEERS: Final = "disttask_bench_peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Addresses of everything a participant may need."""

    ports: dict[str, int]
    state: Path

    def url(self, store: str, name: str) -> str:
        if store == "mariadb":
            return f"mysql://root@127.0.0.1:{self.ports['mariadb']}/{name}"
        return f"postgres://postgres@127.0.0.1:{self.ports['postgres']}/{name}"

    @property
    def redis(self) -> str:
        return f"redis://127.0.0.1:{self.ports['redis']}/0"

    @property
    def stub(self) -> str:
        return f"http://127.0.0.1:{self.ports['stub']}/order"

    def pids(self) -> dict[int, str]:
        """The process behind each port, by its pid file; its children are found by the CPU meter."""
        files = {
            "mariadb": self.state / "mariadb/pid",
            "postgres": self.state / "postgres/data/postmaster.pid",
            "redis": self.state / "redis/pid",
            "stub": self.state / "stub/stub.pid",
        }
        return {int(path.read_text().split()[0]): name for name, path in files.items() if path.exists()}


def named() -> Servers:
    """Where the bench's servers are or will be; DISTTASK_BENCH_SERVICES and _PORT_<NAME> say otherwise."""
    default = Path(tempfile.gettempdir()) / "disttask-bench-services"
    ports = {name: int(os.environ.get(f"DISTTASK_BENCH_PORT_{name.upper()}", port)) for name, port in PORTS.items()}
    return Servers(ports=ports, state=Path(os.environ.get("DISTTASK_BENCH_SERVICES", default)))


def start(servers: Servers) -> None:
    """Start what does not run yet. The servers stay for the next `make bench`; `stop` ends them."""
    _services(servers, "start")
    _start_stub(servers)
    for store in STORES:
        for name in (OURS, GROWN, PEERS):
            ensure_database(servers, store, name)
    PostgresMeter(servers.url("postgres", OURS)).prepare()


def stop(servers: Servers) -> None:
    for pid, name in servers.pids().items():
        if name == "stub":
            os.kill(pid, 15)
    _services(servers, "stop")


def _services(servers: Servers, act: str) -> None:
    environment = {
        **os.environ,
        "DISTTASK_SERVICES": str(servers.state),
        "DISTTASK_MARIADB_PORT": str(servers.ports["mariadb"]),
        "DISTTASK_POSTGRES_PORT": str(servers.ports["postgres"]),
        "DISTTASK_REDIS_PORT": str(servers.ports["redis"]),
        # Counts statements, for our share of them (G13).
        "DISTTASK_POSTGRES_OPTIONS": "-c shared_preload_libraries=pg_stat_statements -c pg_stat_statements.max=50000",
    }
    subprocess.run([str(ROOT / ".ci/services"), act], check=True, env=environment, stdout=sys.stderr)


def _start_stub(servers: Servers) -> None:
    if _listens(servers.ports["stub"]):
        return
    folder = servers.state / "stub"
    folder.mkdir(parents=True, exist_ok=True)
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx:
        text = (ROOT / "benchmarks/nginx.conf").read_text()
        config = folder / "nginx.conf"
        config.write_text(text.replace("FOLDER", str(folder)).replace("PORT", str(servers.ports["stub"])))
        command = [nginx, "-c", str(config), "-p", str(folder), "-e", str(folder / "stub-error.log")]
    else:
        command = [sys.executable, "-m", "benchmarks.stub", str(servers.ports["stub"])]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    if not nginx:
        (folder / "stub.pid").write_text(str(child.pid))
    for _ in range(100):
        if _listens(servers.ports["stub"]):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the http target did not come up on port {servers.ports['stub']}")


def _listens(port: int) -> bool:
    try:
        with create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False


def ensure_database(servers: Servers, store: str, name: str) -> None:
    parts = urlsplit(servers.url(store, name))
    if store == "mariadb":
        _run_mysql(parts, f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4")
    else:
        _run_postgres(parts, name)


def _run_mysql(parts: Any, statement: str) -> None:
    import MySQLdb

    connection = MySQLdb.connect(host=parts.hostname, port=parts.port, user=parts.username)
    try:
        connection.cursor().execute(statement)
    finally:
        connection.close()


def _run_postgres(parts: Any, name: str) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(
        host=parts.hostname, port=parts.port, user=parts.username, dbname="postgres", autocommit=True
    ) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
