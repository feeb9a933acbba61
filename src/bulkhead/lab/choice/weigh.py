"""Combines a sample into modes: what a partition comes to is what its sets come to, path by path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.choice.estimates import (
    Estimate,
    mean,
    quantile,
    share,
    shortfall,
)
from bulkhead.lab.choice.partitions import Partition
from bulkhead.lab.choice.result import SCENARIO, Broken, Compartment, Mode, Split
from bulkhead.lab.choice.sample import Masks, Sample, Singles, members_of
from bulkhead.lab.compiled import kernel, spread
from bulkhead.lab.prices.bars import Floats

SPLIT_PARTS = 200  # collateral is split in units of one 200th of the total
FEW = 10  # paths under which a mean is not worth telling


class Wanted(NamedTuple):
    """What is asked of every mode: levels, and the initial requirements (USD) under linear and scenario margin."""

    level: float
    probability: float
    initials: tuple[float, float]


class Weighing:
    """A sample of the sets `masks` of a portfolio, ready to be combined."""

    def __init__(
        self, sample: Sample, masks: Masks, symbols: tuple[str, ...], shares: Floats, wanted: Wanted
    ) -> None:
        self.sample, self.masks, self.symbols, self.shares = sample, masks, symbols, shares
        self.level, self.probability, self.initials = wanted
        self.row = {mask: place for place, mask in enumerate(masks)}
        self.total = float(shares.sum())
        rows = [members_of(mask, len(symbols)) for mask in masks] + [list(range(len(symbols)))]
        self.collateral = np.array([shares[row].sum() for row in rows])

    def rows(self, partition: Partition) -> list[int]:
        """Rows of a partition's sets."""
        return [self.row[mask] for mask in partition]

    def names(self, mask: int) -> tuple[str, ...]:
        """Markets of a set."""
        return tuple(self.symbols[place] for place in members_of(mask, len(self.symbols)))

    def losses(self, rows: Sequence[int]) -> Floats:
        """Loss of the whole portfolio on each path, USD."""
        return np.asarray(self.total - self.sample.equity[list(rows)].astype(np.float64).sum(axis=0))

    def hit(self, rows: Sequence[int], kind: int = 0) -> NDArray[np.bool_]:
        """Of each row and path, whether collateral was below what was needed."""
        chosen = list(rows)
        return np.asarray(self.sample.needs[kind][chosen] > self.collateral[chosen][:, None])

    # -- every partition -------------------------------------------------------------------------------------------

    def shortfalls(self, partitions: Sequence[Partition]) -> list[float]:
        """Expected shortfall of each partition, fast: sums of rows and a partial sort."""
        most = max(len(one) for one in partitions)
        table = np.full((len(partitions), most), -1)
        for place, one in enumerate(partitions):
            table[place, : len(one)] = self.rows(one)
        worst = max(1, round(self.sample.paths * (1 - self.level)))
        found = np.empty(len(partitions))
        equity = self.sample.equity
        spread(lambda first, last: _shortfalls(equity, table, first, last, self.total, worst, found), len(partitions))
        return [float(one) for one in found]

    # -- a few modes, with everything ------------------------------------------------------------------------------

    def mode(self, name: str, partition: Partition, labels: Sequence[str], seed: int) -> Mode:
        """A partition in full."""
        rows = self.rows(partition)
        parts = tuple(
            self._compartment(label, self.names(mask), row)
            for label, mask, row in zip(labels, partition, rows, strict=True)
        )
        return self._mode(name, rows, parts, seed)

    def scenario(self, seed: int) -> Mode:
        """All positions in one account under scenario margin."""
        row = len(self.masks)
        return self._mode(SCENARIO, [row], (self._compartment("everything", self.symbols, row),), seed)

    def _compartment(self, label: str, symbols: tuple[str, ...], row: int) -> Compartment:
        paths = self.sample.paths
        return Compartment(
            label,
            symbols,
            float(self.collateral[row]),
            share(int(self.hit([row]).sum()), paths),
            share(int(self.sample.wiped[row].sum()), paths),
            share(int(self.hit([row], 2).sum()), paths),
            share(int(self.hit([row], 1).sum()), paths),
            quantile(self.sample.needs[0, row].astype(np.float64), 1 - self.probability),
        )

    def _mode(self, name: str, rows: list[int], parts: tuple[Compartment, ...], seed: int) -> Mode:
        sample, paths = self.sample, self.sample.paths
        hit = self.hit(rows).any(axis=0)
        slippage = sample.slippage[rows].sum(axis=0).astype(np.float64)
        # With the same split, so many times the collateral would have been enough on each path.
        multiple = (sample.needs[0][rows] / self.collateral[rows][:, None]).max(axis=0).astype(np.float64)
        losses = self.losses(rows)
        return Mode(
            name,
            parts,
            self.initials[name == SCENARIO],
            share(int(hit.sum()), paths),
            share(int(sample.wiped[rows].all(axis=0).sum()), paths),
            share(int(self.hit(rows, 2).any(axis=0).sum()), paths),
            share(int(self.hit(rows, 1).any(axis=0).sum()), paths),
            shortfall(losses, self.level, seed),
            mean(losses, seed),
            mean(sample.cost[rows].sum(axis=0), seed),
            mean(slippage, seed),
            mean(slippage[hit], seed) if hit.sum() >= FEW else None,
            mean(sample.debt[rows].sum(axis=0), seed),
            quantile(multiple, 1 - self.probability).scaled(self.total),
        )

    def broken(self, correlation: str, name: str, rows: list[int], seed: int) -> Broken:
        """A mode in this world of other correlations."""
        paths = self.sample.paths
        return Broken(
            correlation,
            name,
            share(int(self.hit(rows).any(axis=0).sum()), paths),
            share(int(self.sample.wiped[rows].all(axis=0).sum()), paths),
            shortfall(self.losses(rows), self.level, seed),
        )

    def split(self, name: str, rows: list[int]) -> Split:
        """The split of the same total that liquidates the fewest compartments on the first half of the paths."""
        needs = self.sample.needs[0][rows].astype(np.float64)
        half = self.sample.paths // 2
        parts = best_split(needs[:, :half], self.total)
        unseen = needs[:, half:]
        usual = self.collateral[rows][:, None]

        def rate(collateral: Floats) -> Estimate:
            return share(int((unseen > collateral).any(axis=0).sum()), unseen.shape[1])

        return Split(name, tuple(float(part) for part in parts), rate(parts[:, None]), rate(usual))


