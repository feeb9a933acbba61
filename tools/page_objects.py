"""What a page's objects are: the engine's snapshot of a heap, summed by kind.

Says what it is that grew, where `endure_terminal.py` says that something did: a page that keeps things grows by
objects, strings and arrays; one whose functions are compiled for speed as they become hot grows by code, until all are.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from playwright.sync_api import CDPSession

from benchmarks.terminal import MIB


def kinds_of(session: CDPSession) -> Counter[str]:
    """Bytes of each kind, after a collection. The page stands still meanwhile, for a second or two."""
    chunks: list[str] = []

    def take(event: dict[str, Any]) -> None:
        chunks.append(event["chunk"])

    session.on("HeapProfiler.addHeapSnapshotChunk", take)
    session.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    session.remove_listener("HeapProfiler.addHeapSnapshotChunk", take)
    return summed(json.loads("".join(chunks)))


def summed(snapshot: dict[str, Any]) -> Counter[str]:
    """Bytes by kind, of a snapshot as the engine writes it: numbers in rows, with the names of their columns."""
    meta, numbers = snapshot["snapshot"]["meta"], snapshot["nodes"]
    columns, names = meta["node_fields"], meta["node_types"][0]
    kind, size = columns.index("type"), columns.index("self_size")
    found: Counter[str] = Counter()
    for start in range(0, len(numbers), len(columns)):
        found[names[numbers[start + kind]]] += numbers[start + size]
    return found


def grown(before: Counter[str], after: Counter[str]) -> str:
    """By how much each kind grew, in MiB, the most first; what did not by a hundredth is left out."""
    by_kind = {kind: (after[kind] - before[kind]) / MIB for kind in before | after}
    told = sorted(((mib, kind) for kind, mib in by_kind.items() if abs(mib) >= 0.005), reverse=True)
    return ", ".join(f"{kind} {mib:+.2f}" for mib, kind in told) or "nothing"
