"""`compare`: a portfolio under every margin mode, on the same paths, with the same collateral in all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bulkhead.lab.cache import Cache, key_of
from bulkhead.lab.choice import verdict
from bulkhead.lab.choice.cluster import sampled_on
from bulkhead.lab.choice.estimates import Estimate, difference
from bulkhead.lab.choice.inputs import inputs_of
from bulkhead.lab.choice.partitions import EXACT_MOST, Partition, cross, partitions
from bulkhead.lab.choice.plans import broken_name, can_break, labels_of, plans_of
from bulkhead.lab.choice.result import (
    SCENARIO,
    STRATEGY,
    Broken,
    Comparison,
    HeldOut,
    Mode,
    Ranked,
)
from bulkhead.lab.choice.sample import (
    Keep,
    Masks,
    Sample,
    initials_of,
    lots_of,
    sample_world,
    scenario_initial_of,
    shares_of,
    venue_for,
)
from bulkhead.lab.choice.searching import best_partition
from bulkhead.lab.choice.weigh import Wanted, Weighing
from bulkhead.lab.finding import Finding, folder_named
from bulkhead.lab.impact import books
from bulkhead.lab.pages.provenance import version
from bulkhead.lab.paths.cube import STEP_MS, World
from bulkhead.lab.portfolio import Portfolio, PortfolioError
from bulkhead.lab.prices.bars import Floats
from bulkhead.lab.worlds import symbols_in, world_of

DAY_MS = 86_400_000
BREAKS = ("one", "zero", "flipped")
SHOWN = 8  # of the best partitions, and of the worst
WORST_PATHS = 3


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything that decides a comparison beside the portfolio."""

    world: str = "regimes"
    seed: int = 1
    days: float = 7.0
    step_ms: int = STEP_MS
    paths: int = 10_000
    level: float = 0.975
    probability: float = 0.01
    broken_paths: int = 2_000  # in each world of other correlations; 0 leaves them out

    def __post_init__(self) -> None:
        if not 0 < self.probability < 1 or not 0 < self.level < 1:
            raise PortfolioError(f"a probability is between 0 and 1: {self.probability}, {self.level}")
        if self.paths < 100 or 0 < self.broken_paths < 100:
            raise PortfolioError("at least 100 paths, or an estimate is none")
        if self.steps < 1:
            raise PortfolioError(f"{self.days} days hold no step of {self.step_ms} ms")

    @property
    def steps(self) -> int:
        """Steps of a path."""
        return round(self.days * DAY_MS / self.step_ms)


Progress = Callable[[str, int, int], None]
"""Told (what is done, paths done, paths in all)."""


def silent(what: str, done: int, total: int) -> None:
    """Nobody is told."""


