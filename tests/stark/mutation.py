"""Change every cell of honest tables, one at a time: some named rule or bus must fail.

A rule reads a row and the next one, so that cells three rows apart are changed at once: a broken rule on a cell's own
row or on the one before is its own. What no rule notices is tried again alone, with the buses.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stark.air.check import Balance, add_balance, broken_rules, check, messages_of, stated
from stark.air.chip import column_names
from stark.air.system import System, Table
from stark.field import Felts, from_ints, to_ints
from stark.prime import PRIME

APART = 3


class Change(NamedTuple):
    """A way to change cells of a column: each is raised by one, or becomes a random element."""

    trace: Felts
    column: int
    is_raised: bool
    draw: random.Random

    def make(self, rows: Sequence[int]) -> None:
        """Change the cells of these rows."""
        old = to_ints(self.trace[self.column, rows])
        new = [(value + 1) % PRIME if self.is_raised else self.draw.randrange(PRIME) for value in old]
        self.trace[self.column, rows] = from_ints(new)


def unnoticed(
    system: System, public: Sequence[int], traces: Sequence[Felts], sample: Mapping[str, int] | None = None
) -> list[str]:
    """Cells that can be changed without anything failing, as `table[row].column`.

    Each is raised by one, and set to a random element. `sample` limits a table to so many random rows.
    """
    draw = random.Random(1)
    assert not list(check(system, public, traces)), "the tables are not honest"
    found = []
    balances = [messages_of(table, public, trace) for table, trace in zip(system.tables, traces, strict=True)]
    for place, (table, trace) in enumerate(zip(system.tables, traces, strict=True)):
        others = stated(system, public)
        for other, balance in enumerate(balances):
            if other != place:
                add_balance(others, balance)
        rows: Sequence[int] = range(trace.shape[1])
        if sample is not None and table.chip.name in sample:
            rows = sorted(draw.sample(rows, sample[table.chip.name]))
        for column, name in enumerate(column_names(table.chip.columns)):
            for is_raised in (True, False):
                change = Change(trace, column, is_raised, draw)
                for row in quiet(table, public, change, rows):
                    kept = trace[column, row].copy()
                    change.make([row])
                    if is_balanced(others, messages_of(table, public, trace)):
                        found.append(f"{table.chip.name}[{row}].{name}")
                    trace[column, row] = kept
    return found


def is_balanced(others: Balance, own: Balance) -> bool:
    """Whether a table's messages cancel those of all others and of the statement."""
    return all((others.get(key, (0, []))[0] + surplus) % PRIME == 0 for key, (surplus, _) in own.items()) and not any(
        surplus for key, (surplus, _) in others.items() if key not in own
    )


def quiet(table: Table, public: Sequence[int], change: Change, rows: Sequence[int]) -> list[int]:
    """The rows of which a changed cell breaks no rule of its own table."""
    trace, column = change.trace, change.column
    height, found = trace.shape[1], []
    for remainder in range(APART):
        together = [row for row in rows if row % APART == remainder]
        # The first row comes after the last: where that would bring two changes together, the last row waits its turn.
        late = [row for row in together if remainder == 0 and row == height - 1]
        for group in ([row for row in together if row not in late], late):
            kept = trace[column].copy()
            change.make(group)
            broken = {each.row for each in broken_rules(table, public, trace)}
            trace[column] = kept
            found += [row for row in group if row not in broken and (row - 1) % height not in broken]
    return found
