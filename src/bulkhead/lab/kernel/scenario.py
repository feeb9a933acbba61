"""Scenario margin compiled: the twin of `rules.scenario` and of the slices in which such an account is liquidated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import inlined
from bulkhead.lab.kernel.linear import (
    BALANCE,
    close,
    cover,
    fill_price,
    within_zero,
    zero_price,
)
from bulkhead.lab.kernel.terms import Rules
from bulkhead.lab.prices.bars import Floats
from bulkhead.rules.scenario import SLICE_BITS

WITHIN, ACROSS, FLOOR_GROSS, FLOOR_NET, CONCENTRATION, MAINTENANCE, CLOSE_OUT = 0, 1, 2, 3, 4, 5, 6
SLICES = 1 << SLICE_BITS
FRACTION = float(1 << 32)
WORK = 5
"""Rows of an account's scratch: notional long and short by group, zero prices, sizes and money of a trial."""


@inlined
def worst_loss(rules: Rules, long: Floats, short: Floats) -> float:
    """The largest loss of a shock after capped offsets."""
    groups = rules.moves.shape[1]
    most = 0.0
    for shock in range(rules.moves.shape[0]):
        net = unused = 0.0
        for group in range(groups):
            move = rules.moves[shock, group]
            won = long[group] * move if move > 0 else -short[group] * move
            lost = short[group] * move if move > 0 else -long[group] * move
            used = min(won, lost * rules.shares[WITHIN])
            net += lost - used
            unused += won - used
        if unused > 0.0 and net > most:
            offset = 0.0
            for group in range(groups):
                move = rules.moves[shock, group]
                won = long[group] * move if move > 0 else -short[group] * move
                lost = short[group] * move if move > 0 else -long[group] * move
                used = min(won, lost * rules.shares[WITHIN])
                if lost > used:
                    offset += min((lost - used) * rules.shares[ACROSS], unused - (won - used))
            net -= min(offset, unused)
        most = max(most, net)
    return most


@inlined
def scenario_initial(rules: Rules, size: Floats, price: Floats, long: Floats, short: Floats) -> Any:
    """The initial requirement; `long` and `short` are room for one number a group."""
    groups = rules.moves.shape[1]
    long[:] = 0.0
    short[:] = 0.0
    gross = addition = 0.0
    for market in range(len(size)):
        held = size[market]
        if held != 0.0:
            notional = abs(held * price[market])
            if held > 0.0:
                long[rules.group[market]] += notional
            else:
                short[rules.group[market]] += notional
            gross += notional
            share = np.ceil(abs(held) / max(abs(held), rules.interest[market]) * FRACTION) / FRACTION
            addition += notional * share * rules.shares[CONCENTRATION]
    net = 0.0
    for group in range(groups):
        net += abs(long[group] - short[group])
    least = max(gross * rules.shares[FLOOR_GROSS], net * rules.shares[FLOOR_NET])
    return max(worst_loss(rules, long, short), least) + addition


@inlined
def scenario_health(rules: Rules, size: Floats, price: Floats, balance: float, sides: Floats) -> Any:
    """Value, maintenance and close-out of a scenario account whose funding is settled."""
    value = balance
    for market in range(len(size)):
        value += size[market] * price[market]
    initial = scenario_initial(rules, size, price, sides[0], sides[1])
    return value, initial * rules.shares[MAINTENANCE], initial * rules.shares[CLOSE_OUT]


@inlined
def slice_lots(held: float, count: int) -> Any:
    """Lots of a position in so many of its slices, positive, rounded up."""
    whole = np.int64(abs(held))
    high, low = whole >> SLICE_BITS, whole & (SLICES - 1)
    return float(high * count + -((-low * count) >> SLICE_BITS))


@inlined
def zero_prices(size: Floats, price: Floats, value: float, zeros: Floats) -> None:
    """The zero price of every position: the concession is split by notional."""
    gross = 0.0
    for market in range(len(size)):
        gross += abs(size[market] * price[market])
    for market in range(len(size)):
        if size[market] != 0.0:
            share = abs(size[market] * price[market]) / gross
            zeros[market] = zero_price(size[market], price[market], value, share)


@inlined
def close_slices(
    rules: Rules, count: int, size: Floats, price: Floats, depth: Floats, zeros: Floats,
    money: Floats, by_market: NDArray[np.float64],
) -> None:
    """So many slices of every position into the book."""
    for market in range(len(size)):
        if size[market] != 0.0:
            side = 1.0 if size[market] > 0 else -1.0
            lots = slice_lots(size[market], count)
            fill = fill_price(rules, market, side, lots, price[market], depth[market])
            close(rules, market, lots, fill, zeros[market], price[market], size, money, by_market)


@inlined
def most_slices(rules: Rules, size: Floats, price: Floats, depth: Floats, zeros: Floats) -> int:
    """Slices of every position that the book takes within the zero prices."""
    most = SLICES
    for market in range(len(size)):
        if size[market] != 0.0:
            side = 1.0 if size[market] > 0 else -1.0
            taken = within_zero(
                rules, market, side, abs(size[market]), price[market], depth[market], zeros[market]
            )
            while most > 0 and slice_lots(size[market], most) > taken:
                most -= 1
    return most


@inlined
def take_over_all(
    rules: Rules, size: Floats, price: Floats, money: Floats, by_market: NDArray[np.float64], work: Floats
) -> None:
    """Every position at its zero price, market by market, while the account is below close-out."""
    for market in range(len(size)):
        if size[market] == 0.0:
            continue
        value, _, close_out = scenario_health(rules, size, price, money[BALANCE], work)
        if value >= close_out:
            return
        if value < 0.0:
            cover(market, value, money, by_market)
            value += np.ceil(-value)
        zero_prices(size, price, value, work[2])
        zero = work[2, market]
        close(rules, market, abs(size[market]), zero, zero, price[market], size, money, by_market)


@inlined
def liquidate_scenario(
    rules: Rules, size: Floats, price: Floats, depth: Floats, money: Floats,
    by_market: NDArray[np.float64], work: Floats,
) -> Any:
    """One step of the rule at one moment: (whether anything was closed, whether it was below close-out).

    The fewest equal slices of all positions that restore the account, or as many as the book takes; below close-out
    all that it takes, and then every position at its zero price.
    """
    value, _, close_out = scenario_health(rules, size, price, money[BALANCE], work)
    below = value < close_out
    zeros, trial, trial_money = work[2], work[3, : len(size)], work[4]
    zero_prices(size, price, value, zeros)
    most = most_slices(rules, size, price, depth, zeros) if value >= 0.0 else 0
    count = most
    if not below and most > 0:
        scratch = np.zeros((2, len(size)))
        for fewer in range(1, most):
            trial[:] = size
            trial_money[:] = 0.0
            trial_money[BALANCE] = money[BALANCE]
            close_slices(rules, fewer, trial, price, depth, zeros, trial_money, scratch)
            after, maintenance, _ = scenario_health(rules, trial, price, trial_money[BALANCE], work)
            if after >= rules.target * maintenance:
                count = fewer
                break
    if count > 0:
        close_slices(rules, count, size, price, depth, zeros, money, by_market)
    if below:
        take_over_all(rules, size, price, money, by_market, work)
        if not np.any(size != 0.0) and money[BALANCE] < 0.0:
            cover(0, money[BALANCE], money, by_market)
    return count > 0 or below, below
