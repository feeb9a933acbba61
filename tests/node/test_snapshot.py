"""bulkhead.node.snapshot: the newest whole snapshot of this very journal is used, and every other is named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bulkhead.node import snapshot
from bulkhead.node.journal import Journal, JournalCorrupt, JournalError, Tip

GENESIS = bytes(range(32))


def fill(folder: Path, count: int, *, text: bytes = b"record", every: int = 10) -> Journal:
    journal = Journal.open(folder, GENESIS)
    for number in range(1, count + 1):
        journal.append(text + b"%d" % number)
        if number % every == 0:
            journal.commit()
            snapshot.write(journal, b"state %d" % number)
    return journal


def test_the_newest_snapshot_is_found_and_replay_begins_after_it(tmp_path: Path) -> None:
    journal = fill(tmp_path, 34)
    journal.close()
    with Journal.open(tmp_path, GENESIS) as journal:
        found, refused = snapshot.load(journal)
        assert found is not None
        assert found.tip == Tip(30, journal.chain_at(30))
        assert found.payload == b"state 30"
        assert refused == []
        assert [number for number, _ in journal.read(found.tip.sequence + 1)] == [31, 32, 33, 34]


def test_without_snapshots_replay_begins_at_the_start(tmp_path: Path) -> None:
    with Journal.open(tmp_path, GENESIS) as journal:
        assert snapshot.load(journal) == (None, [])


def test_a_snapshot_of_nothing_is_possible(tmp_path: Path) -> None:
    with Journal.open(tmp_path, GENESIS) as journal:
        snapshot.write(journal, b"")
        assert snapshot.load(journal)[0] == snapshot.Snapshot(journal.tip, b"")


def test_every_flip_and_truncation_is_reported_and_the_older_one_used(tmp_path: Path) -> None:
    journal = fill(tmp_path, 20)
    newest = sorted(tmp_path.glob("snapshot-*.bin"))[-1]
    data = newest.read_bytes()
    damaged = [data[:size] for size in range(len(data))] + [data + b"\x00"]
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        damaged.append(bytes(flipped))
    for contents in damaged:
        newest.write_bytes(contents)
        found, refused = snapshot.load(journal)
        assert found is not None
        assert found.payload == b"state 10"
        assert [each.path for each in refused] == [newest]
        assert refused[0].reason
    journal.close()


def test_a_snapshot_of_another_history_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "theirs", 20, text=b"other").close()
    journal = fill(tmp_path / "ours", 20)
    for path in (tmp_path / "ours").glob("snapshot-*20.bin"):
        shutil.copy(tmp_path / "theirs" / path.name, path)
    found, refused = snapshot.load(journal)
    assert found is not None
    assert found.tip.sequence == 10
    assert "another history" in refused[0].reason
    journal.close()


def test_a_snapshot_of_another_exchange_or_version_is_refused(tmp_path: Path) -> None:
    other = Journal.open(tmp_path / "other", bytes(32))
    path = snapshot.write(other, b"state")
    other.close()
    with Journal.open(tmp_path / "ours", GENESIS) as journal:
        shutil.copy(path, tmp_path / "ours" / path.name)
        found, refused = snapshot.load(journal)
        assert found is None
        assert "another exchange" in refused[0].reason


def test_a_snapshot_ahead_of_the_journal_proves_a_loss(tmp_path: Path) -> None:
    journal = fill(tmp_path, 20)
    journal.close()
    path = next(tmp_path.glob("journal-*.log"))
    with Journal.open(tmp_path, GENESIS) as journal:
        size = path.stat().st_size
    os.truncate(path, size // 2)
    with Journal.open(tmp_path, GENESIS, repair=True) as journal, pytest.raises(JournalCorrupt, match="taken after 20"):
        snapshot.load(journal)


def test_a_snapshot_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = fill(tmp_path, 10)
    calls: list[str] = []
    rename, fsync = os.rename, os.fsync
    monkeypatch.setattr(os, "rename", lambda old, new: calls.append("rename") or rename(old, new))
    monkeypatch.setattr(os, "fsync", lambda file: calls.append("fsync") or fsync(file))
    snapshot.write(journal, b"new")
    assert calls == ["fsync", "rename", "fsync"]

    def crash(old: Path, new: Path) -> None:
        raise OSError("stopped before the rename")

    monkeypatch.setattr(os, "rename", crash)
    journal.append(b"more")
    journal.commit()
    with pytest.raises(OSError, match="stopped"):
        snapshot.write(journal, b"lost")
    found, refused = snapshot.load(journal)
    assert found is not None
    assert found.payload == b"new"
    assert refused == []
    journal.close()


def test_pruning_keeps_a_stand_in(tmp_path: Path) -> None:
    with fill(tmp_path, 50) as journal:
        with pytest.raises(JournalError, match="at least 2"):
            snapshot.prune(journal, 1)
        snapshot.prune(journal, 2)
        assert [int(path.stem[-20:]) for path in sorted(tmp_path.glob("snapshot-*.bin"))] == [40, 50]
        snapshot.prune(journal, 2)
        assert len(list(tmp_path.glob("snapshot-*.bin"))) == 2
