"""Claims on a real database: who gets what, once, and by which index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from execution.models import Instance
from execution.stores.sql.claims import DUE_FLOWS, OLDEST
from tests.fakes.flows import flow, task
from tests.integration.execution.kit import LEASE, Bench


def test_it_claims_what_is_due_and_nothing_twice(bench: Bench) -> None:
    ids = bench.insert(flow("f", task("a")), 5)
    claims = bench.claim()
    assert sorted(claim.instance_id for claim in claims) == ids
    assert {(claim.fence, claim.strikes) for claim in claims} == {(1, 0)}
    assert not bench.claim("other")


def test_it_writes_owner_and_lease_on_the_row(bench: Bench) -> None:
    (instance_id,) = bench.insert(flow("f", task("a")))
    now = bench.later()
    bench.claim("me", now=now)
    row = Instance.objects.get(pk=instance_id)
    assert (row.owner, row.fence) == ("me", 1)
    assert row.lease_until == row.wake_at == now + LEASE


def test_it_leaves_what_is_not_due_yet(bench: Bench) -> None:
    bench.insert(flow("f", task("a")))
    assert not bench.claim(now=bench.later(-60))


def test_it_shares_a_claim_between_the_flows_that_are_due(bench: Bench) -> None:
    bench.insert(flow("big", task("a")), 50)
    bench.insert(flow("small", task("a")), 3)
    taken = Counter(claim.instance_id.partition("-")[0] for claim in bench.claim(limit=10))
    assert taken == {"big": 5, "small": 3}


def test_little_room_goes_to_the_flow_that_has_little(bench: Bench) -> None:
    bench.insert(flow("big", task("a")), 50)
    bench.insert(flow("small", task("a")), 1)
    big = Instance.objects.filter(pk__startswith="big-").values_list("flow_id", flat=True)[0]
    Instance.objects.filter(flow_id=big).update(wake_at=bench.later(-100))
    (claim,) = bench.claim(limit=1, held={big: 3})
    assert claim.instance_id.startswith("small-")


def test_no_flow_gets_more_than_its_part_of_a_driver(bench: Bench) -> None:
    bench.insert(flow("big", task("a")), 50)
    big = Instance.objects.values_list("flow_id", flat=True)[0]
    assert len(bench.claim(limit=20, held={big: 7}, most_of_flow=10)) == 3
    assert not bench.claim(limit=20, held={big: 10}, most_of_flow=10)


def test_a_backlog_is_what_waits_for_a_time_or_a_worker(bench: Bench) -> None:
    ids = bench.insert(flow("f", task("a")), 5)
    bench.insert(flow("other", task("a")), 9)
    flow_id = Instance.objects.get(pk=ids[0]).flow_id
    Instance.objects.filter(pk=ids[0]).update(wake_at=bench.later(3600))
    assert bench.store.has_backlog(flow_id, 4)
    assert not bench.store.has_backlog(flow_id, 5)
    Instance.objects.filter(pk=ids[1]).update(wake_at=None)
    assert not bench.store.has_backlog(flow_id, 4)


def test_it_takes_the_oldest_first(bench: Bench) -> None:
    ids = bench.insert(flow("f", task("a")), 3)
    Instance.objects.filter(pk=ids[2]).update(wake_at=bench.later(-100))
    assert [claim.instance_id for claim in bench.claim(limit=1)] == [ids[2]]


def test_a_lease_that_ran_out_is_a_strike_and_a_higher_fence(bench: Bench) -> None:
    bench.insert(flow("f", task("a")))
    bench.claim("dead")
    (claim,) = bench.claim("heir", now=bench.later(60))
    assert (claim.fence, claim.strikes) == (2, 1)
    assert Instance.objects.get().strikes == 1


def test_struck_instances_run_in_a_small_lane_and_do_not_stand_in_the_way(bench: Bench) -> None:
    struck = bench.insert(flow("f", task("a")), 20, prefix="struck-")
    bench.claim("dead")
    flow_id = Instance.objects.first().flow_id  # type: ignore[union-attr]
    Instance.objects.all().update(wake_at=bench.later(-200))
    fresh = bench.insert(flow("g", task("a")), 5, prefix="fresh-")
    Instance.objects.filter(pk__in=fresh).update(flow_id=flow_id)
    taken = [claim.instance_id for claim in bench.claim("heir", limit=8, struck_limit=2)]
    assert len(set(taken) & set(struck)) == 2
    assert set(fresh) <= set(taken)


def test_one_that_its_next_strike_would_park_is_tried_without_others_that_struck(bench: Bench) -> None:
    """What was held beside a poison when its worker died must not be parked with it."""
    bench.insert(flow("f", task("a")), 6, prefix="held-")
    bench.claim("dead")
    bench.claim("dead too", now=bench.later(60))
    fresh = bench.insert(flow("g", task("a")), 3, prefix="fresh-")
    taken = [claim.instance_id for claim in bench.claim("heir", struck_limit=5, now=bench.later(120))]
    assert len([each for each in taken if each.startswith("held-")]) == 1
    assert set(fresh) <= set(taken)


def test_it_renews_only_what_is_still_its_own(bench: Bench) -> None:
    first, second = bench.insert(flow("f", task("a")), 2)
    fences = {claim.instance_id: claim.fence for claim in bench.claim("me")}
    Instance.objects.filter(pk=second).update(owner="thief", fence=7)
    now = bench.later(100)
    assert bench.store.renew("me", fences, lease=LEASE, now=now) == {second}
    assert Instance.objects.get(pk=first).lease_until == now + LEASE


def test_it_renews_after_the_lease_ran_out_while_nobody_has_claimed(bench: Bench) -> None:
    (instance_id,) = bench.insert(flow("f", task("a")))
    bench.claim("me", lease=timedelta(seconds=-60))
    assert bench.store.renew("me", {instance_id: 1}, lease=LEASE, now=bench.later()) == set()
    assert not bench.claim("other")


def test_it_knows_when_the_next_is_due(bench: Bench) -> None:
    assert bench.store.next_due() is None
    assert not bench.store.has_due(bench.later())
    (instance_id,) = bench.insert(flow("f", task("a")))
    assert bench.store.has_due(bench.later())
    assert bench.store.next_due() == Instance.objects.get(pk=instance_id).wake_at


def test_the_claim_goes_by_its_index(bench: Bench) -> None:
    bench.insert(flow("f", task("a")), 300)
    bench.insert(flow("g", task("a")), 300)
    at = bench.store.database.dialect.time(bench.later())
    flow_id = Instance.objects.first().flow_id  # type: ignore[union-attr]
    due_flows = DUE_FLOWS.format(first_due=bench.store.database.dialect.first_due)
    for sql, params in ((due_flows, [at, 10]), (OLDEST, [flow_id, at, 10])):
        assert "inst_flow_wake" in _plan(sql, params), sql


def test_a_claim_reads_no_finished_instance_on_its_way_to_the_due_ones(bench: Bench) -> None:
    """However many there are. MySQL alone counts the rows that a statement reads."""
    if connection.vendor != "mysql":
        pytest.skip("counted on MySQL only")
    bench.insert(flow("f", task("a")), 2_000)
    Instance.objects.update(wake_at=None)
    bench.insert(flow("g", task("a")), 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE execution_instance")
        cursor.fetchall()
        cursor.execute("FLUSH STATUS")
        assert bench.store.has_due(bench.later())
        assert len(bench.claim()) == 1
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read_next'")
        assert int(cursor.fetchone()[1]) < 100


def _plan(sql: str, params: list[Any]) -> str:
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE execution_instance")
            cursor.execute("SET enable_seqscan = off")
        cursor.execute(explain + sql, params)
        plan = repr(cursor.fetchall())
        if connection.vendor == "postgresql":
            cursor.execute("RESET enable_seqscan")
    return plan


CLAIMER = """
import json, sys, django
django.setup()
from datetime import timedelta
from typing import Any
from django.db import connections
connections.settings["default"]["NAME"] = sys.argv[1]
from execution.stores.base import StoreUnavailable
from execution.stores.sql.store import SqlStore
store = SqlStore(compiled=lambda _: None, tables={})
taken = []
misses = 0
while misses < 5:
    try:
        claims = store.claim(sys.argv[2], limit=17, struck_limit=5, lease=timedelta(seconds=60), now=store.now())
    except StoreUnavailable:
        continue
    misses = 0 if claims else misses + 1
    taken += [(claim.instance_id, claim.fence) for claim in claims]
print(json.dumps(taken))
"""


@pytest.mark.slow
def test_four_processes_claim_every_row_once(bench: Bench) -> None:
    ids = bench.insert(flow("f", task("a")), 400) + bench.insert(flow("g", task("a")), 400)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(settings.BASE_DIR)}
    name = str(connection.settings_dict["NAME"])
    processes = [
        subprocess.Popen([sys.executable, "-c", CLAIMER, name, f"p{number}"], env=environment, stdout=subprocess.PIPE)
        for number in range(4)
    ]
    taken = [claim for process in processes for claim in json.loads(process.communicate(timeout=120)[0])]
    assert sorted(taken) == [[instance_id, 1] for instance_id in sorted(ids)]
