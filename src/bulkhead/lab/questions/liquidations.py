"""Small liquidations against large ones: the target of a partial step, the pause, the tick and the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bulkhead.fixed import fraction
from bulkhead.lab.cascade import run_cascade
from bulkhead.lab.kernel import run
from bulkhead.lab.kernel.terms import MICRO
from bulkhead.lab.pages import Column, Figure, Page, Section, Table, version
from bulkhead.lab.pages.plots import Axis, Series, heat, lines
from bulkhead.lab.population import crowd_of, venue_of
from bulkhead.lab.questions.common import (
    SYMBOLS,
    chunks,
    coarser,
    first_debts,
    interval,
    ratio_interval,
    source,
    too_long,
    world,
    worst,
)
from bulkhead.lab.sweep.question import Parameter, Point, Result, Settings, command_of

DEFAULTS: dict[str, Any] = {
    "target": 1.25,
    "pause_s": 10,
    "tick_s": 10,
    "penalty_bp": 100,
    "dust": 1_000,
    "feedback": False,
}
VARIED: dict[str, tuple[Any, ...]] = {
    "target": (1.002, 1.01, 1.02, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0),
    "pause_s": (0, 10, 30, 60, 300, 1_800),
    "tick_s": (10, 30, 60, 300, 900),
    "penalty_bp": (0, 10, 25, 50, 100, 200),
    "dust": (0, 100, 1_000, 10_000),
}
FED_TARGETS = (1.02, 1.1, 1.25, 2.0)
GRID_TARGETS, GRID_PENALTIES = (1.02, 1.1, 1.25, 2.0), (0, 25, 100)
ACCOUNTS, DAYS, STEP_MS = 150, 1.0, 10_000
OPEN_INTEREST = 200e6  # USD that the crowd stands for where liquidations press on prices
EXPLODES = 3.0
"""Steps an account that is liquidated: from here on, and from twice the default's on, we say the count explodes."""


