"""Liquidation: who is eligible, which position goes first, how much of it, and at what price at worst.

The zero price is Lighter's (and dYdX v3's close price): trading at it leaves value over maintenance
unchanged, and closing every position at its own ends at zero. The minimal amount and the choice of position
are rules here, not an operator's discretion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from bulkhead.fixed import FRACTION_BITS, div_ceil, div_floor, share_ceil, share_floor
from bulkhead.limits import BOOK_PRICE_LIMIT
from bulkhead.rules.margin import maintenance_of, row_of
from bulkhead.rules.terms import Health, MarketTerms, Position, Risk, Risks
from bulkhead.units import BookPrice, Fraction, MarketId, Quote, Size, TimeMs, Worth


class Charges(NamedTuple):
    """What a liquidated account pays beside the price: the taker fee and the insurance penalty."""

    fee: Quote
    penalty: Quote


def is_cooling_down(now: TimeMs, last_step: TimeMs, pause_ms: int, health: Health) -> bool:
    """Partial steps of one account keep a pause between them; below close-out there is none."""
    return health.is_above_close_out and now - last_step < pause_ms


def zero_price(position: Position, risk: Risk, value: Worth, weight: int, total: int) -> BookPrice:
    """The worst price at which a position may be closed for its account.

        zero = index · (1 − side · fraction · value / maintenance)

    `weight / total` is the position's part of the requirement (linear) or of the gross notional (scenario):
    the concessions of all positions sum to the account's value. Unit: whole quote per lot, rounded in
    the account's favour (up for a long, down for a short), at least one tick.

    Example: 20 USD of value, 30 USD of maintenance, all from one long of 1,000 lots at 1 USD: 0.98 USD.
    """
    size = int(position.size)
    scale = total * abs(size)
    concession = int(value) * weight
    if size > 0:
        price = div_ceil(int(risk.price) * scale - concession, scale << FRACTION_BITS)
    else:
        price = div_floor(int(risk.price) * scale + concession, scale << FRACTION_BITS)
    return BookPrice(min(max(price, 1), BOOK_PRICE_LIMIT - 1))


def linear_zero_price(position: Position, risk: Risk, health: Health) -> BookPrice:
    """`zero_price` weighted by maintenance requirement: the rule of linear accounts."""
    weight = int(maintenance_of(risk, position.size))
    return zero_price(position, risk, health.value, weight, int(health.maintenance))


def choose(positions: Iterable[Position], risks: Risks, terms: dict[MarketId, MarketTerms]) -> Position:
    """The position to reduce first: the most maintenance released for each unit of expected slippage.

    Highest marginal maintenance fraction ÷ configured slippage; ties by larger notional, then lower market
    id. Compared by multiplying. The account must hold a position.
    """
    best: Position | None = None
    best_marginal, best_slippage, best_notional = 0, 1, 0
    for position in positions:
        risk = risks[position.market_id]
        notional = abs(int(position.size * risk.price))
        marginal = int(row_of(risk, notional).maintenance)
        slippage = int(terms[position.market_id].slippage)
        left, right = marginal * best_slippage, best_marginal * slippage
        if best is None or left > right or (left == right and notional > best_notional):
            best, best_marginal, best_slippage, best_notional = position, marginal, slippage, notional
    assert best is not None  # callers liquidate accounts that hold something
    return best


def charges(size: Size, side: int, fill: BookPrice, zero: BookPrice, rates: tuple[Fraction, Fraction]) -> Charges:
    """Fee and penalty of closing `size` lots (positive) at `fill`: never past the zero price.

        surplus = side · (fill − zero) · size;  fee = min(⌈rate · notional⌉, surplus);
        penalty = min(⌊1 % of notional⌋, surplus − fee)

    `rates` are those of the fee and of the penalty. Source: Lighter's and dYdX v4's caps on the
    liquidation fee.
    """
    notional = fill * size
    surplus = Quote(side * (int(fill) - int(zero)) * int(size))
    fee = min(share_ceil(notional, rates[0]), surplus)
    return Charges(fee, min(share_floor(notional, rates[1]), surplus - fee))


def minimal_size(whole: Size, is_restored: Callable[[Size], bool]) -> Size:
    """The fewest lots whose closing restores the account: one lot fewer would miss it.

    `is_restored(size)` says whether the account after closing `size` lots, at the actual price with fee
    and penalty, reaches the target. All of the position when nothing less does. Bisection; deterministic.
    """
    low, high = 0, int(whole)  # low lots do not restore it (it is eligible), high lots do or are all there is
    while high - low > 1:
        middle = div_floor(low + high, 2)
        if is_restored(Size(middle)):
            high = middle
        else:
            low = middle
    return Size(high)


def reaches_target(value: Worth, maintenance: int, target: Fraction) -> bool:
    """value ≥ target · maintenance (64 fraction bits; the target, say 1.25, has 32)."""
    return int(value) << (2 * FRACTION_BITS) >= maintenance * int(target)


class Closing(NamedTuple):
    """One linear position about to be reduced at one price: what `step_size` needs to know."""

    position: Position
    risk: Risk
    health: Health
    fill: BookPrice
    zero: BookPrice
    rates: tuple[Fraction, Fraction]  # of the fee, of the penalty
    target: Fraction
    dust: Quote


def value_after(closing: Closing, size: Size) -> Worth:
    """The account's value after closing `size` lots (positive) at the fill price, fee and penalty paid."""
    position, risk, health, fill, zero, rates, _, _ = closing
    side = 1 if int(position.size) > 0 else -1
    paid = charges(size, side, fill, zero, rates)
    concession = side * ((int(fill) << FRACTION_BITS) - int(risk.price)) * int(size)
    return Worth(int(health.value) + concession - ((int(paid.fee) + int(paid.penalty)) << FRACTION_BITS))


def step_size(closing: Closing) -> Size:
    """How many lots one liquidation step may close, positive.

    All of it below close-out. Otherwise the minimal number that restores the target; and all of it when
    what would be left is worth less than `dust`.
    """
    position, risk, health = closing.position, closing.risk, closing.health
    whole = abs(position.size)
    if not health.is_above_close_out:
        return whole
    rest = int(health.maintenance) - int(maintenance_of(risk, position.size))

    def is_restored(size: Size) -> bool:
        kept = maintenance_of(risk, whole - size)
        return reaches_target(value_after(closing, size), rest + int(kept), closing.target)

    size = minimal_size(whole, is_restored)
    left = int((whole - size) * risk.price)
    return whole if left < int(closing.dust) << FRACTION_BITS else size
