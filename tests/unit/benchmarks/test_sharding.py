"""The model beyond one database: its day adds up, its shards are even, its moves are few."""

from __future__ import annotations

import random

import pytest

from benchmarks import sharding


def test_the_day_has_its_mean_and_its_peak() -> None:
    values = [sharding.curve(second) for second in range(0, sharding.DAY, 60)]
    assert sum(values) / len(values) == pytest.approx(1, abs=0.001)
    assert max(values) == pytest.approx(sharding.PEAK, abs=0.001)
    assert min(values) >= 0


@pytest.mark.parametrize("shards", [1, 7, 116, 1000])
def test_every_bucket_has_one_shard(shards: int) -> None:
    owned = sharding.shares(shards)
    assert (len(owned), sum(owned)) == (shards, sharding.BUCKETS)
    assert max(owned) - min(owned) <= 1


def test_shards_suffice_at_the_peak_with_headroom() -> None:
    day = sharding.simulate(per_day=10_000_000, rate=100, kilobytes=6, chance=random.Random(1))
    assert day.shards == 6
    assert day.fullest_percent < 100
    assert day.longest_queue_seconds == 0
    assert day.stored_terabytes == 0.06


def test_ids_in_sequence_spread_no_worse_than_chance() -> None:
    for kind, ids in sharding.id_kinds(50_000, random.Random(1)):
        found = sharding.spread(ids, kind, 50_000, 20)
        assert found.most_percent < 1.5 * found.expected_percent, kind


def test_a_new_shard_takes_its_share_and_no_more() -> None:
    day = sharding.simulate(per_day=100_000_000, rate=500, kilobytes=6, chance=random.Random(1))
    moved = sharding.reshard(day=day, kilobytes=6)
    fair = 100 * (1 - moved.before / moved.after)
    assert moved.buckets_moved_percent == pytest.approx(fair, abs=0.2)
    assert moved.modulo_moved_percent > 2 * moved.buckets_moved_percent


def test_an_id_always_has_the_same_bucket() -> None:
    assert sharding.bucket_of("ORD-1") == 1246
