"""Records: the words of an account, or of the venue's money, as they were and as they are, and the digests of both.

A record is a list of words in the order of `ledger.commitment`. The first ones, `fixed`, are always there; the others
(an account's positions, say) are there where they are not zero. Words that a transaction touched take their history
from memory; the others stay. An account sends its digests to the tree, the venue's money to the statement: each takes
one message for a record, so that a second run of rows for the same record finds no taker.

The digest is of words and not of their numbers. So of a position and a choice it is shown that the word found stands
under the number of the market that it names: else a choice, say, could be put under another number, and whoever asks
for it would find that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bulkhead.circuit.listing import Side, constrain_runs
from bulkhead.circuit.words import CHANGED, CHOICES, FIXED_WORDS, HISTORY, POSITIONS, RECORD, WORD_BITS
from bulkhead.ledger.tree import FAMILY_BITS
from bulkhead.limits import CHILD_BITS, CHILDREN_PER_ACCOUNT, TREE_DEPTH
from stark.air.chip import Chip, Must, Row
from stark.air.expr import Expr
from stark.chips.merkle_update import TREE
from stark.chips.poseidon import Sponge, list_sponge
from stark.chips.ranges import NUMBER, NUMBER_BITS, is_number, numbers_asked
from stark.chips.tables import by_rows
from stark.field import Felts
from stark.poseidon import hash_lists
from stark.prime import PRIME, inverse

BEFORE, AFTER = Side("before"), Side("after")
# Where the market stands in a word, and what is below it, cut into numbers of 64 bits but for the last, which has less.
POSITION_MARKET, CHOICE_MARKET = 224, 80
PARTS = ("part_0", "part_1", "part_2", "part_3")
POSITION_TOP_BITS, CHOICE_TOP_BITS = POSITION_MARKET - 3 * NUMBER_BITS, CHOICE_MARKET - NUMBER_BITS
MARKET_BITS = 16


class Word(NamedTuple):
    """A word of a record: `written` is the time of its last access, 0 if there was none."""

    before: int
    after: int
    written: int = 0


class RecordRun(NamedTuple):
    """A record to be shown: its words by number. An account exists before, after, or both; other records do."""

    record: int
    is_account: bool
    words: Mapping[int, Word]
    existed: bool = True
    exists: bool = True


class Records(Chip):
    """One row a word and one more a record: 31 cells, 5 of its buses, and 9 numbers; idle rows are zeros."""

    name = "records"
    columns = (
        "live", "end", "fixed", "is_account", "record", "word", "value_before", "value_after", "touched", "written",
        "changed", "inverse", *BEFORE.columns, *AFTER.columns, "is_choice", *PARTS,
    )  # fmt: skip

    def constrain(self, row: Row, must: Must) -> None:
        """The order of words, what is there, both digests, and whom they are told to."""
        constrain_runs(row, must)
        key = row.record * (1 << WORD_BITS) + row.word
        self.publish(row, must, key)
        self._words(row, must)
        self._presence(row, must)
        self._places(row, must)
        leaf = self._leaf(row, must)  # here, where its message still finds room in a column
        BEFORE.constrain(row, must, row.value_before)
        AFTER.constrain(row, must, row.value_after)
        must.send(HISTORY, [key, row.value_before, 0], row.touched)
        must.receive(HISTORY, [key, row.value_after, row.written], row.touched)
        digests = [row.digest_before, row.digest_after]
        must.send(TREE, [TREE_DEPTH, leaf, *digests], row.end * row.is_account)
        must.send(RECORD, [row.record, *digests], row.end * (1 - row.is_account))

    def _leaf(self, row: Row, must: Must) -> Expr:
        """Where an account stands in the tree (`ledger.tree.leaf_place`); its end row names the child in `word`.

            record = 64 family + child;  place = 2^26 child + family, which the tree keeps below 2^32

        So (2^32 - 1) child = 64 place - record. Where 2^58 child is a number and the record is one that a program may
        touch, both sides times 2^58 are small, hence equal as integers, and 2^58 child is a multiple of 2^58. So a
        record has one child below 64 and one place; and those of 2^38 or more, the venue's own, have none.
        """
        child = row.word
        must.zero("no other row has a word's number", (1 - row.live - row.end * row.is_account) * child)
        must.send(NUMBER, [child * (1 << NUMBER_BITS - CHILD_BITS)], row.end * row.is_account)
        return (row.record - child) * inverse(CHILDREN_PER_ACCOUNT) + child * (1 << FAMILY_BITS)

    def publish(self, row: Row, must: Must, key: Expr) -> None:
        """Tell the statement each word that changed."""
        must.send(CHANGED, [key, row.value_after], row.changed)

    def _words(self, row: Row, must: Must) -> None:
        after = row.next
        for name in ("fixed", "is_account", "touched", "changed"):
            must.boolean(f"{name} is a bit", getattr(row, name))
        must.zero("a record's rows name it", row.live * (after.record - row.record))
        must.zero("a record is an account in all its rows", row.live * (after.is_account - row.is_account))
        # An end without words would hash an empty list: a leaf of an account that nobody made, and nobody is told of.
        must.zero("a record has words", (1 - row.live) * after.end)
        # A digest of zero would hide how many words it is made of when it comes back.
        others = (row.live + row.end) * (1 - row.is_account)
        must.zero("other records exist", others * (2 - row.exists_before - row.exists_after))
        must.zero("idle rows name no record", (1 - row.live - row.end) * row.record)
        must.zero("idle rows name no account", (1 - row.live - row.end) * row.is_account)
        must.zero("only live rows are fixed", (1 - row.live) * row.fixed)
        must.zero("only live rows are touched", (1 - row.live) * row.touched)
        begins = (1 - row.live) * after.live
        must.zero("a record begins with a fixed word", begins * (1 - after.fixed))
        must.zero("its number is zero", begins * after.word)
        must.zero("fixed words follow each other", row.fixed * after.fixed * (after.word - row.word - 1))
        must.zero("fixed words come first", row.live * (1 - row.fixed) * after.fixed)
        last = row.fixed * (1 - after.fixed)
        must.zero("an account has so many fixed words", row.is_account * last * (row.word - (FIXED_WORDS - 1)))
        must.zero("other records have no others", row.live * (1 - row.is_account) * (1 - row.fixed))
        is_number(must, row.word, WORD_BITS, row.live)
        is_number(must, after.word - row.word - 1, NUMBER_BITS, row.live * after.live)  # numbers rise

    def _presence(self, row: Row, must: Must) -> None:
        """What stays, what is zero, and that no zero is listed among the words that may be absent."""
        must.zero("a word that is not published stays", (1 - row.changed) * (row.value_after - row.value_before))
        must.zero("only what was touched is published", row.changed * (1 - row.touched))
        must.zero("an untouched word is written never", (1 - row.touched) * row.written)
        must.zero("fixed words are there before", row.fixed * (row.present_before - row.exists_before))
        must.zero("fixed words are there after", row.fixed * (row.present_after - row.exists_after))
        listed = row.live * (1 - row.fixed) * (row.value_after * row.inverse - row.present_after)
        must.zero("what is listed is not zero", listed)
        must.zero("a fixed word but the first needs no inverse", row.fixed * row.word * row.inverse)
        must.zero("a record that is no account's needs no inverse", (1 - row.is_account) * row.inverse)
        begins = (1 - row.live) * row.next.live * row.next.is_account
        head = row.next.value_after * row.next.inverse - row.next.exists_after
        must.zero("an account exists if it has a head", begins * head)
        must.zero("an account that does not exist has no head", begins * (1 - row.next.exists_after) * row.next.inverse)
        must.zero("a word that is not there has no inverse", (1 - row.present_after) * row.inverse)

    def _places(self, row: Row, must: Must) -> None:
        """A position or a choice that was there stands under its market's number: 1 to 2**16, a choice from 0 on.

            position = market * 2**224 + 224 bits;  choice = market * 2**80 + 80 bits

        The second is below the first, so neither is taken for the other. What is left there is for programs.
        """
        is_choice, listed = row.is_choice, row.live - row.fixed  # only live rows are fixed
        must.boolean("is_choice is a bit", is_choice)
        parts = [getattr(row, name) for name in PARTS]
        for name, cell in (("is_choice", is_choice), *zip(PARTS, parts, strict=True)):
            must.zero(f"a fixed or idle row has no {name}", (1 - listed) * cell)
        market = row.word - POSITIONS - (CHOICES - POSITIONS) * is_choice
        unit = (1 - is_choice) * (1 << POSITION_MARKET) + is_choice * (1 << CHOICE_MARKET)
        top = (1 - is_choice) * (1 << 3 * NUMBER_BITS) + is_choice * (1 << NUMBER_BITS)
        below = parts[0] + parts[1] * (1 << NUMBER_BITS) + parts[2] * (1 << 2 * NUMBER_BITS) + parts[3] * top
        must.zero(
            "a word stands under its market's number",
            listed * (row.value_before - row.present_before * market * unit - below),
        )
        for name, part in zip(PARTS[1:3], parts[1:3], strict=True):
            must.zero(f"a choice has no {name}", is_choice * part)
        for part in parts:
            is_number(must, part, NUMBER_BITS, listed)
        missing = [1 << NUMBER_BITS - bits for bits in (POSITION_TOP_BITS, CHOICE_TOP_BITS)]
        is_number(must, parts[3] * (missing[0] + is_choice * (missing[1] - missing[0])), NUMBER_BITS, listed)
        # A word's number has 32 bits, so what is multiplied here does not wrap.
        last = (row.word - POSITIONS - 1) * (1 << NUMBER_BITS - MARKET_BITS)
        is_number(must, last, NUMBER_BITS, listed - is_choice)

    def fill(self, runs: Sequence[RecordRun], log_rows: int) -> tuple[Felts, list[Sponge]]:
        """The table, records in the order given, and the lists that are to be hashed."""
        rows: list[list[int]] = []
        shown = [side for run in runs for side in _sides(run)]
        listed = [[value for value in side.values if value is not None] for side in shown]
        digests = hash_lists(listed)
        for place, run in enumerate(runs):
            own = slice(2 * place, 2 * place + 2)
            rows += _rows_of(run, shown[own], digests[own])
        hashed = [list_sponge(own) for own, side in zip(listed, shown, strict=True) if side.exists]
        return by_rows(rows, log_rows, len(self.columns)), hashed


def asked_by(runs: Sequence[RecordRun]) -> list[int]:
    """The numbers that records ask for."""
    asked = []
    for run in runs:
        numbers = sorted(run.words)
        asked += [number for word in numbers for number in numbers_asked(word, WORD_BITS)]
        asked += [after - word - 1 for word, after in zip(numbers, numbers[1:], strict=False)]
        if run.is_account:
            asked.append((run.record & CHILDREN_PER_ACCOUNT - 1) << NUMBER_BITS - CHILD_BITS)
        for number in numbers:
            if run.is_account and number >= FIXED_WORDS:
                asked += _asked_by_place(number, run.words[number].before)
    return asked


def _cut(number: int, before: int) -> list[int]:
    """Whether a word that is not fixed is a choice, and its parts below the market's number."""
    mask = (1 << NUMBER_BITS) - 1
    if number >= CHOICES:
        below = before & (1 << CHOICE_MARKET) - 1
        return [1, below & mask, 0, 0, below >> NUMBER_BITS]
    below = before & (1 << POSITION_MARKET) - 1
    return [0, *(below >> shift & mask for shift in range(0, POSITION_MARKET, NUMBER_BITS))]


