"""How large an insurance fund must be for the worst paths, and whether per-market budgets hold what they are for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bulkhead.lab.cascade import STEP_MOST_MS, run_cascade
from bulkhead.lab.kernel import run
from bulkhead.lab.kernel.terms import MICRO
from bulkhead.lab.pages import Column, Figure, Page, Section, Source, Table, version
from bulkhead.lab.pages.plots import Axis, Series, bars, lines
from bulkhead.lab.paths.recorded import EVENTS, event_world
from bulkhead.lab.paths.single import path_of
from bulkhead.lab.population import crowd_of, venue_of
from bulkhead.lab.prices.bars import Floats
from bulkhead.lab.questions.common import chunks, first_debts, interval, quantile_interval, source, too_long, worst
from bulkhead.lab.questions.common import world as world_of_settings
from bulkhead.lab.stress import event_steps
from bulkhead.lab.sweep.question import Parameter, Point, Result, Settings, command_of, findings_of

SYMBOLS = ("BTC", "ETH", "XRP", "LTC")
EVENT_SYMBOLS = ("BTC", "ETH", "XRP")
LEVERAGES = (10.0, 25.0)
FEEDBACK = (False, True)
ACCOUNTS, DAYS = 200, 3.0
OPEN_INTEREST = 500e6
"""USD open on both sides together that the crowd stands for; losses are scaled to it."""
FACTORS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Loss budgets of all markets, times the venue's."""
SHARES = (0.5, 0.9, 0.95, 0.99, 0.995, 0.999)


