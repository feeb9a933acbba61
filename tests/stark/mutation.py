"""Change every cell of honest tables, one at a time: some named rule or bus must fail."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from stark.air.check import check
from stark.air.chip import column_names
from stark.air.system import System
from stark.field import Felts, from_ints, to_ints
from stark.prime import PRIME


def unnoticed(
    system: System, public: Sequence[int], traces: Sequence[Felts], sample: Mapping[str, int] | None = None
) -> list[str]:
    """Cells that can be changed without anything failing, as `table[row].column`.

    Each is raised by one, and set to a random element. `sample` limits a table to so many random rows.
    """
    draw = random.Random(1)
    assert not list(check(system, public, traces)), "the tables are not honest"
    found = []
    for table, trace in zip(system.tables, traces, strict=True):
        rows: Sequence[int] = range(trace.shape[1])
        if sample is not None and table.chip.name in sample:
            rows = sorted(draw.sample(rows, sample[table.chip.name]))
        for column, name in enumerate(column_names(table.chip.columns)):
            for row in rows:
                kept = trace[column, row].copy()
                for value in ((to_ints(kept.reshape(1, 4))[0] + 1) % PRIME, draw.randrange(PRIME)):
                    trace[column, row] = from_ints([value])[0]
                    if next(iter(check(system, public, traces)), None) is None:
                        found.append(f"{table.chip.name}[{row}].{name}")
                trace[column, row] = kept
    return found
