"""bulkhead.node.journal under kill -9: nothing acknowledged is ever lost, whatever the instant."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bulkhead.node.journal import Journal
from tests.node import journal_writer
from tests.node.journal_writer import GENESIS, SEGMENT_BYTES, payload

SOURCE = Path(__file__).resolve().parents[2] / "src"
LANES = 8
KILLS_PER_LANE = 30
STARTING = threading.Lock()
"""Until it runs its own program, a new process holds what is open here: also the lock of another lane's journal."""


def run_and_kill(folder: Path, chooser: random.Random, kind: str) -> int:
    """Lets a writer run into its death; gives the last sequence it acknowledged, or 0."""
    budget = chooser.randint(0, 30_000) if kind == "bytes" else chooser.randint(0, 60)
    script = [sys.executable, "-S", "-E", journal_writer.__file__, str(SOURCE), str(folder)]
    with STARTING:
        writer = subprocess.Popen([*script, str(chooser.random())[2:], kind, str(budget)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    acknowledged = b""
    if kind == "nothing":
        if chooser.random() < 0.8:
            acknowledged = os.read(writer.stdout.fileno(), 1 << 16)
        time.sleep(chooser.random() * 0.02)
        writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.read()
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    lines = acknowledged.split(b"\n")[:-1]  # what follows the last line break was not said completely
    return int(lines[-1]) if lines else 0


def lane(folder: Path, number: int) -> Counter[str]:
    """One journal, killed again and again; every writer first repairs what the one before left."""
    chooser = random.Random(number)
    seen: Counter[str] = Counter()
    acknowledged = 0
    for _ in range(KILLS_PER_LANE):
        kind = chooser.choice(("bytes", "bytes", "calls", "nothing"))
        acknowledged = max(acknowledged, run_and_kill(folder, chooser, kind))
        seen[kind] += 1
        with STARTING, Journal.open(folder, GENESIS, segment_bytes=SEGMENT_BYTES) as journal:
            assert journal.tip.sequence >= acknowledged
            records = list(journal.read())
            assert [sequence for sequence, _ in records] == list(range(1, journal.tip.sequence + 1))
            assert all(found == payload(sequence) for sequence, found in records)
            if journal.torn:
                seen["torn"] += 1
                assert journal.torn.bytes_cut > 0
                assert journal.torn.sequence_kept == journal.tip.sequence
            seen["beyond"] += journal.tip.sequence > acknowledged
            acknowledged = journal.tip.sequence  # read and possibly acted upon: must stay
    seen["records"] = acknowledged
    seen["segments"] = len(list(folder.glob("journal-*.log")))
    return seen


def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        seen: Counter[str] = sum(pool.map(lambda n: lane(tmp_path / str(n), n), range(LANES)), Counter())
    assert seen["bytes"] + seen["calls"] + seen["nothing"] == LANES * KILLS_PER_LANE >= 200
    # The kills really struck where it hurts: inside records, between sync and acknowledgement, across segments.
    assert seen["torn"] >= 40, seen
    assert seen["beyond"] >= 20, seen
    assert min(seen["bytes"], seen["calls"], seen["nothing"]) >= 30, seen
    assert seen["segments"] >= 4 * LANES, seen
    assert seen["records"] >= 1000, seen
