"""What a set of positions needs: the collateral with which it would not have been liquidated, on every path at once.

A compartment without top-up depends on nothing but its own positions and collateral. With linear margin both value and
requirement are sums over positions, so the collateral needed by a set is the largest sum, over the steps, of what each
position requires and has lost. Sets share sums: walked as a tree, each costs one addition a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import inlined, kernel, spread
from bulkhead.lab.kernel.course import BLOCK, Course, Room, load_block, room_of
from bulkhead.lab.kernel.run import course_of
from bulkhead.lab.kernel.scan import LEVEL_66, LEVEL_80
from bulkhead.lab.kernel.scenario import scenario_health
from bulkhead.lab.kernel.terms import Rules, Venue
from bulkhead.lab.paths.cube import Paths
from bulkhead.lab.prices.bars import Floats

LEVELS = (1.0, LEVEL_80, LEVEL_66)
"""Value over maintenance below which: a liquidation, the margin call at 80 %, the one at 66 %."""
KINDS = len(LEVELS)
HALF = BLOCK // 2


def tree_of(masks: Sequence[int]) -> NDArray[np.int64]:
    """Sets of positions as a walk: rows (depth, position added, place of the set or -1).

    A set is reached from the one without its lowest position, so that each row adds one position to the row above it.
    """
    wanted = {mask: place for place, mask in enumerate(masks)}
    nodes: set[int] = set()
    for mask in masks:
        while mask:
            nodes.add(mask)
            mask &= mask - 1
    # A parent comes before its children and their children: by positions from the highest down.
    ordered = sorted(nodes, key=lambda mask: [-place for place in range(63, -1, -1) if mask >> place & 1])
    rows = [
        (mask.bit_count() - 1, (mask & -mask).bit_length() - 1, wanted.get(mask, -1)) for mask in ordered
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


@inlined
def position_lines(rules: Rules, market: int, size: float, start: float, room: Room, count: int, lines: Any) -> None:
    """What one position requires less what it has won, at every step and level; beyond the block nothing is needed."""
    price, owed, magnitude = room.price[market], room.owed[market], abs(size)
    row = 0
    while magnitude * room.low[market] > rules.bound[market, row]:
        row += 1
    last = row
    while magnitude * room.high[market] > rules.bound[market, last]:
        last += 1
    required, won = room.value, room.required  # scratch
    for step in range(count):
        won[step] = size * (price[step] - start - owed[step])
        required[step] = 0.0
    for tier in range(row, last + 1):
        fraction, deduction = rules.maintenance[market, tier], rules.maintenance_deduction[market, tier]
        for step in range(count):
            asked = magnitude * price[step] * fraction - deduction
            required[step] = asked if asked > required[step] else required[step]
    for kind in range(KINDS):
        level = LEVELS[kind]
        line = lines[kind]
        for step in range(count):
            line[step] = required[step] * level - won[step]
        for step in range(count, BLOCK):
            line[step] = -np.inf


@inlined
def largest(values: Floats, scratch: Floats) -> Any:
    """The largest of a block; halved again and again, which the processor does several at a time."""
    for step in range(HALF):
        one, other = values[step], values[step + HALF]
        scratch[step] = one if one > other else other
    width = HALF // 2
    while width >= 8:
        for step in range(width):
            one, other = scratch[step], scratch[step + width]
            scratch[step] = one if one > other else other
        width //= 2
    most = scratch[0]
    for step in range(1, 2 * width):
        most = max(most, scratch[step])
    return most


@kernel
def _needs(
    rules: Rules, course: Course, size: Floats, tree: Any, path_first: int, path_last: int, needs: Any, won: Any
) -> None:
    """Needs (kinds, sets, paths) and what each position won by the end (positions, paths), in 10^-6 USD."""
    steps, positions = course.ratio.shape[1], len(size)
    room = room_of(positions, rules.moves.shape[1])
    lines = np.empty((positions, KINDS, BLOCK))
    sums = np.zeros((positions + 1, KINDS, BLOCK))
    scratch, owed = np.empty(HALF), np.empty(positions)
    for path in range(path_first, path_last):
        owed[:] = 0.0
        needs[:, :, path] = -np.inf
        for begin in range(0, steps, BLOCK):
            count = min(BLOCK, steps - begin)
            load_block(course, path, begin, count, room, owed)
            for place in range(positions):
                position_lines(rules, place, size[place], course.start[place], room, count, lines[place])
            for node in range(len(tree)):
                depth, place, out = tree[node, 0], tree[node, 1], tree[node, 2]
                for kind in range(KINDS):
                    above, here, line = sums[depth, kind], sums[depth + 1, kind], lines[place, kind]
                    for step in range(BLOCK):
                        here[step] = above[step] + line[step]
                    if out >= 0:
                        needs[kind, out, path] = max(needs[kind, out, path], largest(here, scratch))
        within = (steps - 1) % BLOCK
        for place in range(positions):
            moved = room.price[place, within] - course.start[place] - room.owed[place, within]
            won[place, path] = size[place] * moved


@kernel
def _scenario_needs(
    rules: Rules, course: Course, size: Floats, path_first: int, path_last: int, needs: Any
) -> None:
    """The same for all positions together under scenario margin: (kinds, paths)."""
    steps, positions = course.ratio.shape[1], len(size)
    room = room_of(positions, rules.moves.shape[1])
    owed = np.empty(positions)
    for path in range(path_first, path_last):
        owed[:] = 0.0
        needs[:, path] = -np.inf
        for begin in range(0, steps, BLOCK):
            count = min(BLOCK, steps - begin)
            load_block(course, path, begin, count, room, owed)
            for step in range(count):
                won = 0.0
                for place in range(positions):
                    room.now[place] = room.price[place, step]
                    won += size[place] * (room.now[place] - course.start[place] - room.owed[place, step])
                _, required, _ = scenario_health(rules, size, room.now, 0.0, room.work)
                for kind in range(KINDS):
                    needs[kind, path] = max(needs[kind, path], required * LEVELS[kind] - won)


def needs_of(venue: Venue, size: Floats, paths: Paths, masks: Sequence[int]) -> tuple[Floats, Floats]:
    """Collateral needed (levels, sets, paths) and what positions won (positions, paths), in 10^-6 USD.

    `size` is lots by market, `masks` are sets of markets as bits. Less collateral than `needs[0]` and the set is below
    maintenance at some step; `needs[1]` and `needs[2]` are the same for the margin calls at 80 and 66 %.
    """
    course, rules, tree = course_of(venue, paths), venue.rules, tree_of(masks)
    needs, won = np.empty((KINDS, len(masks), len(paths))), np.empty((len(size), len(paths)))
    spread(lambda first, last: _needs(rules, course, size, tree, first, last, needs, won), len(paths))
    return needs, won


def scenario_needs_of(venue: Venue, size: Floats, paths: Paths) -> Floats:
    """Collateral needed (levels, paths) by all positions together under scenario margin, in 10^-6 USD."""
    course, rules = course_of(venue, paths), venue.rules
    needs = np.empty((KINDS, len(paths)))
    spread(lambda first, last: _scenario_needs(rules, course, size, first, last, needs), len(paths))
    return needs
