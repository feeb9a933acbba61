"""The rules of linear accounts, compiled: the twins of `rules.margin` and `rules.liquidation`, in floats.

Sizes are whole lots, book prices whole quote per lot, money 10^-6 USD. What the rules keep exact to 64 fraction bits is
a float here: `kernel/__init__.py` says what that costs. Charges and the choice of position are whole numbers here too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import inlined
from bulkhead.lab.kernel.terms import Rules
from bulkhead.lab.prices.bars import Floats

# Places in an account's money, 10^-6 USD each but for the last.
BALANCE, FEES, PENALTY, SLIPPAGE, BAD_DEBT, CLOSED, FUNDING, WORST = 0, 1, 2, 3, 4, 5, 6, 7
# Places in an account's marks: counts, and steps or -1.
FIRST, STEPS, WHOLE, FLAT, CALL_66, CALL_80, LAST = 0, 1, 2, 3, 4, 5, 6
MONEY, MARKS = 8, 7
ROUNDS = 16  # of the search for a fill that is at the price of its own size
BOOK_PRICE_MOST = float((1 << 32) - 1)


@inlined
def row_of(rules: Rules, market: int, notional: float) -> int:
    """The tier a notional falls into."""
    row = 0
    while notional > rules.bound[market, row]:
        row += 1
    return row


@inlined
def maintenance_of(rules: Rules, market: int, notional: float) -> Any:
    """The maintenance requirement of one position."""
    row = row_of(rules, market, notional)
    return notional * rules.maintenance[market, row] - rules.maintenance_deduction[market, row]


@inlined
def health(rules: Rules, size: Floats, price: Floats, balance: float) -> Any:
    """Value, maintenance and close-out of an account whose funding is settled."""
    value, maintenance, close_out = balance, 0.0, 0.0
    for market in range(len(size)):
        if size[market] != 0.0:
            worth = size[market] * price[market]
            value += worth
            notional = abs(worth)
            row = row_of(rules, market, notional)
            maintenance += notional * rules.maintenance[market, row] - rules.maintenance_deduction[market, row]
            close_out += notional * rules.close_out[market, row] - rules.close_out_deduction[market, row]
    return value, maintenance, close_out


@inlined
def choose(rules: Rules, size: Floats, price: Floats) -> int:
    """The position to reduce first: most maintenance for its slippage, then the larger, then the lower market."""
    best, best_notional = -1, 0.0
    best_marginal, best_slippage = np.uint64(0), np.uint64(1)
    for market in range(len(size)):
        if size[market] == 0.0:
            continue
        notional = abs(size[market] * price[market])
        marginal = np.uint64(rules.maintenance_bits[market, row_of(rules, market, notional)])
        slippage = np.uint64(rules.slippage_bits[market])
        left, right = marginal * best_slippage, best_marginal * slippage  # 32 bits each: `Venue` refuses more
        if best < 0 or left > right or (left == right and notional > best_notional):
            best, best_notional, best_marginal, best_slippage = market, notional, marginal, slippage
    return best


@inlined
def zero_price(size: float, price: float, value: float, share: float) -> Any:
    """The worst price at which a position may be closed, its `share` of the account's value given up on it."""
    concession = value * share / abs(size)
    zero = np.ceil(price - concession) if size > 0 else np.floor(price + concession)
    return min(max(zero, 1.0), BOOK_PRICE_MOST)


@inlined
def fill_price(rules: Rules, market: int, side: float, lots: float, price: float, depth: float) -> Any:
    """What `lots` fetch on average in a book of `depth` times its usual orders; whole quote, against the account."""
    curve = rules.impact[market]
    share = curve[3]
    if depth > 0.0:
        share = min(curve[0] + curve[1] * (lots * price * 1e-12 / depth) ** curve[2], share)
    if side > 0:
        return max(1.0, np.floor(price * (1.0 - share)))
    return min(BOOK_PRICE_MOST, np.ceil(price * (1.0 + share)))


@inlined
def within_zero(
    rules: Rules, market: int, side: float, whole: float, price: float, depth: float, zero: float
) -> float:
    """Lots of `whole` that the book takes at a price no worse than the zero price."""
    if side * (fill_price(rules, market, side, whole, price, depth) - zero) >= 0:
        return whole
    low, high = 0.0, whole
    while high - low > 1.0:
        middle = np.floor((low + high) / 2)
        if side * (fill_price(rules, market, side, middle, price, depth) - zero) >= 0:
            low = middle
        else:
            high = middle
    return low


@inlined
def share_floor(amount: Any, bits: int) -> Any:
    """amount · bits / 2^32 toward minus infinity, exact: both below 2^53 and 2^33, the amount not negative."""
    high, low = np.int64(amount) >> 32, np.int64(amount) & 0xFFFFFFFF
    return high * bits + ((low * bits) >> 32)


@inlined
def share_ceil(amount: Any, bits: int) -> Any:
    """The same toward plus infinity."""
    low = np.int64(amount) & 0xFFFFFFFF
    return share_floor(amount, bits) + (1 if (low * bits) & 0xFFFFFFFF else 0)


@inlined
def charges(rules: Rules, lots: float, side: float, fill: float, zero: float) -> Any:
    """Fee and penalty, no more together than the fill was better than the zero price."""
    notional = fill * lots
    surplus = max(0.0, side * (fill - zero) * lots)
    fee = min(float(share_ceil(notional, rules.fee_bits)), surplus)
    return fee, min(float(share_floor(notional, rules.penalty_bits)), surplus - fee)


