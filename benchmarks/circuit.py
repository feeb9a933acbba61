"""What a batch costs to prove: cells of a trade and what they go to, seconds, memory, and its orders among many.

A batch has as many trades as its shape holds, between cross accounts that hold something in up to five markets, each of
which trades four times; signed with real keys. A trade of accounts with five positions each, an isolated one and a tick
are counted from their programs, all on plates.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Sequence

from benchmarks import Row
from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.batch import LARGE, MEDIUM, Shape, circuit_of
from bulkhead.circuit.describe import ProgramFigures, figures_of
from bulkhead.circuit.orders import LiveOrders, Shown
from bulkhead.circuit.programs import account_name, programs
from bulkhead.circuit.trace import Tables, merged
from bulkhead.circuit.venue import provable, venue_of
from bulkhead.circuit.words import ORDER_ROOT
from bulkhead.ledger.defaults import default_config
from bulkhead.ledger.orders import FilledOrders, list_of
from bulkhead.limits import ORDER_TREE_DEPTH
from bulkhead.units import Felt
from stark.air.system import System
from stark.chips.ecdsa import ROWS as SIGNATURE_ROWS
from stark.chips.merkle_update import climb
from stark.chips.poseidon import CELLS
from stark.chips.poseidon import ROWS as PERMUTATION_ROWS
from stark.fixed import prepare
from stark.parameters import STANDARD
from stark.prover import prove
from tests.circuit.batches import Sealed
from tests.parse import ACCOUNTS, KEYS

TOUCHED = 4  # times that an account trades in the batch
MARKETS = ("0.1 BTC @ 50000", "1 ETH @ 3000", "10 LTC @ 50", "1000 XRP @ 0.5", "100 EOS @ 5")
HELD = 3  # fills of each account before the batch
HELD_BY = {MEDIUM: 110, LARGE: 1500}  # trades that a shape holds
LIVE = (10_000, 300_000)
NOW_S = 1_700_000_000


def batch(trades: int) -> Sealed:
    """So many trades between cross accounts, each of which trades four times and held something in some markets."""
    draw = random.Random(1)
    names = [f"trader{place}" for place in range(2 * trades // TOUCHED)]
    KEYS.update({name: 9_000 + place for place, name in enumerate(names)})
    ACCOUNTS.update({name: 4_096 + 64 * place for place, name in enumerate(names)})
    start = [f"register {name} ok" for name in names] + [f"deposit {name} 1000000 ok" for name in names]
    start.append("tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok")
    start += _fills(draw, names * HELD)
    return Sealed("\n".join(_fills(draw, names * TOUCHED)), "\n".join(start))


def _fills(draw: random.Random, sides: list[str]) -> list[str]:
    """These accounts in pairs."""
    draw.shuffle(sides)
    found = []
    for place in range(0, len(sides) - 1, 2):
        one, other = sides[place : place + 2]
        if one == other:
            other = draw.choice([name for name in sides if name != one])
        found.append(f"trade {one} {draw.choice(('sell', 'buy'))} {other} {draw.choice(MARKETS)} fees=0.1,0.2 ok")
    return found


def run() -> list[Row]:
    """The figures, the middle shape's first."""
    rows: list[Row] = []
    for shape, trades in HELD_BY.items():
        rows += _figures(shape, batch(trades), trades)
    venue = venue_of(provable(default_config(tuple(Felt(place) for place in range(1, 6)), Felt(6))))
    system = circuit_of(venue.config, MEDIUM)
    figures = {each.name: each for each in figures_of(system, programs(venue))}
    rows += [
        {"figure": "A trade, five positions each, its frames", "value": _frames(figures, 5), "unit": "cells"},
        {"figure": "A trade, isolated on both sides, its frames", "value": _isolated(figures), "unit": "cells"},
        {"figure": "An oracle tick of 5 signers and 5 markets", "value": figures["oracle tick, 5 reports"].plate_cells,
         "unit": "cells"},
    ]  # fmt: skip
    rows += [_live(system, count) for count in LIVE]
    return [{"reference": "", "ratio": ""} | row for row in rows]