class Liquidations:
    """What makes liquidations many, and who pays for it."""

    name = "liquidations"
    title = "Many small liquidations or few large ones"
    words = "How small may a liquidation step be before it only makes more of them, and what does that cost whom?"
    worlds = True
    parameters: tuple[Parameter, ...] = (
        Parameter("target", "value restored by a partial step, over maintenance", "times", VARIED["target"], 1.25),
        Parameter("pause_s", "pause between partial steps of one account", "s", VARIED["pause_s"], 10),
        Parameter("tick_s", "how often prices are looked at; the venue does each second", "s", VARIED["tick_s"], 1),
        Parameter("penalty_bp", "share of notional to the insurance fund, at most", "bp", VARIED["penalty_bp"], 100),
        Parameter("dust", "what leaves less closes whole", "USD", VARIED["dust"], 1_000),
        Parameter(
            "feedback", "whether liquidations press on the price that liquidates the next", "", (False, True), None
        ),
    )

    def files(self, settings: Settings) -> Sequence[Path]:
        return []

    def points(self, settings: Settings) -> Sequence[Point]:
        found = [{**DEFAULTS, name: value} for name, values in VARIED.items() for value in values]
        found += [
            {**DEFAULTS, "target": target, "penalty_bp": penalty}
            for target in GRID_TARGETS
            for penalty in GRID_PENALTIES
        ]
        found += [{**DEFAULTS, "target": target, "feedback": True} for target in FED_TARGETS]
        return [dict(one) for one in dict.fromkeys(tuple(sorted(point.items())) for point in found)]

    def measure(self, settings: Settings, point: Point) -> Result:
        venue = replace(
            venue_of(SYMBOLS),
            target=fraction(round(1_000 * point["target"]), 1_000),
            pause_ms=1_000 * point["pause_s"],
            penalty=fraction(point["penalty_bp"], 10_000),
            dust=point["dust"] * MICRO,
        )
        crowd = crowd_of(venue, ACCOUNTS, settings.seed, leverage=15.0)
        gross = np.abs(crowd.notional).sum()
        parts: dict[str, list[Any]] = {name: [] for name in NAMES}
        for paths in chunks(settings, DAYS, SYMBOLS, _step(settings)):
            every = max(1, round(1_000 * point["tick_s"] / paths.step_ms))
            seen = coarser(paths, every)
            if point["feedback"]:
                outcomes = run_cascade(venue, crowd, seen, OPEN_INTEREST / float(gross)).outcomes
            else:
                outcomes = run(venue, crowd.accounts, seen)
            hit = outcomes.is_liquidated
            parts["hit"].append(hit.sum(1))
            parts["steps"].append(outcomes.liquidations.sum(1))
            parts["most"].append(outcomes.liquidations[hit])
            parts["closed"].append(outcomes.closed.sum(1) / MICRO)
            parts["cost"].append((outcomes.fees + outcomes.penalty + outcomes.slippage).sum(1) / MICRO)
            parts["penalty"].append(outcomes.penalty.sum(1) / MICRO)
            parts["debt"].append(outcomes.bad_debt.sum(1) / MICRO)
            parts["flat"].append((outcomes.flat_step >= 0).sum(1))
            parts["first"].append(first_debts(outcomes))
            parts["kept"].append(np.where(hit, outcomes.equity, 0.0).sum(1) / MICRO)
        all_of = {name: np.concatenate(values) for name, values in parts.items()}
        per_million = 1e6 / gross
        return {
            "liquidated": interval(all_of["hit"] / ACCOUNTS),
            "steps": ratio_interval(all_of["steps"], all_of["hit"]),
            "steps_99": float(np.quantile(all_of["most"], 0.99)) if len(all_of["most"]) else None,
            "size": ratio_interval(all_of["closed"], all_of["steps"]),
            "flat": ratio_interval(all_of["flat"], all_of["hit"]),
            "cost": interval(all_of["cost"] * per_million),
            "closed": interval(all_of["closed"] * per_million),
            "kept": ratio_interval(all_of["kept"], all_of["hit"]),
            "fund": interval((all_of["penalty"] - all_of["debt"]) * per_million),
            "debt": interval(all_of["debt"] * per_million),
            "findings": []
            if dict(point) != DEFAULTS
            else worst(
                settings,
                all_of["debt"] * per_million,
                all_of["first"],
                length=paths.steps,
                unit=" per million open",
                symbols=SYMBOLS,
                step_ms=_step(settings),
            ),
        }

    def page(self, settings: Settings, measured: Sequence[tuple[Point, Result]]) -> Page:
        told = source(settings, _step(settings))
        here = _at(measured, {})
        answer, figures = _words(measured, here)
        return Page(
            self.title, self.words, answer, command_of(self, settings), settings.seed, (told,), version(),
            (_counts(measured), _grid(measured), _fed(measured), _table(measured)), figures,
            AGAINST + too_long(world(settings, step_ms=_step(settings))),
            simulated="simulated" in told.detail.lower(),
            settings={"Paths": settings.paths, "Days": DAYS, "Accounts": ACCOUNTS, "Markets": ", ".join(SYMBOLS),
                      "Crowd": CROWD},
        )  # fmt: skip


CROWD = "60 % levered longs, 15 % shorts, 10 % hedged makers, 15 % basis traders; median leverage 15"
NAMES = ("hit", "steps", "most", "closed", "cost", "penalty", "debt", "flat", "kept", "first")
AGAINST = (
    "Against it: but for the last section the price is given, so a step presses on nobody else; and feedback lives "
    "within "
    "30 minutes, in books measured in calm. The shortest tick here is 10 s, while the venue looks every second.",
)


def _step(settings: Settings) -> int | None:
    drawn = settings.world is None or settings.world.startswith(("regimes", "gaussian"))
    return STEP_MS if drawn else None


def _at(measured: Sequence[tuple[Point, Result]], changes: dict[str, Any]) -> Result:
    wanted = {**DEFAULTS, **changes}
    return next(result for point, result in measured if dict(point) == wanted)