class Fund:
    """The insurance fund against the tail."""

    name = "fund"
    title = "Insurance fund size against tail loss"
    words = "How large must the insurance fund be to pay every debt in 999 of 1,000 stretches of three days?"
    worlds = True
    parameters: tuple[Parameter, ...] = (
        Parameter("leverage", "median of the crowd, within the markets' initial margin", "times", LEVERAGES, None),
        Parameter("budget", "loss budget of every market, times the venue's", "times", FACTORS, 1.0),
        Parameter("feedback", "whether liquidations press on the price that liquidates the next", "", FEEDBACK, None),
    )

    def files(self, settings: Settings) -> Sequence[Path]:
        return []

    def points(self, settings: Settings) -> Sequence[Point]:
        found: list[Point] = [
            {"leverage": leverage, "feedback": feedback} for leverage in LEVERAGES for feedback in FEEDBACK
        ]
        if settings.data_dir is not None:
            found += [{"event": day, "leverage": 25.0} for day in EVENTS]
        return found

    def measure(self, settings: Settings, point: Point) -> Result:
        if "event" in point:
            return recorded_day(settings, point)
        symbols = markets_in(settings)
        venue = venue_of(symbols)
        crowd = crowd_of(venue, ACCOUNTS, settings.seed, point["leverage"])
        scale = OPEN_INTEREST / float(np.abs(crowd.notional).sum())
        debt, penalty, by_market, hit, first, unsettled = [], [], [], [], [], 0
        for drawn in chunks(settings, DAYS, ()):  # all the markets of the world, as `bulkhead lab replay` draws them
            paths = drawn.select(symbols)
            if point["feedback"]:
                cascade = run_cascade(venue, crowd, paths, scale)
                outcomes, unsettled = cascade.outcomes, unsettled + (not cascade.is_settled)
            else:
                outcomes = run(venue, crowd.accounts, paths)
            debt.append(scale * outcomes.bad_debt.sum(1) / MICRO)
            penalty.append(scale * outcomes.penalty.sum(1) / MICRO)
            by_market.append(scale * outcomes.by_market[:, 1] / MICRO)
            hit.append(outcomes.is_liquidated.mean(1))
            first.append(first_debts(outcomes))
        debts, penalties, markets = np.concatenate(debt), np.concatenate(penalty), np.concatenate(by_market)
        steps = np.concatenate(first)
        budgets = np.array([int(terms.loss_budget) / MICRO for terms in venue.markets])
        return {
            "quantiles": [quantile_interval(debts, share) for share in SHARES],
            "debt": interval(debts),
            "penalty": interval(penalties),
            "shortfall": shortfall(debts, 0.99),
            "exceeds": [float((debts > size).mean()) for size in FUNDS],
            "hit": interval(np.concatenate(hit)),
            "symbols": list(symbols),
            "market_999": [float(value) for value in np.quantile(markets, 0.999, axis=0)],
            "over_budget": [float(value) for value in (markets > budgets).mean(axis=0)],
            "left_over": [float(value) for value in np.maximum(0.0, markets - budgets).mean(axis=0)],
            "budgets": [float(value) for value in budgets],
            "by_budget": [float(np.maximum(0.0, markets - factor * budgets).sum(1).mean()) for factor in FACTORS],
            "paid_by_budget": [
                float(np.quantile(np.minimum(markets, factor * budgets).sum(1), 0.999)) for factor in FACTORS
            ],
            "unsettled": unsettled,
            "findings": [] if point["feedback"] else worst(settings, debts, steps, length=drawn.steps),
        }

    def page(self, settings: Settings, measured: Sequence[tuple[Point, Result]]) -> Page:
        told = source(settings)
        days = [(point, result) for point, result in measured if "event" in point]
        measured = [(point, result) for point, result in measured if "event" not in point]
        at = {(point["leverage"], point["feedback"]): result for point, result in measured}
        still, fed = at[25.0, False], at[25.0, True]
        exact = settings.paths >= 1_000
        note = "" if exact else f" (of only {settings.paths} paths: the tail is not known so far out)"
        over = [f"{name} {100 * share:.1f} %" for name, share in zip(fed["symbols"], fed["over_budget"], strict=True)]
        answer = (
            f"With {OPEN_INTEREST / 1e6:,.0f} million USD open at a median leverage of 25, debts of three days stay "
            f"below "
            f"${still['quantiles'][-1]['mean'] / 1e6:,.2f} M in 99.9 % of paths{note}; "
            f"${fed['quantiles'][-1]['mean'] / 1e6:,.2f} M "
            f"when "
            f"liquidations press on prices. The mean of the worst hundredth is ${still['shortfall'] / 1e6:,.2f} M and "
            f"${fed['shortfall'] / 1e6:,.2f} M.",
            "Penalties bring in "
            "" + f"${still['penalty']['mean'] / 1e6:,.2f} M against ${still['debt']['mean'] / 1e6:,.2f} M "
            f"of debts on average. Debts pass a market's own loss budget in: {', '.join(over)} of paths (with "
            f"feedback); "
            f"${fed['by_budget'][FACTORS.index(1.0)] / 1e6:,.2f} M on average is beyond and is deleveraged, and no "
            f"other market "
            f"pays for it. So the fund itself pays at most ${fed['paid_by_budget'][FACTORS.index(1.0)] / 1e6:,.2f} "
            f"M in 99.9 % "
            "of paths.",
        )
        figures = (
            Figure("99.9 % of paths", f"${still['quantiles'][-1]['mean'] / 1e6:,.2f} M", "debts, prices as given"),
            Figure(
                "The same with feedback",
                f"${fed['quantiles'][-1]['mean'] / 1e6:,.2f} M",
                "liquidations press on prices",
            ),
            Figure("Expected shortfall, 99 %", f"${fed['shortfall'] / 1e6:,.2f} M", "with feedback"),
        )
        return Page(
            self.title, self.words, answer, command_of(self, settings), settings.seed,
            (told, *_sources(days)), version(),
            (_sizes(at), _markets(at), *_days(days), _table(measured), _replays(still)), figures,
            AGAINST + too_long(world_of_settings(settings)),
            simulated="simulated" in told.detail.lower(),
            settings={"Paths": settings.paths, "Days": DAYS, "Accounts": ACCOUNTS,
                      "Markets": ", ".join(still["symbols"]),
                      "Open interest": f"${OPEN_INTEREST / 1e6:,.0f} M, both sides together",
                      "Chunks whose feedback did not settle": int(fed["unsettled"])},
        )  # fmt: skip


