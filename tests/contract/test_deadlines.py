"""A database server that falls silent: its socket is cut shortly after the deadline."""

from __future__ import annotations

import socket
import threading
import time

from execution.executors.db.watchdog import Watchdog


def test_it_cuts_a_silent_socket_and_leaves_others_alone() -> None:
    near, far = socket.socketpair()
    other, another = socket.socketpair()
    with near, far, other, another:
        watchdog = Watchdog()
        started = time.monotonic()
        with (
            watchdog.watching(other.fileno(), started + 30),
            watchdog.watching(near.fileno(), started + 0.2),
        ):
            assert near.recv(1) == b""  # would block for ever
        assert 0.15 < time.monotonic() - started < 2
        another.send(b"x")
        assert other.recv(1) == b"x"


def test_it_forgets_what_ended_in_time() -> None:
    near, far = socket.socketpair()
    with near, far:
        watchdog = Watchdog()
        for _ in range(50):
            with watchdog.watching(near.fileno(), time.monotonic() + 0.1):
                pass
        time.sleep(0.3)
        far.send(b"x")
        assert near.recv(1) == b"x"
        with watchdog.watching(None, time.monotonic()):
            pass


def test_many_threads_share_it() -> None:
    watchdog = Watchdog()

    def work() -> None:
        near, far = socket.socketpair()
        with near, far, watchdog.watching(near.fileno(), time.monotonic() + 0.2):
            assert near.recv(1) == b""

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