def _figures(shape: Shape, one: Sealed, trades: int) -> list[Row]:
    system = circuit_of(one.before.config, shape)
    began = time.perf_counter()
    tables = one.tables(shape, threads=2)
    filling = time.perf_counter() - began
    split = split_of(system, tables, trades)
    fixed = prepare(system, shape.log_heights, STANDARD, 2)
    began = time.perf_counter()
    proof = prove(fixed, tables.public, tables.traces, threads=2, consume=True)
    proving = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    used, whole = sum(split.values()), cells_of(system, shape)
    name = f"{trades} trades"
    return [
        {"figure": f"Cells a trade, padding included, {name}", "value": whole / trades, "unit": "cells"},
        {"figure": f"Cells a trade, without padding, {name}", "value": used / trades, "unit": "cells"},
        *({"figure": f"  of these: {part}", "value": cells / trades, "unit": "cells"} for part, cells in split.items()),
        {"figure": f"Trades proven, standard, {name}", "value": trades / (filling + proving), "unit": "a second"},
        {"figure": f"A batch, tables filled, {name}", "value": filling + proving, "unit": "s"},
        {"figure": f"Filling the tables, {name}", "value": 100 * filling / (filling + proving), "unit": "%"},
        {"figure": f"Peak memory, {name}", "value": peak, "unit": "GiB"},
        {"figure": f"A proof, {name}", "value": len(proof) / 1000, "unit": "kB"},
    ]


def widths(system: System) -> dict[str, int]:
    """Committed columns of each table."""
    return {table.chip.name: table.trace_width + table.bus_width for table in system.tables}


def cells_of(system: System, shape: Shape) -> int:
    """All cells of a shape."""
    return sum(
        width << log_height for width, log_height in zip(widths(system).values(), shape.log_heights, strict=True)
    )


def split_of(system: System, tables: Tables, trades: int) -> dict[str, int]:
    """Cells of rows that are used, by what they are for; tables of the system's own heights are shared by all."""
    width = widths(system)
    used = {
        table.chip.name: int(trace.any(axis=(0, 2)).sum())
        for table, trace in zip(system.tables, tables.traces, strict=True)
    }
    parts: dict[str, Sequence[str]] = {
        "rules": ("rules", "plates"), "numbers": ("numbers",), "signatures": ("ecdsa",), "hashes": ("poseidon",),
        "state": ("records", "live_orders", "merkle_update"), "tables that are lent": ("programs", "terms", "range"),
    }  # fmt: skip
    # Unused places of these hold a signature of nobody and permutations of zeros: count those that were asked for.
    used["ecdsa"] = min(used["ecdsa"], trades * 2 * SIGNATURE_ROWS)
    hashes = tables.traces[[table.chip.name for table in system.tables].index("poseidon")]
    used["poseidon"] = PERMUTATION_ROWS * int(hashes[CELLS - 1, ::PERMUTATION_ROWS].any(axis=1).sum())
    return {name: sum(used[each] * width[each] for each in names) for name, names in parts.items()}


def _frames(figures: dict[str, ProgramFigures], positions: int) -> int:
    """All on plates."""
    account = figures[account_name(positions, False, Freshness.FRESH)].plate_cells
    return 2 * (account + figures["side, cross"].plate_cells) + figures["trade, maker 3 ago"].plate_cells


def _isolated(figures: dict[str, ProgramFigures]) -> int:
    parent, child = (figures[account_name(count, True, Freshness.FRESH)].plate_cells for count in (0, 1))
    return 2 * (parent + child + figures["side, isolated"].plate_cells) + figures["trade, maker 4 ago"].plate_cells


def _live(system: System, count: int) -> Row:
    """What the orders of a full batch cost where so many live: their lists and the tree above them, as it is filled."""
    draw = random.Random(count)
    before = FilledOrders((draw.getrandbits(128), draw.getrandbits(40), NOW_S + 9) for _ in range(count))
    keys = [draw.getrandbits(128) for _ in range(2 * HELD_BY[MEDIUM])]
    lists = {list_of(key) for key in keys}
    shown = [Shown(key, filled, filled, expiry_s) for each in lists for key, filled, expiry_s in before.entries(each)]
    shown += [Shown(key, None, 1 + draw.getrandbits(40), NOW_S + 9, 1) for key in keys]
    root = before.root
    found = LiveOrders().fill(sorted(shown), NOW_S, root, 13)
    nodes = climb(ORDER_TREE_DEPTH, found.leaves, before.node, ORDER_ROOT)
    permutations = sum(len(sponge.elements) // 2 for sponge in merged([*found.hashed, *nodes.hashed]))
    rows = {
        "live_orders": len(shown) + len(lists), "merkle_update": len(nodes.rows), "numbers": len(set(found.asked)),
        "poseidon": PERMUTATION_ROWS * permutations,
    }  # fmt: skip
    width = widths(system)
    cells = sum(width[name] * count for name, count in rows.items())
    return {"figure": f"An order of {len(keys)}, {count:,} live", "value": cells / len(keys), "unit": "cells"}
