"""How fast the lab's worlds make paths of eight markets, in millions of path-steps a second on all cores.

The reference is NumPy doing the same: normals of its own generator, one matrix product for the correlations, a running
sum, an exponential; for bootstrap and recorded windows, fancy indexing. Every path is drawn anew, nothing is kept.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks import Row
from bulkhead.lab.paths.bootstrap import BootstrapWorld
from bulkhead.lab.paths.calibration import Calibration, load_calibration
from bulkhead.lab.paths.correlation import nearest_correlation
from bulkhead.lab.paths.cube import CHUNK, World
from bulkhead.lab.paths.fit import fit
from bulkhead.lab.paths.gaussian import GaussianWorld
from bulkhead.lab.paths.grid import Grid
from bulkhead.lab.paths.normals import normals
from bulkhead.lab.paths.recorded import RecordedWorld
from bulkhead.lab.paths.regimes import RegimeWorld
from bulkhead.lab.prices.bars import Bars, DataSet

STEPS = 2_016  # a week of five minutes
PATHS = 2_048
MARKETS = 8
RUNS = 3
MILLION = 1e6


def eight() -> Calibration:
    """The shipped calibration with two more markets, which are the last two again with correlations a little lower."""
    six = load_calibration()
    places = [0, 1, 2, 3, 4, 5, 4, 5]

    def widened(matrix: np.ndarray) -> np.ndarray:
        wide = 0.95 * matrix[np.ix_(places, places)]
        np.fill_diagonal(wide, 1.0)
        return nearest_correlation(wide)

    changes = {
        name: getattr(six, name)[..., places]
        for name in ("scale", "joint_mean", "joint_deviation", "alone_mean", "alone_deviation", "funding_mean",
                     "funding_persistence", "funding_deviation")
    }  # fmt: skip
    return Calibration(
        symbols=tuple(f"M{place}" for place in range(MARKETS)), interval_ms=six.interval_ms, source=six.source,
        licence=six.licence, transition=six.transition, tail=six.tail,
        correlation=np.stack([widened(matrix) for matrix in six.correlation]),
        joint_correlation=widened(six.joint_correlation), funding_correlation=widened(six.funding_correlation),
        jump_chance=six.jump_chance[[0, *(1 + place for place in places)]], **changes,
    )  # fmt: skip


def grid_of(world: World, steps: int) -> Grid:
    """One path of a world as if it had been recorded."""
    (path,) = world.chunks(1, steps)
    close = 100 * path.ratio[0].astype(np.float64)
    opened = np.concatenate([[[100.0] * len(world.symbols)], close[:-1]])
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    time_ms = world.step_ms * np.arange(steps, dtype=np.int64)
    whole = np.ones(steps, dtype=bool)
    return Grid("benchmark", "simulated", world.symbols, world.step_ms, time_ms, opened, high, low, close, whole)


def rate(world: World, paths: int = PATHS) -> float:
    """Millions of path-steps a second: the median of some runs after one to compile."""
    next(iter(world.chunks(4, STEPS)))

    def once() -> float:
        began = time.perf_counter()
        done = sum(len(chunk) for chunk in world.chunks(paths, STEPS))
        return done * STEPS / (time.perf_counter() - began) / MILLION

    return statistics.median(once() for _ in range(RUNS))


def rate_of(make: Callable[[], object], paths: int) -> float:
    """The same for a function that makes so many paths."""
    make()
    found = []
    for _ in range(RUNS):
        began = time.perf_counter()
        make()
        found.append(paths * STEPS / (time.perf_counter() - began) / MILLION)
    return statistics.median(found)


def row(figure: str, value: float, unit: str, reference: str, against: float | None) -> Row:
    """One figure beside its reference."""
    return {"figure": figure, "value": value, "unit": unit, "reference": reference,
            "ratio": "" if against is None else value / against}  # fmt: skip


def numpy_gaussian(paths: int, correlation: np.ndarray) -> Callable[[], object]:
    """NumPy's way, in single precision."""
    random = np.random.default_rng(1)
    root = np.linalg.cholesky(correlation).astype(np.float32).T * np.float32(0.004)

    def make() -> np.ndarray:
        moves = random.standard_normal((paths, STEPS, MARKETS), dtype=np.float32) @ root
        return np.exp(np.cumsum(moves, axis=1, out=moves), out=moves)

    return make


