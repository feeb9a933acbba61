"""Maintenance fractions against bad debt: what a lower requirement saves traders, and what it costs the fund."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bulkhead.lab.kernel import run
from bulkhead.lab.kernel.terms import MICRO
from bulkhead.lab.pages import Column, Figure, Page, Section, Table, version
from bulkhead.lab.pages.plots import Axis, Series, lines
from bulkhead.lab.population import crowd_of, venue_of, with_maintenance
from bulkhead.lab.questions.common import SYMBOLS, chunks, first_debts, interval, source, worst
from bulkhead.lab.sweep.question import Parameter, Point, Result, Settings, command_of

SHARES_OF_INITIAL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
LEVERAGES = (10.0, 25.0)
HERE = 0.6
AT_DEFAULTS = {"share": HERE, "leverage": 25.0}
ACCOUNTS, DAYS = 200, 3.0


class Maintenance:
    """How much of the initial requirement should be asked for maintenance."""

    name = "maintenance"
    title = "Maintenance fractions against bad debt"
    words = "How low may the maintenance requirement be before the fund pays for it?"
    worlds = True
    parameters: tuple[Parameter, ...] = (
        Parameter("share", "maintenance over initial requirement; close-out is 2/3 of it", "", SHARES_OF_INITIAL, HERE),
        Parameter("leverage", "median of the crowd, within the market's initial margin", "times", LEVERAGES, None),
    )  # fmt: skip

    def files(self, settings: Settings) -> Sequence[Path]:
        return []

    def points(self, settings: Settings) -> Sequence[Point]:
        return [{"share": share, "leverage": leverage} for leverage in LEVERAGES for share in SHARES_OF_INITIAL]

    def measure(self, settings: Settings, point: Point) -> Result:
        venue = with_maintenance(venue_of(SYMBOLS), point["share"])
        crowd = crowd_of(venue, ACCOUNTS, settings.seed, point["leverage"])
        per_million = 1e6 / np.abs(crowd.notional).sum() / MICRO
        hit, debt, penalty, cost, first = [], [], [], [], []
        for drawn in chunks(settings, DAYS, ()):  # all the markets of the world, as `bulkhead lab replay` draws them
            outcomes = run(venue, crowd.accounts, drawn.select(SYMBOLS))
            first.append(first_debts(outcomes))
            hit.append(outcomes.is_liquidated.mean(1))
            debt.append(outcomes.bad_debt.sum(1) * per_million)
            penalty.append(outcomes.penalty.sum(1) * per_million)
            cost.append((outcomes.fees + outcomes.penalty + outcomes.slippage).sum(1) * per_million)
        debts, penalties = np.concatenate(debt), np.concatenate(penalty)
        tail = np.sort(debts - penalties)[-max(1, len(debts) // 100) :]
        return {
            "liquidated": interval(np.concatenate(hit)),
            "debt": interval(debts),
            "fund": interval(penalties - debts),
            "cost": interval(np.concatenate(cost)),
            "shortfall": float(tail.mean()),
            "paths": len(debts),
            "findings": []
            if point != AT_DEFAULTS
            else worst(settings, debts, np.concatenate(first), length=drawn.steps, unit=" per million open"),
        }

    def page(self, settings: Settings, measured: Sequence[tuple[Point, Result]]) -> Page:
        told = source(settings)
        at = {(point["share"], point["leverage"]): result for point, result in measured}
        here, low, high = (at[share, 25.0] for share in (HERE, 0.2, 0.9))
        pays = [share for share in SHARES_OF_INITIAL if at[share, 25.0]["fund"]["mean"] < 0]
        line = (
            f"Below {min(set(SHARES_OF_INITIAL) - set(pays), default=1.0):.0%} of the initial requirement the fund "
            f"loses on "
            "average" if pays else "The fund gains on average at every fraction here"
        )  # fmt: skip
        answer = (
            f"{line} (median leverage 25, three days). At this venue's {HERE:.0%}, bad debt is "
            f"${here['debt']['mean']:,.1f} per million of open notional and penalties more than pay for it by "
            f"${here['fund']['mean']:,.0f}; at 20 % bad debt is ${low['debt']['mean']:,.1f}, at 90 % "
            f"${high['debt']['mean']:,.1f}.",
            f"The price of safety is liquidations: {100 * low['liquidated']['mean']:.1f} % of accounts at 20 %, "
            f"{100 * here['liquidated']['mean']:.1f} % at {HERE:.0%}, {100 * high['liquidated']['mean']:.1f} % at "
            f"90 %.",
        )
        figures = (
            Figure("Bad debt at the defaults", f"${here['debt']['mean']:,.1f}", "per million of open notional"),
            Figure("The fund nets", f"${here['fund']['mean']:,.0f}", "the same"),
            Figure("Worst hundredth of paths", f"${here['shortfall']:,.0f}", "what the fund loses (negative: gains)"),
        )
        return Page(
            self.title, self.words, answer, command_of(self, settings), settings.seed, (told,), version(),
            (_plots(at), _table(measured)), figures, AGAINST, simulated="simulated" in told.detail.lower(),
            settings={"Paths": settings.paths, "Days": DAYS, "Accounts": ACCOUNTS, "Markets": ", ".join(SYMBOLS)},
        )  # fmt: skip


AGAINST = (
    "Against it: the crowd is the same at every fraction, while traders would take more leverage where less is asked. "
    "And prices are given: no liquidation presses on them (the question fund has that).",
)


def _series(at: dict[tuple[float, float], Any], leverage: float, measure: str) -> Series:
    found = [at[share, leverage][measure] for share in SHARES_OF_INITIAL]
    ends = ([one["low"] for one in found], [one["high"] for one in found])
    return Series(f"median leverage {leverage:.0f}", SHARES_OF_INITIAL, [one["mean"] for one in found], *ends)


def _plots(at: dict[tuple[float, float], Any]) -> Section:
    x = Axis("maintenance, share of the initial requirement", format=".0%")
    mark = ((HERE, "this venue"),)
    made = [
        lines([_series(at, leverage, measure) for leverage in LEVERAGES], x, y, caption, marks=mark)
        for measure, y, caption in (
            ("debt", Axis("USD per million of open notional", format="$,.0f"), "Bad debt, with 95 % intervals."),
            ("fund", Axis("USD per million of open notional", format="$,.0f"), "Penalties less bad debt."),
            ("liquidated", Axis("accounts", format=".0%"), "Accounts liquidated within three days."),
        )
    ]
    return Section("Less asked, more owed", plots=tuple(made))


def _table(measured: Sequence[tuple[Point, Result]]) -> Section:
    columns = (
        Column("maintenance", "% of initial", 0), Column("median leverage", "times", 0), Column("liquidated", "%", 2),
        Column("bad debt", "$ per million", 2), Column("from", "95 %", 2), Column("to", "95 %", 2),
        Column("fund nets", "$ per million", 1), Column("fund loses, worst 1 %", "$ per million", 1),
        Column("traders pay", "$ per million", 1),
    )  # fmt: skip
    rows = tuple(
        (100 * point["share"], point["leverage"], 100 * result["liquidated"]["mean"], result["debt"]["mean"],
         result["debt"]["low"], result["debt"]["high"], result["fund"]["mean"], result["shortfall"],
         result["cost"]["mean"])
        for point, result in measured
    )  # fmt: skip
    return Section("Every point", tables=(Table("maintenance", columns, rows),))
