"""Beyond one database: instances hash to buckets by id, buckets belong to shards. A simulated day says what that needs.

    python -m benchmarks.sharding --day 1000000000 --rate 500 --kilobytes 6

`--rate` is what one shard was measured to do (flows a second), `--kilobytes` what one finished flow keeps on disk.
Only the standard library and one seed: the same numbers give the same table.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

BUCKETS: Final = 16_384  # fixed for good; what moves between shards are buckets, never single instances
DAY: Final = 86_400
PEAK: Final = 3.0  # the busiest second's rate over the day's mean
HEADROOM: Final = 0.6  # of a shard's measured rate that is planned with at the peak
STEP: Final = 10  # seconds of one step of the day
FLOWS: Final = 1_000
LIVES: Final = 60.0  # seconds that an instance lives on average: how many there are to move at any moment


def bucket_of(instance_id: str) -> int:
    """Where an instance lives, from its id alone: starters, drivers, console and callbacks all know it."""
    return int.from_bytes(hashlib.blake2b(instance_id.encode(), digest_size=8).digest(), "big") % BUCKETS


def shares(shards: int) -> list[int]:
    """How many buckets each shard has; they differ by one at most."""
    return [BUCKETS // shards + (1 if number < BUCKETS % shards else 0) for number in range(shards)]


def shards_for(per_second: float, rate: float) -> int:
    """Enough that the fullest shard at the peak stays within the headroom."""
    return max(1, math.ceil(per_second * PEAK / (rate * HEADROOM)))


def curve(second: float) -> float:
    """The day's rate over its mean: quiet at night, the peak in the evening; its mean over the day is 1."""
    wave = (1 + math.cos(2 * math.pi * (second - 20 * 3600) / DAY)) / 2
    sharpness = 4.0  # the power at which peak over mean is about 3.7; mixed with a flat part it is PEAK
    mean = math.gamma(sharpness + 0.5) / (math.sqrt(math.pi) * math.gamma(sharpness + 1))
    flat = (1 / mean - PEAK) / (1 / mean - 1)
    return flat + (1 - flat) * math.pow(wave, sharpness) / mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One simulated day."""

    per_day: int
    peak_per_second: int
    shards: int
    fullest_percent: float  # of a shard's measured rate, in its fullest step
    skew_percent: float  # the shard with most over the mean, over the day
    longest_queue_seconds: float  # waiting behind the backlog, at worst
    outage_backlog: int  # of one shard that was away for ten minutes at the peak
    outage_drain_minutes: float
    stored_terabytes: float  # a day


def simulate(*, per_day: int, rate: float, kilobytes: float, chance: random.Random) -> Day:
    mean = per_day / DAY
    shards = shards_for(mean, rate)
    owned = shares(shards)
    totals = [0.0] * shards
    queues = [0.0] * shards
    fullest = longest = 0.0
    for second in range(0, DAY, STEP):
        expected = mean * curve(second) * STEP
        for number in range(shards):
            arrivals = _poisson(expected * owned[number] / BUCKETS, chance)
            totals[number] += arrivals
            fullest = max(fullest, arrivals / (rate * STEP))
            queues[number] = max(0.0, queues[number] + arrivals - rate * STEP)
            longest = max(longest, queues[number] / rate)
    backlog, drain = _outage(mean * PEAK / shards, rate)
    return Day(
        per_day=per_day,
        peak_per_second=round(mean * PEAK),
        shards=shards,
        fullest_percent=round(100 * fullest, 1),
        skew_percent=round(100 * (max(totals) * shards / sum(totals) - 1), 2),
        longest_queue_seconds=round(longest, 2),
        outage_backlog=backlog,
        outage_drain_minutes=drain,
        stored_terabytes=round(per_day * kilobytes / 1e9, 3),
    )


def _poisson(mean: float, chance: random.Random) -> float:
    """Arrivals of one step; by the normal curve where that is close, exactly below."""
    if mean > 50:
        return max(0.0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return float(count)


def _outage(per_second: float, rate: float, minutes: int = 10) -> tuple[int, float]:
    backlog = per_second * minutes * 60
    return round(backlog), round(backlog / (rate - per_second) / 60, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How evenly real ids fall on shards."""

    ids: str
    count: int
    shards: int
    most_percent: float  # the fullest shard over the mean
    expected_percent: float  # what chance alone does at this count: about three standard deviations