FUNDS = (0.1e6, 0.25e6, 0.5e6, 1e6, 2e6, 5e6, 10e6, 20e6)
AGAINST = (
    "Against it: the crowd is drawn, not anybody's; losses scale with its leverage before anything else. A fund "
    "that is "
    "exceeded is no catastrophe here, for what it cannot pay is deleveraged pro rata; it is one where losses are "
    "shared out.",
)


def recorded_day(settings: Settings, point: Point) -> Result:
    """The crowd through a recorded event, from its midnight for three days at most, with feedback and without."""
    made = event_world(point["event"], settings.data_dir, symbols=EVENT_SYMBOLS)
    paths = path_of(made, 0, event_steps(made))
    venue = venue_of(EVENT_SYMBOLS)
    crowd = crowd_of(venue, ACCOUNTS, settings.seed, point["leverage"])
    scale = OPEN_INTEREST / float(np.abs(crowd.notional).sum()) / MICRO
    runs = [run(venue, crowd.accounts, paths)]
    if paths.step_ms <= STEP_MOST_MS:
        runs.append(run_cascade(venue, crowd, paths, scale * MICRO).outcomes)
    return {
        "falls": [float(paths.ratio[0, :, place].min() - 1.0) for place in range(len(EVENT_SYMBOLS))],
        "step_ms": paths.step_ms,
        "source": made.grid.source,
        "debts": [float(scale * one.bad_debt.sum()) for one in runs],
        "penalties": [float(scale * one.penalty.sum()) for one in runs],
        "hit": [float(one.is_liquidated.mean()) for one in runs],
    }


def _sources(days: Sequence[tuple[Point, Result]]) -> list[Source]:
    """The sets of the recorded days, each once."""
    return [Source("Recorded days", "as named", text) for text in dict.fromkeys(result["source"] for _, result in days)]


def _two(values: Sequence[float]) -> tuple[float, float | None]:
    """Without feedback and with it, None where steps are too long for that."""
    return values[0], values[1] if len(values) > 1 else None


def _days(days: Sequence[tuple[Point, Result]]) -> tuple[Section, ...]:
    if not days:
        return ()
    columns = (
        Column("day"), *(Column(f"{name}, lowest close", "%", 1) for name in EVENT_SYMBOLS), Column("bars", "min", 0),
        Column("liquidated", "%", 1), Column("with feedback", "%", 1), Column("debts", "$", 0),
        Column("with feedback", "$", 0), Column("penalties", "$", 0),
    )  # fmt: skip
    rows = tuple(
        (point["event"], *(100 * fall for fall in result["falls"]), result["step_ms"] // 60_000,
         *_two([100 * share for share in result["hit"]]), *_two(result["debts"]), result["penalties"][0])
        for point, result in days
    )  # fmt: skip
    text = (
        f"The same crowd (median leverage 25, ${OPEN_INTEREST / 1e6:,.0f} M open) through recorded days, from "
        f"midnight UTC, "
        "three days at most. Only closes are seen, so hourly bars hide what an hour had in it: the venue would have "
        "acted "
        "earlier, and at other prices."
    )
    return (Section("Recorded days", (text,), tables=(Table("days", columns, rows),)),)


def markets_in(settings: Settings) -> tuple[str, ...]:
    """Those of SYMBOLS that the world has."""
    there = world_of_settings(settings, ()).symbols
    return tuple(symbol for symbol in SYMBOLS if symbol in there) or there[:4]


def shortfall(losses: Floats, share: float) -> float:
    """Mean of the worst 1 − share of losses, of at least one."""
    count = max(1, round((1.0 - share) * len(losses)))
    return float(np.sort(losses)[-count:].mean())


