"""The loop over paths, steps and accounts: looks at every step, stops where something must be done.

Steps are taken in blocks. Within a block an account's sizes are constants, so its value and requirement at all steps
are sums of columns that the processor adds several at a time; where nothing happens, that is all there is to do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import inlined, kernel
from bulkhead.lab.kernel.course import BLOCK, Course, Flags, Room, load_block, room_of
from bulkhead.lab.kernel.linear import (
    BALANCE,
    CALL_66,
    CALL_80,
    FIRST,
    FLAT,
    FUNDING,
    LAST,
    MARKS,
    STEPS,
    WHOLE,
    WORST,
    health,
    liquidate_linear,
    row_of,
)
from bulkhead.lab.kernel.scenario import liquidate_scenario, scenario_health
from bulkhead.lab.kernel.terms import Rules
from bulkhead.lab.prices.bars import Floats

LEVEL_66, LEVEL_80 = 100.0 / 66.0, 100.0 / 80.0  # value over maintenance at which a margin call is made
SLACK = 1e-12
NEAR = 1.0 + 1e-12  # look a little early; the exact comparison follows

@inlined
def add_position(
    rules: Rules, market: int, size: float, cached: float, room: Room, first: int, count: int
) -> None:
    """Add a position's worth to the values of a block, and what it requires to the requirements."""
    value, required, price = room.value, room.required, room.price
    magnitude = abs(size)
    row = row_of(rules, market, magnitude * room.low[market])
    last = row_of(rules, market, magnitude * room.high[market])
    fraction, deduction = rules.maintenance[market, row], rules.maintenance_deduction[market, row]
    for step in range(first, count):
        value[step] += size * price[market, step]
    if cached != np.inf:
        for step in range(first, count):
            value[step] -= size * (room.owed[market, step] - cached)
    if row == last:
        for step in range(first, count):
            required[step] += magnitude * price[market, step] * fraction - deduction
    elif row + 1 == last:
        # Requirements are convex: the tier a notional falls into is the one that asks most.
        fraction_2, deduction_2 = rules.maintenance[market, last], rules.maintenance_deduction[market, last]
        for step in range(first, count):
            notional = magnitude * price[market, step]
            lower, upper = notional * fraction - deduction, notional * fraction_2 - deduction_2
            required[step] += upper if upper > lower else lower
    else:
        for step in range(first, count):
            notional = magnitude * price[market, step]
            row = row_of(rules, market, notional)
            required[step] += notional * rules.maintenance[market, row] - rules.maintenance_deduction[market, row]


@inlined
def start_position(
    rules: Rules, market: int, size: float, balance: float, room: Room, first: int, count: int
) -> bool:
    """The same for the first position, which writes instead of adding; False where it crosses tiers in the block."""
    value, required, price = room.value, room.required, room.price
    magnitude = abs(size)
    row = row_of(rules, market, magnitude * room.low[market])
    if row != row_of(rules, market, magnitude * room.high[market]):
        return False
    fraction, deduction = rules.maintenance[market, row], rules.maintenance_deduction[market, row]
    for step in range(first, count):
        value[step] = balance + size * price[market, step]
        required[step] = magnitude * price[market, step] * fraction - deduction
    return True


@inlined
def fill_block(
    rules: Rules, is_scenario: bool, size: Floats, cached: Floats, balance: float, room: Room,
    first: int, count: int, funded: bool,
) -> None:
    """Value and maintenance of one account at the steps of a block from `first` on."""
    value, required = room.value, room.required
    if not is_scenario:
        begun = False
        for market in range(len(size)):
            if size[market] == 0.0:
                continue
            if not begun:
                begun = True
                if start_position(rules, market, size[market], balance, room, first, count) and not funded:
                    continue
                value[first:count] = balance
                required[first:count] = 0.0
            add_position(rules, market, size[market], cached[market] if funded else np.inf, room, first, count)
        return
    value[first:count] = balance
    for step in range(first, count):
        for market in range(len(size)):
            room.now[market] = room.price[market, step]
            if funded:
                value[step] -= size[market] * (room.owed[market, step] - cached[market])
        value[step], required[step], _ = scenario_health(rules, size, room.now, value[step], room.work)