def numpy_bootstrap(paths: int, grid: Grid) -> Callable[[], object]:
    """NumPy's way, with blocks of one length."""
    random = np.random.default_rng(1)
    moves = np.diff(np.log(grid.close), axis=0).astype(np.float32)
    block = 24

    def make() -> np.ndarray:
        begins = random.integers(0, len(moves) - block, (paths, STEPS // block, 1))
        drawn = moves[(begins + np.arange(block)).reshape(paths, STEPS)]
        return np.exp(np.cumsum(drawn, axis=1, out=drawn), out=drawn)

    return make


def run() -> list[Row]:
    """Every kind of world, then what ten thousand paths take, then a fit."""
    numbers = eight()
    fitted = RegimeWorld(numbers)
    week = row("10,000 paths of a week, 8 markets", *memory_and_time(fitted))
    correlation = np.tensordot(numbers.stationary, numbers.correlation, axes=1)
    volatility = numbers.annual_volatility()
    plain = rate_of(numpy_gaussian(CHUNK, correlation), CHUNK)
    named = f"NumPy, Gaussian: {plain:.2f} M"
    unit = "M path-steps/s of 8 markets"
    unit_and_name = (unit, named, plain)
    rows = [
        row("Fitted world", rate(fitted), *unit_and_name),
        row("Extremes and funding beside it", rate(RegimeWorld(numbers, extremes=True, pays=True)), *unit_and_name),
        row("Gaussian world", rate(GaussianWorld(numbers.symbols, volatility, correlation)), *unit_and_name),
    ]
    grid = grid_of(RegimeWorld(numbers, step_ms=numbers.interval_ms), 50_000)
    blocks = rate_of(numpy_bootstrap(CHUNK, grid), CHUNK)
    drawn = rate(BootstrapWorld(grid, block=24))
    rows.append(row("Bootstrap with extremes", drawn, unit, f"NumPy, closes alone: {blocks:.2f} M", blocks))
    rows.append(row("Recorded windows with extremes", rate(RecordedWorld(grid)), unit, "NumPy itself", None))
    out = np.empty(1 << 22, dtype=np.float32)
    random = np.random.default_rng(1)
    ours = rate_of(lambda: normals(1, 2, 0, out), len(out) // STEPS)
    theirs = rate_of(lambda: random.standard_normal(len(out), dtype=np.float32), len(out) // STEPS)
    rows.append(row("Normals, one thread", ours, "M a second", f"NumPy: {theirs:.0f} M", theirs))
    rows.append(week)
    rows.append(row("A fit of 6 markets, 20,000 hours, 3 regimes, no errors", fitting(), "seconds", "", None))
    return rows


def memory_and_time(world: World) -> tuple[float, str, str, None]:
    """Seconds for ten thousand paths, and how much the process grew; to be called before anything that needs more."""
    next(iter(world.chunks(4, STEPS)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    done = sum(len(chunk) for chunk in world.chunks(10_000, STEPS))
    took = time.perf_counter() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    whole = f"all at once: {done * STEPS * MARKETS * 4 / 2**20:,.0f} MiB"
    return took, "seconds", f"{grown:.0f} MiB more at the peak; {whole}", None


def fitting() -> float:
    """Seconds for a fit to one path of the shipped calibration, after one that compiles."""
    six = load_calibration()
    grid = grid_of(RegimeWorld(six, step_ms=six.interval_ms), 20_000)
    close = grid.close[:, 0]
    bars = Bars("BTC", grid.step_ms, grid.time_ms, close, close, close, close, np.ones(len(close)))
    data = DataSet("simulated-benchmark", "Simulated for a benchmark", "simulated", "none", True, {"BTC": bars})
    fit(grid, data, regimes=1, errors=False)
    began = time.perf_counter()
    fit(grid, data, regimes=3, errors=False)
    return time.perf_counter() - began