def _title(leverage: float, feedback: bool) -> str:
    return f"median leverage {leverage:.0f}{', with feedback' if feedback else ''}"


def _ends(result: Result) -> tuple[list[float], list[float], list[float]]:
    """Quantiles with the ends of their intervals."""
    low, middle, high = ([one[name] for one in result["quantiles"]] for name in ("low", "mean", "high"))
    return middle, low, high


def _sizes(at: dict[tuple[float, bool], Any]) -> Section:
    plot = lines(
        [Series(_title(*key), FUNDS, result["exceeds"]) for key, result in at.items()],
        Axis("fund, USD", log=True, format="$,.2~s"), Axis("paths whose debts exceed it", format=".1%"),
        "Share of three-day paths in which debts are more than the fund.",
    )  # fmt: skip
    names = [f"{100 * share:g} %" for share in SHARES]
    tail = lines(
        [Series(_title(*key), names, *_ends(result)) for key, result in at.items()],
        Axis("share of paths that stay below"), Axis("debts, USD", format="$,.2~s"),
        "Debts by share of paths, with 95 % intervals; the last ends at the largest that was seen.",
    )  # fmt: skip
    return Section("How large a fund", plots=(plot, tail))


def _markets(at: dict[tuple[float, bool], Any]) -> Section:
    fed = at[25.0, True]
    plot = bars(
        [Series("debts, 99.9 % of paths", fed["symbols"], fed["market_999"]),
         Series("this venue's loss budget", fed["symbols"], fed["budgets"])],
        Axis("market"), Axis("USD", format="$,.2~s"),
        "Debts by market (median leverage 25, with feedback) beside the budget that caps what the fund pays for it.",
    )  # fmt: skip
    budgets = lines(
        [Series("left for deleveraging, mean", FACTORS, fed["by_budget"]),
         Series("paid by the fund, 99.9 % of paths", FACTORS, fed["paid_by_budget"])],
        Axis("loss budgets, times the venue's"), Axis("USD", format="$,.2~s"),
        "Larger budgets ask more of the fund and leave less for deleveraging.", marks=((1.0, "this venue"),),
    )  # fmt: skip
    columns = (Column("market"), Column("99.9 % of paths", "$", 0), Column("loss budget", "$", 0),
               Column("paths beyond it", "%", 2), Column("beyond it, mean", "$", 0))  # fmt: skip
    rows = tuple(
        (name, size, budget, 100 * over, left)
        for name, size, budget, over, left in zip(
            fed["symbols"], fed["market_999"], fed["budgets"], fed["over_budget"], fed["left_over"], strict=True
        )
    )
    return Section("Budgets by market", plots=(plot, budgets), tables=(Table("budgets", columns, rows),))


def _table(measured: Sequence[tuple[Point, Result]]) -> Section:
    columns = (
        Column("median leverage", "times", 0), Column("feedback"), Column("accounts liquidated", "%", 2),
        Column("debts, mean", "$", 0), Column("penalties, mean", "$", 0),
        *(Column(f"{100 * share:g} % of paths", "$", 0) for share in SHARES), Column("99.9 % from", "95 %, $", 0),
        Column("to", "95 %, $", 0), Column("worst 1 %, mean", "$", 0),
    )  # fmt: skip
    rows = tuple(
        (point["leverage"], point["feedback"], 100 * result["hit"]["mean"], result["debt"]["mean"],
         result["penalty"]["mean"], *_ends(result)[0], _ends(result)[1][-1], _ends(result)[2][-1], result["shortfall"])
        for point, result in measured
    )  # fmt: skip
    return Section("Every point", tables=(Table("fund", columns, rows),))


def _replays(still: Result) -> Section:
    findings = findings_of(still)
    code = "\n".join(f"# {one.what}\n{one.command}" for one in findings)
    return Section(
        "The worst paths again",
        ("The paths are the same for every crowd; these are the worst of the crowd of median leverage 25.",),
        code=code,
    )