class Job:
    """One comparison being made."""

    def __init__(
        self, portfolio: Portfolio, setting: Setting, data_dir: Path | None,
        cache: Cache | None, cluster: str | None, report: Progress,
    ) -> None:  # fmt: skip
        self.setting, self.data_dir, self.cluster, self.report = setting, data_dir, cluster, report
        self.portfolio = portfolio.known_in(symbols_in(setting.world, data_dir))
        self.cache = cache
        self.made: list[Path] = []
        self.venue = venue_for(portfolio)
        self.size = lots_of(self.venue, portfolio)
        empty = np.flatnonzero(self.size == 0)
        if len(empty):
            raise PortfolioError(f"{portfolio.source}: position {int(empty[0]) + 1} is less than a lot")
        self.shares = shares_of(self.venue, self.size, portfolio.collateral)

    def maker(self, correlation: str | None = None) -> Callable[[], World]:
        """What makes the world, or its twin with other correlations, here or on another machine."""
        name = self.setting.world if correlation is None else broken_name(self.setting.world, correlation)
        return partial(
            world_of, name, seed=self.setting.seed, step_ms=self.setting.step_ms, symbols=self.portfolio.symbols,
            data_dir=self.data_dir,
        )  # fmt: skip

    def sample(self, what: str, masks: Masks, paths: int, correlation: str | None = None) -> Sample:
        """Sets on the paths of a world, chunk by chunk: here, or on the cluster."""
        keep = self._keep(masks, paths, correlation)
        parts: list[Sample] = []
        done = 0
        self.report(what, 0, paths)
        arguments = (self.portfolio, masks, paths, self.setting.steps)
        chunks: Iterable[Sample]
        if self.cluster is None:
            chunks = sample_world(self.maker(correlation)(), *arguments, keep)
        else:
            chunks = sampled_on(self.cluster, self.maker(correlation), *arguments, keep=keep)
        for part in chunks:
            parts.append(part)
            done += part.paths
            self.report(what, done, paths)
        return Sample.joined(parts)

    def _keep(self, masks: Masks, paths: int, correlation: str | None) -> Keep:
        if self.cache is None:
            return lambda first: None
        setting = {name: value for name, value in asdict(self.setting).items() if name in ("world", "seed", "step_ms")}
        key = key_of(
            what="sample", setting=setting, steps=self.setting.steps, masks=list(masks), paths=paths,
            correlation=correlation, portfolio=asdict(self.portfolio),
            inputs=inputs_of(self.setting.world, self.data_dir),
        )  # fmt: skip
        folder = self.cache.folder / "samples" / key
        folder.mkdir(parents=True, exist_ok=True)
        self.made.append(folder)
        return lambda first: folder / f"{first}.npz"

    def weighing(self, sample: Sample, masks: Masks) -> Weighing:
        """A sample ready to be combined."""
        symbols = self.portfolio.symbols
        initials = (float(initials_of(self.venue, self.size).sum()), scenario_initial_of(self.venue, self.size))
        wanted = Wanted(self.setting.level, self.setting.probability, initials)
        return Weighing(sample, masks, symbols, self.shares, wanted)

    def forget(self) -> None:
        """Parts of a comparison that is finished are no longer needed."""
        for folder in self.made:
            for file in folder.glob("*.npz"):
                file.unlink()
            folder.rmdir()


def compare(
    portfolio: Portfolio,
    setting: Setting,
    *,
    data_dir: Path | None = None,
    cache: Cache | None = None,
    cluster: str | None = None,
    report: Progress = silent,
    command: str = "",
) -> Comparison:
    """Every margin mode for a portfolio. Raises PortfolioError or DataError for what cannot be compared.

    With a cache, chunks of paths are kept while it runs, so that one that was stopped goes on where it was.
    """
    job = Job(portfolio, setting, data_dir, cache, cluster, report)
    plans = plans_of(portfolio)
    sample, masks, order, seen = best_partition(job, list(plans.values()))
    if order[0][1] not in plans.values():
        plans[STRATEGY] = order[0][1]
    weighing, seed = job.weighing(sample, masks), setting.seed
    modes = [
        weighing.mode(name, partition, labels_of(portfolio, partition), seed) for name, partition in plans.items()
    ]
    modes.append(weighing.scenario(seed))
    rows = {name: weighing.rows(partition) for name, partition in plans.items()} | {SCENARIO: [len(masks)]}
    losses = {name: weighing.losses(rows[name]) for name in rows}
    best, runner_up, advantage = _best(modes, losses, setting)
    broken = _broken(job, plans)
    held_out = _held_out(job, sample, masks)
    worst = np.argsort(-losses[best.name], kind="stable")[:WORST_PATHS]
    world = job.maker()()
    repairs = next(iter(world.chunks(1, 1))).repairs
    job.forget()
    return Comparison(
        **_given(portfolio, setting),
        world_source=world.source,
        simulated="simulated" in world.source,
        modes=tuple(modes),
        ranked=_ranked(weighing, order),
        partitions=seen,
        sets=len(masks),
        is_exact=len(portfolio.holdings) <= EXACT_MOST,
        broken=tuple(broken),
        splits=tuple(weighing.split(name, rows[name]) for name in plans if len(rows[name]) > 1),
        best=best.name,
        runner_up=runner_up.name,
        advantage=advantage,
        held_out=held_out,
        recommendation=verdict.recommendation(best, runner_up, advantage, setting.level),
        reasons=verdict.reasons(best, modes),
        against=verdict.against(best, runner_up, modes, advantage, broken)
        + verdict.held_out(best, held_out, seen) + verdict.between_looks(setting.step_ms, setting.world),
        findings=tuple(
            _finding(job, best, int(path), float(losses[best.name][path])) for path in worst
        ),
        repairs=(*portfolio.notes, *(str(repair) for repair in repairs)),
        command=command,
        version=version(),
    )


