"""The exchange under kill -9: what it acknowledged happened, and happens again on replay, to the same digest."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from bulkhead.engine.command import RestartNode
from bulkhead.node.records import COMMANDS, Genesis
from bulkhead.node.replay import Machine, open_journal, read_genesis, replay
from bulkhead.node.segment import HEADER_BYTES, JournalCorrupt
from tests.node.exchange_child import said, serve
from tests.node.exchange_world import START_MS, Scribe, small_config

ROOT = Path(__file__).resolve().parents[2]
LANES = 8
KILLS_PER_LANE = 26
GROUP_MAX = 6
COUNTING = threading.Lock()
"""Starting a process asks every other one whether it has ended, and of two threads that ask, one hears nonsense."""
BEGIN = Genesis(1, small_config(), START_MS)


class Lane:
    """One exchange that is killed again and again, beside one that never is."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.chooser, self.scribe = folder, random.Random(seed), Scribe(seed)
        self.stream = self.scribe.commands()
        self.twin = Machine(BEGIN)
        self.digests = {0: self.twin.digest()}
        self.said: dict[int, bytes] = {}
        self.sent: list[bytes] = []  # by this life, acknowledged or not
        self.acknowledged: dict[int, bytes] = {}
        self.seen: Counter[str] = Counter()

    def live(self, starter: multiprocessing.context.ForkServerContext) -> None:
        """Run a child into its death: by its own hand inside a write or before a call, or by ours at any moment."""
        kind = self.chooser.choice(("bytes", "calls", "nothing"))
        budget = self.chooser.randint(0, 6_000) if kind == "bytes" else self.chooser.randint(0, 14)
        ours, theirs = starter.Pipe()
        arguments = (theirs, self.folder, self.scribe.time_ms, kind, budget)
        child = starter.Process(target=serve, args=arguments, daemon=True)
        with COUNTING:
            child.start()
        theirs.close()
        self.sent, self.acknowledged = [], {}
        groups = self.chooser.randint(0, 12) if kind == "nothing" else 1_000
        try:
            assert ours.recv() == "open"
            for _ in range(groups):
                self._send(ours)
                self.acknowledged.update(ours.recv())
            self._send(ours)
            time.sleep(self.chooser.random() * 0.004)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        with COUNTING:
            if child.exitcode is None:
                child.kill()
            child.join()
        assert child.exitcode == -signal.SIGKILL
        ours.close()
        self.seen[kind] += 1

    def _send(self, pipe: multiprocessing.connection.Connection) -> None:
        group = [COMMANDS.encode(command) for command in islice(self.stream, self.chooser.randint(1, GROUP_MAX))]
        self.sent += group
        pipe.send((self.chooser.random() < 0.1, group))

    def check(self) -> None:
        """Everything acknowledged is there, in the order it was sent; a replay agrees with the life without deaths."""
        if not (self.folder / "genesis.bin").exists():
            assert not self.acknowledged
            self.seen["unborn"] += 1
            return
        begin = read_genesis(self.folder)
        known = max(self.digests)
        with_snapshot = replay(self.folder, use_snapshot=True)
        journal = open_journal(self.folder, begin)
        found = list(journal.read(known + 1))
        journal.close()
        sent = iter(self.sent)
        for sequence, payload in found:
            command = COMMANDS.decode(payload)
            assert isinstance(command, RestartNode) or payload == next(sent)
            self.said[sequence] = said(command, self.twin.handle(command))
            self.digests[sequence] = self.twin.digest()
        assert max(self.acknowledged, default=0) <= with_snapshot.sequence == max(self.digests)
        for sequence, promise in self.acknowledged.items():
            assert self.said[sequence] == promise
        assert with_snapshot.machine.digest() == self.digests[with_snapshot.sequence]
        self.seen["torn"] += with_snapshot.torn is not None
        self.seen["from snapshot"] += with_snapshot.begun_after > 0
        self.seen["beyond"] += with_snapshot.sequence > max(self.acknowledged, default=0) > 0
        self.seen["acknowledged"] += len(self.acknowledged)

    def cut(self) -> None:
        """A file cut at any byte gives an exact prefix, or is refused when a snapshot knows that more was there."""
        copy = self.folder.with_name(f"{self.folder.name}-cut")
        for _ in range(6):
            shutil.copytree(self.folder, copy)
            path = sorted(copy.glob("journal-*.log"))[-1]
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.truncate(self.chooser.randint(HEADER_BYTES, size))
            found = replay(copy)
            assert found.machine.digest() == self.digests[found.sequence]
            newest = max((int(one.stem[9:]) for one in copy.glob("snapshot-*.bin")), default=0)
            if newest > found.sequence:
                with pytest.raises(JournalCorrupt, match=str(newest)):
                    replay(copy, use_snapshot=True)
                self.seen["missed"] += 1
            shutil.rmtree(copy)
            self.seen["cut"] += 1


def run(folder: Path, seed: int) -> Counter[str]:
    """One lane from birth to its last death."""
    starter = multiprocessing.get_context("forkserver")
    lane = Lane(folder, seed)
    for _ in range(KILLS_PER_LANE):
        lane.live(starter)
        lane.check()
    full = replay(folder)
    assert full.machine.digest() == lane.digests[full.sequence]
    lane.cut()
    lane.seen["events"] = lane.twin.venue.sequencer.desk.number
    return lane.seen


def test_kill_9_loses_nothing_acknowledged_and_replays_to_the_same_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server that children are forked from looks for what it preloads where its environment says, nowhere else.
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    multiprocessing.set_forkserver_preload(["tests.node.exchange_child"])
    with ThreadPoolExecutor(4) as pool:
        seen: Counter[str] = sum(pool.map(lambda seed: run(tmp_path / str(seed), seed), range(LANES)), Counter())
    assert seen["bytes"] + seen["calls"] + seen["nothing"] == LANES * KILLS_PER_LANE >= 200
    # The deaths struck where it hurts: inside records, between sync and acknowledgement, around snapshots.
    assert seen["torn"] >= 20, seen
    assert seen["beyond"] >= 20, seen
    assert seen["from snapshot"] >= 50, seen
    assert min(seen["bytes"], seen["calls"], seen["nothing"]) >= 30, seen
    assert seen["missed"] >= 5 and seen["cut"] == 6 * LANES, seen
    assert seen["acknowledged"] >= 1_000 and seen["events"] >= 2_000, seen
