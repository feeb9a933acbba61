"""Which mode for me? Four questions, an answer in words, and the case against it. A pure function of the answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from bulkhead.terminal import numbers


class Book(Enum):
    """What is held at once."""

    ONE = "one idea at a time, or several that have nothing to do with each other"
    HEDGED = "positions that hedge each other"
    SEVERAL = "several strategies, each with positions of its own"


class Loss(Enum):
    """What one bad idea may cost at most."""

    STAKE = "what I put on it, and nothing more"
    STRATEGY = "what that strategy has"
    ACCOUNT = "whatever it takes: my positions must live through a spike"


class Watch(Enum):
    """How fast collateral can be added."""

    ALWAYS = "within minutes, day and night"
    DAILY = "once a day or so"


class Hedges(Enum):
    """Where the other legs are."""

    HERE = "all on this exchange"
    ELSEWHERE = "partly elsewhere"
    NONE = "I hold none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the trader said."""

    book: Book = Book.ONE
    loss: Loss = Loss.STAKE
    watch: Watch = Watch.DAILY
    hedges: Hedges = Hedges.NONE


SWING_TRADER = Answers()
MARKET_MAKER = Answers(book=Book.HEDGED, loss=Loss.ACCOUNT, watch=Watch.ALWAYS, hedges=Hedges.HERE)
HYBRID = replace(MARKET_MAKER, book=Book.SEVERAL, loss=Loss.STRATEGY)
PRESETS = {"swing trader": SWING_TRADER, "market maker": MARKET_MAKER, "hybrid": HYBRID}
"""Isolated for the swing trader, cross for the market maker, strategies for the hybrid."""


class ModeFigures(NamedTuple):
    """What decides of one mode in the trader's own what-if: his last question on the screen.

    `free`, in dollars, is what the whole book leaves beyond its initial requirement, the order in it. Two modes are
    to be compared by it where the position lies in the same account, the `container_id`.
    """

    free: Decimal
    container_id: int
    is_refused: bool


Figures = dict[str, ModeFigures]
"""By mode; empty where there is no what-if yet."""


class Advice(NamedTuple):
    """A mode, why, what speaks against it, what would change the answer; and which answers do not fit together."""

    mode: str
    reasons: tuple[str, ...]
    against: tuple[str, ...]
    otherwise: str
    unfit: str


def advise(answers: Answers, figures: Figures | None = None) -> Advice:
    """The mode for these answers. What may be lost decides first, then what is held, then who watches it."""
    known = {} if figures is None else figures
    mode = _mode(answers, known)
    against = _against(mode, answers)
    if mode in known and known[mode].is_refused:
        against = (f"As things are, {mode} would refuse the order of your what-if.", *against)
    return Advice(mode, _reasons(mode, answers, known), against, _otherwise(mode, answers), _unfit(answers))


def _unfit(answers: Answers) -> str:
    """What was said of hedges twice, and differently; empty where it fits."""
    if answers.book is Book.HEDGED and answers.hedges is Hedges.NONE:
        return "Two answers do not fit: positions that hedge each other, and no hedges. Say where the hedges are."
    if answers.book is Book.ONE and answers.hedges is Hedges.HERE:
        return (
            "Two answers do not fit: one idea at a time, and hedges of it here. Then your positions hedge each other: "
            "answer the first question so."
        )
    return ""


def _mode(answers: Answers, figures: Figures) -> str:
    if answers.loss is Loss.STRATEGY or (answers.book is Book.SEVERAL and answers.loss is not Loss.ACCOUNT):
        return "strategy"
    if answers.loss is Loss.STAKE:
        # Two legs in two compartments do not help each other: a hedge needs one that holds both.
        return "strategy" if answers.book is Book.HEDGED else "isolated"
    if answers.book is Book.HEDGED and answers.hedges is Hedges.HERE and answers.watch is Watch.ALWAYS:
        return "scenario" if _is_scenario_cheaper(figures) else "cross"
    return "cross"


def _is_scenario_cheaper(figures: Figures) -> bool:
    """In his own numbers scenario margin takes the order and leaves more of the whole book free than cross, in the same
    account; without numbers nobody knows."""
    if "scenario" not in figures or "cross" not in figures:
        return False
    scenario, cross = figures["scenario"], figures["cross"]
    return not scenario.is_refused and scenario.container_id == cross.container_id and scenario.free > cross.free


