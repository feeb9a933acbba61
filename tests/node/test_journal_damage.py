"""bulkhead.node.journal: every truncation and every flipped bit of a small journal, and what is said about each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from bulkhead.node.journal import Journal, JournalCorrupt, JournalError
from bulkhead.node.segment import HEADER_BYTES, ITEM, KEY_BYTES, MARK_BYTES, next_chain, pack_mark

GENESIS = bytes(range(32))
GROUPS = ((b"a", b"bc" * 9), (b"", b"d" * 30), (b"e" * 5,))


class Made(NamedTuple):
    """A journal of one file: its bytes, where its items begin (and the end), and how many records precede each."""

    folder: Path
    data: bytes
    edges: list[int]
    records_before: list[int]

    def path(self) -> Path:
        return next(self.folder.glob("journal-*.log"))

    def item(self, offset: int) -> int:
        """The number of the item that holds the byte at `offset`."""
        return max(number for number, edge in enumerate(self.edges) if edge <= offset)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    edges, counts, count = [HEADER_BYTES], [0], 0
    with Journal.open(tmp_path, GENESIS) as journal:
        for group in GROUPS:
            for payload in group:
                journal.append(payload)
                count += 1
                edges.append(edges[-1] + ITEM.size + len(payload))
                counts.append(count)
            journal.commit()
            edges.append(edges[-1] + MARK_BYTES)
            counts.append(count)
    data = next(tmp_path.glob("journal-*.log")).read_bytes()
    assert len(data) == edges[-1]
    return Made(tmp_path, data, edges, counts)


PAYLOADS = [payload for group in GROUPS for payload in group]


def test_every_truncation_is_cut_at_the_last_whole_item(made: Made) -> None:
    for size in range(HEADER_BYTES, len(made.data)):
        made.path().write_bytes(made.data[:size])
        item = made.item(size)
        kept = made.records_before[item]
        with Journal.open(made.folder, GENESIS) as journal:
            assert [payload for _, payload in journal.read()] == PAYLOADS[:kept]
            if size == made.edges[item]:
                assert journal.torn is None
                continue
            assert journal.torn is not None
            assert journal.torn[:4] == (made.path(), made.edges[item], size - made.edges[item], kept)
            with pytest.raises(JournalError, match="open it with repair"):
                journal.append(b"x")
            with pytest.raises(JournalError, match="open it with repair"):
                journal.commit()
        assert made.path().stat().st_size == size  # reported, not touched
        with Journal.open(made.folder, GENESIS, repair=True) as journal:
            assert journal.torn is not None
            assert journal.append(b"after") == kept + 1
        with Journal.open(made.folder, GENESIS) as journal:
            assert journal.torn is None
            assert [payload for _, payload in journal.read()] == [*PAYLOADS[:kept], b"after"]


def test_a_truncated_header_is_corruption(made: Made) -> None:
    for size in range(HEADER_BYTES):
        made.path().write_bytes(made.data[:size])
        with pytest.raises(JournalCorrupt) as caught:
            Journal.open(made.folder, GENESIS, repair=True)
        assert (caught.value.path, caught.value.offset) == (made.path(), 0)


def test_every_flipped_bit_is_corruption_or_costs_no_record(made: Made) -> None:
    """Only the last mark is followed by no other: damaged, it is cut, and every record stays."""
    for bit in range(8 * len(made.data)):
        offset = bit >> 3
        flipped = bytearray(made.data)
        flipped[offset] ^= 1 << (bit & 7)
        made.path().write_bytes(flipped)
        if offset >= len(made.data) - MARK_BYTES:
            with Journal.open(made.folder, GENESIS) as journal:
                assert journal.torn is not None
                assert journal.torn.bytes_cut == MARK_BYTES
                assert [payload for _, payload in journal.read()] == PAYLOADS
            continue
        with pytest.raises(JournalError) as caught:
            Journal.open(made.folder, GENESIS, repair=True)
        assert made.path().read_bytes() == flipped  # refused, not touched
        if offset >= HEADER_BYTES:
            assert isinstance(caught.value, JournalCorrupt)
            assert caught.value.path == made.path()
            assert caught.value.offset == made.edges[made.item(offset)]
            assert str(caught.value.offset) in str(caught.value) and str(made.path()) in str(caught.value)


def test_a_flip_in_an_older_segment_is_always_corruption(tmp_path: Path) -> None:
    with Journal.open(tmp_path, GENESIS, segment_bytes=300) as journal:
        for payload in PAYLOADS:
            journal.append(payload)
            journal.commit()
    path = sorted(tmp_path.glob("journal-*.log"))[0]
    data = path.read_bytes()
    for offset in range(len(data)):
        flipped = bytearray(data)
        flipped[offset] ^= 0x40
        path.write_bytes(flipped)
        with pytest.raises(JournalError):
            Journal.open(tmp_path, GENESIS, repair=True)
        assert path.read_bytes() == flipped
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(JournalCorrupt):
            Journal.open(tmp_path, GENESIS, repair=True)


def test_whole_records_without_a_mark_are_kept(made: Made) -> None:
    """A writer killed between sync and mark: the records are there, and become marked."""
    made.path().write_bytes(made.data[:-MARK_BYTES])
    with Journal.open(made.folder, GENESIS) as journal:
        assert journal.torn is None
        assert [payload for _, payload in journal.read()] == PAYLOADS
    assert len(made.path().read_bytes()) == len(made.data)


def test_a_flip_in_a_group_without_a_mark_cuts_from_there(made: Made) -> None:
    """The one case that cannot be told from an interrupted write: it is reported with what it cost."""
    data = bytearray(made.data[:-MARK_BYTES])
    data[-1] ^= 1
    made.path().write_bytes(data)
    with Journal.open(made.folder, GENESIS, repair=True) as journal:
        assert journal.torn is not None
        assert journal.torn.sequence_kept == 4
        assert "record 5" in journal.torn.reason
        assert [payload for _, payload in journal.read()] == PAYLOADS[:4]


@pytest.mark.parametrize("tail", [b"\x00" * 500, b"\xff" * 500, b"garbage", bytes(range(256))])
def test_garbage_after_the_end_is_a_torn_tail(made: Made, tail: bytes) -> None:
    made.path().write_bytes(made.data + tail)
    with Journal.open(made.folder, GENESIS, repair=True) as journal:
        assert journal.torn is not None
        assert (journal.torn.offset, journal.torn.bytes_cut) == (len(made.data), len(tail))
        assert [payload for _, payload in journal.read()] == PAYLOADS
    assert made.path().read_bytes() == made.data


def test_a_mark_planted_in_a_payload_proves_nothing(made: Made) -> None:
    """A client who could plant marks could make the node refuse to start after any crash."""
    last = len(made.data)
    with Journal.open(made.folder, GENESIS) as journal:
        chain = journal.tip.chain
    for key in (bytes(KEY_BYTES), GENESIS[:KEY_BYTES], GENESIS):
        planted = pack_mark(5, chain, last + ITEM.size, key)
        again = bytearray(made.data[-MARK_BYTES:])  # even a genuine one, copied to another place
        for payload in (planted, bytes(again)):
            prefix = len(payload).to_bytes(4, "big") + (6).to_bytes(8, "big")
            record = prefix + next_chain(chain, prefix, payload) + payload
            torn = bytearray(record + b"z" * 40)
            torn[20] ^= 1
            made.path().write_bytes(made.data + torn)
            with Journal.open(made.folder, GENESIS, repair=True) as journal:
                assert journal.torn is not None
                assert journal.torn.bytes_cut == len(torn)


def test_a_copied_tail_of_another_journal_is_not_accepted(made: Made, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with Journal.open(other, GENESIS) as journal:
        for payload in PAYLOADS:
            journal.append(payload + b"!")
        journal.commit()
    foreign = next(other.glob("journal-*.log")).read_bytes()
    made.path().write_bytes(made.data[: made.edges[1]] + foreign[made.edges[1] + 1 :])
    with Journal.open(made.folder, GENESIS, repair=True) as journal:
        assert journal.torn is not None
        assert [payload for _, payload in journal.read()] == PAYLOADS[:1]
    shutil.rmtree(other)
