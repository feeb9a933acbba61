"""Columns that belong to a system: committed once, when its key is made."""

from __future__ import annotations

from collections.abc import Sequence

from stark.air.system import System
from stark.committed import commit_columns
from stark.extension import Narrow, fixed_table
from stark.field import Felts
from stark.key import Key, check_heights
from stark.parameters import Parameters
from stark.progress import Report, unheard, within
from stark.prover import Fixed

MADE = 0.2  # of the whole, when the columns are made


def prepare(
    system: System, log_heights: Sequence[int], parameters: Parameters, threads: int = 1, report: Report = unheard
) -> Fixed:
    """The key of a system at given heights, with what a prover needs of its fixed columns.

    A verifier needs the key alone, and should compute it itself or pin its digest: whoever chooses the fixed columns
    chooses what is proven.
    """
    check_heights(system, log_heights)
    columns: list[Felts] = []
    for table, log_height in zip(system.tables, log_heights, strict=True):
        report(MADE * len(columns) / len(log_heights))
        columns.append(fixed_table(table, log_height))
    narrow = [Narrow(each) for each in columns]
    has_fixed = any(table.fixed_width for table in system.tables)
    outline = Key(system, log_heights, parameters, bytes(32) if has_fixed else None)
    committed = commit_columns(outline, columns, threads, within(report, MADE, 1))
    if committed.tree is None:
        return Fixed(outline, narrow, committed)
    return Fixed(Key(system, log_heights, parameters, committed.tree.root), narrow, committed)