def _given(portfolio: Portfolio, setting: Setting) -> dict[str, Any]:
    """What a comparison was asked with."""
    return {
        "portfolio": portfolio.name,
        "portfolio_source": portfolio.source,
        "terms": portfolio.terms,
        "books": books(portfolio.symbols),
        "collateral": portfolio.collateral,
        "gross": portfolio.gross,
        "positions": tuple((one.symbol, one.size, one.price) for one in portfolio.holdings),
        "world": setting.world,
        "seed": setting.seed,
        "paths": setting.paths,
        "steps": setting.steps,
        "step_ms": setting.step_ms,
        "level": setting.level,
        "probability": setting.probability,
        "broken_paths": setting.broken_paths,
        "settings": asdict(setting),
    }


def _best(modes: list[Mode], losses: dict[str, Floats], setting: Setting) -> tuple[Mode, Mode, Estimate]:
    """The mode to recommend, the best of the others, and how much less the worst paths lose under it than there.

    The lowest expected shortfall; of those that the paths cannot tell from it, the one that is liquidated least often.
    Only modes whose initial requirement is covered, where there is one.
    """
    able = [mode for mode in modes if mode.opens] or modes
    lowest = min(able, key=lambda mode: mode.shortfall.value)

    def advantage(mode: Mode, other: Mode) -> Estimate:
        return difference(losses[other.name], losses[mode.name], setting.level, setting.seed)

    alike = [mode for mode in able if mode is lowest or not verdict.is_apart(advantage(lowest, mode))]
    best = min(alike, key=lambda mode: (mode.any_liquidated.value, len(mode.compartments)))
    others = [mode for mode in able if mode is not best] or [mode for mode in modes if mode is not best]
    runner_up = min(others, key=lambda mode: mode.shortfall.value)
    return best, runner_up, advantage(best, runner_up)


def _held_out(job: Job, sample: Sample, masks: Masks) -> HeldOut | None:
    """The best partition of one half of the paths, on the other half; None where not every partition was looked at."""
    count, half = len(job.size), sample.paths // 2
    if not 1 < count <= EXACT_MOST:
        return None
    chosen, judged = (job.weighing(sample.between(*ends), masks) for ends in ((0, half), (half, sample.paths)))
    every = list(partitions(count))
    winner = every[int(np.argmin(chosen.shortfalls(every)))]
    (seen, seen_cross), (unseen, unseen_cross) = (one.shortfalls([winner, cross(count)]) for one in (chosen, judged))
    return HeldOut(seen_cross - seen, unseen_cross - unseen)


def _broken(job: Job, plans: dict[str, Partition]) -> list[Broken]:
    if not job.setting.broken_paths or not can_break(job.setting.world) or len(job.size) == 1:
        return []
    masks = tuple(sorted({mask for one in plans.values() for mask in one}))
    found = []
    for correlation in BREAKS:
        sample = job.sample(f"correlations: {correlation}", masks, job.setting.broken_paths, correlation)
        weighing = job.weighing(sample, masks)
        rows = {name: weighing.rows(partition) for name, partition in plans.items()} | {SCENARIO: [len(masks)]}
        found += [weighing.broken(correlation, name, rows[name], job.setting.seed) for name in rows]
    return found


def _ranked(weighing: Weighing, order: list[tuple[float, Partition]]) -> tuple[Ranked, ...]:
    shown = order if len(order) <= 2 * SHOWN else order[:SHOWN] + order[-SHOWN:]
    return tuple(
        Ranked(
            " | ".join("+".join(weighing.names(mask)) for mask in partition),
            cost,
            float(weighing.hit(weighing.rows(partition)).any(axis=0).mean()),
        )
        for cost, partition in shown
    )


def _finding(job: Job, mode: Mode, path: int, loss: float) -> Finding:
    setting, portfolio = job.setting, job.portfolio
    what = f"{portfolio.name} under {mode.name} loses {loss:,.0f} USD, one of the worst of {setting.paths:,} paths"
    strategies = "|".join("+".join(one.symbols) for one in mode.compartments) if mode.name == STRATEGY else ""
    where = (portfolio.file or None, setting.steps, portfolio.symbols, setting.step_ms, strategies)
    return Finding(setting.world, setting.seed, path, setting.steps - 1, what, *where, folder_named(job.data_dir))