def _mean(found: Any) -> float:
    return 0.0 if found is None else float(found["mean"])


def _words(measured: Sequence[tuple[Point, Result]], here: Result) -> tuple[tuple[str, ...], tuple[Figure, ...]]:
    counts = {target: _mean(_at(measured, {"target": target})["steps"]) for target in VARIED["target"]}
    limit = max(EXPLODES, 2 * counts[1.25])
    fed = _at(measured, {"feedback": True})
    more = _mean(fed["closed"]) / max(1e-9, _mean(here["closed"])) - 1
    small = [target for target, steps in counts.items() if steps >= limit]
    low, high = _at(measured, {"target": 1.02}), _at(measured, {"target": 2.0})
    free, dear = _at(measured, {"target": 1.02, "penalty_bp": 0}), _at(measured, {"target": 1.02, "penalty_bp": 100})
    where = f"the count explodes from {max(small):g} downward" if small else "no target here makes the count explode"
    answer = (
        f"At this venue's target of 1.25 an account that is liquidated is so {counts[1.25]:.1f} times; at 1.02 it is "
        f"{counts[1.02]:.1f} times, at 2.0 {counts[2.0]:.1f} times: {where}.",
        f"Per million of open notional traders pay ${_mean(low['cost']):,.0f} at 1.02, ${_mean(here['cost']):,.0f} at "
        f"1.25 and ${_mean(high['cost']):,.0f} at 2.0; the fund nets ${_mean(low['fund']):,.0f}, "
        f"${_mean(here['fund']):,.0f} and ${_mean(high['fund']):,.0f}. Without a penalty, steps at 1.02 go from "
        f"{_mean(dear['steps']):.1f} to {_mean(free['steps']):.1f}: cheap liquidations make "
        + ("more of them." if _mean(free["steps"]) > _mean(dear["steps"]) else "no more of them here.")
        + f" Traders then pay ${_mean(free['cost']):,.0f} and the fund loses ${max(0.0, -_mean(free['fund'])):,.0f}.",
        f"Where liquidations press on prices, {100 * more:.0f} % more is closed at the defaults.",
    )
    figures = (
        Figure("Steps an account liquidated", f"{counts[1.25]:.1f}", "at the defaults"),
        Figure("At a target of 1.02", f"{counts[1.02]:.1f}", f"99 %: {low['steps_99'] or 0:.0f}"),
        Figure("Traders pay", f"${_mean(here['cost']):,.0f}", "per million of open notional, at the defaults"),
        Figure("Fund nets", f"${_mean(here['fund']):,.0f}", "penalties less bad debt, the same"),
    )
    return answer, figures


def _lines_of(measured: Sequence[tuple[Point, Result]], name: str, measure: str, title: str) -> Series:
    values = [value for value in VARIED[name] if _at(measured, {name: value})[measure] is not None]
    found = [_at(measured, {name: value})[measure] for value in values]
    ends = ([one["low"] for one in found], [one["high"] for one in found])
    return Series(title, values, [one["mean"] for one in found], *ends)


def _counts(measured: Sequence[tuple[Point, Result]]) -> Section:
    steps = lines(
        [_lines_of(measured, "target", "steps", "steps an account")],
        Axis("target of a partial step, over maintenance"), Axis("steps an account that is liquidated"),
        "Smaller steps, more of them: everything else at the venue's defaults.", marks=((1.25, "this venue"),),
    )  # fmt: skip
    frontier = lines(
        [_lines_of(measured, "target", "cost", "traders pay (fee, penalty, slippage)"),
         _lines_of(measured, "target", "fund", "the fund nets (penalties less debts)"),
         _lines_of(measured, "target", "debt", "bad debt")],
        Axis("target of a partial step, over maintenance"), Axis("USD per million of open notional", format="$,.0f"),
        "What traders pay and what the fund is left with.", marks=((1.25, "this venue"),),
    )  # fmt: skip
    penalty = lines(
        [_lines_of(measured, "penalty_bp", measure, title)
         for measure, title in (("cost", "traders pay"), ("fund", "the fund nets"))],
        Axis("penalty, bp of notional"), Axis("USD per million of open notional", format="$,.0f"),
        "The penalty moves money from traders to the fund.", marks=((100, "this venue"),),
    )  # fmt: skip
    tick = lines(
        [_lines_of(measured, "tick_s", "debt", "bad debt")],
        Axis("tick, seconds", log=True), Axis("USD per million of open notional", format="$,.2~f"),
        "The slower the tick, the further below maintenance accounts are found.",
    )  # fmt: skip
    return Section("How small a step may be", plots=(steps, frontier, penalty, tick))


