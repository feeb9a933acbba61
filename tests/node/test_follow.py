"""Following a journal that is being written: acknowledged records, each once and in order, and nothing else."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bulkhead.node.follow import Follower
from bulkhead.node.journal import Journal, JournalCorrupt, JournalError
from bulkhead.node.segment import HEADER_BYTES

GENESIS = bytes(range(32))


def opened(folder: Path, segment_bytes: int = 1 << 20) -> Journal:
    return Journal.open(folder, GENESIS, repair=True, segment_bytes=segment_bytes)


def test_it_reads_what_was_committed_and_goes_on_where_it_was(tmp_path: Path) -> None:
    follower = Follower(tmp_path, GENESIS)
    assert list(follower.read()) == []
    with opened(tmp_path) as journal:
        assert list(follower.read()) == []
        journal.append(b"one")
        assert list(follower.read()) == []  # nobody was told of it
        journal.append(b"two")
        journal.commit()
        first = list(follower.read())
        assert [(record.sequence, record.payload) for record in first] == [(1, b"one"), (2, b"two")]
        assert first[1].chain == journal.chain_at(2)
        assert list(follower.read()) == []
        journal.append(b"three")
        journal.commit()
        assert [record.payload for record in follower.read()] == [b"three"]


def test_it_crosses_from_file_to_file(tmp_path: Path) -> None:
    late, soon = Follower(tmp_path, GENESIS), Follower(tmp_path, GENESIS)
    heard: list[bytes] = []
    with opened(tmp_path, segment_bytes=300) as journal:
        for number in range(60):
            journal.append(b"record %d" % number)
            if number % 7 == 6:
                journal.commit()
                heard += [record.payload for record in soon.read()]
    heard += [record.payload for record in soon.read()]
    assert len(list(tmp_path.glob("journal-*.log"))) > 5
    assert heard == [record.payload for record in late.read()] == [b"record %d" % number for number in range(60)]


def test_it_goes_to_where_a_group_ended(tmp_path: Path) -> None:
    ends: dict[int, bytes] = {}
    with opened(tmp_path, segment_bytes=400) as journal:
        for number in range(1, 61):
            journal.append(b"record %d" % number)
            if number % 7 == 0 or number == 60:
                journal.commit()
                ends[number] = journal.tip.chain
    for sequence in range(61):
        follower = Follower(tmp_path, GENESIS)
        chain = ends.get(sequence, bytes(32))
        assert follower.go_to(sequence, chain) == (sequence in ends or sequence == 0)
        if sequence in ends:
            assert [record.sequence for record in follower.read()] == list(range(sequence + 1, 61))
            assert not Follower(tmp_path, GENESIS).go_to(sequence, bytes(32))  # another history
    assert not Follower(tmp_path, GENESIS).go_to(61, ends[60])
    assert not Follower(tmp_path / "nowhere", GENESIS).go_to(1, bytes(32))


def test_a_torn_tail_is_not_read_and_what_replaces_it_is(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.append(b"one")
    follower = Follower(tmp_path, GENESIS)
    path = next(tmp_path.glob("journal-*.log"))
    with path.open("ab") as file:
        file.write(b"\x00\x00\x00\x10half a record")
    assert [record.payload for record in follower.read()] == [b"one"]
    assert list(follower.read()) == []
    with opened(tmp_path) as journal:
        journal.append(b"two")
    assert [record.payload for record in follower.read()] == [b"two"]


@pytest.mark.parametrize(("place", "item"), [(45, 0), (60, 47)])  # in the first record, in the mark after it
def test_damage_before_a_mark_is_named(tmp_path: Path, place: int, item: int) -> None:
    with opened(tmp_path) as journal:
        for payload in (b"one", b"two"):
            journal.append(payload)
            journal.commit()
    path = next(tmp_path.glob("journal-*.log"))
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + place] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalCorrupt, match=f"offset {HEADER_BYTES + item}:"):
        list(Follower(tmp_path, GENESIS).read())


def test_a_file_that_does_not_follow_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "one", segment_bytes=1) as journal:
        for payload in (b"one", b"two"):
            journal.append(payload)
            journal.commit()
    with opened(tmp_path / "other", segment_bytes=1) as journal:
        for payload in (b"eins", b"zwei"):
            journal.append(payload)
            journal.commit()
    second = sorted((tmp_path / "one").glob("journal-*.log"))[1]
    second.write_bytes((tmp_path / "other" / second.name).read_bytes())
    with pytest.raises(JournalCorrupt, match="begins at 2, after 1"):
        list(Follower(tmp_path / "one", GENESIS).read())
    with pytest.raises(JournalError, match="another exchange"):
        list(Follower(tmp_path / "one", bytes(32)).read())


def test_nothing_is_missed_or_repeated_while_a_writer_writes(tmp_path: Path) -> None:
    count = 3_000
    expected = [b"%d" % number * (number % 200) for number in range(count)]

    def write() -> None:
        with opened(tmp_path, segment_bytes=20_000) as journal:
            for number, payload in enumerate(expected):
                journal.append(payload)
                if number % 3 == 0:
                    journal.commit()

    writer = threading.Thread(target=write)
    writer.start()
    follower, heard, looks = Follower(tmp_path, GENESIS), [], 0
    while len(heard) < count and (writer.is_alive() or looks < 10**6):
        heard += [record.payload for record in follower.read()]
        looks += 1
    writer.join()
    assert heard == expected
    assert looks > 10
