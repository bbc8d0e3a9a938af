"""What a copy of the demo keeps in its home: the configuration that `manage.py` finds, and the password."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from demo.places import HOST, Place

WRITTEN: Final = "# Written by `make run` at each start; change configs/app.toml or the environment instead."
PASSWORD_VARIABLE: Final = "DISTTASK_ADMIN_PASSWORD"  # noqa: S105  a variable's name


def app_toml(place: Place) -> str:
    return f"""{WRITTEN}
# It stands below configs/app.toml and the environment, and lets manage.py act on the running demo.

[app]
profile = "demo"
port = {place.port}

[db.connections.orders]
engine = "sqlite"
name = "{place.orders_database.relative_to(place.home)}"
tables = ["orders"]

[rpc.services.PaymentService]
target = "{HOST}:{place.payment_port}"
field_names = "proto"
"""


def write_config(place: Place) -> None:
    """Raises `FileExistsError` rather than write over a file that somebody else made."""
    path = place.config_file
    if path.exists() and not path.read_text(encoding="utf-8").startswith(WRITTEN):
        raise FileExistsError(f"{path} was not written by make run. Move it to configs/app.toml, or delete it.")
    temporary = path.with_suffix(".new")
    temporary.write_text(app_toml(place), encoding="utf-8")
    temporary.replace(path)


def admin_password(home: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The one asked for, else the one made at the first start."""
    if named := environ.get(PASSWORD_VARIABLE):
        return named
    path = home / "admin_password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(9) + "\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
