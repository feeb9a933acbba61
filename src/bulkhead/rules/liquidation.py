"""Liquidation: who is eligible, which position goes first, how much of it, and at what price at worst.

The zero price is Lighter's (and dYdX v3's close price): trading at it leaves value over maintenance
unchanged, and closing every position at its own ends at zero. The minimal amount and the choice of position
are rules here, not an operator's discretion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from bulkhead.fixed import FRACTION_BITS, div_ceil, div_floor, share_ceil, share_floor
from bulkhead.limits import BOOK_PRICE_LIMIT
from bulkhead.rules.margin import maintenance_of, row_of
from bulkhead.rules.terms import Health, MarketTerms, Position, Risk, Risks
from bulkhead.units import BookPrice, Fraction, Quote, Size, TimeMs, Worth


class Charges(NamedTuple):
    """What a liquidated account pays beside the price: the taker fee and the insurance penalty."""

    fee: Quote
    penalty: Quote


def is_cooling_down(now: TimeMs, last_step: TimeMs, pause_ms: int, health: Health) -> bool:
    """Partial steps of one account keep a pause between them; below close-out there is none.

    Units: milliseconds; compared exactly, nothing is rounded.
    Source: Hyperliquid's pause after a partial liquidation, made shorter; no pause below close-out is Lighter's.

    Nine seconds after a step the account waits, unless it is below close-out (20 USD here):

    >>> def worth_left(whole: int) -> Health:
    ...     return Health(worth(dollars(whole)), *(requirement(worth(dollars(asked))) for asked in (50, 30, 20)))
    >>> [is_cooling_down(TimeMs(9_000), TimeMs(0), 10_000, worth_left(whole)) for whole in (25, 19)]
    [True, False]
    """
    return health.is_above_close_out and now - last_step < pause_ms


def zero_price(position: Position, risk: Risk, value: Worth, weight: int, total: int) -> BookPrice:
    """The worst price at which a position may be closed for its account.

        zero = index − side · (value · weight / total) / |size|

    `weight / total` is the position's part of the maintenance requirement (linear) or of the gross notional
    (scenario): the concessions of all positions sum to the account's value. For a linear position this is
    index · (1 − side · fraction · value / maintenance). Below zero value the price is better than the index,
    and somebody else (backstop, insurance fund, deleveraged holder) pays.

    A short whose zero price lies under one tick is closed at one tick: the rest of its debt is the fund's.

    Units: whole quote per lot; rounded in the account's favour (up for a long, down for a short).
    Source: Lighter's zero price, dYdX v3's close price.

    20 USD of value, 30 USD of maintenance, all from 1,000 lots at 1 USD: 0.98 USD long, 1.02 USD short:

    >>> [zero_price(position(1, size), risk(), worth(dollars(20)), 30, 30) for size in (1_000, -1_000)]
    [980000, 1020000]
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
    """`zero_price` weighted by maintenance requirement: the rule of linear accounts.

    Units: whole quote per lot; rounded in the account's favour.
    Source: Lighter's zero price.

    A long of 1,000 lots beside another that asks 30 USD too: half of the 20 USD may be given up on each:

    >>> asked = requirement(worth(dollars(60)))
    >>> linear_zero_price(position(1, 1_000), risk(), Health(worth(dollars(20)), asked, asked, asked))
    990000
    """
    weight = int(maintenance_of(risk, position.size))
    return zero_price(position, risk, health.value, weight, int(health.maintenance))


def choose(positions: Iterable[Position], risks: Risks, terms: Mapping[int, MarketTerms]) -> Position:
    """The position to reduce first: the most maintenance released for each unit of expected slippage.

        highest marginal maintenance fraction / configured slippage

    Ties go to the larger notional, then to the lower market id. The account must hold a position.

    Units: fractions compared by multiplying, exact, nothing is rounded.
    Source: ours; other venues leave the choice to the operator or to chance (dYdX v4).

    Of two positions of one size, the one that costs half as much to sell goes first:

    >>> held = [position(1, 1_000), position(2, 1_000)]
    >>> terms = {1: market(1, slippage=basis_points(20)), 2: market(2, slippage=basis_points(10))}
    >>> choose(held, {1: risk(1), 2: risk(2)}, terms).market_id
    2
    """
    best: Position | None = None
    best_marginal, best_slippage, best_notional = 0, 1, 0
    for position in sorted(positions):  # by market id, so that a full tie keeps the lower one
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
    """Fee and penalty of closing `size` lots (positive) of a long (side 1) or short (−1) at `fill`.

        surplus = side · (fill − zero) · size
        fee = min(rate · notional, surplus);  penalty = min(rate · notional, surplus − fee)

    They take no more than the fill was better than the zero price, and nothing when it was worse.
    `rates` are those of the fee and of the penalty.

    Units: quote; the fee rounded up, the penalty rounded down.
    Source: Lighter's and dYdX v4's caps on the liquidation fee.

    1,000 lots sold at 0.99 USD where 0.985 was the worst: 0.495 USD of fee, 4.505 of 9.90 USD of penalty:

    >>> charges(Size(1_000), 1, BookPrice(990_000), BookPrice(985_000), (basis_points(5), percent(1)))
    Charges(fee=495001, penalty=4504999)
    """
    notional = fill * size
    surplus = Quote(max(0, side * (int(fill) - int(zero)) * int(size)))
    fee = min(share_ceil(notional, rates[0]), surplus)
    return Charges(fee, min(share_floor(notional, rates[1]), surplus - fee))


