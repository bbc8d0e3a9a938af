"""`make run`: the whole of disttask and its demo under one supervisor in the foreground."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from demo.child import end_with
from demo.configuring import write_config
from demo.leftovers import end_leftovers
from demo.locking import Taken, lock
from demo.places import HOST, Place, is_free, place
from demo.supervisor import Supervisor, Terminated


class CannotStart(Exception):
    """The one line that says why, and what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Run disttask with its demo.")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when the process that started us ends")
    options = parser.parse_args()
    if options.end_with_parent:
        end_with(os.getppid())
    try:
        return _run(place())
    except (CannotStart, Taken, FileExistsError, PermissionError, ValueError) as error:
        print(f"disttask does not start: {error}", file=sys.stderr)
        return 1


def _run(here: Place) -> int:
    here.home.mkdir(parents=True, exist_ok=True)
    with lock(here.home):
        if ended := end_leftovers(here.home):
            print(f"Ended {ended} processes that an earlier run left behind.", flush=True)
        _check_ports(here)
        write_config(here)
        supervisor = Supervisor(here)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, supervisor.on_stop)
        signal.signal(signal.SIGUSR1, supervisor.on_reset)
        try:
            supervisor.run()
        except Terminated as error:
            raise CannotStart(str(error)) from error
        finally:
            supervisor.stop()
    return 0


def _check_ports(here: Place) -> None:
    for who, port in here.ports.items():
        if not is_free(port):
            raise CannotStart(
                f"port {port} on {HOST} ({who}) is taken. Choose another: DISTTASK_PORT={_another(here)} make run"
            )


def _another(here: Place) -> int:
    """A port near by with three free ones above it."""
    candidates = range(here.port + 10, 65533, 10)
    free = (port for port in candidates if all(is_free(port + step) for step in range(4)))
    return next(free, here.port)


if __name__ == "__main__":
    sys.exit(main())