def best_split(needs: Floats, total: float, parts: int = SPLIT_PARTS) -> Floats:
    """Collateral of each compartment (USD, summing to `total`) that leaves the fewest below what they needed.

    `needs` is (compartments, paths). Exact among splits into whole `parts` of the total, by dynamic programming: the
    number of liquidated compartments, summed over paths, is a sum over compartments.
    """
    count = len(needs)
    grid = total * np.arange(parts + 1) / parts
    ordered = np.sort(needs, axis=1)
    hits = np.stack([needs.shape[1] - np.searchsorted(row, grid, side="right") for row in ordered])
    fewest = hits[0].astype(np.int64)
    chosen = np.zeros((count, parts + 1), dtype=np.int64)
    chosen[0] = np.arange(parts + 1)
    for place in range(1, count):
        # before[k] of the units for the compartments so far, the rest for this one
        sums = np.full((parts + 1, parts + 1), np.iinfo(np.int64).max)
        for own in range(parts + 1):
            sums[own, own:] = fewest[: parts + 1 - own] + hits[place, own]
        chosen[place] = np.argmin(sums, axis=0)
        fewest = np.min(sums, axis=0)
    units, left = np.zeros(count), parts
    for place in range(count - 1, 0, -1):
        units[place] = chosen[place, left]
        left -= int(units[place])
    units[0] = left
    return np.asarray(units * total / parts)


@kernel
def _shortfalls(
    equity: Singles, table: Floats, first: int, last: int, total: float, worst: int, found: Floats
) -> None:
    """Mean of the `worst` largest losses of partitions `first` to `last`."""
    paths = equity.shape[1]
    sums = np.empty(paths)
    for place in range(first, last):
        sums[:] = total
        for column in range(table.shape[1]):
            row = table[place, column]
            if row >= 0:
                values = equity[row]
                for path in range(paths):
                    sums[path] -= values[path]
        ordered = np.partition(sums, paths - worst)
        found[place] = ordered[paths - worst :].mean()

