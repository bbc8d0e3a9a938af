"""What a person reads first."""

from __future__ import annotations

from typing import Any

from demo.configuring import admin_password
from demo.places import HOST, Place


def banner(here: Place, prepared: dict[str, Any], *, seconds: float) -> str:
    password = admin_password(here.home) if prepared["password_stands"] else "(the one you have set)"
    manage = ".venv/bin/python manage.py"
    return f"""
  disttask is ready, after {seconds:.1f} s.

    Console    http://{HOST}:{here.port}/
    User       admin
    Password   {password}
    API        http://{HOST}:{here.port}/api/docs

  Try first, in a second terminal:

    {manage} tx list
    {manage} tx start demo-order --id SO-2001 --wait
    make demo-break      the inventory fails; start another order, see it get stuck
    make demo-mend       then retry it in the console under Exceptions, and see it finish
    make demo-reset      back to the first screen

  Ctrl-C stops everything.

"""
