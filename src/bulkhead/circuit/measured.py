"""What the transactions of a batch ask of the tables that frames share, played as they come: exact where `room` is not.

A trade asks for some three hundred numbers, of which few are new, for a table holds each once; and of an account it
shows the words that it has and touches, not all that it may have. So the largest shape holds several times the trades
that `room` could promise it by counting. Every transaction is played once more here, which is little beside its proof.
"""

from __future__ import annotations

from itertools import islice

from bulkhead.circuit.filling import code_of
from bulkhead.circuit.frame import Given, Mismatch
from bulkhead.circuit.instructions import TIME_SHIFT
from bulkhead.circuit.play import Play
from bulkhead.circuit.record import RecordRun, Word, asked_by
from bulkhead.circuit.venue import NotProvable, Venue
from bulkhead.circuit.words import FIXED_WORDS, ORDER_RECORD, RECORDS, WORD_BITS, record_words
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import leaf_place
from bulkhead.ledger.tx import Transaction
from bulkhead.limits import TREE_DEPTH
from stark.prime import PRIME

WORD_MASK = (1 << WORD_BITS) - 1


class Measured:
    """The frames of a batch so far, without what they were: numbers, and the accounts that they touched."""

    def __init__(self, venue: Venue, before: State) -> None:
        """`before` is a state of the batch's begin that does not change any more."""
        self.is_known = True  # until a transaction cannot be played: then nothing is
        self.accounts: dict[int, set[int]] = {}  # words that are shown, by account
        self.nodes: set[tuple[int, int]] = set()
        self._before = before
        self._play = Play(before, venue)
        self._count = self._done = self._seen = 0
        self._numbers: set[int] = set()

    def take(self, transaction: Transaction) -> None:
        """One more."""
        if not self.is_known:
            return
        try:
            self._play.take(self._count, transaction)
        except (Mismatch, NotProvable):  # the prover will say so; what it would take is counted without us
            self.is_known = False
            return
        self._count += 1
        frames = self._play.frames
        for place in range(self._done, len(frames)):
            self._numbers.update(_asked(frames[place]))
            frames[place] = frames[0]  # a number alone is needed of it from now on: how many there were
        self._done = len(frames)
        self._touch()

    @property
    def numbers(self) -> int:
        """Distinct numbers that frames and accounts ask for; of an account, some more than in the end."""
        return len(self._numbers)

    def _touch(self) -> None:
        """Note words that were used for the first time."""
        written, grown = self._play.memory.written, set[int]()
        for key in islice(reversed(written), len(written) - self._seen):
            record = key >> WORD_BITS
            if record >= ORDER_RECORD or record in RECORDS:
                continue
            if record not in self.accounts:
                self.accounts[record] = {*record_words(self._before, record), *range(FIXED_WORDS)}
                place = leaf_place(record)
                self.nodes.update((level, place >> level) for level in range(1, TREE_DEPTH + 1))
            self.accounts[record].add(key & WORD_MASK)
            grown.add(record)
        self._seen = len(written)
        for record in grown:
            old = record_words(self._before, record)
            words = {number: Word(old.get(number, 0), 0, 0) for number in sorted(self.accounts[record])}
            self._numbers.update(asked_by([RecordRun(record, True, words, bool(old), True)]))


def _asked(frame: Given) -> list[int]:
    """The numbers that a frame asks for, on a plate or in rows: of its cells, and how long ago it used a word."""
    first = (frame.number << TIME_SHIFT) + frame.program.start
    ages = [first + row - written - 1 for row, written in frame.written.items()]
    return [*(frame.values[row] % PRIME for row in code_of(frame.program).numbers.tolist()), *ages]