def _reasons(mode: str, answers: Answers, figures: Figures) -> tuple[str, ...]:
    if mode == "isolated":
        return (
            "You would rather lose a position than have it reach for the rest: isolated, it can lose its own "
            "collateral and nothing else of yours.",
            "Each position has a price of liquidation of its own, which no other position moves.",
        )
    if mode == "strategy":
        first = (
            "Legs that hedge each other must share collateral; a strategy holds those that are here, and what it loses "
            "ends with it."
            if answers.book is Book.HEDGED
            else "A strategy is a compartment: cross inside, isolated from others. One that fails leaves them whole."
        )
        return (first, "Profit and loss are counted by strategy, and money moves between them only when you sign it.")
    common = (
        "Your legs here are naked to this exchange while the others gain elsewhere: everything in the account stands "
        "behind them until you bring those gains."
        if answers.book is Book.HEDGED and answers.hedges is Hedges.ELSEWHERE
        else "Gains of one leg carry the losses of the other while a spike lasts, so the hedge is not torn apart by "
        "the liquidation of one leg."
        if answers.book is Book.HEDGED
        else "Everything you hold stands behind every position, so it takes the largest move to liquidate any of them."
    )
    if mode == "scenario":
        left = [numbers.dollars(figures[name].free) for name in ("scenario", "cross")]
        return (
            common,
            f"By your own what-if the grid of joint shocks asks less of the whole book: {left[0]} USD are left, and "
            f"{left[1]} USD in cross.",
        )
    return (common, "No margin lies idle in compartments: what is free is free for everything.")


def _against(mode: str, answers: Answers) -> tuple[str, ...]:
    found = list(_AGAINST[mode])
    is_daily = answers.watch is Watch.DAILY
    if is_daily and mode in ("isolated", "strategy"):
        found.append(f"You look once a day: sign a top-up cap, or give {_EACH[mode]} more than it asks.")
    elif is_daily:
        found.append("You look once a day, and a margin call on the whole account does not wait for that.")
    if mode == "isolated" and answers.hedges is Hedges.HERE:
        found.append("A hedge in another compartment does not count here, however good it is.")
    if mode == "strategy" and answers.book is Book.SEVERAL:
        found.append("The same market held in two strategies is margined twice: positions never net across them.")
    if answers.hedges is Hedges.ELSEWHERE:
        found.append("Legs elsewhere do not count here: this exchange sees naked positions, and calls for them.")
    return tuple(found)


_WHOLE = "One bad position can take everything in this account: your worst idea decides about your best."
_EACH = {"isolated": "the position", "strategy": "each strategy"}
_AGAINST = {
    "isolated": (
        "A short spike that cross margin would have sat out can liquidate an isolated position for good.",
        "Margin cannot be shared: what one position does not need, another cannot use without a signed move.",
    ),
    "strategy": (
        "A strategy can be liquidated while another is full of money: you have to move it yourself in time.",
    ),
    "cross": (_WHOLE,),
    "scenario": (
        _WHOLE,
        "The grid trusts correlations a little. When they break, requirements jump just when prices do.",
        "A scenario account is liquidated in slices of everything, the legs that won included.",
    ),
}


def _otherwise(mode: str, answers: Answers) -> str:
    if mode == "isolated":
        return "If your positions came to hedge each other, a strategy of their own would serve you better."
    if mode == "strategy":
        if answers.book is Book.ONE:
            return "If each idea has a stake of its own, isolated positions give the same wall with less to look after."
        return (
            "With one idea at a time, isolated positions give the same wall with less to look after."
            if answers.book is Book.SEVERAL
            else "If the whole account may stand behind the hedge, cross is further from liquidation still."
        )
    if mode == "scenario":
        return "If you could not add collateral within minutes, plain cross would leave you more room before a call."
    if answers.book is Book.HEDGED and answers.hedges is Hedges.HERE and answers.watch is Watch.ALWAYS:
        return "If your own what-if shows that scenario margin asks less of this book, it is worth its risk to you."
    return "As soon as no single idea may cost you the account, put that idea into isolated or a strategy of its own."