def _asked_by_place(number: int, before: int) -> list[int]:
    is_choice, *parts = _cut(number, before)
    if is_choice:
        return [*parts, parts[3] << NUMBER_BITS - CHOICE_TOP_BITS]
    last = max(0, number - POSITIONS - 1) << NUMBER_BITS - MARKET_BITS
    return [*parts, parts[3] << NUMBER_BITS - POSITION_TOP_BITS, last]


class _Shown(NamedTuple):
    """A record on one side: its elements by word, None where there is none."""

    values: list[int | None]
    exists: bool


def _sides(run: RecordRun) -> tuple[_Shown, _Shown]:
    fixed = FIXED_WORDS if run.is_account else len(run.words)
    words = sorted(run.words.items())

    def side(values: Sequence[tuple[int, int]], exists: bool) -> _Shown:
        return _Shown([value if exists and (number < fixed or value) else None for number, value in values], exists)

    return (
        side([(number, word.before) for number, word in words], run.existed),
        side([(number, word.after) for number, word in words], run.exists),
    )


def _rows_of(run: RecordRun, shown: Sequence[_Shown], digests: Sequence[int]) -> list[list[int]]:
    numbers = sorted(run.words)
    fixed = FIXED_WORDS if run.is_account else len(numbers)
    sides = [
        side.fill(digest if own.exists else 0, own.values, own.exists)
        for side, own, digest in zip((BEFORE, AFTER), shown, digests, strict=True)
    ]
    rows = []
    for place, number in enumerate(numbers):
        word, is_fixed = run.words[number], number < fixed
        needs = not is_fixed or (run.is_account and number == 0)
        inverted = pow(word.after, -1, PRIME) if word.after and needs else 0
        rows.append([
            1, 0, int(is_fixed), int(run.is_account), run.record, number, word.before, word.after,
            int(word.written > 0), word.written, int(word.after != word.before), inverted,
            *sides[0][place], *sides[1][place], *([0] * 5 if is_fixed else _cut(number, word.before)),
        ])  # fmt: skip
    child = run.record & CHILDREN_PER_ACCOUNT - 1 if run.is_account else 0
    end = [0, 1, 0, int(run.is_account), run.record, child, *[0] * 6, *sides[0][-1], *sides[1][-1], *[0] * 5]
    return [*rows, end]
