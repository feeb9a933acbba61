"""Memory of words while a batch is played: what stands where, when it was written, and which records were touched."""

from __future__ import annotations

from bulkhead.circuit.words import (
    CHOICES,
    EXPIRY_BITS,
    ORDER_RECORD,
    POSITIONS,
    RECORDS,
    WORD_BITS,
    key_of,
    record_words,
)
from bulkhead.ledger.state import State


class WordMemory:
    """The words of a state, brought in record by record as they are read, with the time of each last access."""

    def __init__(self, state: State):
        self.state = state
        self._known = range(1 + max((terms.market_id for terms in state.config.markets), default=0))
        self.words: dict[int, int] = {}
        self.written: dict[int, int] = {}
        self.records: dict[int, None] = {}  # touched, in order
        self.told: dict[tuple[int, int, int], int] = {}  # messages that were sent: tag, about, also
        for record in RECORDS:
            self._bring(record)

    def _bring(self, record: int) -> None:
        self.records[record] = None
        for number, value in record_words(self.state, record).items():
            self.words[key_of(record, number)] = value

    def expect_order(self, key: int, word: int) -> None:
        """The word of an order that has none yet: nothing filled, and its expiry."""
        place = key_of(ORDER_RECORD, key)
        self.words.setdefault(place, self.look(place) or word)

    def look(self, word: int) -> int:
        """What stands at a word."""
        record = word >> WORD_BITS
        if record >= ORDER_RECORD:
            return self.words.get(word) or self._order(word - key_of(ORDER_RECORD, 0))
        if record not in self.records:
            self._bring(record)
        return self.words.get(word, 0)

    def _order(self, key: int) -> int:
        """The word of an order as the state has it."""
        kept = self.state.filled.kept(key)
        return 0 if kept is None else kept[0] << EXPIRY_BITS | kept[1]

    def access(self, word: int, after: int | None, time: int) -> tuple[int, int]:
        """Leave `after` (or the same) at a word; answers what stood there and when it was last accessed."""
        found = self.look(word)
        written = self.written.get(word, 0)
        self.words[word] = found if after is None else after
        self.written[word] = time
        return found, written

    def positions(self, account: int) -> list[int]:
        """The markets in which an account holds something now."""
        return self._markets(key_of(account, POSITIONS))

    def choices(self, account: int) -> list[int]:
        """The markets for which an account has a choice now."""
        return self._markets(key_of(account, CHOICES))

    def _markets(self, base: int) -> list[int]:
        """The markets whose words from `base` on are not zero; a choice may be for all others, number zero."""
        self.look(base)  # brings the record in
        words = self.words
        return [market for market in self._known if words.get(base + market)]
