"""`bulkhead circuit`: the circuit's tables, and what each program of it costs."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

SIGNERS = 5  # of prices; whose keys they are costs nothing


def circuit(
    *, whole: Annotated[bool, typer.Option("--all", help="list every variant of every program")] = False
) -> None:
    """Print tables, columns, constraints, degrees, buses and cells of the default venue's circuit."""
    from bulkhead.circuit.batch import ALL_SHAPES, circuit_of  # circuits take a second to import; others need not wait
    from bulkhead.circuit.describe import digest_of, figures_of, tables_of
    from bulkhead.circuit.programs import PROGRAMS_OF, programs
    from bulkhead.circuit.venue import provable, venue_of
    from bulkhead.ledger.defaults import default_config
    from bulkhead.units import Felt

    console = Console()
    keys = tuple(Felt(place) for place in range(1, 2 + SIGNERS))
    config = provable(default_config(keys[:SIGNERS], keys[SIGNERS]))
    systems = [circuit_of(config, shape) for shape in ALL_SHAPES]
    tables = Table(title="Tables", box=SIMPLE_HEAD, title_justify="left")
    for name in ("table", "columns", "of buses", "fixed", "rules", "degree"):
        tables.add_column(name, justify="left" if name == "table" else "right")
    tables.add_column("buses", overflow="fold")
    for figures in tables_of(systems[0]):
        tables.add_row(*map(str, figures[:-1]), ", ".join(figures.buses))
    console.print(tables)
    for shape, system in zip(ALL_SHAPES, systems, strict=True):
        cells = sum(
            (table.trace_width + table.bus_width) << log_height
            for table, log_height in zip(system.tables, shape.log_heights, strict=True)
        )
        console.print(
            f"shape {shape.number}: {system.columns()} committed columns, {cells:,} cells, 2^{shape.log_rules} rows of "
            f"rules, digest {digest_of(system)[:16]}"
        )
    asked = Table(title="\nPrograms (one frame)", box=SIMPLE_HEAD, title_justify="left")
    named = ("rows", "numbers", "words", "permutations", "signatures", "cells", "plate's rows", "plate's cells")
    for name in ("program", *named):
        asked.add_column(name, justify="left" if name == "program" else "right", no_wrap=name == "program")
    each = programs(venue_of(config))
    for program in figures_of(systems[0], each):
        if whole or _is_plain(program.name):
            asked.add_row(program.name, *(f"{number:,}" for number in program[1:]))
    console.print(asked)
    rows = sum(len(made.instructions) for made in each.values())
    console.print(f"{len(each)} programs, {rows:,} instructions, for {len(PROGRAMS_OF)} kinds of transaction.")
    if not whole:
        console.print("[dim]`--all` lists every variant.[/dim]")


def _is_plain(name: str) -> bool:
    """Not one of the variants that differ little."""
    return not any(word in name for word in ("scaled", "choices", "any", "since_restart", "maker 4 ago", "4 ago"))
