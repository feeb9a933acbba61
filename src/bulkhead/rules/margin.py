"""Margin: the value of an account, what its positions require, and which changes are allowed.

Source of the formulas: StarkEx perpetual (value and requirement kept exact, compared by multiplying),
Hyperliquid (continuous tiers), dYdX v4 (open-interest scaling), Lighter (three levels of requirement).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bulkhead.fixed import FRACTION_BITS, div_ceil, div_floor, fraction, requirement, worth_share_floor
from bulkhead.limits import PRICE_LIMIT
from bulkhead.rules.terms import NO_FLOORS, Floors, Health, Position, Risk, Risks, Row
from bulkhead.units import BookPrice, Fraction, Price, Quote, Requirement, Size, Worth


def row_of(risk: Risk, notional: int) -> Row:
    """The tier a notional (32 fraction bits, not negative) falls into; the last one has no end."""
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
    fractions. Units: value has 32 fraction bits, requirements 64; nothing is rounded.

    Example: 100 USD and one long lot worth 1,000 USD bought at 1,000 USD, 5 % initial, 3 % maintenance:
    value 100 USD, initial 50 USD, maintenance 30 USD.
    """
    # Plain integers inside: this is the hottest function of the exchange, the types are at its edges.
    value = (balance << FRACTION_BITS) + collateral  # type: ignore[operator]
    initial = maintenance = close_out = 0
    for market_id, size, _, _ in positions:
        price, rows = risks[market_id]
        notional: int = size * price  # type: ignore[assignment]
        value += notional
        if notional < 0:
            notional = -notional
        row = rows[0]
        if notional > row[0]:  # type: ignore[operator]
            row = row_of(risks[market_id], notional)
            asked: int = notional * row[1] - row[4]  # type: ignore[operator]
            maintenance += notional * row[2] - row[5]  # type: ignore[operator]
            close_out += notional * row[3] - row[6]  # type: ignore[operator]
        else:
            asked = notional * row[1]  # type: ignore[operator, assignment]
            maintenance += notional * row[2]  # type: ignore[operator]
            close_out += notional * row[3]  # type: ignore[operator]
        if floors:
            own: int = notional * floors.get(market_id, 0)  # type: ignore[call-overload, operator]
            if own > asked:
                asked = own
        initial += asked
    return Health(value, initial, maintenance, close_out)  # type: ignore[arg-type]


def leverage_floor(leverage: int) -> Fraction:
    """The initial fraction a trader's leverage stands for: 1 / leverage, rounded up."""
    return fraction(1, leverage)


def is_healthier(before: Health, after: Health) -> bool:
    """value / maintenance did not fall, compared without dividing.

        value0 · maintenance1 ≤ value1 · maintenance0      (96 + 127 bits, signed: below the field)

    An account left without a requirement must not be left with a debt.
    """
    if int(after.maintenance) == 0:
        return int(after.value) >= 0
    return int(before.value) * int(after.maintenance) <= int(after.value) * int(before.maintenance)


def is_allowed(before: Callable[[], Health], after: Health, *, is_new_risk: bool, only_shrinks: bool) -> bool:
    """"Healthy or healthier", judged once after all updates of an atomic step.

    Accepted if healthy after the step (initial where the step is new risk, maintenance otherwise); if not,
    only when sizes merely shrink without changing sign and value over maintenance does not fall.
    `before` is asked for only when it is needed. Source: StarkEx `validate_state_transition`, with the
    edges that audits of its successors found (requirement falling to zero, flips, double checks).
    """
    if is_new_risk:
        if after.is_initial:
            return True
    elif after.is_maintained:
        return True
    return only_shrinks and is_healthier(before(), after)


def only_shrinks(before: Sequence[Position], after: Sequence[Position]) -> bool:
    """Every position after exists before, with the same sign and no larger."""
    sizes = {position.market_id: int(position.size) for position in before}
    for position in after:
        was, now = sizes.get(position.market_id, 0), int(position.size)
        if was * now <= 0 or abs(now) > abs(was):
            return False
    return True


def withdrawal_floor(after: Health, positions: Iterable[Position], risks: Risks, share: Fraction) -> bool:
    """Profit lock: value that leaves must leave max(initial requirement, share of gross notional) behind.

    Unit: compared with 32 fraction bits, the share rounded down (in the trader's favour by less than
    10^-6 USD). Source: Hyperliquid's transfer rule after March 2025.
    """
    gross = Worth(0)
    for position in positions:
        gross = gross + abs(position.size * risks[position.market_id].price)
    return after.is_initial and after.value >= worth_share_floor(gross, share)


def maintenance_of(risk: Risk, size: Size) -> Requirement:
    """The maintenance requirement of one position."""
    notional = abs(int(size * risk.price))
    row = row_of(risk, notional)
    return Requirement(notional * int(row.maintenance) - int(row.maintenance_deduction))


def initial_of(risk: Risk, size: Size, floor: Fraction) -> Requirement:
    """The initial requirement of one position, with the trader's own fraction as a floor."""
    notional = abs(int(size * risk.price))
    row = row_of(risk, notional)
    return Requirement(max(notional * int(row.initial) - int(row.initial_deduction), notional * int(floor)))


def shortfall(wanted: Requirement, value: Worth) -> Quote:
    """Quote missing for value to reach a requirement, rounded up; zero when nothing is missing."""
    missing = int(wanted) - int(requirement(value))
    return Quote(max(0, div_ceil(missing, 1 << (2 * FRACTION_BITS))))


def surplus(value: Worth, wanted: Requirement) -> Quote:
    """Quote that may leave before value falls below a requirement, rounded down; zero when none."""
    spare = int(requirement(value)) - int(wanted)
    return Quote(max(0, div_floor(spare, 1 << (2 * FRACTION_BITS))))


def liquidation_price(side: int, is_maintained_at: Callable[[Price], bool]) -> Price | None:
    """The index price of one market at which its account becomes liquidatable, all other prices as they are.

    For a long the highest price at which it is, for a short the lowest; None when no price does it. The
    account is given as a question, so that the answer holds for the whole account under either margin
    rule; found by bisection on exact integers, so one 2^-32 further the account is maintained.

    Example: 100 USD and a long of 1,000 USD at 3 % maintenance is liquidatable below about 927.84 USD.
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
    """What a fill is worth: exact, for book prices are whole quote per lot. Signed like the size."""
    return price * size