def spread(ids: Iterator[str], kind: str, count: int, shards: int) -> Spread:
    owner = [number for number, owned in enumerate(shares(shards)) for _ in range(owned)]
    found = Counter(owner[bucket_of(instance_id)] for instance_id in ids)
    mean = count / shards
    return Spread(
        ids=kind,
        count=count,
        shards=shards,
        most_percent=round(100 * (max(found.values()) / mean - 1), 2),
        expected_percent=round(300 / math.sqrt(mean), 2),
    )


def id_kinds(count: int, chance: random.Random) -> Sequence[tuple[str, Iterator[str]]]:
    """Ids as callers make them: the worst are those in sequence."""
    start = 1_700_000_000_000
    return (
        ("order numbers in sequence", (f"ORD-{number:010}" for number in range(count))),
        ("UUIDv7", (f"{start + n // 20:012x}-7{chance.getrandbits(74):019x}" for n in range(count))),
        (
            "customer and day",
            (f"c{n % 50_000}-2026-11-{n // 50_000 % 30 + 1:02}-{n // 1_500_000}" for n in range(count)),
        ),
    )


def by_flow_percent(shards: int, chance: random.Random) -> float:
    """The fullest shard over the mean if whole flows were placed instead, with flows as unequal as they are (Zipf)."""
    weights = [1 / rank for rank in range(1, FLOWS + 1)]
    loads = [0.0] * shards
    for weight in weights:
        loads[chance.randrange(shards)] += weight
    return round(100 * (max(loads) * shards / sum(weights) - 1), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resharding:
    """From so many shards to a quarter more."""

    before: int
    after: int
    buckets_moved_percent: float
    modulo_moved_percent: float  # what `hash % shards` would move
    live_instances_moved: int
    live_gigabytes_moved: float
    history_terabytes_left: float  # of 30 days, on the old shards, read there until it is purged


def reshard(*, day: Day, kilobytes: float) -> Resharding:
    """Each new shard takes buckets from all; an instance moves when its bucket's lease is free, history stays."""
    before, after = day.shards, max(day.shards + 1, round(day.shards * 1.25))
    kept = sum(min(old, new) for old, new in zip(shares(before), shares(after), strict=False))
    moved = 1 - kept / BUCKETS
    same = sum(1 for bucket in range(BUCKETS) if bucket % before == bucket % after)
    live = day.peak_per_second * LIVES
    return Resharding(
        before=before,
        after=after,
        buckets_moved_percent=round(100 * moved, 1),
        modulo_moved_percent=round(100 * (1 - same / BUCKETS), 1),
        live_instances_moved=round(live * moved),
        live_gigabytes_moved=round(live * moved * kilobytes / 1e6, 2),
        history_terabytes_left=round(30 * day.stored_terabytes * moved, 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--day", type=int, default=1_000_000_000)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--kilobytes", type=float, required=True)
    parser.add_argument("--ids", type=int, default=300_000)
    options = parser.parse_args()
    chance = random.Random(1)
    days = [
        simulate(per_day=options.day // part, rate=options.rate, kilobytes=options.kilobytes, chance=chance)
        for part in (1000, 100, 10, 1)
    ]
    largest = days[-1]
    spreads = [spread(ids, kind, options.ids, largest.shards) for kind, ids in id_kinds(options.ids, chance)]
    report = {
        "rate": options.rate,
        "kilobytes": options.kilobytes,
        "days": [asdict(day) for day in days],
        "spread": [asdict(each) for each in spreads],
        "by_flow_percent": by_flow_percent(largest.shards, chance),
        "resharding": [asdict(reshard(day=day, kilobytes=options.kilobytes)) for day in days[1:]],
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
