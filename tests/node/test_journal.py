"""bulkhead.node.journal: order, durability before acknowledgement, segments, locks, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bulkhead.node.journal import INDEX_STEP, NO_CHAIN, Journal, JournalCorrupt, JournalError, JournalLocked, Tip
from bulkhead.node.segment import MARK_BYTES, PAYLOAD_BYTES_MAX, VERSION

GENESIS = bytes(range(32))


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("journal-*.log"))


def test_records_come_back_in_order_after_reopening(tmp_path: Path) -> None:
    payloads = [b"", b"one", bytes(1000), b"\xff" * 76, b"last"]
    with Journal.open(tmp_path, GENESIS) as journal:
        assert journal.tip == Tip(0, NO_CHAIN)
        assert [journal.append(payload) for payload in payloads[:3]] == [1, 2, 3]
        assert journal.commit() == 3
        assert [journal.append(payload) for payload in payloads[3:]] == [4, 5]
        assert journal.commit() == 5
        assert journal.commit() == 5  # nothing to do
        assert list(journal.read()) == list(enumerate(payloads, 1))
        tip = journal.tip
    with Journal.open(tmp_path, GENESIS) as journal:
        assert journal.tip == tip
        assert journal.torn is None
        assert list(journal.read()) == list(enumerate(payloads, 1))
        assert list(journal.read(4)) == list(enumerate(payloads, 1))[3:]
        assert list(journal.read(6)) == []
        assert journal.append(b"more") == 6


def test_what_is_only_appended_is_not_read(tmp_path: Path) -> None:
    with Journal.open(tmp_path, GENESIS) as journal:
        journal.append(b"durable")
        journal.commit()
        journal.append(b"buffered")
        assert journal.tip.sequence == 1
        assert list(journal.read()) == [(1, b"durable")]
        reader = journal.read()
        assert next(reader) == (1, b"durable")


def test_close_commits_and_an_exception_does_not(tmp_path: Path) -> None:
    with Journal.open(tmp_path, GENESIS) as journal:
        journal.append(b"kept")
    with pytest.raises(RuntimeError, match="the caller's"), Journal.open(tmp_path, GENESIS) as journal:
        journal.append(b"dropped")
        raise RuntimeError("the caller's")
    with Journal.open(tmp_path, GENESIS) as journal:
        assert list(journal.read()) == [(1, b"kept")]
    journal.close()  # twice does no harm
    for use in (lambda: journal.append(b"late"), journal.commit):
        with pytest.raises(JournalError, match="closed"):
            use()


def test_a_group_is_synced_before_it_is_marked_and_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    write, fdatasync = os.write, os.fdatasync
    with Journal.open(tmp_path, GENESIS) as journal:
        monkeypatch.setattr(os, "write", lambda file, data: calls.append(f"write {len(data)}") or write(file, data))
        monkeypatch.setattr(os, "fdatasync", lambda file: calls.append("sync") or fdatasync(file))
        for _ in range(100):
            journal.append(b"x" * 6)
        assert calls == []
        journal.commit()
        assert calls == ["write 5000", "sync", f"write {MARK_BYTES}"]  # one sync for a hundred records


def test_new_files_are_durable_before_they_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    rename, fsync = os.rename, os.fsync
    name = lambda file: Path(os.readlink(f"/proc/self/fd/{file}")).name  # noqa: E731
    monkeypatch.setattr(os, "rename", lambda old, new: calls.append(f"rename {new.name}") or rename(old, new))
    monkeypatch.setattr(os, "fsync", lambda file: calls.append(f"fsync {name(file)}") or fsync(file))
    Journal.open(tmp_path / "journal", GENESIS).close()
    first = "journal-00000000000000000001"
    assert calls == [f"fsync {first}.part", f"rename {first}.log", "fsync journal", f"fsync {tmp_path.name}"]


def test_segments_rotate_and_read_as_one(tmp_path: Path) -> None:
    with Journal.open(tmp_path, GENESIS, segment_bytes=2000) as journal:
        for number in range(1, 101):
            journal.append(b"%d" % number * 20)
            if number % 3 == 0:
                journal.commit()
    assert len(segments(tmp_path)) > 3
    with Journal.open(tmp_path, GENESIS, segment_bytes=2000) as journal:
        expected = [(number, b"%d" % number * 20) for number in range(1, 101)]
        for start in range(1, 102):
            assert list(journal.read(start)) == expected[start - 1 :]


def test_reading_from_the_middle_and_chains_of_a_long_journal(tmp_path: Path) -> None:
    count = 3 * INDEX_STEP + 5
    with Journal.open(tmp_path, GENESIS, segment_bytes=100_000) as journal:
        chains = [journal.tip.chain]
        for number in range(1, count + 1):
            journal.append(b"%d" % number)
            if number % 100 == 0 or number == count:
                journal.commit()
                chains.append(journal.tip.chain)
        places = [100 * place for place in range(len(chains) - 1)] + [count]
        for reopened in (False, True):
            if reopened:
                journal.close()
                journal = Journal.open(tmp_path, GENESIS)
            assert [journal.chain_at(place) for place in places] == chains
            for start in (1, INDEX_STEP - 1, INDEX_STEP, INDEX_STEP + 1, 2 * INDEX_STEP, count):
                assert next(journal.read(start)) == (start, b"%d" % start)
                assert sum(1 for _ in journal.read(start)) == count - start + 1
        for place in (-1, count + 1):
            with pytest.raises(JournalError, match="no record"):
                journal.chain_at(place)
        with pytest.raises(JournalError, match="begin at 1"):
            next(journal.read(0))
        journal.close()


def test_the_same_records_have_the_same_chain_anywhere(tmp_path: Path) -> None:
    tips = []
    for name, group in (("a", 1), ("b", 7)):
        with Journal.open(tmp_path / name, GENESIS) as journal:
            for number in range(20):
                journal.append(b"%d" % number)
                if number % group == 0:
                    journal.commit()
        tips.append(journal.tip)
    assert tips[0] == tips[1]
    with Journal.open(tmp_path / "a", GENESIS) as journal:
        journal.append(b"other")
        journal.commit()
        assert journal.tip != tips[0]


def test_two_writers_are_refused(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, GENESIS)
    with pytest.raises(JournalLocked, match="another process"):
        Journal.open(tmp_path, GENESIS)
    program = "import sys; from pathlib import Path; from bulkhead.node.journal import Journal\n"
    program += f"Journal.open(Path({str(tmp_path)!r}), {GENESIS!r})"
    source = Path(__file__).resolve().parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    other = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert "JournalLocked" in other.stderr
    journal.close()
    Journal.open(tmp_path, GENESIS).close()


@pytest.mark.parametrize("broken", ["fdatasync", "write"])
def test_after_a_failed_write_nothing_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    journal = Journal.open(tmp_path, GENESIS)
    journal.append(b"first")
    journal.commit()

    def fail(*arguments: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, broken, fail)
        journal.append(b"second")
        with pytest.raises(JournalError, match="open it again.*No space left"):
            journal.commit()
    assert journal.tip.sequence == 1  # not acknowledged
    for use in (lambda: journal.append(b"third"), journal.commit):
        with pytest.raises(JournalError, match="open it again"):
            use()
    journal.close()
    with Journal.open(tmp_path, GENESIS, repair=True) as journal:
        assert (1, b"first") in journal.read()
        assert journal.append(b"next") == journal.tip.sequence + 1


def test_an_interrupted_write_is_not_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path, GENESIS)
    write = os.write

    def interrupted(file: int, data: memoryview) -> int:
        write(file, data[:10])
        raise KeyboardInterrupt

    journal.append(b"first")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.commit()
    with pytest.raises(JournalError, match="did not finish"):
        journal.append(b"second")
    journal.close()
    with Journal.open(tmp_path, GENESIS, repair=True) as journal:
        assert journal.torn is not None
        assert journal.torn.bytes_cut == 10


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))
    with Journal.open(tmp_path, GENESIS, segment_bytes=300) as journal:
        for number in range(20):
            journal.append(b"%d" % number)
            journal.commit()
    with Journal.open(tmp_path, GENESIS) as journal:
        assert [payload for _, payload in journal.read()] == [b"%d" % number for number in range(20)]


def test_payloads_are_bounded(tmp_path: Path) -> None:
    with Journal.open(tmp_path, GENESIS) as journal:
        with pytest.raises(JournalError, match="limit"):
            journal.append(bytes(PAYLOAD_BYTES_MAX + 1))
        assert journal.append(b"still usable") == 1


def test_another_genesis_and_another_version_are_refused(tmp_path: Path) -> None:
    Journal.open(tmp_path, GENESIS).close()
    with pytest.raises(JournalError, match="another exchange"):
        Journal.open(tmp_path, bytes(32))
    with pytest.raises(JournalError, match="32"):
        Journal.open(tmp_path, b"short")
    path = segments(tmp_path)[0]
    data = path.read_bytes()
    path.write_bytes(data[:8] + (VERSION + 1).to_bytes(4, "big") + data[12:])
    with pytest.raises(JournalError, match=f"version {VERSION + 1}"):
        Journal.open(tmp_path, GENESIS)
    path.write_bytes(b"something else altogether" * 20)
    with pytest.raises(JournalCorrupt, match="no journal header"):
        Journal.open(tmp_path, GENESIS)


def test_missing_and_exchanged_segments_are_corruption(tmp_path: Path) -> None:
    with Journal.open(tmp_path, GENESIS, segment_bytes=500) as journal:
        for number in range(30):
            journal.append(b"%d" % number * 20)
            journal.commit()
    paths = segments(tmp_path)
    assert len(paths) >= 4
    contents = [path.read_bytes() for path in paths]
    for missing in range(len(paths) - 1):
        paths[missing].unlink()
        with pytest.raises(JournalCorrupt, match="begins at"):
            Journal.open(tmp_path, GENESIS)
        paths[missing].write_bytes(contents[missing])
    paths[1].write_bytes(contents[2])
    with pytest.raises(JournalCorrupt, match="begins at"):
        Journal.open(tmp_path, GENESIS)
    paths[1].write_bytes(contents[1][:-MARK_BYTES])
    with pytest.raises(JournalCorrupt, match="does not end in a mark"):
        Journal.open(tmp_path, GENESIS)
    paths[1].write_bytes(contents[1])
    Journal.open(tmp_path, GENESIS).close()


def test_a_half_made_segment_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "journal-00000000000000000001.part").write_bytes(b"BULKHE")
    with Journal.open(tmp_path, GENESIS) as journal:
        assert journal.append(b"x") == 1


def test_damage_while_running_is_noticed_by_the_reader(tmp_path: Path) -> None:
    with Journal.open(tmp_path, GENESIS) as journal:
        for _ in range(3):
            journal.append(b"payload")
        journal.commit()
        path = segments(tmp_path)[0]
        data = bytearray(path.read_bytes())
        data[data.rfind(b"payload", 0, -MARK_BYTES)] ^= 1
        path.write_bytes(data)
        with pytest.raises(JournalCorrupt, match="record 3 does not match"):
            list(journal.read())


def test_the_byte_form_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals outlive programs: these bytes may only change together with VERSION."""
    vector = json.loads((Path(__file__).resolve().parents[2] / "vectors" / "journal.json").read_text())
    monkeypatch.setattr("bulkhead.node.journal.new_key", lambda: bytes.fromhex(vector["mark_key"]))
    with Journal.open(tmp_path, bytes.fromhex(vector["genesis"])) as journal:
        for group in vector["groups"]:
            for payload in group:
                journal.append(bytes.fromhex(payload))
            journal.commit()
        assert journal.tip.chain.hex() == vector["chain"]
    assert segments(tmp_path)[0].read_bytes().hex() == "".join(vector["file"])
