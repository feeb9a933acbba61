"""Margin: the value of an account, what its positions require, and which changes are allowed.

Source of the formulas: StarkEx perpetual (value and requirement kept exact, compared by multiplying),
Hyperliquid (continuous tiers), dYdX v4 (open-interest scaling), Lighter (three levels of requirement).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bulkhead.fixed import (
    FRACTION_BITS,
    ONE,
    div_floor,
    fraction,
    requirement,
    requirement_quote_ceil,
    requirement_quote_floor,
    worth_share_floor,
)
from bulkhead.limits import PRICE_LIMIT
from bulkhead.rules.terms import NO_FLOORS, Floors, Health, Position, Risk, Risks, Row
from bulkhead.units import BookPrice, Fraction, Price, Quote, Requirement, Size, Worth


def row_of(risk: Risk, notional: int) -> Row:
    """The tier a notional falls into: the first whose bound is not below it; the last one has no end.

    Units: notional with 32 fraction bits, not negative; nothing is rounded.
    Source: Hyperliquid's margin tiers.

    At 100,000 USD the first tier still asks 5 %; one micro-dollar above, the second asks 10 % less its deduction:

    >>> millionths(row_of(risk(), int(worth(dollars(100_000)))).initial)
    50000
    >>> millionths(row_of(risk(), int(worth(dollars(100_000) + Quote(1)))).initial)
    100000
    """
    rows = risk.rows
    for row in rows:
        if notional <= int(row.bound):
            return row
    return rows[-1]


def health(
    balance: Quote,
    collateral: Worth,
    positions: Iterable[Position],
    risks: Risks,
    floors: Floors = NO_FLOORS,
) -> Health:
    """Value and requirements of a linear account whose funding is settled.

        value = balance + collateral + Σ size · index
        requirement = Σ |size| · index · fraction, summed bracket by bracket

    `collateral` is the other assets at price and after haircut. `floors` holds the trader's own initial
    fractions (see `leverage_floor`); they raise the initial requirement only.

    Units: value has 32 fraction bits, requirements 64; exact, nothing is rounded.
    Source: StarkEx perpetual `position/status.cairo`; brackets as in Hyperliquid's margin tiers.

    100 USD of own money and 1,000 lots bought at 1 USD: the balance is −900, value 100, initial requirement
    50 (5 %), maintenance 30, close-out 20 USD. At five times leverage of his own the trader needs 200:

    >>> held = (position(1, 1_000, cost=dollars(1_000)),)
    >>> now = health(dollars(-900), Worth(0), held, {1: risk()})
    >>> quote_floor(now.value) == dollars(100)
    True
    >>> [in_dollars(asked) for asked in now[1:]]
    [50, 30, 20]
    >>> in_dollars(health(dollars(-900), Worth(0), held, {1: risk()}, {1: leverage_floor(5)}).initial)
    200
    """
    # Plain integers inside: this is the hottest function of the exchange, the types are at its edges.
    value = (balance << FRACTION_BITS) + collateral  # type: ignore[operator]
    initial = maintenance = close_out = 0
    for position in positions:
        market_id = position[0]
        risk = risks[market_id]
        bound, initial_share, maintenance_share, close_out_share = risk[2]
        notional: int = position[1] * risk[0]  # type: ignore[assignment]
        value += notional
        if notional < 0:
            notional = -notional
        if notional > bound:
            row = row_of(risk, notional)
            asked: int = notional * row[1] - row[4]  # type: ignore[operator]
            maintenance += notional * row[2] - row[5]  # type: ignore[operator]
            close_out += notional * row[3] - row[6]  # type: ignore[operator]
        else:
            asked = notional * initial_share
            maintenance += notional * maintenance_share
            close_out += notional * close_out_share
        if floors:
            own: int = notional * floors.get(market_id, 0)  # type: ignore[operator]
            if own > asked:
                asked = own
        initial += asked
    return Health(value, initial, maintenance, close_out)  # type: ignore[arg-type]


def haircut_worth(amount: Worth, haircut: Fraction) -> Worth:
    """What other collateral counts for: worth · (1 − haircut).

    Units: worth with 32 fraction bits; rounded down.
    Source: Starknet Perpetual and Lighter count other collateral after a haircut.

    100 USD of an asset with a haircut of 25 % count 75 USD:

    >>> haircut_worth(worth(dollars(100)), percent(25)) == worth(dollars(75))
    True
    """
    return worth_share_floor(amount, ONE - haircut)


def leverage_floor(leverage: int) -> Fraction:
    """The initial fraction a trader's leverage stands for: 1 / leverage.

    Units: Fraction; rounded up.
    Source: dYdX v4 (a trader's own initial fraction).

    >>> millionths(leverage_floor(8))
    125000
    """
    return fraction(1, leverage)


def is_healthier(before: Health, after: Health) -> bool:
    """value / maintenance did not fall, compared without dividing.

        value0 · maintenance1 ≤ value1 · maintenance0      (96 + 127 bits, signed: below the field)

    An account left without a requirement must not be left with a debt. Asked only of changes in which sizes
    shrink, so no requirement appears where there was none.

    Units: products of a worth and a requirement, 96 fraction bits; exact, nothing is rounded.
    Source: StarkEx `validate_state_transition`; the case without a requirement from audits of its successors.

    From 20 over 30 USD, closing half of the position may leave 12 or 10 over 15, but not 9:

    >>> def over(value: int, maintenance: int) -> Health:
    ...     wanted = requirement(worth(dollars(maintenance)))
    ...     return Health(worth(dollars(value)), wanted, wanted, wanted)
    >>> [is_healthier(over(20, 30), over(left, 15)) for left in (12, 10, 9)]
    [True, True, False]
    """
    if int(after.maintenance) == 0:
        return int(after.value) >= 0
    return int(before.value) * int(after.maintenance) <= int(after.value) * int(before.maintenance)


def is_allowed(before: Callable[[], Health], after: Health, *, is_new_risk: bool, only_shrinks: bool) -> bool:
    """"Healthy or healthier", judged once after all updates of an atomic step.

    Accepted if healthy after the step (initial where the step is new risk, maintenance otherwise); if not,
    only when sizes merely shrink without changing sign and value over maintenance does not fall.
    `before` is asked for only when it is needed.

    Units: compared exactly, nothing is rounded.
    Source: StarkEx `validate_state_transition`, with the edges that audits of its successors found
    (requirement falling to zero, flips, double checks).

    Value 40 over maintenance 30 and initial 50: enough to keep a position or to reduce it, not to add:

    >>> initial, maintenance, close_out = (requirement(worth(dollars(whole))) for whole in (50, 30, 20))
    >>> after = Health(worth(dollars(40)), initial, maintenance, close_out)
    >>> is_allowed(lambda: after, after, is_new_risk=False, only_shrinks=True)
    True
    >>> is_allowed(lambda: after, after, is_new_risk=True, only_shrinks=False)
    False
    """
    if is_new_risk:
        if after.is_initial:
            return True
    elif after.is_maintained:
        return True
    return only_shrinks and is_healthier(before(), after)


def only_shrinks(before: Sequence[Position], after: Sequence[Position]) -> bool:
    """Every position after exists before, with the same sign and no larger.

    Units: lots; compared exactly, nothing is rounded.
    Source: StarkEx perpetual `check_smaller_holdings.cairo`.

    From 10 lots to 4 shrinks; to −4 flips; a second market is new:

    >>> [only_shrinks([position(1, 10)], after) for after in
    ...     ([position(1, 4)], [], [position(1, -4)], [position(1, 4), position(2, 1)])]
    [True, True, False, False]
    """
    sizes = {position.market_id: int(position.size) for position in before}
    for position in after:
        was, now = sizes.get(position.market_id, 0), int(position.size)
        if was * now <= 0 or abs(now) > abs(was):
            return False
    return True


def withdrawal_floor(after: Health, positions: Iterable[Position], risks: Risks, share: Fraction) -> bool:
    """Profit lock: value that leaves must leave max(initial requirement, share of gross notional) behind.

    Units: compared exactly with 64 fraction bits, nothing is rounded.
    Source: Hyperliquid's transfer rule after March 2025.

    A long of 1,000 USD asks 50 USD of initial margin, but 100 USD must stay when value leaves:

    >>> held = (position(1, 1_000),)
    >>> [withdrawal_floor(health(dollars(left - 1_000), Worth(0), held, {1: risk()}), held, {1: risk()}, percent(10))
    ...  for left in (101, 99, 60)]
    [True, False, False]
    """
    gross = Worth(0)
    for position in positions:
        gross = gross + abs(position.size * risks[position.market_id].price)
    return after.is_initial and requirement(after.value) >= gross * share


def maintenance_of(risk: Risk, size: Size) -> Requirement:
    """The maintenance requirement of one position: notional · fraction − deduction of its tier.

    Units: quote with 64 fraction bits; exact, nothing is rounded.
    Source: Hyperliquid's margin tiers (notional · rate − deduction).

    200,000 USD at 3 % up to 100,000 and 6 % above ask 9,000 USD:

    >>> in_dollars(maintenance_of(risk(), Size(-200_000)))
    9000
    """
    notional = abs(int(size * risk.price))
    row = row_of(risk, notional)
    return Requirement(notional * int(row.maintenance) - int(row.maintenance_deduction))


def initial_of(risk: Risk, size: Size, floor: Fraction) -> Requirement:
    """The initial requirement of one position, with the trader's own fraction as a floor.

        max(notional · fraction − deduction, notional · floor)

    Units: quote with 64 fraction bits; exact, nothing is rounded.
    Source: Hyperliquid's margin tiers; the trader's fraction as in dYdX v4.

    1,000 USD at 5 % ask 50 USD, and 125 USD of a trader who chose a leverage of eight:

    >>> [in_dollars(initial_of(risk(), Size(1_000), own)) for own in (Fraction(0), leverage_floor(8))]
    [50, 125]
    """
    notional = abs(int(size * risk.price))
    row = row_of(risk, notional)
    return Requirement(max(notional * int(row.initial) - int(row.initial_deduction), notional * int(floor)))


def shortfall(wanted: Requirement, value: Worth) -> Quote:
    """Quote missing for value to reach a requirement; zero when nothing is missing.

    Units: quote; rounded up, so that adding it is enough.
    Source: arithmetic.

    >>> shortfall(requirement(worth(dollars(50))), worth(dollars(20))) == dollars(30)
    True
    """
    return max(Quote(0), requirement_quote_ceil(wanted - requirement(value)))


def surplus(value: Worth, wanted: Requirement) -> Quote:
    """Quote that may leave before value falls below a requirement; zero when none may.

    Units: quote; rounded down, so that value still covers the requirement.
    Source: arithmetic.

    >>> surplus(worth(dollars(50)), requirement(worth(dollars(20)))) == dollars(30)
    True
    """
    return max(Quote(0), requirement_quote_floor(requirement(value) - wanted))


def liquidation_price(side: int, is_maintained_at: Callable[[Price], bool]) -> Price | None:
    """The index price of one market at which its account becomes liquidatable, all other prices as they are.

    For a long the highest price at which it is, for a short the lowest; None when no price does it. The
    account is given as a question, so that the answer holds for the whole account under either margin rule.
    Value less maintenance rises with the price of a long and falls with that of a short (fractions are at
    most one; `grid.check_grid` guards the same for scenario margin), so there is one boundary.

    Units: Price, quote per lot with 32 fraction bits; bisection on integers, exact: one step of 2^-32
    further in the account's favour it is maintained.
    Source: defined as Hyperliquid's and Lighter's are; found by bisection, for theirs hold within one tier.

    100 USD and a long of 1,000 lots at 1 USD and 3 % maintenance: 900 / (1,000 · 0.97) = 0.927835 USD:

    >>> def is_maintained_at(price: Price) -> bool:
    ...     moved = {1: risk()._replace(price=price)}
    ...     return health(dollars(-900), Worth(0), (position(1, 1_000),), moved).is_maintained
    >>> book_price_floor(liquidation_price(1, is_maintained_at))
    927835
    """
    low, high = 1, PRICE_LIMIT - 1
    worst, best = (low, high) if side > 0 else (high, low)
    if is_maintained_at(Price(worst)):
        return None
    if not is_maintained_at(Price(best)):
        return Price(best)
    # Invariant: not maintained at `worst`, maintained at `best`.
    while abs(best - worst) > 1:
        middle = div_floor(worst + best, 2)
        if is_maintained_at(Price(middle)):
            best = middle
        else:
            worst = middle
    return Price(worst)


def fill_value(size: Size, price: BookPrice) -> Quote:
    """What a fill is worth: size · price, signed like the size.

    Units: quote; exact, for book prices are whole quote per lot.
    Source: arithmetic.

    >>> fill_value(Size(-3), BookPrice(1_000_001))
    -3000003
    """
    return price * size
