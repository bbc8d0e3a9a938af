"""The contract of every task type (`execution.testing.contract`), asked of each of ours against a real peer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from execution.executors.base import executor_types
from execution.testing.contract import ExecutorContract
from tests.contract.peers import PEERS, LoopbackPeer

pytestmark = pytest.mark.store
# The peer of mq is our own database.
MARKED = {"mq": pytest.mark.django_db(transaction=True)}
ALL = [pytest.param(name, marks=MARKED.get(name, ())) for name in sorted(PEERS)]


def test_every_type_has_a_peer() -> None:
    assert set(executor_types()) == {peer.type for peer in PEERS.values()}


class TestOurs(ExecutorContract):
    @pytest.fixture(params=ALL)
    def peer(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LoopbackPeer]:
        made = PEERS[request.param](tmp_path)
        made.start()
        yield made
        made.stop()