def minimal_size(whole: Size, is_restored: Callable[[Size], bool], kinks: Sequence[Size] = ()) -> Size:
    """The fewest lots whose closing restores the account: one lot fewer would miss it.

    `is_restored(size)` says whether the account after closing `size` lots, at the actual price with fee
    and penalty, reaches the target. All of the position when nothing does.

    Closing more is not always better: once the remainder is in a cheap tier, a poor price can cost more than
    the tier releases. `kinks` are the sizes (rising) at which the tier changes; between two of them the margin
    over the target is a straight line but for roundings of charges, so the first that is restored ends a
    stretch with one crossing, found by bisection.

    Units: lots, positive; nothing is rounded.
    Source: ours; Paradex takes the least multiple of 20 % of everything.

    Restored from 7 lots on: 7. Restored by 3 to 5 lots of 10 only, the tier changing at 4: 3:

    >>> minimal_size(Size(10), lambda size: size >= 7)
    7
    >>> minimal_size(Size(10), lambda size: 3 <= size <= 5, [Size(4)])
    3
    """
    low = 0  # closing nothing does not restore it: it is eligible
    for end in (*kinks, whole):
        if not is_restored(end):
            low = int(end)
            continue
        high = int(end)
        while high - low > 1:
            middle = div_floor(low + high, 2)
            if is_restored(Size(middle)):
                high = middle
            else:
                low = middle
        return Size(high)
    return whole


def reaches_target(value: Worth, maintenance: int, target: Fraction) -> bool:
    """value ≥ target · maintenance.

    Units: maintenance with 64 fraction bits, the product with 96; compared exactly, nothing is rounded.
    Source: Drift's buffer above maintenance at the end of a liquidation, made a multiple of it.

    With a target of 1.25, 30 USD of maintenance need 37.50 USD:

    >>> thirty, target = int(requirement(worth(dollars(30)))), fraction(125, 100)
    >>> [reaches_target(worth(Quote(value)), thirty, target) for value in (37_500_000, 37_499_999)]
    [True, False]
    """
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
    """The account's value after closing `size` lots (positive) at the fill price, fee and penalty paid.

        value + side · (fill − index) · size − fee − penalty

    Units: worth with 32 fraction bits; exact, for the charges are already whole quote.
    Source: ours: the ledger's own bookkeeping of a close, in one line.

    100 of 1,000 lots sold 0.01 USD below the index, at the zero price, cost 1 USD of the 20 and no charges:

    >>> asked = requirement(worth(dollars(30)))
    >>> price, rates = BookPrice(990_000), (basis_points(5), percent(1))
    >>> closing = Closing(position(1, 1_000), risk(), Health(worth(dollars(20)), asked, asked, asked),
    ...                   price, price, rates, fraction(125, 100), dollars(0))
    >>> quote_floor(value_after(closing, Size(100))) == dollars(19)
    True
    """
    position, risk, health, fill, zero, rates, _, _ = closing
    side = 1 if int(position.size) > 0 else -1
    paid = charges(size, side, fill, zero, rates)
    concession = side * ((int(fill) << FRACTION_BITS) - int(risk.price)) * int(size)
    return Worth(int(health.value) + concession - ((int(paid.fee) + int(paid.penalty)) << FRACTION_BITS))


def kinks_of(risk: Risk, whole: Size) -> list[Size]:
    """How many lots of `whole` (positive) bring what is left into each lower tier: rising, two beside each bound.

    Units: lots; what is left is rounded both ways, for the bound may lie between two lots.
    Source: ours: where the line of `minimal_size` may bend under Hyperliquid's tiers.

    Of 150,000 lots at 1 USD, closing 50,000 leaves the first tier full:

    >>> kinks_of(risk(), Size(150_000))
    [49999, 50000]
    """
    sizes: list[Size] = []
    for row in reversed(risk.rows[:-1]):
        kept = Size(div_floor(int(row.bound), int(risk.price)))
        sizes += [size for size in (whole - kept - Size(1), whole - kept) if Size(0) < size < whole]
    return sizes


def step_size(closing: Closing) -> Size:
    """How many lots one liquidation step may close, positive.

    All of it below close-out. Otherwise the minimal number that restores the target; and all of it when
    what would be left is worth less than `dust`.

    Units: lots; rounded up to the first whole lot that reaches the target.
    Source: ours; 1,000 USD is the least step of dYdX v4 and Extended, and Drift closes small shortages at once.

    25 USD of value over 30 of maintenance, sold at the index without charges: 334 of 1,000 lots leave 19.98,
    of which 25 is at least 1.25 times; but if less than 700 USD may not be left, all of it goes:

    >>> asked = requirement(worth(dollars(30)))
    >>> close_out = requirement(worth(dollars(20)))
    >>> price = BookPrice(1_000_000)
    >>> closing = Closing(position(1, 1_000), risk(), Health(worth(dollars(25)), asked, asked, close_out),
    ...                   price, price, (basis_points(5), percent(1)), fraction(125, 100), dollars(0))
    >>> step_size(closing), step_size(closing._replace(dust=dollars(700)))
    (334, 1000)
    """
    position, risk, health = closing.position, closing.risk, closing.health
    whole = abs(position.size)
    if not health.is_above_close_out:
        return whole
    rest = int(health.maintenance) - int(maintenance_of(risk, position.size))

    def is_restored(size: Size) -> bool:
        kept = maintenance_of(risk, whole - size)
        return reaches_target(value_after(closing, size), rest + int(kept), closing.target)

    size = minimal_size(whole, is_restored, kinks_of(risk, whole))
    left = int((whole - size) * risk.price)
    return whole if left < int(closing.dust) << FRACTION_BITS else size
