"""The check that changes every cell: it finds the cells that are free, and no others."""

from __future__ import annotations

import numpy as np

from stark.air.chip import Must, Row
from stark.air.system import System
from stark.field import from_ints
from tests.stark.mutation import unnoticed
from tests.stark.toy import Fibonacci, Range, case, environment

ROWS = 8


class Loose(Fibonacci):
    """With a cell that nothing reads, one that is read on every fourth row, and one that may be zero or one."""

    columns = (*Fibonacci.columns, "unread", "seldom", "bit")

    def constrain(self, row: Row, must: Must) -> None:
        super().constrain(row, must)
        must.zero("read where it is marked", row.is_marked * row.seldom)
        must.boolean("a bit", row.bit)


def test_free_cells_are_found() -> None:
    honest = case(3, 3)
    more = from_ints([0] * 3 * ROWS).reshape(3, ROWS, 4)
    traces = [honest.traces[0], np.concatenate([honest.traces[1], more])]
    system = System("loose", [Range(), Loose()], ["left", "right"], environment)
    expected = {f"fibonacci[{row}].unread" for row in range(ROWS)}
    expected |= {f"fibonacci[{row}].seldom" for row in range(ROWS) if row % 4}
    expected |= {f"fibonacci[{row}].bit" for row in range(ROWS)}  # raised by one it is a bit as well
    assert {*unnoticed(system, honest.public, traces)} == expected
    assert {*unnoticed(system, honest.public, traces, {"fibonacci": 0})} == set()


def test_where_nothing_is_free_nothing_is_found() -> None:
    honest = case(3, 3)
    system = System("tight", [Range(), Fibonacci()], ["left", "right"], environment)
    assert unnoticed(system, honest.public, honest.traces) == []
