"""The lab: the margin kernel beside peers on the same accounts and prices, and a comparison of every margin mode."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import Row
from benchmarks.lab_peers import INCOMPARABLE, lrvx_cross, lrvx_isolated
from bulkhead.lab import kernel as margin
from bulkhead.lab.choice.comparison import Job, Setting, compare, silent
from bulkhead.lab.choice.partitions import cross, isolated
from bulkhead.lab.choice.searching import best_partition
from bulkhead.lab.compiled import THREADS_VARIABLE, threads
from bulkhead.lab.kernel import Accounts, Impact, Outcomes, Venue
from bulkhead.lab.kernel.exact import Exact
from bulkhead.lab.kernel.run import course_of
from bulkhead.lab.paths import GaussianWorld, Paths
from bulkhead.lab.prices.bars import Floats
from bulkhead.lab.venue import INITIAL, INITIAL_OTHERS, MAJORS, resolution_of
from bulkhead.ledger.defaults import market
from tests.lab.choice.eight import PRICES, eight, save_eight

ACCOUNTS, STEPS, PATHS = 1_000, 1_440, 16
STEP_MS = 60_000
MILLION = 1e6
EXACT_STEPS = 300


def row(figure: str, value: float | str, unit: str, reference: float | str = "", ratio: float | str = "") -> Row:
    """A line of the table."""
    return {"figure": figure, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def median_s(
    work: Callable[[], object], repeats: int = 5, clock: Callable[[], float] = time.perf_counter
) -> float:
    """The median time of several runs; the first, which compiles, apart."""
    work()
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return statistics.median(times)


def venue_of(*, alike: bool) -> Venue:
    """Eight markets with the default tiers; `alike`: one table of tiers for all, as the peers have it."""
    terms = tuple(
        market(
            place, symbol, resolution_of(price), is_major=symbol in MAJORS and not alike,
            initial=500 if alike else INITIAL.get(symbol, INITIAL_OTHERS),
        )
        for place, (symbol, price) in enumerate(PRICES.items(), 1)
    )  # fmt: skip
    return Venue(terms, tuple(PRICES.values()), (Impact(),) * len(terms))


def day(paths: int) -> Paths:
    """A rough day in minutes: volatility 80 % a year, correlations 0.6."""
    count = len(PRICES)
    correlation = np.full((count, count), 0.6)
    np.fill_diagonal(correlation, 1)
    return next(GaussianWorld(tuple(PRICES), np.full(count, 0.8), correlation, 1, STEP_MS).chunks(paths, STEPS, paths))


def crowd(venue: Venue, middle: float, spread: float) -> tuple[Accounts, Floats, Floats]:
    """Accounts with eight positions each, long and short, around so many USD; their notionals and equities."""
    draw = np.random.default_rng(1)
    notional = draw.lognormal(np.log(middle), spread, (ACCOUNTS, len(PRICES)))
    notional *= draw.choice([-1, 1], notional.shape)
    equity = np.abs(notional).sum(axis=1) * draw.uniform(0.035, 0.4, ACCOUNTS)
    return Accounts.holding(venue, notional, equity), notional, equity


def tiers_crossed(venue: Venue, accounts: Accounts) -> float:
    """Share of positions beyond the first tier at the start."""
    return float((np.abs(accounts.size) * venue.start > venue.rules.bound[:, 0]).mean())


def kernel() -> list[Row]:
    """Tiered margin at every step, liquidations applied, on all threads and on one; and through the rules."""
    venue, paths = venue_of(alike=False), day(PATHS)
    accounts, _, _ = crowd(venue, 300_000, 1.5)
    work = ACCOUNTS * len(PRICES) * STEPS
    found: list[Outcomes] = []
    all_s = median_s(lambda: found.append(margin.run(venue, accounts, paths)))
    course = course_of(venue, paths)._replace(is_thorough=True)
    thorough_s = median_s(lambda: margin.run(venue, accounts, paths, course))
    core_s = median_s(lambda: margin.run(venue, accounts, paths), clock=time.process_time)
    one = Paths(paths.symbols, paths.step_ms, paths.ratio[:2], paths.source, paths.seed)
    one_s = median_s(lambda: run_alone(venue, accounts, one))
    exact = Exact(venue, Paths(paths.symbols, paths.step_ms, paths.ratio[:1, :EXACT_STEPS], paths.source, paths.seed))
    exact_s = median_s(lambda: [exact.walk(accounts, account, 0) for account in range(5)], 3)
    speed = work * PATHS / all_s / MILLION
    exact_speed = 5 * len(PRICES) * EXACT_STEPS / exact_s / MILLION
    where = (
        f"{100 * found[0].is_liquidated.mean():.0f} % liquidated, {100 * tiers_crossed(venue, accounts):.0f} % of "
        "positions beyond the first tier"
    )
    return [
        row(f"Margin kernel, 8 markets x {ACCOUNTS:,} accounts, {threads()} threads ({where}; the rules themselves)",
            speed, "M position-steps/s", exact_speed, speed / exact_speed),
        row("The same, every step looked at where bounds would rule a block out (with bounds)",
            work * PATHS / thorough_s / MILLION, "M position-steps/s", speed, all_s / thorough_s),
        row("The same for a second of one core's time, others left out (by the clock)",
            work * PATHS / core_s / MILLION, "M position-steps/s", speed, work * PATHS / core_s / MILLION / speed),
        row("The same on one thread (all threads)", work * 2 / one_s / MILLION, "M position-steps/s", speed,
            work * 2 / one_s / MILLION / speed),
    ]  # fmt: skip


def run_alone(venue: Venue, accounts: Accounts, paths: Paths) -> Outcomes:
    """On one thread, by the setting that a user has for it."""
    before = os.environ.get(THREADS_VARIABLE)
    os.environ[THREADS_VARIABLE] = "1"
    try:
        return margin.run(venue, accounts, paths)
    finally:
        if before is None:
            del os.environ[THREADS_VARIABLE]
        else:
            os.environ[THREADS_VARIABLE] = before


def peers() -> list[Row]:
    """The closest peer on the same accounts, prices and margin fraction; small positions, so that one tier counts."""
    venue, paths = venue_of(alike=True), day(1)
    accounts, notional, equity = crowd(venue, 3_000, 1.0)
    prices = venue.prices * paths.ratio[0].astype(np.float64)
    maintenance = float(venue.rules.maintenance[0, 0])
    work = ACCOUNTS * len(PRICES) * STEPS / MILLION
    rows = []
    coins = accounts.size * venue.start / 1e6 / np.array(venue.prices)
    alone = Accounts.of_lots(
        venue,
        (np.eye(len(PRICES))[None] * accounts.size[:, None, :]).reshape(-1, len(PRICES)),
        (equity[:, None] * np.abs(notional) / np.abs(notional).sum(axis=1, keepdims=True)).reshape(-1),
    )
    own_equity = alone.balance + alone.size @ venue.start
    for name, mine, drive, held in (
        ("cross", accounts, lrvx_cross, equity),
        ("isolated", alone, lrvx_isolated, own_equity.reshape(ACCOUNTS, -1) / 1e6),
    ):
        found: list[Outcomes] = []
        own_s = median_s(lambda mine=mine, found=found: found.append(run_alone(venue, mine, paths)), 3)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            theirs = process.submit(drive, coins, np.array(venue.prices), held, prices, maintenance).result()
        if theirs is None:
            rows.append(row(f"One thread, {name} (lrvx: not installed)", work / own_s, "M position-steps/s"))
            continue
        taken_s, liquidated = theirs
        figure = f"One thread, {name} (lrvx; liquidated {int(found[0].is_liquidated.sum())}, there {liquidated})"
        rows.append(row(figure, work / own_s, "M position-steps/s", work / taken_s, taken_s / own_s))
    return rows + [row(f"{name}: not comparable, {why}", "–", "") for name, why in INCOMPARABLE.items()]


def comparison() -> list[Row]:
    """Every margin mode of eight positions, with every partition, broken correlations and intervals; nothing cached."""
    with tempfile.TemporaryDirectory() as folder:
        world = save_eight(Path(folder) / "eight.json")
        compare(eight(), Setting(world, paths=512, broken_paths=128))  # compiles
        setting = Setting(world)
        start, busy = time.perf_counter(), time.process_time()
        found = compare(eight(), setting)
        whole_s, busy_s = time.perf_counter() - start, time.process_time() - busy
        job = Job(eight(), setting, None, None, None, silent)
        start = time.perf_counter()
        best_partition(job, [isolated(8), cross(8)])
        search_s = time.perf_counter() - start
    what = f"{found.paths:,} paths of {found.steps:,} steps, {found.partitions:,} partitions of {found.sets} sets"
    return [
        row(f"Compare of 8 positions ({what}, 3 breaks of {found.broken_paths:,} paths)", whole_s, "s"),
        row("Processor time of that (its time)", busy_s, "s of a core", whole_s, busy_s / whole_s),
        row(f"Exact search over partitions, paths drawn ({what}; the whole comparison)", search_s, "s", whole_s,
            whole_s / search_s),
    ]  # fmt: skip


def run() -> list[Row]:
    """Every figure of this file."""
    return [*kernel(), *peers(), *comparison()]
