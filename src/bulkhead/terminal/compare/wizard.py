"""Which mode for me? Four questions, an answer in words, and the case against it. A pure function of the answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import NamedTuple


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
    """One mode of the trader's own what-if, in dollars: what his last question on the screen came to."""

    margin: Decimal
    at_stake: Decimal
    worst_loss: Decimal
    liquidation_share: Decimal | None  # of the price from now; None: out of reach
    is_refused: bool


Figures = dict[str, ModeFigures]
"""By mode; empty where there is no what-if yet."""


class Advice(NamedTuple):
    """A mode, why, what speaks against it, what would change the answer, and the trader's own numbers for it."""

    mode: str
    reasons: tuple[str, ...]
    against: tuple[str, ...]
    otherwise: str
    figures: tuple[str, ...]


def advise(answers: Answers, figures: Figures | None = None) -> Advice:
    """The mode for these answers. What may be lost decides first, then what is held, then who watches it."""
    known = {} if figures is None else figures
    mode = _mode(answers, known)
    return Advice(mode, _reasons(mode, answers), _against(mode, answers), _otherwise(mode, answers), _own(mode, known))


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
    """In his own numbers scenario margin takes the order and asks less than cross; without numbers nobody knows."""
    if "scenario" not in figures or "cross" not in figures:
        return False
    return not figures["scenario"].is_refused and figures["scenario"].margin < figures["cross"].margin


def _reasons(mode: str, answers: Answers) -> tuple[str, ...]:
    if mode == "isolated":
        return (
            "You would rather lose a position than have it reach for the rest: isolated, it can lose its own "
            "collateral and nothing else of yours.",
            "Each position has a price of liquidation of its own, which no other position moves.",
        )
    if mode == "strategy":
        first = (
            "Your legs hedge each other, so they must share collateral; a strategy holds both and ends where it ends."
            if answers.book is Book.HEDGED
            else "A strategy is a compartment: cross inside, isolated from others. One that fails leaves them whole."
        )
        return (first, "Profit and loss are counted by strategy, and money moves between them only when you sign it.")
    common = (
        "Gains of one leg carry the losses of the other while a spike lasts, so the hedge is not torn apart by the "
        "liquidation of one leg."
        if answers.book is Book.HEDGED
        else "Everything you hold stands behind every position, so it takes the largest move to liquidate any of them."
    )
    if mode == "scenario":
        return (common, "By your own what-if the grid of joint shocks asks less margin of this book than cross does.")
    return (common, "No margin lies idle in compartments: what is free is free for everything.")


def _against(mode: str, answers: Answers) -> tuple[str, ...]:
    if mode == "isolated":
        found = [
            "A short spike that cross margin would have sat out can liquidate an isolated position for good.",
            "Margin cannot be shared: what one position does not need, another cannot use without a signed move.",
        ]
        if answers.hedges is not Hedges.NONE:
            found.append("A hedge in another compartment does not count here, however good it is.")
        return tuple(found)
    if mode == "strategy":
        found = ["A strategy can be liquidated while another is full of money: you have to move it yourself in time."]
        if answers.watch is Watch.DAILY:
            found.append("You look once a day: sign a top-up cap, or give each strategy more than it asks.")
        if answers.book is Book.SEVERAL:
            found.append("The same market held in two strategies is margined twice: positions never net across them.")
        return tuple(found)
    found = ["One bad position can take everything in this account: your worst idea decides about your best."]
    if answers.watch is Watch.DAILY:
        found.append("You look once a day, and a margin call on the whole account does not wait for that.")
    if answers.hedges is Hedges.ELSEWHERE:
        found.append("Legs elsewhere do not count here: this exchange sees naked positions, and calls for them.")
    if mode == "scenario":
        found.append("The grid trusts correlations a little. When they break, requirements jump just when prices do.")
        found.append("A scenario account is liquidated in slices of everything, the legs that won included.")
    return tuple(found)


def _otherwise(mode: str, answers: Answers) -> str:
    if mode == "isolated":
        return "If your positions came to hedge each other, a strategy of their own would serve you better."
    if mode == "strategy":
        return (
            "With one idea at a time, isolated positions give the same wall with less to look after."
            if answers.book is not Book.HEDGED
            else "If the whole account may stand behind the hedge, cross is further from liquidation still."
        )
    if mode == "scenario":
        return "If you could not add collateral within minutes, plain cross would leave you more room before a call."
    if answers.book is Book.HEDGED and answers.hedges is Hedges.HERE and answers.watch is Watch.ALWAYS:
        return "If your own what-if shows that scenario margin asks less of this book, it is worth its risk to you."
    return "As soon as no single idea may cost you the account, put that idea into isolated or a strategy of its own."


def _own(mode: str, figures: Figures) -> tuple[str, ...]:
    """The trader's own what-if: the advised mode's numbers beside those of the others."""
    mine = figures.get(mode)
    if mine is None:
        return ()
    reach = "no price liquidates it" if mine.liquidation_share is None else (
        f"liquidation is {_percent(mine.liquidation_share)} away"
    )  # fmt: skip
    said = [
        f"Your last what-if in {mode}: {_dollars(mine.margin)} of margin, {_dollars(mine.at_stake)} at stake, {reach}, "
        f"and the worst stress costs {_dollars(mine.worst_loss)}."
    ]
    if mine.is_refused:
        said.append(f"As things are, {mode} would refuse that order.")
    for name, other in figures.items():
        if name != mode and not other.is_refused:
            said.append(f"In {name}: {_dollars(other.at_stake)} at stake, worst stress {_dollars(other.worst_loss)}.")
    return tuple(said)


def _dollars(value: Decimal) -> str:
    return f"{value:,.2f}"


def _percent(share: Decimal) -> str:
    return f"{abs(100 * share):.1f}%"
