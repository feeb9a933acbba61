"""A fit as a page: what was found, and the data beside what the model makes of as much time."""

from __future__ import annotations

import numpy as np

from bulkhead.lab.pages import Column, Page, Plot, Section, Source, Table, version
from bulkhead.lab.pages.plots import Axis, Series, lines, scatter
from bulkhead.lab.paths.calibration import YEAR_MS
from bulkhead.lab.paths.fit import T_BLOCKS, Fit
from bulkhead.lab.paths.goodness import LAGS, Judged
from bulkhead.lab.prices.bars import Floats, Times

MOMENTS_SHOWN = 300  # of the regimes in time


def fit_page(found: Fit, judged: list[Judged], time_ms: Times, command: str, seed: int) -> Page:
    """The page. `time_ms` is when each fitted return ended."""
    one = found.calibration
    explained = sum(each.is_explained for each in judged)
    missed = [each for each in judged if not each.is_explained]
    worst = sorted({each.figure for each in missed}, key=lambda name: -sum(each.figure == name for each in missed))
    return Page(
        title=f"Fit of {', '.join(one.symbols)}",
        question="Which regimes, tails and jumps do these prices have, and what does a world made of them miss?",
        answer=(
            f"Tails have {one.tail:.1f} degrees of freedom; the wildest of {len(one.scale)} regimes holds "
            f"{one.stationary[-1]:.0%} of the time and moves {one.scale[-1, 0] / one.scale[0, 0]:.1f} times as much as "
            "the calmest.",
            f"{explained} of {len(judged)} figures of the data are within what nine in ten replicates reach.",
        ),
        against=(f"Most often missed: {', '.join(worst[:3])}.",) if worst else (),
        command=command,
        seed=seed,
        sources=(Source(one.source, one.licence),),
        version=version(),
        sections=(
            Section("Quantiles of a step's return", plots=(_quantiles(judged),)),
            Section("How long moves stay large", plots=(_memory(judged),)),
            Section("Regimes in time", plots=(_regimes(found, time_ms),), tables=(_chain(found),)),
            Section("Markets", tables=(_markets(found),)),
            Section("Every figure", tables=(_figures(judged),)),
        ),
        repairs=one.notes,
        settings={"returns": found.returns, "rounds": found.rounds, "converged": found.has_converged},
    )


def _quantiles(judged: list[Judged]) -> Plot:
    names = [name for name in dict.fromkeys(each.figure for each in judged) if name.startswith("quantile")]
    series = []
    for symbol in dict.fromkeys(each.symbol for each in judged):
        rows = [each for each in judged if each.symbol == symbol and each.figure in names]
        labels = [f"{symbol}, {each.figure}" for each in rows]
        series.append(Series(symbol, [each.data for each in rows], [each.model for each in rows], labels=labels))
    axis = Axis("data", format=".1%")
    caption = "Quantiles of data and model; on the line they agree, and above it on the left the model is too mild."
    return scatter(series, axis, Axis("model", format=".1%"), caption, diagonal=True)


def _memory(judged: list[Judged]) -> Plot:
    symbol = judged[0].symbol
    rows = [each for each in judged if each.symbol == symbol and each.figure.startswith("autocorrelation")]
    lags = list(LAGS[: len(rows)])
    series = (
        Series(f"{symbol}, data", lags, [each.data for each in rows]),
        Series(
            "model", lags, [each.model for each in rows], [each.low for each in rows], [each.high for each in rows]
        ),
    )
    caption = f"Autocorrelation of the size of {symbol}'s returns, with the range of nine in ten replicates."
    return lines(series, Axis("steps apart", log=True), Axis("autocorrelation", format=".2f"), caption)


def _regimes(found: Fit, time_ms: Times) -> Plot:
    """The expected yearly volatility of the first market without jumps, thinned to what a plot can show."""
    one = found.calibration
    yearly = np.sqrt(one.variance[:, 0] * YEAR_MS / one.interval_ms)
    expected: Floats = found.regime_share @ yearly
    every = max(1, len(expected) // MOMENTS_SHOWN)
    blocks = expected[: len(expected) // every * every].reshape(-1, every).mean(axis=1)
    at = [str(np.datetime64(int(moment), "ms")) for moment in time_ms[: len(blocks) * every : every]]
    caption = f"Yearly volatility of {one.symbols[0]} that the regimes imply, means of {every} steps."
    series = (Series(one.symbols[0], at, blocks.tolist()),)
    return lines(series, Axis("time"), Axis("volatility", log=True, format=".0%"), caption)


def _chain(found: Fit) -> Table:
    one = found.calibration
    columns = (Column("regime"), Column("share of time", "%", 1), Column("lasts", "steps", 1))
    rows = tuple(
        (str(k + 1), 100 * float(one.stationary[k]), float(1 / max(1 - one.transition[k, k], 1e-12)))
        for k in range(len(one.scale))
    )
    return Table("regimes", columns, rows)


def _markets(found: Fit) -> Table:
    one = found.calibration
    per_year = YEAR_MS / one.interval_ms
    columns = (
        Column("market"), Column("volatility", "a year", 3), Column("own jumps", "a year", 1),
        Column("± own jumps", "95 %", 1), Column("their deviation", "%", 2), Column("joint jump's deviation", "%", 2),
        Column("funding persistence", "", 2),
    )  # fmt: skip
    chance = one.errors.get("jump_chance")
    rows = tuple(
        (
            symbol, float(volatility), per_year * float(one.jump_chance[1 + k]),
            None if chance is None else T_BLOCKS * per_year * float(chance[1 + k]),
            100 * float(one.alone_deviation[k]), 100 * float(one.joint_deviation[k]), float(one.funding_persistence[k]),
        )
        for k, (symbol, volatility) in enumerate(zip(one.symbols, one.annual_volatility(), strict=True))
    )  # fmt: skip
    return Table("markets", columns, rows)


def _figures(judged: list[Judged]) -> Table:
    columns = (
        Column("figure"), Column("market"), Column("data", "", 5), Column("model", "", 5), Column("from", "", 5),
        Column("to", "", 5), Column("explained"),
    )  # fmt: skip
    rows = tuple((each.figure, each.symbol, *each[2:], each.is_explained) for each in judged)
    return Table("goodness", columns, rows)