def _grid(measured: Sequence[tuple[Point, Result]]) -> Section:
    rows = [f"{penalty} bp" for penalty in GRID_PENALTIES]
    columns = [f"{target:g}" for target in GRID_TARGETS]
    cells = [[_at(measured, {"target": target, "penalty_bp": penalty}) for target in GRID_TARGETS]
             for penalty in GRID_PENALTIES]  # fmt: skip
    axes = (Axis("target"), Axis("penalty"))
    steps = heat(columns, rows, [[_mean(cell["steps"]) for cell in row] for row in cells], axes,
                 Axis("steps", format=".1f"), "Steps an account that is liquidated.")  # fmt: skip
    fund = heat(columns, rows, [[_mean(cell["fund"]) for cell in row] for row in cells], axes,
                Axis("USD", format=",.0f"), "What the fund nets, USD per million of open notional.")  # fmt: skip
    return Section("Target and penalty together", plots=(steps, fund))


def _fed(measured: Sequence[tuple[Point, Result]]) -> Section:
    series = []
    for feedback, title in ((False, "prices as given"), (True, "liquidations press on prices")):
        found = [_at(measured, {"target": target, "feedback": feedback})["closed"] for target in FED_TARGETS]
        ends = ([one["low"] for one in found], [one["high"] for one in found])
        series.append(Series(title, FED_TARGETS, [one["mean"] for one in found], *ends))
    plot = lines(
        series, Axis("target of a partial step, over maintenance"),
        Axis("closed, USD per million of open notional", format="$,.0f"),
        "What liquidations close, with prices as given and with what they sell pressing on them.",
    )  # fmt: skip
    return Section(
        "Liquidations that make liquidations",
        (f"The crowd stands for ${OPEN_INTEREST / 1e6:,.0f} M of open notional. What it is made to sell presses on "
         f"the price, "
         "half of which comes back within 30 minutes.",),
        (plot,),
    )  # fmt: skip


def _table(measured: Sequence[tuple[Point, Result]]) -> Section:
    columns = (
        Column("target", "", 2), Column("pause", "s", 0), Column("tick", "s", 0), Column("penalty", "bp", 0),
        Column("dust", "$", 0), Column("feedback"),
        Column("liquidated", "%", 2), Column("steps", "", 2), Column("steps, 99 %", "", 0),
        Column("mean step", "$", 0), Column("closed out", "%", 0), Column("traders pay", "$ per million", 1),
        Column("fund nets", "$ per million", 1), Column("bad debt", "$ per million", 2),
    )  # fmt: skip
    rows = tuple(
        (point["target"], point["pause_s"], point["tick_s"], point["penalty_bp"], point["dust"], point["feedback"],
         100 * _mean(result["liquidated"]), _mean(result["steps"]), result["steps_99"], _mean(result["size"]),
         100 * _mean(result["flat"]), _mean(result["cost"]), _mean(result["fund"]), _mean(result["debt"]))
        for point, result in measured
    )  # fmt: skip
    marked = next((place for place, (point, _) in enumerate(measured) if dict(point) == DEFAULTS), None)
    return Section("Every point", tables=(Table("liquidations", columns, rows, marked),))
