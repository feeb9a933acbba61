"""The best partition of a portfolio into strategies: every one up to eight positions, a search beyond."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from bulkhead.lab.choice.partitions import EXACT_MOST, Partition, neighbours, partitions, search
from bulkhead.lab.choice.sample import Masks, Sample, sample_chunk

if TYPE_CHECKING:
    from bulkhead.lab.choice.comparison import Job

SEARCH_PATHS = 1_024  # on which the search beyond eight positions finds out which sets matter
SETS_MOST = 255  # that are then measured on all paths: as many as eight positions have
ROUNDS_MOST = 4  # in which sets around the best are measured as well


def best_partition(job: Job, fixed: list[Partition]) -> tuple[Sample, Masks, list[tuple[float, Partition]], int]:
    """Samples of every set that matters, and partitions by rising expected shortfall, best first; how many were judged.

    Up to eight positions every partition. Beyond, a search on fewer paths finds which sets matter; these are measured
    on all paths, and the descent goes on there. Fewer paths alone would choose what is best by their own chance.
    """
    count = len(job.portfolio.holdings)
    if count <= EXACT_MOST:
        masks = tuple(range(1, 1 << count))
        sample = job.sample("every set of positions", masks, job.setting.paths)
        every = list(partitions(count))
        costs = job.weighing(sample, masks).shortfalls(every)
        return sample, masks, sorted(zip(costs, every, strict=True)), len(every)
    looked = searched(job, fixed)
    measured, judged = Measured(job), dict[Partition, None]()
    wanted = _worth_measuring(looked, fixed)
    for _ in range(ROUNDS_MOST):
        measured.add({mask for one in wanted for mask in one})
        judged |= dict.fromkeys(wanted)
        judged |= dict.fromkeys(search(count, measured.costs, [*fixed, measured.ranked(judged)[0][1]]))
        best = measured.ranked(judged)[0][1]
        wanted = [one for one in neighbours(best, count) if not measured.knows(one)]
        if not wanted:
            break
    found = measured.ranked(judged)
    return measured.sample, measured.masks, found, len({*looked, *(one for _, one in found)})


class Measured:
    """Sets that were measured on all paths of a comparison, and what partitions of them cost."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.masks: Masks = ()
        self.sample: Sample

    def add(self, wanted: set[int]) -> None:
        """Measure those that are not measured yet."""
        new = tuple(sorted(wanted.difference(self.masks)))
        if not new:
            return
        found = self.job.sample("the sets that were found", new, self.job.setting.paths)
        # The last row of a sample is of scenario margin.
        self.sample = found if not self.masks else self.sample.beside(found)
        self.masks += new

    def knows(self, partition: Partition) -> bool:
        """Whether all of its sets are measured."""
        return set(self.masks).issuperset(partition)

    def ranked(self, judged: Iterable[Partition]) -> list[tuple[float, Partition]]:
        """Those whose sets are measured, by rising cost."""
        known = [one for one in judged if self.knows(one)]
        return sorted(zip(self.costs(known), known, strict=True))

    def costs(self, wanted: list[Partition]) -> list[float]:
        """Expected shortfall of each, infinite where a set is not measured."""
        known = [one for one in wanted if self.knows(one)]
        weighing = self.job.weighing(self.sample, self.masks)
        costs = dict(zip(known, weighing.shortfalls(known), strict=True)) if known else {}
        return [costs.get(one, np.inf) for one in wanted]


def _worth_measuring(looked: dict[Partition, float], fixed: list[Partition]) -> list[Partition]:
    """The fixed partitions, and the best of those that were looked at, as many as have SETS_MOST sets together."""
    masks, chosen = {mask for one in fixed for mask in one}, list(fixed)
    for one in sorted(looked, key=lambda one: (looked[one], one)):
        if len(masks.union(one)) <= SETS_MOST:
            masks.update(one)
            chosen.append(one)
    return list(dict.fromkeys(chosen))


def searched(job: Job, starts: list[Partition]) -> dict[Partition, float]:
    """What a search on the first paths of the world looked at. Each set is simulated when it is first asked for."""
    count, paths = len(job.portfolio.holdings), min(SEARCH_PATHS, job.setting.paths)
    chunks = [chunk.select(job.venue.symbols) for chunk in job.maker()().chunks(paths, job.setting.steps)]
    known: dict[int, Sample] = {}

    def cost(wanted: list[Partition]) -> list[float]:
        new = tuple(sorted({mask for one in wanted for mask in one} - known.keys()))
        if new:
            made = Sample.joined([
                sample_chunk(job.venue, job.size, job.shares, new, chunk, scenario_too=False) for chunk in chunks
            ])
            for place, mask in enumerate(new):
                row = slice(place, place + 1)
                known[mask] = Sample(
                    made.needs[:, row], made.equity[row], made.cost[row], made.slippage[row], made.debt[row],
                    made.wiped[row],
                )  # fmt: skip
            job.report(f"searching partitions, {len(known)} sets", paths, paths)
        masks = tuple(sorted({mask for one in wanted for mask in one}))
        parts = [known[mask] for mask in masks]
        equity = np.concatenate([part.equity for part in parts])
        empty = parts[0]
        joined = Sample(empty.needs, equity, empty.cost, empty.slippage, empty.debt, empty.wiped)
        return job.weighing(joined, masks).shortfalls(wanted)

    return search(count, cost, starts)
