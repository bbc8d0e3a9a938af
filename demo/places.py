"""Where the demo lives: its folder, its ports, the files of its services."""

from __future__ import annotations

import os
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BASE: Final = Path(__file__).resolve().parent.parent
HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One copy of the demo: `home` holds all it writes, `port` is the console's, its targets follow."""

    home: Path
    port: int

    @property
    def payment_port(self) -> int:
        return self.port + 1

    @property
    def inventory_port(self) -> int:
        return self.port + 2

    @property
    def orders_port(self) -> int:
        return self.port + 3

    @property
    def ports(self) -> dict[str, int]:
        return {
            "console": self.port,
            "payment service": self.payment_port,
            "inventory service": self.inventory_port,
            "orders service": self.orders_port,
        }

    @property
    def config_file(self) -> Path:
        return self.home / "app.toml"

    @property
    def targets(self) -> Path:
        """What the target services keep; `make demo-reset` empties it."""
        return self.home / "demo"

    @property
    def payment_ledger(self) -> Path:
        return self.targets / "payment.ledger"

    @property
    def inventory_ledger(self) -> Path:
        return self.targets / "inventory.ledger"

    @property
    def inventory_mode(self) -> Path:
        return self.targets / "inventory.mode"

    @property
    def orders_database(self) -> Path:
        return self.targets / "orders.sqlite3"

    @property
    def reset_asked(self) -> Path:
        """There while `make demo-reset` waits for the supervisor."""
        return self.home / "reset.asked"

    @property
    def prepared(self) -> Path:
        """What the preparation tells the supervisor."""
        return self.targets / "prepared.json"

    def inventory_url(self, path: str) -> str:
        return f"http://{HOST}:{self.inventory_port}{path}"


def place(environ: Mapping[str, str] = os.environ) -> Place:
    """The copy that the environment names, as `manage.py` would find it. Raises `ValueError` for a bad port."""
    home = BASE / (environ.get("DISTTASK_HOME") or "var")
    named = environ.get("DISTTASK_PORT")
    return Place(home=home, port=_port(named) if named else _port_of_last_run(home))


def _port(text: str) -> int:
    # The targets take the three ports above.
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 65532:
        raise ValueError(f"DISTTASK_PORT must be a number from 1 to 65532, not {text!r}.")
    return int(text)


def _port_of_last_run(home: Path) -> int:
    """What `make run` wrote, so that a second terminal needs DISTTASK_HOME only."""
    try:
        content: dict[str, Any] = tomllib.loads((home / "app.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        return DEFAULT_PORT
    port = content.get("app", {}).get("port", DEFAULT_PORT)
    return port if isinstance(port, int) else DEFAULT_PORT


def is_free(port: int) -> bool:
    """Nobody listens there, and we may."""
    with socket.socket() as probe:
        # Connections of an earlier run that are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Somebody listens there. Asked by connecting: a trial bind could take the port from who is about to."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
