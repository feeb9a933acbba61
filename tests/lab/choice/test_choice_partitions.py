"""Partitions: all of them, the search beyond eight, and the split of collateral."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from bulkhead.lab.choice.comparison import Job, Setting
from bulkhead.lab.choice.partitions import Partition, cross, isolated, neighbours, partitions, search
from bulkhead.lab.choice.weigh import best_split
from tests.lab.choice.eight import eight, save_eight

BELL = (1, 1, 2, 5, 15, 52, 203, 877, 4140)


def test_every_partition_comes_once() -> None:
    for count in range(1, 9):
        found = list(partitions(count))
        assert len(set(found)) == len(found) == BELL[count]
        for one in found:
            assert sum(one) == (1 << count) - 1 and len({mask & -mask for mask in one}) == len(one)
        assert isolated(count) in found and cross(count) in found


def test_neighbours_are_partitions() -> None:
    every = set(partitions(5))
    reached = {isolated(5)}
    edge = set(reached)
    while edge:
        edge = {other for one in edge for other in neighbours(one, 5)} - reached
        assert edge <= every
        reached |= edge
    assert reached == every


@pytest.mark.parametrize(("collateral", "scale", "seed"), [(30e3, 1, 1), (18e3, 1, 2), (60e3, 2.5, 3), (30e3, -1, 4)])
def test_the_search_is_within_two_per_cent_of_the_exact_best(
    tmp_path: Path, collateral: float, scale: float, seed: int
) -> None:
    """On eight positions, where every partition can be looked at; it looks at a tenth of them."""
    setting = Setting(world=save_eight(tmp_path / "eight.json"), seed=seed, paths=512, days=2, broken_paths=0)
    job = Job(eight(collateral, scale), setting, None, None, None, lambda what, done, total: None)
    masks = tuple(range(1, 256))
    weighing = job.weighing(job.sample("all", masks, 512), masks)
    every = list(partitions(8))
    costs = dict(zip(every, weighing.shortfalls(every), strict=True))
    looked: set[Partition] = set()

    def cost(wanted: list[Partition]) -> list[float]:
        looked.update(wanted)
        return [costs[one] for one in wanted]

    found = search(8, cost, [isolated(8), cross(8)])
    assert min(found.values()) <= min(costs.values()) * 1.02
    assert len(found) == len(looked) < 1_000


def test_the_split_is_the_best_on_its_grid() -> None:
    draw = np.random.default_rng(2)
    for count in (2, 3):
        needs = draw.lognormal(0, 0.7, (count, 60))
        parts = 12
        found = best_split(needs, 4.0, parts)
        assert found.sum() == pytest.approx(4.0)

        def hits(units: tuple[int, ...], needs: np.ndarray = needs, parts: int = parts) -> int:
            return int((needs > np.array(units)[:, None] * 4.0 / parts).sum())

        splits = [one for one in itertools.product(range(parts + 1), repeat=count) if sum(one) == parts]
        mine = tuple(round(part * parts / 4.0) for part in found)
        assert hits(mine) == min(hits(one) for one in splits)
