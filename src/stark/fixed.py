"""Columns that belong to a system: committed once, when its key is made."""

from __future__ import annotations

from collections.abc import Sequence

from stark.air.system import System
from stark.domain import shift_of
from stark.extension import extend_columns, fixed_table
from stark.key import Key, check_heights
from stark.parameters import Parameters
from stark.prover import Fixed, commit_tables


def prepare(system: System, log_heights: Sequence[int], parameters: Parameters, threads: int = 1) -> Fixed:
    """The key of a system at given heights, with what a prover needs of its fixed columns.

    A verifier needs the key alone, and should compute it itself or pin its digest: whoever chooses the fixed columns
    chooses what is proven.
    """
    check_heights(system, log_heights)
    tallest = max(log_heights)
    columns = [
        fixed_table(table, log_height) for table, log_height in zip(system.tables, log_heights, strict=True)
    ]
    extended = [
        extend_columns(each.copy(), parameters.log_blowup, shift_of(log_height, tallest), threads)
        for each, log_height in zip(columns, log_heights, strict=True)
    ]
    if not any(table.fixed_width for table in system.tables):
        return Fixed(Key(system, log_heights, parameters), columns, extended, None)
    outline = Key(system, log_heights, parameters, bytes(32))
    tree = commit_tables(outline, [each.values for each in extended], threads)
    return Fixed(Key(system, log_heights, parameters, tree.root), columns, extended, tree)
