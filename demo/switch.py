"""`make demo-break`, `make demo-mend`, `make demo-reset`: what happens to the demo while it runs.

python -m demo.switch break|mend|reset
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

from demo.locking import Taken, lock
from demo.places import BASE, Place, place

MANAGE: Final = ".venv/bin/python manage.py"
RESET_SECONDS: Final = 90


class NotDone(Exception):
    """The one line that says why."""


def break_it(here: Place) -> str:
    _set_mode(here, "fail")
    return f"""The inventory now answers every reservation with 503.
Start an order and see it get stuck:  {MANAGE} tx start demo-order --wait
Mend it again:                        make demo-mend"""


def mend_it(here: Place) -> str:
    _set_mode(here, "ok")
    return f"""The inventory works again. Orders in back-off go on by themselves.
Parked ones wait for a person:  {MANAGE} exceptions list
Retry one in the console, or:   {MANAGE} tx retry INSTANCE_ID"""


def reset_it(here: Place) -> str:
    """Ask the supervisor where one runs, which has to stop the cluster first; else do it here."""
    try:
        with lock(here.home):
            _reset_here(here)
    except Taken as running:
        here.reset_asked.touch()
        os.kill(running.pid, signal.SIGUSR1)
        _wait_for_reset(here)
    return "The demo is back at its first dozen of orders. Your own flows, users and tokens were kept."


def _reset_here(here: Place) -> None:
    if not here.config_file.exists():
        raise NotDone(f"nothing has run in {here.home} yet: make run")
    shutil.rmtree(here.targets, ignore_errors=True)
    here.targets.mkdir(parents=True)
    environment = {**os.environ, "DISTTASK_PROFILE": "demo", "DISTTASK_PORT": str(here.port)}
    command = [sys.executable, "-m", "demo.prepare", "--reset"]
    if subprocess.run(command, cwd=BASE, env=environment, check=False).returncode:
        raise NotDone("the preparation failed, the lines above say why")


def _wait_for_reset(here: Place) -> None:
    deadline = time.monotonic() + RESET_SECONDS
    while here.reset_asked.exists():
        if time.monotonic() > deadline:
            raise NotDone(f"the supervisor did not finish in {RESET_SECONDS} s; its terminal says why")
        time.sleep(0.1)


def _set_mode(here: Place, mode: str) -> None:
    request = urllib.request.Request(  # noqa: S310  a loopback address of ours
        here.inventory_url("/mode"),
        data=json.dumps({"mode": mode}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
    except urllib.error.URLError as error:
        raise NotDone(f"no inventory service answers at {request.full_url}. Is `make run` on?") from error


WORDS: Final[dict[str, Callable[[Place], str]]] = {"break": break_it, "mend": mend_it, "reset": reset_it}


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in WORDS:
        print(f"usage: python -m demo.switch {'|'.join(WORDS)}", file=sys.stderr)
        return 2
    try:
        print(WORDS[sys.argv[1]](place()))
    except (NotDone, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
