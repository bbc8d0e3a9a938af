"""Database servers of our own, on free ports, that faults may kill, freeze, restart and starve."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.chaos.scratch import run
from tests.chaos.stage import free_port

USERS: Final = {"mariadb": "mysql", "postgres": "postgres"}  # the servers refuse to run as root
MY_CNF: Final = """[mysqld]
datadir={folder}/data
socket={folder}/socket
pid-file={folder}/pid
log-error={folder}/log
bind-address=127.0.0.1
port={port}
character-set-server=utf8mb4
transaction-isolation=READ-COMMITTED
innodb_flush_log_at_trx_commit=1
innodb_buffer_pool_size=128M
innodb_log_file_size=64M
max_connections=500
skip-name-resolve
skip-log-bin
"""


def program(kind: str) -> Path | None:
    """The server's program, or None: it is not installed."""
    if kind == "mariadb":
        found = shutil.which("mariadbd") or shutil.which("mysqld")
        return Path(found) if found else None
    bins = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    return bins[-1] if bins else None


class Server:
    """One instance with a data folder of its own. `url` names no database yet that holds anything."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        found = program(kind)
        assert found is not None, f"{kind} is not installed"
        self._program = found
        user = "root" if kind == "mariadb" else "postgres"
        scheme = "mysql" if kind == "mariadb" else "postgres"
        self.url = f"{scheme}://{user}@127.0.0.1:{self.port}/chaos"
        self._install()

    def _install(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.kind == "mariadb":
            (self._folder / "my.cnf").write_text(MY_CNF.format(folder=self._folder, port=self.port))
            self._own()
            command = ["mariadb-install-db", f"--defaults-file={self._folder / 'my.cnf'}", "--skip-test-db"]
            self._as_user([*command, "--auth-root-authentication-method=normal"])
        else:
            self._own()
            initdb = str(self._program.with_name("initdb"))
            data = str(self._folder / "data")
            self._as_user([initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"])

    def _own(self) -> None:
        if os.getuid() == 0:
            for parent in (self._folder, *self._folder.parents):
                if parent.stat().st_mode & 0o005 != 0o005:
                    parent.chmod(parent.stat().st_mode | 0o055)
            shutil.chown(self._folder, USERS[self.kind])

    def _as_user(self, command: Sequence[str]) -> None:
        with (self._folder.parent / f"{self.kind}-install.log").open("ab") as log:
            subprocess.run(self._prefixed(command), check=True, stdout=log, stderr=log, cwd="/")

    def _prefixed(self, command: Sequence[str]) -> list[str]:
        if os.getuid():
            return list(command)
        user = USERS[self.kind]
        return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command]

    def start(self, *options: str) -> None:
        """Until it answers. `options` go on the command line (`max_connections=1`)."""
        if self.kind == "mariadb":
            command = [str(self._program), f"--defaults-file={self._folder / 'my.cnf'}", *(f"--{o}" for o in options)]
        else:
            command = [str(self._program), "-D", str(self._folder / "data"), "-h", "127.0.0.1", "-p", str(self.port)]
            command += ["-k", str(self._folder), "-c", "fsync=on", "-c", "synchronous_commit=on"]
            command += ["-c", "max_connections=300"]
            command += [part for option in options for part in ("-c", option)]
        with (self._folder.parent / f"{self.kind}.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._prefixed(command),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        self._until_it_answers()

    def _until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                run(self.url, "SELECT 1", on_server=True)
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def pids(self) -> list[int]:
        """Of PostgreSQL the postmaster alone: its children go with it."""
        return [self._process.pid] if self._process is not None and self._process.poll() is None else []

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(30)

    def stop(self) -> None:
        """At once: PostgreSQL's immediate shutdown is a crash; MariaDB has none milder than SIGKILL."""
        if self.pids():
            self._signal(signal.SIGQUIT if self.kind == "postgres" else signal.SIGKILL)
            assert self._process is not None
            self._process.wait(30)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)


@contextmanager
def server(kind: str, folder: Path) -> Iterator[Server]:
    made = Server(kind, folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
