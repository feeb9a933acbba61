"""The validation as a page: what was held to what, the differences found, and what the data do not say."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

from bulkhead.lab.pages import Column, Figure, Page, Section, Source, Table, version
from bulkhead.lab.pages.plots import Axis, Series, bars, lines
from bulkhead.lab.questions.deleveraging.recorded import FOLDER, POSITIONS
from bulkhead.lab.validation import brackets, closed, published, recorded
from bulkhead.lab.validation.closed import Estimate
from bulkhead.lab.validation.published import Compared
from bulkhead.lab.validation.recorded import Score

DEVIATIONS_MOST = 4.0
"""A closed form further away than this from its estimate is a fault: chance does that once in 16,000 estimates."""
NO_DATA = (
    "Brackets and recorded liquidations were left out: no folder of recorded data was named (--data, BULKHEAD_DATA)."
)
FAULT = "does not hold"


def validate(paths: int, seed: int, data_dir: Path | None) -> Page:
    """Everything that can be held to something else. Sentences that say "does not hold" are faults."""
    compared = list(published.everything(seed))
    found = closed.estimates(paths, seed)
    sections = [_published(compared), _closed(found)]
    answer = [_answer_published(compared), _answer_closed(found)]
    sources = [
        Source("Published examples and formulas of other venues", "facts; each with its address in the table"),
        Source("Gaussian paths", "Apache-2.0", "simulated: geometric Brownian motion"),
    ]
    against: tuple[str, ...] = (NO_DATA,)
    figures = [
        Figure(
            "Published examples",
            f"{sum(one.is_held for one in compared)} of {len(compared)} hold",
            "relative difference",
        ),
        Figure(
            "Closed forms", f"{max(one.deviations for one in found):.1f} deviations", f"the furthest of {len(found)}"
        ),
    ]
    if data_dir is not None:
        judged = brackets.judge(data_dir)
        answer.append(_answer_brackets(judged))
        scores, entered = recorded.scores(data_dir), recorded.scores(data_dir, only_entered=True)
        answer.append(_answer_recorded(scores))
        sections += [_brackets(judged), _recorded(data_dir, scores, entered)]
        sources += [
            Source(
                "Margin brackets of 907 perpetuals on Binance, 2026-09",
                "facts, by way of a GPL-3.0 package",
                brackets.FILE,
            ),
            Source("Positions in BTC and SOL on 10 October 2025", "GPL-3.0", f"{FOLDER}/{POSITIONS}"),
        ]
        figures.append(
            Figure("Brackets of Binance", f"{judged.equal:,} of {judged.brackets:,}", "deductions to the cent")
        )
        against = ("Against it: without leverage and equity nobody's liquidation price on 10 October is known; what is "
                   "scored is a leverage for everybody, and rows are those who traded within the hour.",)  # fmt: skip
    words = ["bulkhead", "lab", "validate", "--paths", str(paths), "--seed", str(seed)]
    words += (["--data", "DIR"] if data_dir is not None else []) + ["--html", "FILE"]
    return Page(
        "Validation", "Does the lab say what other venues, formulas and a recorded crash say?", tuple(answer),
        shlex.join(words), seed, tuple(sources), version(), tuple(sections), tuple(figures), against,
        settings={"Paths": paths},
    )  # fmt: skip


def is_sound(page: Page) -> bool:
    """Whether everything that was expected to hold does."""
    return not any(FAULT in sentence for sentence in page.answer)


def _answer_published(compared: list[Compared]) -> str:
    wrong = [one for one in compared if not one.is_held]
    expected = [one for one in compared if one.within is not None]
    if wrong:
        return (
            f"{FAULT.capitalize()}: "
            + "; ".join(f"{one.venue}, {one.what}: {one.difference:.1e}" for one in wrong)
            + "."
        )
    worst = max(one.difference for one in expected)
    return (
        f"{len(expected)} published figures and formulas of {len({one.venue for one in expected})} venues come out "
        f"the same "
        f"with their rules configured here; the largest difference is {worst:.0e} of the figure, and it is rounding."
    )


def _answer_closed(found: list[Estimate]) -> str:
    far = [one for one in found if one.deviations > DEVIATIONS_MOST]
    if far:
        return (
            f"{FAULT.capitalize()}: " + "; ".join(f"{one.what}: {one.deviations:.1f} deviations" for one in far) + "."
        )
    return (
        f"{len(found)} probabilities with a closed form are met within {max(one.deviations for one in found):.1f} "
        f"standard "
        f"deviations on {found[0].paths:,} paths, among them the joint ruin of accounts in two correlated assets."
    )


def _answer_brackets(judged: brackets.Judged) -> str:
    if judged.others:
        return (
            f"{FAULT.capitalize()}: brackets of {', '.join(judged.others)} ({judged.worst}: ${judged.worst_usd:,.2f})."
        )
    return (
        f"All {judged.brackets:,} brackets of {judged.symbols} perpetuals on Binance have the deduction that our tiers "
        f"derive from rates and bounds alone; the largest difference is ${judged.worst_usd:.6f}."
    )


def _answer_recorded(scores: list[Score]) -> str:
    at = {score.leverage: score for score in scores}
    three, ten = at[3.0], at[10.0]
    return (
        f"10 October 2025, {ten.positions:,} positions: as if all had ten times leverage, the model liquidates "
        f"{ten.predicted:,}; {ten.liquidated:,} were, of whom it names {100 * (ten.recall or 0):.0f} % (recall), at a "
        f"precision of {100 * (ten.precision or 0):.0f} %; at three times {100 * (three.recall or 0):.0f} % and "
        f"{100 * (three.precision or 0):.0f} %. The data have nobody's leverage."
    )


def _published(compared: list[Compared]) -> Section:
    columns = (
        Column("venue"), Column("what"), Column("theirs", "", 6), Column("ours", "", 6),
        Column("difference", "relative"), Column("holds"), Column("note"),
    )  # fmt: skip
    rows = tuple(
        (one.venue, one.what, one.theirs, one.ours, f"{one.difference:.0e}", "–" if one.within is None else one.is_held,
         one.note)
        for one in compared
    )  # fmt: skip
    return Section(
        "Other venues' examples and formulas",
        ("Each venue's rates and brackets are configured as a market of this exchange; health, liquidation price "
         "and zero "
         "price are then those of `rules/`. Inverse contracts (Bybit's and Binance's coin-margined examples) cannot be "
         "configured: this exchange has linear contracts alone. Prices here are whole numbers of 10^-6 USD a lot.",),
        tables=(
            Table("published", columns, rows),
            Table("addresses", (Column("venue"), Column("address")),
                  tuple(dict.fromkeys((one.venue, one.address) for one in compared))),
        ),
    )  # fmt: skip


def _closed(found: list[Estimate]) -> Section:
    columns = (Column("probability"), Column("formula", "%", 3), Column("simulated", "%", 3),
               Column("deviation", "%", 3), Column("apart", "deviations", 2))  # fmt: skip
    rows = tuple((one.what, 100 * one.exact, 100 * one.estimate, 100 * one.deviation, one.deviations) for one in found)
    return Section(
        "Closed forms",
        ("Longs at ten times leverage, liquidated by the kernel on Gaussian paths. Single horizon: the normal law, "
         "for two "
         "assets the bivariate one. Along the path: the reflection principle, the level moved by what looking in steps "
         "of five minutes misses (Broadie, Glasserman and Kou 1997).",),
        tables=(Table("closed", columns, rows),),
    )  # fmt: skip


def _brackets(judged: brackets.Judged) -> Section:
    columns = (Column("perpetuals", "", 0), Column("brackets", "", 0), Column("equal", "", 0),
               Column("largest difference", "$", 6), Column("share of it", "", 9), Column("where"))  # fmt: skip
    row = (judged.symbols, judged.brackets, judged.equal, judged.worst_usd, judged.worst_share, judged.worst)
    return Section(
        "Every bracket of Binance",
        ("Binance publishes bound, rate and the amount it deducts. Ours is computed: the deduction of the tier "
         "below plus "
         "the bound below times the step of the rate, which makes the requirement continuous. That all agree says that "
         "Binance's is continuous, too.",),
        tables=(Table("brackets", columns, (row,)),),
    )  # fmt: skip


def _sensitivity(folder: Path, distances: list[dict[str, Any]]) -> str:
    """What other leverages than one for everybody give."""
    law, told = recorded.implied(folder), [row for row in distances if row["positions"]]
    off = 100 * sum(abs(row["implied"] - row["liquidated"] / row["positions"]) for row in told) / len(told)
    return (
        "Sensitivity: one leverage for everybody is scored from 2 to 40 below. A log-normal law that gives the shares "
        f"of longs without a recorded entry has a median of {law.median:.1f} times and 68 % of holders within a factor "
        f"of {math.exp(law.deviation):.0f}; on the {len(told)} groups of recorded entries, of which it knows nothing, "
        f"it is {off:.0f} percentage points off in the mean."
    )


def _between(low: float, high: float) -> str:
    return f"{100 * low:.0f} to {100 * high:.0f} %" if low >= 0 else "never against it"


def _recorded(folder: Path, scores: list[Score], entered: list[Score]) -> Section:
    plot = lines(
        [Series(title, [score.leverage for score in found], [getattr(score, name) for score in found])
         for found, whose in ((scores, "everybody"), (entered, "entry recorded"))
         for name, title in (("precision", f"precision, {whose}"), ("recall", f"recall, {whose}"))],
        Axis("leverage that everybody is taken to have", log=True), Axis("share", format=".0%", range=(0, 1.02)),
        "Whom the margin rule liquidates at the worst price of the hour, as if everybody had this leverage.",
    )  # fmt: skip
    distances = recorded.by_distance(folder)
    far = bars(
        [Series("liquidated", [_between(row["from"], row["to"]) for row in distances],
                [row["liquidated"] / row["positions"] if row["positions"] else None for row in distances],
                labels=[f"{row['positions']} positions" for row in distances]),
         Series("model, leverages implied by the others", [_between(row["from"], row["to"]) for row in distances],
                [row["implied"] for row in distances])],
        Axis("worst price of the hour against the recorded entry"), Axis("share liquidated", format=".0%"),
        "Positions whose entry is recorded, and what leverages that follow from the others' liquidations say of them.",
    )  # fmt: skip
    columns = (
        Column("leverage", "times", 1),
        Column("whose"),
        Column("positions", "", 0),
        Column("model", "", 0),
        Column("recorded", "", 0),
        Column("both", "", 0),
        Column("precision", "%", 1),
        Column("recall", "%", 1),
    )
    rows = tuple(
        (score.leverage, whose, score.positions, score.predicted, score.liquidated, score.both,
         *(None if share is None else 100 * share for share in (score.precision, score.recall)))
        for found, whose in ((scores, "everybody"), (entered, "entry recorded")) for score in found
    )  # fmt: skip
    sides = (
        Column("asset"),
        Column("side"),
        Column("positions", "", 0),
        Column("liquidated", "%", 1),
        Column("deleveraged", "%", 1),
        Column("move against it", "%", 1),
        Column("liquidated from", "times", 1),
    )
    told = tuple(
        (row["asset"], row["side"], row["positions"], 100 * row["liquidated"] / row["positions"],
         100 * row["deleveraged"] / row["positions"], 100 * row["move"], row["needed"])
        for row in recorded.by_side(folder)
    )  # fmt: skip
    without, of_all = recorded.missing_leverage(folder)
    return Section(
        "10 October 2025",
        (f"The data do not contain: leverage ({without:,} of {of_all:,} rows are empty), equity, other positions of "
         "the owner, size before the event, times, and for nine in ten the entry, which is then the price before. "
         "Extremes are those of Binance. Rows are holders who traded within the hour, so those who were liquidated are "
         "too many among them.",
         "By side: SOL fell 31.8 %, which liquidates from three times leverage on, BTC 13.2 %, from seven on; more SOL "
         "longs were liquidated than BTC longs, and next to no shorts, as the model says. The shares themselves "
         "need the distribution of leverage, which is not there.",
         _sensitivity(folder, distances)),
        (plot, far), (Table("sides", sides, told), Table("scores", columns, rows)),
    )  # fmt: skip
