"""How long a trader has between the margin call and the liquidation, against how long collateral takes to come."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bulkhead.lab.kernel import Accounts, run
from bulkhead.lab.pages import Column, Figure, Page, Section, Table, version
from bulkhead.lab.pages.plots import Axis, Series, lines
from bulkhead.lab.population import venue_of
from bulkhead.lab.questions.common import chunks, interval, ratio_interval, source
from bulkhead.lab.sweep.question import Parameter, Point, Result, Settings, command_of

LEVERAGES = (3.0, 5.0, 10.0, 20.0)
MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440)
STEP_MS, DAYS = 60_000, 3.0
CALLS_LEAST = 20  # fewer are in the table, not in the plot
HOLDERS = 10_000.0  # USD of equity of each account
HERE_MINUTES = 8
"""From asking one venue like this for collateral to having it at another: batch 1, proof 0.5, six transactions 1.2 and
twelve confirmations 2.4 minutes, claim 0.2, then a deposit's twelve confirmations 2.4."""
OTHERS = ((HERE_MINUTES, "this venue"), (120.0, "StarkEx: hours"), (360.0, "Paradex: 4–8 h"))


class Withdrawal:
    """The delay of withdrawal and deposit against the need for collateral."""

    name = "withdrawal"
    title = "Withdrawal delay against the need for collateral"
    words = "How often is a trader liquidated between his margin call and the arrival of collateral from elsewhere?"
    worlds = True
    parameters: tuple[Parameter, ...] = (
        Parameter("leverage", "notional over equity when the position is opened", "times", LEVERAGES, None),
        Parameter("side", "long or short", "", ("long", "short"), None),
        Parameter("minutes", "from asking for collateral elsewhere to having it here", "min", MINUTES, HERE_MINUTES),
    )

    def files(self, settings: Settings) -> Sequence[Path]:
        return []

    def points(self, settings: Settings) -> Sequence[Point]:
        return [{"leverage": leverage, "side": side} for leverage in LEVERAGES for side in ("long", "short")]

    def measure(self, settings: Settings, point: Point) -> Result:
        side = 1.0 if point["side"] == "long" else -1.0
        symbols = ("BTC", "ETH")
        venue = venue_of(symbols)
        held = side * HOLDERS * point["leverage"] * np.eye(len(symbols))
        accounts = Accounts.holding(venue, held, np.full(len(symbols), HOLDERS))
        called, first = [], []
        for paths in chunks(settings, DAYS, symbols, _step(settings)):
            outcomes = run(venue, accounts, paths)
            called.append(outcomes.call_66_step)
            first.append(outcomes.first_step)
            step_ms = paths.step_ms
        calls, ends = np.concatenate(called), np.concatenate(first)
        is_called = (calls >= 0) | (ends >= 0)
        gap = np.where(ends >= 0, (ends - np.where(calls >= 0, calls, ends)) * step_ms / 60_000, np.inf)
        gone = {
            str(minutes): ratio_interval(((gap <= minutes) & is_called).sum(1), is_called.sum(1)) for minutes in MINUTES
        }
        known = np.sort(gap[np.isfinite(gap)])
        middle = [float(np.quantile(known, share)) for share in (0.1, 0.5, 0.9)] if len(known) else [None] * 3
        return {
            "called": interval(is_called.mean(axis=1)),
            "liquidated": interval((ends >= 0).mean(axis=1)),
            "gone": gone,
            "any": {str(minutes): interval((gap <= minutes).mean(axis=1)) for minutes in MINUTES},
            "between": middle,
            "calls": int(is_called.sum()),
            "step_ms": step_ms,
        }

    def page(self, settings: Settings, measured: Sequence[tuple[Point, Result]]) -> Page:
        ten = next(result for point, result in measured if point["leverage"] == 10.0 and point["side"] == "long")
        fast, slow = _share(ten, 10), _share(ten, 480)
        between = ten["between"][1]
        answer = (
            f"A long at ten times leverage is called in {100 * ten['called']['mean']:.0f} % of three days, and of "
            f"those called "
            f"{100 * fast:.0f} % are liquidated within 10 minutes, {100 * slow:.0f} % within 8 hours"
            + (f"; half of the liquidated have {between:.0f} minutes or less." if between is not None else "."),
            f"Collateral from elsewhere takes some {HERE_MINUTES} minutes between venues like this one: it comes "
            f"too late "
            f"for {100 * fast:.0f} % of calls, against {100 * slow:.0f} % where a withdrawal takes a third of a "
            f"day. A top-up "
            "that was signed beforehand takes none.",
        )
        against = (
            "Against it: chain congestion is not in these minutes, and a crash is when it comes. Whoever keeps the "
            "collateral here as a strategy's parent needs no withdrawal at all.",
        )
        figures = (
            Figure("Too late after 10 minutes", f"{100 * fast:.0f} %", "of calls at 10x, long"),
            Figure("Too late after 8 hours", f"{100 * slow:.0f} %", "of calls at 10x, long"),
            Figure("From call to liquidation", "–" if between is None else f"{between:.0f} min", "median at 10x, long"),
        )
        told = source(settings, _step(settings))
        return Page(
            self.title, self.words, answer, command_of(self, settings), settings.seed, (told,), version(),
            (_curves(measured), _table(measured)), figures, against,
            simulated="simulated" in told.detail.lower(),
            settings={"Paths": settings.paths, "Days": DAYS, "Step": f"{ten['step_ms'] // 1000} s",
                      "Call": "66 % of value used"},
        )  # fmt: skip


def _step(settings: Settings) -> int | None:
    """A minute in drawn worlds; in recorded ones whatever their bars have."""
    drawn = settings.world is None or settings.world.startswith(("regimes", "gaussian"))
    return STEP_MS if drawn else None


def _share(result: Result, minutes: int) -> float:
    found = result["gone"][str(minutes)]
    return 0.0 if found is None else float(found["mean"])


def _curves(measured: Sequence[tuple[Point, Result]]) -> Section:
    series = []
    for point, result in measured:
        if point["side"] == "long" and result["calls"] >= CALLS_LEAST:
            found = [result["gone"][str(minutes)] for minutes in MINUTES]
            series.append(
                Series(f"{point['leverage']:.0f} times", MINUTES, [one["mean"] for one in found],
                       [one["low"] for one in found], [one["high"] for one in found])
            )  # fmt: skip
    plot = lines(
        series, Axis("minutes until collateral is here", log=True), Axis("calls it comes too late for", format=".0%"),
        "Longs by leverage, with 95 % intervals: share of margin calls that end in a liquidation before collateral "
        "is here.",
        marks=OTHERS,
    )  # fmt: skip
    return Section("Too late", plots=(plot,))


def _table(measured: Sequence[tuple[Point, Result]]) -> Section:
    shown = (5, 10, 30, 120, 480)
    columns = (
        Column("leverage", "times", 0), Column("side"), Column("called", "%", 2), Column("liquidated", "%", 2),
        *(Column(f"too late, {minutes} min", "% of calls", 1) for minutes in shown),
        Column("median from call to liquidation", "min", 0),
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for point, result in measured:
        late = [None if result["gone"][str(m)] is None else 100 * _share(result, m) for m in shown]
        rows.append((point["leverage"], point["side"], 100 * result["called"]["mean"],
                     100 * result["liquidated"]["mean"], *late, result["between"][1]))  # fmt: skip
    return Section("By leverage and side", tables=(Table("delay", columns, tuple(rows)),))
