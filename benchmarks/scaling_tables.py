"""The generated parts of docs/scaling.md: the cost of a transaction, two clusters, the simulated days."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from benchmarks import plan, sharding
from benchmarks.results_file import Rows, quiet_of
from benchmarks.running import median
from benchmarks.servers import STORES
from benchmarks.tables import number, table

IDS: Final = 300_000
DAY: Final = 1_000_000_000


def cost(rows: Rows) -> str:
    """What one W1 flow costs on each store, and what its rows keep on disk."""
    made = []
    for store in STORES:
        mine = quiet_of(rows, plan.ours_name("W1", store, "runcluster", 2))
        grown = quiet_of(rows, plan.grown_name(store))
        if not mine or not grown:
            continue
        made.append(
            [
                store,
                number(_middle(mine, "cpu_ms_per_flow")),
                number(median([row["cpu_ms_by_part"]["python"] for row in mine])),
                number(median([row["cpu_ms_by_part"][store] for row in mine])),
                number(_middle(mine, "statements_per_flow")),
                number(_middle(mine, "commits_per_flow")),
                number(_middle(mine, "syncs_per_flow")),
                number(_middle(mine, "log_bytes_per_flow") / 1024),
                number(stored_kilobytes(rows, store)),
            ]
        )
    header = ["store", "CPU ms", "of it Python", "of it database", "statements", "commits", "log flushes", "log kB"]
    carried = [f"{1000 / float(row[3]):,.0f} on {row[0]}" for row in made]
    return (
        table([*header, "kB kept, indexes included"], made)
        + f"\n\nBy this a core of the database's server carries so many W1 flows a second: {', '.join(carried)}."
    )


def _middle(rows: Rows, name: str) -> float:
    return median([row[name] for row in rows])


def stored_kilobytes(rows: Rows, store: str) -> float:
    return median([row["stored_bytes_per_instance"] for row in quiet_of(rows, plan.grown_name(store))]) / 1000


def clusters(rows: Rows) -> str:
    made = []
    for store in STORES:
        for words, name in (
            ("one cluster, one session", plan.ours_name("W1", store, "runcluster", 1)),
            ("one cluster, two sessions", plan.ours_name("W1", store, "runcluster", 2)),
            ("two clusters, one session each", plan.clusters_name(store)),
        ):
            mine = quiet_of(rows, name)
            if mine:
                # A session ends after twenty seconds and its successor has a share of its own: at most four are told.
                shares = [f"{share:.0%}" for share in mine[0].get("session_shares", [])[:4]]
                rate, cpu = median([row["rate"] for row in mine]), _middle(mine, "cpu_ms_per_flow")
                wrong = str(sum(row["wrong"] for row in mine))
                others = number(max(row["others_percent"] for row in mine))
                made.append([store, words, number(rate), number(cpu), others, wrong, ", ".join(shares)])
    header = ["store", "hosts", "W1 flows/s", "CPU ms a flow", "others, % at most", "not ended well"]
    return table([*header, "attempts by session"], made)


def model_inputs(rows: Rows) -> tuple[float, float]:
    """The slower store's rate and the larger store's kilobytes: the model is to hold on both."""
    rates = [
        median([row["rate"] for row in quiet_of(rows, plan.ours_name("W1", store, "runcluster", 2))])
        for store in STORES
    ]
    return round(min(rates)), round(max(stored_kilobytes(rows, store) for store in STORES), 1)


def simulated(rows: Rows) -> dict[str, str]:
    """The tables of the simulation, by the name of their marks."""
    rate, kilobytes = model_inputs(rows)
    chance = random.Random(1)
    days = [
        sharding.simulate(per_day=DAY // part, rate=rate, kilobytes=kilobytes, chance=chance)
        for part in (1000, 100, 10, 1)
    ]
    shards = days[-1].shards
    spreads = [sharding.spread(ids, kind, IDS, shards) for kind, ids in sharding.id_kinds(IDS, chance)]
    by_flow = sharding.by_flow_percent(shards, chance)
    return {
        "inputs": f"Taken from the tables above: {rate:g} W1 flows/s and {kilobytes:g} kB kept a flow.",
        "days": _days(days),
        "spread": _spread(spreads, by_flow),
        "resharding": _resharding([sharding.reshard(day=day, kilobytes=kilobytes) for day in days[1:]]),
    }


def _days(days: Sequence[sharding.Day]) -> str:
    header = ["transactions a day", "peak a second", "shards", "fullest shard, % of its rate", "skew of a day, %"]
    more = ["longest queue, s", "backlog of a shard away 10 min at the peak", "gone after, min", "TB kept a day"]
    rows: list[list[Any]] = [
        [
            f"{day.per_day:,}",
            f"{day.peak_per_second:,}",
            str(day.shards),
            number(day.fullest_percent),
            number(day.skew_percent),
            number(day.longest_queue_seconds),
            f"{day.outage_backlog:,}",
            number(day.outage_drain_minutes),
            number(day.stored_terabytes),
        ]
        for day in days
    ]
    return table(header + more, rows)


def _spread(spreads: Sequence[sharding.Spread], by_flow: float) -> str:
    header = ["ids", "count", "fullest shard over the mean, %", "three standard deviations of chance, %"]
    rows = [[each.ids, f"{each.count:,}", number(each.most_percent), number(each.expected_percent)] for each in spreads]
    return table(header, [*rows, ["whole flows placed instead (1,000 flows, Zipf)", "", number(by_flow), ""]])


def _resharding(moves: Sequence[sharding.Resharding]) -> str:
    header = ["shards", "buckets moved, %", "`hash % shards` would move, %", "live instances moved", "GB copied"]
    rows = [
        [
            f"{each.before} to {each.after}",
            number(each.buckets_moved_percent),
            number(each.modulo_moved_percent),
            f"{each.live_instances_moved:,}",
            number(each.live_gigabytes_moved),
            number(each.history_terabytes_left),
        ]
        for each in moves
    ]
    return table([*header, "TB of history (30 days) left where it is"], rows)