@inlined
def is_restored(
    rules: Rules, market: int, size: float, price: float, lots: float, fill: float, zero: float,
    value: float, rest: float,
) -> Any:
    """Whether closing so many lots brings the account to its target; `rest` is the other positions' maintenance."""
    side = 1.0 if size > 0 else -1.0
    fee, penalty = charges(rules, lots, side, fill, zero)
    after = value + side * (fill - price) * lots - fee - penalty
    kept = maintenance_of(rules, market, (abs(size) - lots) * price)
    return after >= rules.target * (rest + kept)


@inlined
def minimal_lots(
    rules: Rules, market: int, size: float, price: float, fill: float, zero: float, value: float, rest: float
) -> float:
    """The fewest lots that restore the account, tier by tier as `rules.liquidation.minimal_size` searches; else all."""
    whole, low = abs(size), 0.0
    row = rules.tiers[market] - 2
    beside = 1.0
    while True:
        end = whole
        if row >= 0:
            end = whole - np.floor(rules.bound[market, row] / price) - beside
            beside -= 1.0
            if beside < 0.0:
                row, beside = row - 1, 1.0
            if end <= 0.0 or end >= whole:
                continue
        if is_restored(rules, market, size, price, end, fill, zero, value, rest):
            high = end
            while high - low > 1.0:
                middle = np.floor((low + high) / 2)
                if is_restored(rules, market, size, price, middle, fill, zero, value, rest):
                    high = middle
                else:
                    low = middle
            return high
        if end == whole:
            return whole
        low = end


@inlined
def partial_lots(
    rules: Rules, market: int, size: float, price: float, depth: float, zero: float, value: float, rest: float
) -> float:
    """Lots of a partial step, each at the price of all of them: the least that restores, all if little were left.

    A larger fill is a worse one, so the search rises from one lot's price; it ends where the size no longer grows.
    """
    side, whole = (1.0 if size > 0 else -1.0), abs(size)
    lots = 1.0
    for _ in range(ROUNDS):
        fill = fill_price(rules, market, side, lots, price, depth)
        need = minimal_lots(rules, market, size, price, fill, zero, value, rest)
        if (whole - need) * price < rules.dust:
            need = whole
        if need <= lots:
            return lots
        lots = need
    return lots


@inlined
def close(
    rules: Rules, market: int, lots: float, fill: float, zero: float, price: float,
    size: Floats, money: Floats, by_market: NDArray[np.float64],
) -> None:
    """Book one close: lots leave the position, money is paid, what it cost is counted."""
    side = 1.0 if size[market] > 0 else -1.0
    fee, penalty = charges(rules, lots, side, fill, zero)
    size[market] -= side * lots
    money[BALANCE] += side * fill * lots - fee - penalty
    money[FEES] += fee
    money[PENALTY] += penalty
    money[SLIPPAGE] += side * (price - fill) * lots
    money[CLOSED] += fill * lots
    by_market[0, market] += fill * lots


@inlined
def take_over(
    rules: Rules, market: int, size: Floats, price: Floats, money: Floats, by_market: NDArray[np.float64]
) -> None:
    """What the book did not take goes at the zero price, after the fund has paid a debt."""
    value, maintenance, _ = health(rules, size, price, money[BALANCE])
    if value < 0.0:
        cover(market, value, money, by_market)
        value, maintenance, _ = health(rules, size, price, money[BALANCE])
    share = maintenance_of(rules, market, abs(size[market] * price[market])) / maintenance
    zero = zero_price(size[market], price[market], value, share)
    close(rules, market, abs(size[market]), zero, zero, price[market], size, money, by_market)


@inlined
def cover(market: int, value: float, money: Floats, by_market: NDArray[np.float64]) -> None:
    """The insurance fund pays a debt, counted in the market in which it was found."""
    paid = np.ceil(-value)
    money[BALANCE] += paid
    money[BAD_DEBT] += paid
    by_market[1, market] += paid


@inlined
def liquidate_linear(
    rules: Rules, size: Floats, price: Floats, depth: Floats, money: Floats, by_market: NDArray[np.float64]
) -> Any:
    """One step of the rule at one moment: (whether anything was closed, whether it was below close-out).

    Above close-out one position, as far as the rule goes. Below, whole positions one after the other, in the book and
    then at the zero price, until the account is above close-out again.
    """
    value, maintenance, close_out = health(rules, size, price, money[BALANCE])
    below = value < close_out
    closed = False
    while True:
        market = choose(rules, size, price)
        held = size[market]
        side = 1.0 if held > 0 else -1.0
        own = maintenance_of(rules, market, abs(held * price[market]))
        zero = zero_price(held, price[market], value, own / maintenance)
        lots = abs(held)
        if not below:
            lots = partial_lots(
                rules, market, held, price[market], depth[market], zero, value, maintenance - own
            )
        lots = within_zero(rules, market, side, lots, price[market], depth[market], zero) if value >= 0.0 else 0.0
        if lots > 0.0:
            fill = fill_price(rules, market, side, lots, price[market], depth[market])
            close(rules, market, lots, fill, zero, price[market], size, money, by_market)
            closed = True
        if not below:
            return closed, False
        if size[market] != 0.0:
            take_over(rules, market, size, price, money, by_market)
            closed = True
        value, maintenance, close_out = health(rules, size, price, money[BALANCE])
        if maintenance == 0.0:
            if money[BALANCE] < 0.0:
                cover(market, money[BALANCE], money, by_market)
            return True, True
        if value >= close_out:
            return True, True