@inlined
def settle(size: Floats, cached: Floats, room: Room, step: int, money: Floats) -> None:
    """Pay the funding owed, rounded up in one sum, and begin anew from the index of now."""
    due = 0.0
    for market in range(len(size)):
        due += size[market] * (room.owed[market, step] - cached[market])
        cached[market] = room.owed[market, step]
    paid = np.ceil(due)
    money[BALANCE] -= paid
    money[FUNDING] += paid


@inlined
def may_liquidate(course: Course, step: int, size: Floats) -> bool:
    """The venue is open and the price of everything held is fresh."""
    if len(course.is_open) and not course.is_open[step]:
        return False
    if len(course.is_fed):
        for market in range(len(size)):
            if size[market] != 0.0 and not course.is_fed[step, market]:
                return False
    return True


@inlined
def call_margin(marks: NDArray[np.int32], step: int, value: float, required: float) -> None:
    """Margin calls of `keepers.condition`: maintenance is at least 66, 80 hundredths of value; the first of each."""
    if required > 0.0 and marks[CALL_66] < 0 and 100.0 * required >= 66.0 * value:
        marks[CALL_66] = step
    if required > 0.0 and marks[CALL_80] < 0 and 100.0 * required >= 80.0 * value:
        marks[CALL_80] = step


@inlined
def level_of(marks: NDArray[np.int32]) -> float:
    """Value over maintenance at which the next thing happens."""
    if marks[CALL_66] < 0:
        return LEVEL_66 * NEAR
    return LEVEL_80 * NEAR if marks[CALL_80] < 0 else 1.0


@inlined
def act(
    rules: Rules, course: Course, is_scenario: bool, size: Floats, cached: Floats, room: Room,
    step: int, within: int, money: Floats, marks: NDArray[np.int32], by_market: Floats,
) -> Any:
    """What a step asks for: margin calls, and a liquidation if one may be done. Whether sizes changed."""
    value, required = room.value[within], room.required[within]
    call_margin(marks, step, value, required)
    if value >= required or not may_liquidate(course, step, size):
        return False
    for market in range(len(size)):
        room.now[market] = room.price[market, within]
        if len(course.depth):
            room.depth[market] = course.depth[0, step, market]
    if course.funding_steps:
        settle(size, cached, room, within, money)
    if is_scenario:
        value, required, close_out = scenario_health(rules, size, room.now, money[BALANCE], room.work)
    else:
        value, required, close_out = health(rules, size, room.now, money[BALANCE])
    is_cooling = marks[LAST] >= 0 and (step - marks[LAST]) * course.step_ms < rules.pause_ms
    if value >= required or (value >= close_out and is_cooling):
        return False
    if is_scenario:
        closed, below = liquidate_scenario(rules, size, room.now, room.depth, money, by_market, room.work)
    else:
        closed, below = liquidate_linear(rules, size, room.now, room.depth, money, by_market)
    if below and marks[WHOLE] < 0:
        marks[WHOLE] = step
    if closed:
        marks[STEPS] += 1
        marks[LAST] = step
        if marks[FIRST] < 0:
            marks[FIRST] = step
        if not np.any(size != 0.0):
            marks[FLAT] = step
    return closed


@inlined
def is_ruled_out(rules: Rules, size: Floats, balance: float, room: Room, watched: float) -> bool:
    """Whether value over maintenance of a linear account stays above `watched` at every step of a block.

    Bounds: every position at its worst price of the block, and requiring what its largest notional requires. Sums of
    floats are off by less than SLACK of the gross notional.
    """
    value, required, gross = balance, 0.0, abs(balance)
    for market in range(len(size)):
        if size[market] != 0.0:
            largest = abs(size[market]) * room.high[market]
            value += size[market] * (room.low[market] if size[market] > 0.0 else room.high[market])
            row = row_of(rules, market, largest)
            required += largest * rules.maintenance[market, row] - rules.maintenance_deduction[market, row]
            gross += largest
    return value - SLACK * gross > watched * required


