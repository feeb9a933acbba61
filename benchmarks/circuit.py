"""What a batch costs to prove: cells of a trade and what they go to, seconds, memory, and its orders among many.

The batch has as many trades as its shape holds, between cross accounts with one to three positions, signed with real
keys. A trade of accounts with five positions each, an isolated one and a tick are counted from their programs.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Sequence

from benchmarks import Row
from bulkhead.circuit.batch import MEDIUM, Shape, circuit_of
from bulkhead.circuit.describe import ProgramFigures, figures_of
from bulkhead.circuit.orders import LiveOrders, Shown
from bulkhead.circuit.programs import programs
from bulkhead.circuit.trace import Tables, merged
from bulkhead.circuit.venue import venue_of
from bulkhead.circuit.words import ORDER_ROOT
from bulkhead.ledger.orders import FilledOrders, list_of
from bulkhead.limits import ORDER_TREE_DEPTH
from stark.air.system import System
from stark.chips.ecdsa import ROWS as SIGNATURE_ROWS
from stark.chips.merkle_update import climb
from stark.chips.poseidon import CELLS
from stark.chips.poseidon import ROWS as PERMUTATION_ROWS
from stark.fixed import prepare
from stark.parameters import STANDARD
from stark.prover import prove
from tests.circuit.batches import Sealed

NAMES = ("maker", "taker", "owner", "hedger", "other", "attacker")
TRADES = 108  # what `MEDIUM` holds
LIVE = (10_000, 300_000)
NOW_S = 1_700_000_000


def batch() -> Sealed:
    """So many trades of six accounts in three markets."""
    draw = random.Random(1)
    start = [f"register {name} ok" for name in NAMES] + [f"deposit {name} 1000000 ok" for name in NAMES]
    start.append("tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok")
    lines = []
    for _ in range(TRADES):
        one, other = draw.sample(NAMES, 2)
        market = draw.choice(("0.1 BTC @ 50000", "1 ETH @ 3000", "10 LTC @ 50"))
        lines.append(f"trade {one} {draw.choice(('sell', 'buy'))} {other} {market} fees=0.1,0.2 ok")
    return Sealed("\n".join(lines), "\n".join(start))


def run() -> list[Row]:
    """The figures."""
    one = batch()
    system = circuit_of(one.before.config, MEDIUM)
    began = time.perf_counter()
    tables = one.tables(MEDIUM)
    filling = time.perf_counter() - began
    fixed = prepare(system, MEDIUM.log_heights, STANDARD, 2)
    began = time.perf_counter()
    proof = prove(fixed, tables.public, tables.traces, threads=2)
    proving = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    split = split_of(system, MEDIUM, tables)
    used, whole = sum(split.values()), cells_of(system, MEDIUM)
    figures = {each.name: each for each in figures_of(system, programs(venue_of(one.before.config)))}
    rows: list[Row] = [
        {"figure": f"Cells a trade, padding included, {TRADES} trades", "value": whole / TRADES, "unit": "cells"},
        {"figure": "Cells a trade, without padding", "value": used / TRADES, "unit": "cells"},
    ]
    rows += [
        {"figure": f"  of these: {name}", "value": cells / TRADES, "unit": "cells"} for name, cells in split.items()
    ]
    rows += [
        {"figure": "A trade, five positions each, its frames", "value": _frames(figures, 5, "cross"), "unit": "cells"},
        {"figure": "A trade, isolated on both sides, its frames", "value": _isolated(figures), "unit": "cells"},
        {"figure": "An oracle tick of 4 signers and 5 markets", "value": figures["oracle tick, 4 reports"].cells,
         "unit": "cells"},
        {"figure": "Trades proven, standard", "value": TRADES / (filling + proving), "unit": "a second"},
        {"figure": f"A batch of these {TRADES}, tables filled", "value": filling + proving, "unit": "s"},
        {"figure": "Filling its tables", "value": 100 * filling / (filling + proving), "unit": "%"},
        {"figure": "Peak memory", "value": peak, "unit": "GiB"},
        {"figure": "A proof", "value": len(proof) / 1000, "unit": "kB"},
    ]  # fmt: skip
    rows += [_live(system, count) for count in LIVE]
    return [{"reference": "", "ratio": ""} | row for row in rows]


def widths(system: System) -> dict[str, int]:
    """Committed columns of each table."""
    return {table.chip.name: table.trace_width + table.bus_width for table in system.tables}


def cells_of(system: System, shape: Shape) -> int:
    """All cells of a shape."""
    return sum(
        width << log_height for width, log_height in zip(widths(system).values(), shape.log_heights, strict=True)
    )


def split_of(system: System, shape: Shape, tables: Tables) -> dict[str, int]:
    """Cells of rows that are used, by what they are for; tables of the system's own heights are shared by all."""
    width = widths(system)
    used = {
        table.chip.name: int(trace.any(axis=(0, 2)).sum())
        for table, trace in zip(system.tables, tables.traces, strict=True)
    }
    parts: dict[str, Sequence[str]] = {
        "rules": ("rules",), "numbers": ("numbers",), "signatures": ("ecdsa",), "hashes": ("poseidon",),
        "state": ("records", "live_orders", "merkle_update"), "tables that are lent": ("programs", "terms", "range"),
    }  # fmt: skip
    # Unused places of these hold a signature of nobody and permutations of zeros: count those that were asked for.
    used["ecdsa"] = min(used["ecdsa"], TRADES * 2 * SIGNATURE_ROWS)
    hashes = tables.traces[[table.chip.name for table in system.tables].index("poseidon")]
    used["poseidon"] = PERMUTATION_ROWS * int(hashes[CELLS - 1, ::PERMUTATION_ROWS].any(axis=1).sum())
    return {name: sum(used[each] * width[each] for each in names) for name, names in parts.items()}


def _frames(figures: dict[str, ProgramFigures], positions: int, mode: str) -> int:
    account = figures[f"account, {positions} positions, fresh"].cells
    return 2 * (account + figures[f"side, {mode}"].cells) + figures["trade, maker 3 ago"].cells


def _isolated(figures: dict[str, ProgramFigures]) -> int:
    parent, child = (figures[f"account, {count} positions, choices, fresh"].cells for count in (0, 1))
    return 2 * (parent + child + figures["side, isolated"].cells) + figures["trade, maker 4 ago"].cells


def _live(system: System, count: int) -> Row:
    """What the orders of a full batch cost where so many live: their lists and the tree above them, as it is filled."""
    draw = random.Random(count)
    before = FilledOrders((draw.getrandbits(128), draw.getrandbits(40), NOW_S + 9) for _ in range(count))
    keys = [draw.getrandbits(128) for _ in range(2 * TRADES)]
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
