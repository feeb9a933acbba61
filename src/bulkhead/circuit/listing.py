"""Hashing a list that stands in a table, one element a row: what is hashed before and after differ in some elements.

A list is a run of `live` rows and one `end` row. Its sponge absorbs two elements at a time: an element waits in `held`
until a second one comes, and the end row brings the padding, a 1 and, where it is needed to make the number even, a 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from stark.air.chip import Must, Row
from stark.air.expr import Expr
from stark.chips.poseidon import LIST, POSEIDON

SIDE = ("exists", "present", "parity", "held", "begun", "left", "digest")


class Side:
    """One of the two lists: the columns that say where its sponge is, and their rules."""

    def __init__(self, name: str):
        self.name = name
        self.columns = tuple(f"{column}_{name}" for column in SIDE)

    def cells(self, row: Row) -> list[Expr]:
        """The side's cells of a row, in the order of SIDE."""
        return [getattr(row, column) for column in self.columns]

    def constrain(self, row: Row, must: Must, value: Expr) -> None:
        """Absorb `value` on live rows where it is present, and the padding on the end row."""
        side = self.name
        exists, present, parity, held, begun, left, digest = self.cells(row)
        after = self.cells(row.next)
        live, end = row.live, row.end
        for name, bit in (("exists", exists), ("present", present), ("parity", parity), ("begun", begun)):
            must.boolean(f"{side}: {name} is a bit", bit)
        absorbed = live * present * parity + end * exists  # a permutation's two elements are complete
        must.zero(f"{side}: only live rows of a list that exists hold elements", present * (1 - live * exists))
        must.zero(f"{side}: an element that is not present is zero", (1 - present) * value)
        must.zero(f"{side}: a list exists in all its rows or in none", live * (after[0] - exists))
        must.zero(f"{side}: idle rows are of no list", (1 - live - end) * exists)
        odd = parity + present - 2 * parity * present
        must.zero(f"{side}: an element waits or completes a pair", after[2] - live * odd)
        waiting = parity * (1 - present) * held + present * (1 - parity) * value
        must.zero(f"{side}: what waits is kept", after[3] - live * waiting)
        must.zero(f"{side}: a sponge begins once", after[4] - live * (begun + absorbed - begun * absorbed))
        must.zero(f"{side}: one permutation less is left", live * (after[5] - left + absorbed))
        must.zero(f"{side}: none is left at the end", (1 - live) * left)
        must.zero(f"{side}: a list has one digest", live * (after[6] - digest))
        must.zero(f"{side}: what does not exist has no digest", (1 - exists) * digest)
        # On the end row `value` is 0: (held, 1) where an element waits, else (1, 0).
        first, second = held + end * (1 - parity), value + end * parity
        must.receive(POSEIDON, [digest, left, 1 - begun, LIST, first, second], absorbed)

    def fill(self, digest: int, values: Sequence[int | None], exists: bool) -> list[list[int]]:
        """The side's cells for the rows of one list, the end row last; None is an element that is not present."""
        present = [value for value in values if value is not None]
        left = (len(present) // 2 + 1) - 1 if exists else 0
        rows, held, parity, begun = [], 0, 0, 0
        for value in values:
            is_present = int(value is not None)
            rows.append([int(exists), is_present, parity, held, begun, left, digest])
            if value is not None and parity:
                held, parity, begun, left = 0, 0, 1, left - 1
            elif value is not None:
                held, parity = value, 1
        return [*rows, [int(exists), 0, parity, held, begun, left, digest]]


def constrain_runs(row: Row, must: Must) -> None:
    """Lists are runs of live rows, each closed by an end row."""
    must.boolean("live is a bit", row.live)
    must.boolean("end is a bit", row.end)
    must.zero("a row is live or an end", row.live * row.end)
    must.zero("a list is closed", row.live * (1 - row.next.live - row.next.end))