@inlined
def scan_block(
    rules: Rules, course: Course, is_scenario: bool, size: Floats, cached: Floats, room: Room,
    begin: int, count: int, money: Floats, marks: NDArray[np.int32], by_market: Floats,
) -> None:
    """One account through one block."""
    funded = course.funding_steps > 0
    first, is_stale = 0, True
    if not (course.is_thorough or is_scenario or funded):
        if is_ruled_out(rules, size, money[BALANCE], room, max(level_of(marks), money[WORST])):
            return
    while first < count:
        if is_stale:
            fill_block(rules, is_scenario, size, cached, money[BALANCE], room, first, count, funded)
        level = level_of(marks)
        watched = max(level, money[WORST])
        hits = 0
        for step in range(first, count):
            hits += 1 if room.value[step] <= watched * room.required[step] else 0
        if hits == 0:
            return
        event, worst = count, money[WORST]
        for step in range(first, count):
            value, required = room.value[step], room.required[step]
            if value < worst * required:
                worst = value / required
            if value <= level * required:
                event = step
                break
        money[WORST] = worst
        if event == count:
            return
        is_stale = act(
            rules, course, is_scenario, size, cached, room, begin + event, event, money, marks, by_market
        )
        if marks[FLAT] >= 0:
            return
        first = event + 1


@inlined
def walk_path(
    rules: Rules, course: Course, size: Floats, balance: Floats, is_scenario: Flags, path: int, members: Any,
    room: Room, held: Floats, cached: Floats, owed: Floats, money: Any, marks: Any, by_market: Floats,
) -> None:
    """Some accounts along one path; what becomes of them is written at their place among the members."""
    steps, markets = course.ratio.shape[1], course.ratio.shape[2]
    owed[:] = 0.0
    for place in range(len(members)):
        account = members[place]
        held[place] = size[account]
        cached[place] = 0.0
        money[place, :] = 0.0
        money[place, BALANCE] = balance[account]
        money[place, WORST] = np.inf
        marks[place, :] = -1
        marks[place, STEPS] = 0
        if not np.any(held[place] != 0.0):
            marks[place, FLAT] = 0
    for begin in range(0, steps, BLOCK):
        count = min(BLOCK, steps - begin)
        load_block(course, path, begin, count, room, owed)
        for place in range(len(members)):
            if marks[place, FLAT] < 0:
                scan_block(
                    rules, course, is_scenario[members[place]], held[place], cached[place], room, begin, count,
                    money[place], marks[place], by_market,
                )
    within = (steps - 1) % BLOCK
    for place in range(len(members)):
        if course.funding_steps and marks[place, FLAT] < 0:
            settle(held[place], cached[place], room, within, money[place])
        for market in range(markets):
            money[place, BALANCE] += held[place, market] * room.price[market, within]


@kernel
def run_accounts(
    rules: Rules, course: Course, size: Floats, balance: Floats, is_scenario: Flags,
    path_first: int, path_last: int, account_first: int, account_last: int,
    money: Any, marks: Any, by_market: Any,
) -> None:
    """Accounts `account_first` to `account_last` on paths `path_first` to `path_last`, written at their places."""
    markets = course.ratio.shape[2]
    room = room_of(markets, rules.moves.shape[1])
    members = np.arange(account_first, account_last)
    held, cached, owed = np.empty((len(members), markets)), np.empty((len(members), markets)), np.empty(markets)
    for path in range(path_first, path_last):
        walk_path(
            rules, course, size, balance, is_scenario, path, members, room, held, cached, owed,
            money[path, account_first:account_last], marks[path, account_first:account_last], by_market[path],
        )


@kernel
def run_pairs(
    rules: Rules, course: Course, size: Floats, balance: Floats, is_scenario: Flags,
    offsets: Any, members: Any, path_first: int, path_last: int, money: Any, marks: Any,
) -> None:
    """Of each path the accounts `members[offsets[path]:offsets[path + 1]]`, written at these places."""
    markets = course.ratio.shape[2]
    room = room_of(markets, rules.moves.shape[1])
    most = 0
    for path in range(path_first, path_last):
        most = max(most, offsets[path + 1] - offsets[path])
    held, cached, owed = np.empty((most, markets)), np.empty((most, markets)), np.empty(markets)
    by_market = np.empty((2, markets))
    for path in range(path_first, path_last):
        first, last = offsets[path], offsets[path + 1]
        if first < last:
            walk_path(
                rules, course, size, balance, is_scenario, path, members[first:last], room, held, cached, owed,
                money[first:last], marks[first:last], by_market,
            )


assert MARKS == LAST + 1
