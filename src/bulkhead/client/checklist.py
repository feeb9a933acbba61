"""The practical checklist: five questions before a portfolio is held somewhere, each answered with its own numbers.

`Answer` is a value that any portfolio's answers can take; `answers` asks an exchange for those of a live account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any, NamedTuple

from bulkhead.client.compartments import Compartment, Compartments
from bulkhead.client.evidence import Books
from bulkhead.client.trader import Trader

TAIL = "What is the worst-case tail exposure?"
CALL = "What calls for margin on the whole account?"
SPEED = "How fast can collateral be added, or taken out?"
HISTORY = "How did liquidations go here, and at what slippage?"
TRUST = "What must be trusted?"
QUESTIONS = (TAIL, CALL, SPEED, HISTORY, TRUST)

BOOK = "BOOK"  # of who takes what a liquidation closes: the order book
FORCED_DAYS = 7  # a forced request that is not served for so long lets anybody freeze the rollup (contracts/Rollup.vy)
PERCENT = Decimal(100)
USD, SHARE, SECONDS, COUNT, BASIS_POINTS = "USD", "%", "s", "", "bp"


class Figure(NamedTuple):
    """A number that belongs to an answer. `value` None: it is not known, and is shown so; infinite: out of reach."""

    label: str
    value: Decimal | None
    unit: str  # USD, %, s, bp, or empty for a count


@dataclass(frozen=True)
class Answer:
    """One question of the checklist, answered. `source` is the page or the endpoint that the figures come from."""

    question: str
    verdict: str
    figures: tuple[Figure, ...]
    source: str


Rows = Sequence[Mapping[str, Any]]


class Facts(NamedTuple):
    """What an exchange says of itself: the answers of its endpoints, as they are."""

    liquidations: Rows
    batches: Rows
    settlement: Mapping[str, Any]
    solvency: Mapping[str, Any]
    insurance: Mapping[str, Any]
    oracle: Mapping[str, Any]
    operator: Mapping[str, Any]


async def answers(trader: Trader) -> tuple[Answer, ...]:
    """The five answers for an account as it is now. Raises what `Trader` raises."""
    held, facts = await asyncio.gather(trader.compartments(), facts_of(trader.exchange.books))
    return answered(held, facts)


async def facts_of(books: Books) -> Facts:
    """Ask an exchange for them, all at once."""
    past, batches = await asyncio.gather(books.liquidations(), books.batches())
    settlement, solvency, insurance, oracle, operator = await asyncio.gather(
        books.settlement(), books.solvency(), books.insurance(), books.oracle(), books.operator()
    )
    return Facts(past, batches, settlement, solvency, insurance, oracle, operator)


def answered(held: Compartments, facts: Facts) -> tuple[Answer, ...]:
    """The five answers from what was asked already."""
    return (
        tail(held),
        margin_call(held),
        speed(held, facts),
        history(facts.liquidations),
        trust(facts),
    )


def tail(held: Compartments) -> Answer:
    """What the worst joint move of the venue's grid takes from all compartments, and what is at stake beyond that."""
    source = "GET /api/v1/user/compartments"
    if not held.together:
        return Answer(TAIL, "Nothing: no position is open.", (Figure("at stake", Decimal(0), USD),), source)
    worst = held.together[0]
    broken = max((one for one in held.compartments if one.positions), key=lambda one: one.worst_loss)
    value = held.value
    share = worst.loss / value * PERCENT if value > 0 else None
    part = "" if share is None else f", {share:.1f}% of everything"
    apart = sum((one.worst_loss for one in held.compartments), Decimal(0))
    words = f"“{worst.name}” costs {_usd(worst.loss)}{part}."
    if apart > worst.loss:
        words += f" With correlations broken it is {_usd(apart)} at most."
    if worst.beyond_account > 0:
        words += f" {_usd(worst.beyond_account)} more would be lost and borne by others."
    return Answer(
        TAIL,
        words,
        (
            Figure("worst joint move", worst.loss, USD),
            Figure("of everything", share, SHARE),
            Figure(f"worst of {name_of(broken)}, correlations broken", broken.worst_loss, USD),
            Figure("each compartment at its worst, at once", apart, USD),
            Figure("beyond the account", worst.beyond_account, USD),
        ),
        source,
    )


def margin_call(held: Compartments) -> Answer:
    """The compartment that is nearest to a margin call, and how far its markets must move for it."""
    source = "GET /api/v1/user/compartments"
    exposed = [one for one in held.compartments if one.positions]
    if not exposed:
        return Answer(CALL, "Nothing: no position is open.", (), source)
    called = [one for one in exposed if one.call]
    nearest = min(exposed, key=lambda one: _nearest(one, 100))
    distance = _nearest(nearest, 100)
    if called:
        are = "is" if len(called) == 1 else "are"
        words = f"{len(called)} of {len(exposed)} compartments {are} called now: {', '.join(map(name_of, called))}."
    elif distance.is_finite():
        words = f"A move of {distance * PERCENT:.2f}% liquidates {name_of(nearest)} first."
    else:
        words = "No joint move in range liquidates anything."
    figures = [Figure("maintenance used", None if nearest.used is None else nearest.used * PERCENT, SHARE)]
    for level, label in ((66, "move to the call at 66%"), (80, "move to the call at 80%"), (100, "to liquidation")):
        move = _nearest(nearest, level)
        figures.append(Figure(label, move * PERCENT, SHARE))
    return Answer(CALL, words, tuple(figures), source)


