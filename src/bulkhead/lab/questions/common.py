"""What questions about crowds share: their world, paths kept between points, intervals, and sources of a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.cascade import STEP_MOST_MS
from bulkhead.lab.finding import Finding, folder_named
from bulkhead.lab.impact import books
from bulkhead.lab.kernel import Outcomes
from bulkhead.lab.kernel.accounts import Steps
from bulkhead.lab.pages import Page, Source
from bulkhead.lab.pages.page import Cell
from bulkhead.lab.paths.cube import Paths, World
from bulkhead.lab.prices import list_sets
from bulkhead.lab.sweep.question import Settings
from bulkhead.lab.worlds import world_of

WORLD = "regimes"
SYMBOLS = ("BTC", "ETH")
CHUNK = 256
WORST_SHOWN = 3
Z_95 = 1.959964


def world(settings: Settings, symbols: tuple[str, ...] = SYMBOLS, step_ms: int | None = None) -> World:
    """The world of the settings, the fitted one where none is named."""
    return _world(settings.world or WORLD, settings.seed, settings.data_dir, symbols, step_ms)


@lru_cache(maxsize=4)
def _world(name: str, seed: int, data_dir: Path | None, symbols: tuple[str, ...], step_ms: int | None) -> World:
    """Worlds are asked for at every point; a recorded one reads its file when it is made."""
    return world_of(name, seed=seed, step_ms=step_ms, symbols=symbols, data_dir=data_dir)


@lru_cache(maxsize=2)
def _chunks(
    name: str, seed: int, data_dir: Path | None, symbols: tuple[str, ...], step_ms: int | None, size: tuple[int, int]
) -> tuple[Paths, ...]:
    return tuple(_world(name, seed, data_dir, symbols, step_ms).chunks(*size, CHUNK))


def chunks(
    settings: Settings, days: float, symbols: tuple[str, ...] = SYMBOLS, step_ms: int | None = None
) -> tuple[Paths, ...]:
    """The paths of the settings, so many days long; the last ones asked for are kept, for points share them."""
    steps = max(1, round(days * 86_400_000 / world(settings, symbols, step_ms).step_ms))
    size = (settings.paths, steps)
    return _chunks(settings.world or WORLD, settings.seed, settings.data_dir, symbols, step_ms, size)


def coarser(paths: Paths, every: int) -> Paths:
    """The same paths looked at every so many steps only: a slower tick over the same prices."""
    if every == 1:
        return paths

    def kept(values: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if values is None else np.ascontiguousarray(values[every - 1 :: every])

    return replace(
        paths,
        step_ms=paths.step_ms * every,
        ratio=np.ascontiguousarray(paths.ratio[:, every - 1 :: every]),
        low=None, high=None, funding=None, funding_steps=0,
        feed_alive=kept(paths.feed_alive), depth_factor=kept(paths.depth_factor), venue_open=kept(paths.venue_open),
        withdrawals_open=kept(paths.withdrawals_open), collateral_price=kept(paths.collateral_price),
        hedge_open=kept(paths.hedge_open),
    )  # fmt: skip


def interval(by_path: Sequence[float] | NDArray[Any]) -> dict[str, float]:
    """Mean over paths with its 95 % interval (normal, within the least and the most there was).

    Paths are independent; accounts on one path are not.
    """
    values = np.asarray(by_path, float)
    mean = float(values.mean())
    half = Z_95 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return {
        "mean": mean,
        "low": max(mean - half, float(values.min())),
        "high": min(mean + half, float(values.max())),
    }


def quantile_interval(values: NDArray[Any], share: float) -> dict[str, float]:
    """The quantile of that share with its 95 % interval from order statistics.

    Which of the sorted values lie around the quantile is binomial. Far out, where no value is known to lie beyond it,
    the interval ends at the largest: the true end may be further.
    """
    found, count = np.sort(values), len(values)
    half = Z_95 * math.sqrt(count * share * (1.0 - share))
    low = min(max(math.floor(count * share - half), 0), count - 1)
    high = min(math.ceil(count * share + half), count - 1)
    return {"mean": float(np.quantile(found, share)), "low": float(found[low]), "high": float(found[high])}


def ratio_interval(above: NDArray[Any], below: NDArray[Any]) -> dict[str, float] | None:
    """A sum over a sum by paths, with its 95 % interval (delta method); None where there is nothing below."""
    total = float(below.sum())
    if total <= 0:
        return None
    mean = float(above.sum()) / total
    count = len(above)
    if count < 2:
        return {"mean": mean, "low": mean, "high": mean}
    residual = (above - mean * below) / (total / count)
    half = Z_95 * float(residual.std(ddof=1)) / math.sqrt(count)
    low = mean - half if float(above.min()) < 0 else max(0.0, mean - half)
    return {"mean": mean, "low": low, "high": mean + half}


def first_debts(outcomes: Outcomes) -> Steps:
    """The step of each path at which an account that leaves a debt is first found below close-out."""
    never = np.iinfo(np.int32).max
    return np.asarray(np.where(outcomes.bad_debt > 0, outcomes.whole_step, never).min(axis=1), np.int32)


def worst(
    settings: Settings, debts: NDArray[Any], steps: Steps, *, length: int,
    unit: str = "", symbols: tuple[str, ...] = (), step_ms: int | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """The paths with the largest debts, as findings that can be replayed: `symbols` and `step_ms` as they were drawn
    with, `length` their steps. `unit` is said after the amount."""
    name = world(settings, symbols, step_ms).name
    return [
        asdict(
            Finding(
                name, settings.seed, int(path), int(steps[path]), f"path {path}: debts of ${debts[path]:,.0f}{unit}",
                None, length, symbols, step_ms or 0, data=folder_named(settings.data_dir),
            )
        )
        for path in np.argsort(-debts, kind="stable")[:WORST_SHOWN]
        if debts[path] > 0
    ]  # fmt: skip


def too_long(made: World) -> tuple[str, ...]:
    """What a page must say of feedback in a world whose steps are too long for it."""
    if made.step_ms <= STEP_MOST_MS:
        return ()
    return (f"Steps of this world last {made.step_ms / 60_000:g} minutes: what is said of feedback is far too much.",)


def told(page: Page, settings: Settings, symbols: tuple[str, ...] = SYMBOLS) -> Page:
    """The same page with what was mended in its world's data, and what liquidations were sold into."""
    made = world(settings, symbols)
    mended = (*page.repairs, *(str(repair) for repair in next(iter(made.chunks(1, 1))).repairs))
    looks = "at the end of each step; lows and highs within are not looked at"
    limits: dict[str, Cell] = {"books": books(symbols), "prices": looks}
    return replace(page, repairs=mended, settings=page.settings | limits)


def source(settings: Settings, step_ms: int | None = None) -> Source:
    """Where the paths come from, as the world tells it, and the licence of the price set they were taken from."""
    made = world(settings, step_ms=step_ms)
    text = made.source
    sets = [one for one in list_sets(settings.data_dir) if one.name in text or one.title in text]
    licence = sets[0].licence if sets else "Apache-2.0: numbers and code of this project"
    return Source(f"World {made.name}", licence, text)
