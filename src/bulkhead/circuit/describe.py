"""The circuit in figures: its tables, and what every program asks of them. Pinned, so that a change is a decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from bulkhead.circuit.batch import ALL_SHAPES, Shape, circuit_of
from bulkhead.circuit.instructions import Flag, Program
from bulkhead.circuit.plates import rows_of
from bulkhead.circuit.programs import programs
from bulkhead.circuit.venue import venue_of
from bulkhead.ledger.config import VenueConfig
from stark.air.expr import Source
from stark.air.system import System
from stark.chips.ecdsa import ROWS as SIGNATURE_ROWS
from stark.chips.poseidon import ROWS as PERMUTATION_ROWS
from stark.keccak import keccak256
from stark.proof import words_of


class TableFigures(NamedTuple):
    """One table of the circuit."""

    name: str
    columns: int
    bus_columns: int
    fixed_columns: int
    constraints: int
    degree: int
    buses: tuple[str, ...]


class ProgramFigures(NamedTuple):
    """What one frame of a program asks for: rows of rules, numbers, words, permutations, signatures; and its cells.

    Cells are those of the rows it fills, without padding, without the state's tree and records, which are shared by
    all frames that touch an account. On a plate it has fewer rows, of fewer cells.
    """

    name: str
    rows: int
    numbers: int
    words: int
    permutations: int
    signatures: int
    cells: int
    plate_rows: int
    plate_cells: int


def tables_of(system: System) -> list[TableFigures]:
    """The tables, in their order."""
    return [
        TableFigures(
            table.chip.name,
            table.trace_width,
            table.bus_width,
            table.width(Source.FIXED),
            len(table.constraint_names),
            table.degree,
            tuple(sorted({message.bus.name for message in table.messages})),
        )
        for table in system.tables
    ]


def figures_of(system: System, each: Mapping[str, Program]) -> list[ProgramFigures]:
    """What every program asks for, most cells first."""
    width = {table.chip.name: table.trace_width + table.bus_width for table in system.tables}
    found = []
    for program in each.values():
        counts = Counter[str]()
        for instruction in program.instructions:
            flags = instruction.flags
            counts["numbers"] += bool(flags & Flag.NUMBER and not flags & Flag.HASH)
            counts["words"] += bool(flags & Flag.MEMORY)
            counts["permutations"] += bool(flags & Flag.HASH)
            counts["signatures"] += bool(flags & Flag.SIGNED)
        rows, numbers = len(program.instructions), counts["numbers"] + counts["words"]
        cells = numbers * width["numbers"]
        cells += counts["permutations"] * PERMUTATION_ROWS * width["poseidon"]
        cells += counts["signatures"] * SIGNATURE_ROWS * width["ecdsa"]
        cast = len(rows_of(program))
        found.append(
            ProgramFigures(
                program.name, rows, numbers, counts["words"], counts["permutations"], counts["signatures"],
                cells + rows * width["rules"], cast, cells + cast * width["plates"],
            )
        )  # fmt: skip
    return sorted(found, key=lambda figures: (-figures.cells, figures.name))


def digest_of(system: System) -> str:
    """Of all that decides what the circuit accepts, but the heights and the configuration's fixed columns."""
    return keccak256(words_of(system.words())).hex()


def pinned(config: VenueConfig, shapes: tuple[Shape, ...] = ALL_SHAPES) -> dict[str, object]:
    """The figures as they are pinned for a configuration."""
    systems = [circuit_of(config, shape) for shape in shapes]
    each = programs(venue_of(config))
    return {
        "shapes": {
            str(shape.number): {
                "log_heights": list(shape.log_heights),
                "columns": system.columns(),
                "digest": digest_of(system),
            }
            for shape, system in zip(shapes, systems, strict=True)
        },
        "tables": {figures.name: list(figures[1:]) for figures in tables_of(systems[0])},
        "programs": {figures.name: list(figures[1:]) for figures in figures_of(systems[0], each)},
    }
