"""Child processes: started, watched, restarted when they die, stopped as a group; their output prefixed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from demo.places import BASE

WRAPPER: Final = Path(__file__).with_name("child.py")
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
HEALTHY_AFTER: Final = 10.0  # seconds of life after which a death counts as the first one again
COLOURS: Final = (36, 33, 35, 32, 34, 31)


class Terminal:
    """Everybody's lines on one terminal, whole and with the name of who said them."""

    def __init__(self, stream: IO[bytes], *, colour: bool) -> None:
        self._stream = stream
        self._colour = colour
        self._lock = threading.Lock()
        self.is_gone = False

    def say(self, name: str, line: bytes | str, colour: int = 0) -> None:
        raw = line.encode() if isinstance(line, str) else line
        prefix = f"{name:<9} | ".encode()
        if self._colour and colour:
            prefix = b"\x1b[%dm%s\x1b[0m" % (colour, prefix)
        self.write(prefix + raw.rstrip(b"\r\n") + b"\n")

    def write(self, raw: bytes) -> None:
        with self._lock:
            try:
                self._stream.write(raw)
                self._stream.flush()
            except OSError:  # the terminal was closed: the supervisor stops, children must not block on it
                self.is_gone = True


@dataclass(kw_only=True)
class Child:
    """One process the supervisor keeps alive."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    terminal: Terminal
    colour: int = 0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = 0.0
    due_at: float = field(default=0.0)

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WRAPPER), str(os.getpid()), *self.command],
            cwd=BASE,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C reaches the supervisor alone, which stops the others in order.
            start_new_session=True,
        )
        threading.Thread(target=self._pump, args=(self.process.stdout,), daemon=True).start()

    def watch(self) -> None:
        """Restart a dead process, after a pause that grows while it keeps dying."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            self._bury(self.process, now)
        if self.process is None and now >= self.due_at:
            self.start()

    def ask_to_stop(self) -> None:
        self._kill(signal.SIGTERM)

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def finish(self) -> None:
        """End what is left of it, whatever it was doing."""
        if self.process is not None:
            self._kill_group(self.process.pid)
            self.process.wait()
        self.process = None

    def _bury(self, process: subprocess.Popen[bytes], now: float) -> None:
        # Its own children would hold its port or its pipe.
        self._kill_group(process.pid)
        lived = now - self.started_at
        self.pause = FIRST_PAUSE if lived > HEALTHY_AFTER else min(self.pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
        self.due_at = now + self.pause
        self.process = None
        self.terminal.say("demo", f"{self.name} ended ({_how(process.returncode)}), starting again in {self.pause:g} s")

    def _kill(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    @staticmethod
    def _kill_group(pid: int) -> None:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _pump(self, stream: IO[bytes] | None) -> None:
        if stream is None:
            return
        with stream:
            # Bounded: a line without an end must not fill our memory.
            while line := stream.readline(65536):
                self.terminal.say(self.name, line, self.colour)


def _how(returncode: int) -> str:
    return f"signal {signal.Signals(-returncode).name}" if returncode < 0 else f"exit code {returncode}"