def speed(held: Compartments, facts: Facts) -> Answer:
    """What may leave now, how long a move inside takes, and how long the last withdrawals took to reach L1."""
    withdrawable = sum((one.withdrawable or Decimal(0) for one in held.compartments), Decimal(0))
    command_s = facts.operator.get("latency", {}).get("p50")
    inside = None if command_s is None else Decimal(str(command_s))
    settles = bool(facts.settlement.get("settles"))
    waits = [taken for batch in facts.batches if (taken := settled_after_s(batch)) is not None]
    outside = Decimal(str(median(waits))) if waits else None
    if not settles:
        words = "Between compartments at once. This venue settles nothing on L1: what is withdrawn stays a promise."
    elif outside is None:
        words = "Between compartments at once. To L1: no batch has settled yet, so nobody knows."
    else:
        words = f"Between compartments at once; to L1 some {outside:.0f} s after a batch's seal, as the last ones took."
    if withdrawable < held.value:
        words += f" {_usd(held.value - withdrawable)} lie in isolated accounts, or stay for positions and orders."
    figures = [
        Figure("withdrawable now", withdrawable, USD),
        Figure("a command, median", inside, SECONDS),
        Figure("batch to L1, median", outside, SECONDS),
    ]
    if settles:  # elsewhere no contract could be forced
        figures.append(Figure("by force at most", Decimal(FORCED_DAYS * 86_400), SECONDS))
    return Answer(
        SPEED,
        words,
        tuple(figures),
        "GET /api/v1/user/compartments, /api/v1/info/batches, /api/v1/info/settlement, /api/v1/info/operator",
    )


def settled_after_s(batch: Mapping[str, Any]) -> float | None:
    """From the seal of a batch to its block on L1; None where it is not there yet."""
    for step in batch.get("steps", ()):
        if step["stage"] == "SETTLED" and step["time"]:
            return float(step["time"] - batch["sealedTime"]) / 1000
    return None


def history(liquidations: Rows) -> Answer:
    """The last liquidations of everybody: who took them, and how far from the mark."""
    source = "GET /api/v1/info/liquidations"
    if not liquidations:
        return Answer(HISTORY, "There was none, so nothing is known of this book in a crash.", (), source)
    slips = [Decimal(one["slippageBp"]) for one in liquidations]
    book = sum(one["takenBy"] == BOOK for one in liquidations)
    covered = sum((Decimal(one["coveredByFund"]) for one in liquidations), Decimal(0))
    words = f"{book} of the last {len(liquidations)} steps went into the book, at a median slippage of "
    words += f"{median(slips):.0f} bp; the insurance fund paid {_usd(covered)}."
    return Answer(
        HISTORY,
        words,
        (
            Figure("steps", Decimal(len(liquidations)), COUNT),
            Figure("into the book", Decimal(book), COUNT),
            Figure("slippage, median", Decimal(median(slips)), BASIS_POINTS),
            Figure("slippage, worst", max(slips), BASIS_POINTS),
            Figure("paid by the insurance fund", covered, USD),
        ),
        source,
    )


def trust(facts: Facts) -> Answer:
    """Who must be honest, and what is checked instead of trusted."""
    settlement, solvency = facts.settlement, facts.solvency
    gap = Decimal(solvency["custody"]) - Decimal(solvency["accounts"]) - Decimal(solvency["funds"])
    insured = sum((Decimal(fund["insurance"]) for fund in facts.insurance["funds"]), Decimal(0))
    unproven = int(settlement["sealed"]) - int(settlement["proven"])
    needed, signers = int(facts.oracle["quorum"]), len(facts.oracle["signers"])
    words = f"{needed} of {signers} oracle signers for prices, and the operator for the order of commands. "
    if settlement["settles"]:
        behind = f"{unproven} batch{'' if unproven == 1 else 'es'} behind" if unproven else "of every sealed batch"
        words += f"Balances follow from proofs on L1, {behind}."
    else:
        words += "This venue proves nothing on L1: balances are the operator's word too."
    return Answer(
        TRUST,
        words,
        (
            Figure("oracle signers", Decimal(signers), COUNT),
            Figure("of which must agree", Decimal(needed), COUNT),
            Figure("batches not proven", Decimal(unproven), COUNT),
            Figure("custody less what is owed", gap, USD),
            Figure("insurance fund", insured, USD),
        ),
        "GET /api/v1/info/oracle, /api/v1/info/settlement, /api/v1/info/solvency, /api/v1/info/insurance",
    )


def name_of(one: Compartment) -> str:
    """A compartment in words."""
    if one.kind == "CHILD":
        return f"isolated {one.market}"
    if one.kind == "STRATEGY":
        return f"strategy {one.name or one.account_id}"
    return "cross"


def _nearest(one: Compartment, level: int) -> Decimal:
    found = one.distance(level)
    move = None if found is None else found.nearest
    return Decimal("Infinity") if move is None else move


def _usd(amount: Decimal) -> str:
    return f"{amount:,.2f} USD"
