"""A node that starts again: from its snapshot, and in full; and its derived tables made anew.

The commands are those of `benchmarks.replay`. Started means: exchange replayed, derived tables caught up, first tick
done. By default 100,000 commands are taken and the time for a million is extrapolated, which the figure says; `--full`
takes the million.

    python -m benchmarks.restart [--full | --commands N]
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import Row
from benchmarks.replay import COMMANDS, GROUP, MILLION, START_MS, Span, Stream, main
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.app import config_of, open_node
from bulkhead.node.exchange import Exchange
from bulkhead.node.keys import Keys, keys_in
from bulkhead.node.settings import Settings
from bulkhead.units import TimeMs


def config(keys: Keys, chain_id: str) -> VenueConfig:
    """The default venue; no batch is ever closed here, so its table of filled orders is large."""
    return config_of(keys, chain_id)._replace(filled_orders_max=1 << 24)


def write(settings: Settings, count: int) -> None:
    """The journal of an exchange that took so many commands, and a snapshot of its end."""
    keys = keys_in(settings.place, settings.venue.oracle_signers)
    made = config(keys, settings.venue.chain_id)
    with Exchange.open(settings.place, made, TimeMs(START_MS), verify=False) as exchange:
        for number, command in enumerate(Stream(1).commands(count), 1):
            exchange.submit(command)
            if number % GROUP == 0:
                exchange.commit()
        exchange.snapshot()


def start(settings: Settings, begin: Callable[[], None]) -> Span:
    """How long a node takes to its first tick, after `begin` prepared its folder."""
    begin()

    async def to_first_tick() -> Span:
        loop = asyncio.get_running_loop()
        wall, core = loop.time(), time.process_time()
        node = open_node(settings, make_config=config)
        await node.start()
        span = Span(loop.time() - wall, time.process_time() - core)
        await node.stop()
        return span

    return asyncio.run(to_first_tick())


def rows(count: int) -> list[Row]:
    """Three figures for a million commands."""
    share = MILLION / count
    note = "" if count == MILLION else f", {count:,} measured and scaled"
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as scratch:  # not /tmp, which may be memory
        settings = Settings(folder=scratch)
        write(settings, count)
        tables = Path(scratch)

        def forget_snapshots() -> None:
            for path in tables.glob("snapshot-*.bin"):
                path.unlink()

        derived = start(settings, lambda: None)  # the tables are empty: everything is derived
        short = start(settings, lambda: None)
        full = start(settings, forget_snapshots)
    figures = (
        ("Restart of a node with a million commands, from a snapshot", short, full),
        ("Restart of a node with a million commands, in full", full, full),
        ("Derived tables of a million commands made anew", derived, full),
    )
    return [
        {"figure": f"{name}{note}; {span.core_s * share:.1f} s of our core", "value": span.wall_s * share, "unit": "s",
         "reference": beside.wall_s * share, "ratio": beside.wall_s / span.wall_s}
        for name, span, beside in figures
    ]  # fmt: skip


def run(full: bool = False) -> list[Row]:
    """Rows for the table of all figures."""
    return rows(MILLION if full else COMMANDS)


if __name__ == "__main__":
    main(__doc__, rows)
