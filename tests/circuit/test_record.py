"""Records: the digests are the ledger's, every cell matters, and a list cannot be shown otherwise than it is."""

from __future__ import annotations

import pytest

from bulkhead.circuit.record import RecordRun, Records, Word, asked_by
from bulkhead.circuit.words import (
    CHANGED,
    CHOICES,
    HISTORY,
    MONEY_RECORD,
    ORACLE_RECORD,
    ORDER_RECORD,
    POSITIONS,
    RECORD,
    key_of,
)
from bulkhead.ledger.tree import leaf_place
from bulkhead.limits import TREE_DEPTH
from stark.air.check import check
from stark.air.chip import Must
from stark.air.system import Public, System
from stark.chips.merkle_update import TREE
from stark.chips.poseidon import Poseidon
from stark.chips.ranges import Numbers, Range
from stark.chips.tables import cells
from stark.field import Felts, from_ints
from stark.poseidon import hash_many
from stark.prime import PRIME
from tests.stark.mutation import unnoticed

ACCOUNT, CHILD, NEW = 64, 65, 128
FIXED = {0: 1000, 1: 2000, 2: 3000, 3: 4000, 4: 0}


def position(market: int, rest: int = 11 << 160 | 12) -> int:
    """A position's word."""
    return market << 224 | rest


def choice(market: int, rest: int = 2 << 72 | 5 << 64 | 7) -> int:
    """A choice's word."""
    return market << 80 | rest


def words(fixed: dict[int, int], **changes: Word) -> dict[int, Word]:
    """Fixed words that stay."""
    return {number: Word(value, value) for number, value in fixed.items()}


def runs() -> list[RecordRun]:
    """Accounts that change, lose a position, gain one, appear and vanish, and the venue's money."""
    changed = words(FIXED) | {3: Word(4000, 4500, 7), POSITIONS + 1: Word(position(1), 0, 8)}
    changed |= {POSITIONS + 3: Word(position(3), position(3)), CHOICES + 3: Word(choice(3), choice(3))}
    changed |= {CHOICES: Word(choice(0), choice(0, 1), 11), CHOICES + 5: Word(0, 0, 12)}
    gone = {number: Word(value, 0, 5) for number, value in FIXED.items()} | {POSITIONS + 1: Word(position(1), 0, 6)}
    fresh = {number: Word(0, value, 9) for number, value in FIXED.items()} | {POSITIONS + 63: Word(0, position(63), 10)}
    return [
        RecordRun(ACCOUNT, True, changed),
        RecordRun(CHILD, True, gone, exists=False),
        RecordRun(NEW, True, fresh, existed=False),
        RecordRun(MONEY_RECORD, False, {0: Word(5, 6, 3), 1: Word(0, 0), 2: Word(9, 9)}),
    ]


def listed(run: RecordRun, side: str) -> list[int]:
    """What is hashed of one side."""
    values = [(number, getattr(word, side)) for number, word in sorted(run.words.items())]
    return [value for number, value in values if not run.is_account or number < 5 or value]


def shown(
    all_runs: list[RecordRun], log_rows: int = 6, told: int | None = None
) -> tuple[System, list[int], list[Felts]]:
    """A statement of the digests before and after, and of every changed word; of accounts at their places, or there."""
    names: list[str] = []
    public: list[int] = []

    def state(values: dict[str, int]) -> None:
        names.extend(values)
        public.extend(values.values())

    for place, run in enumerate(all_runs):
        before, after = hash_many(listed(run, "before")), hash_many(listed(run, "after"))
        state({f"before{place}": before if run.existed else 0, f"after{place}": after if run.exists else 0})

    def environment(stated: Public, must: Must) -> None:
        for place, run in enumerate(all_runs):
            digests = [getattr(stated, f"before{place}"), getattr(stated, f"after{place}")]
            if run.is_account:
                leaf = leaf_place(run.record) if told is None else told
                must.receive(TREE, [TREE_DEPTH, leaf, *digests])
            else:
                must.receive(RECORD, [run.record, *digests])
            for number, word in run.words.items():
                if word.before != word.after:
                    must.receive(CHANGED, [key_of(run.record, number), word.after])
                if word.written:
                    must.receive(HISTORY, [key_of(run.record, number), word.before, 0])
                    must.send(HISTORY, [key_of(run.record, number), word.after, word.written])

    system = System("records", [Records(), Poseidon(), Numbers(), Range()], names, environment)
    return system, public, tables_of(all_runs, log_rows)


def tables_of(all_runs: list[RecordRun], log_rows: int) -> list[Felts]:
    """The records, and what they ask of others."""
    table, hashed = Records().fill(all_runs, log_rows)
    numbers = Numbers().fill(asked_by(all_runs), 6)
    return [table, Poseidon().fill(hashed, 10)[0], numbers, Range().fill(cells(numbers, slice(0, 4)))]


def test_digests_are_those_of_the_lists() -> None:
    system, public, traces = shown(runs())
    assert not list(check(system, public, traces))
    records = system.tables[0]
    assert records.degree == 5
    assert records.trace_width == 31 and records.bus_width == 5


def test_every_cell_of_a_record_matters() -> None:
    system, public, traces = shown(runs(), 5)
    sample = {"poseidon": 0, "numbers": 0, "range": 0}  # their own tests change their cells
    found = unnoticed(system, public, traces, sample)
    # A word that nobody accessed may be called touched: then it finds at time 0 what it put there at time 0.
    assert [cell for cell in found if not cell.endswith(".touched")] == []
    untouched = [word for run in runs() for word in run.words.values() if not word.written]
    assert len(found) == len(untouched)


@pytest.mark.parametrize("count", range(6))
def test_lists_of_any_length_are_hashed(count: int) -> None:
    positions = {POSITIONS + market: Word(position(market), position(market)) for market in range(1, count + 1)}
    system, public, traces = shown([RecordRun(ACCOUNT, True, words(FIXED) | positions)])
    assert not list(check(system, public, traces))


def attack(all_runs: list[RecordRun]) -> str:
    """What is said of false runs, whose statement and hashes are made to fit."""
    system, public, traces = shown(all_runs)
    return "; ".join(str(each) for each in check(system, public, traces))


def test_a_zero_is_not_listed() -> None:
    """A position of nothing stays in the list: it would count, and fill the account."""
    table_of = shown([RecordRun(ACCOUNT, True, words(FIXED) | {POSITIONS + 1: Word(position(1), 6, 3)})])
    table = table_of[2][0]
    column = list(Records.columns).index("value_after")
    table[column, 5] = 0
    assert "what is listed is not zero" in "; ".join(str(each) for each in check(*table_of))


def test_fixed_words_cannot_be_left_out_or_called_optional() -> None:
    few = {number: value for number, value in FIXED.items() if number < 4}
    assert "an account has so many fixed words" in attack([RecordRun(ACCOUNT, True, words(few))])
    late = {number + 1: value for number, value in FIXED.items()}
    assert "its number is zero" in attack([RecordRun(ACCOUNT, True, words(late))])


def test_an_account_exists_if_and_only_if_it_has_a_head() -> None:
    empty = dict.fromkeys(FIXED, Word(0, 0))
    assert "an account exists if it has a head" in attack([RecordRun(ACCOUNT, True, empty)])
    changed = words(FIXED) | {0: Word(1000, 0, 3)}
    assert "an account exists if it has a head" in attack([RecordRun(ACCOUNT, True, changed)])


def test_what_changed_is_published() -> None:
    system, public, traces = shown([RecordRun(ACCOUNT, True, words(FIXED) | {3: Word(4000, 4500, 7)})])
    column = list(Records.columns).index("changed")
    traces[0][column] = 0
    assert "a word that is not published stays" in "; ".join(str(each) for each in check(system, public, traces))


def test_a_record_has_one_run() -> None:
    """Two runs of one account send two leaves, of which the tree takes one."""
    run = RecordRun(ACCOUNT, True, words(FIXED))
    system, public, _ = shown([run])
    assert "tree" in "; ".join(str(each) for each in check(system, public, tables_of([run, run], 6)))


@pytest.mark.parametrize("record", [ACCOUNT, ACCOUNT + 5, MONEY_RECORD, ORACLE_RECORD, ORDER_RECORD])
@pytest.mark.parametrize("place", [0, 2, 77, 1 << 26, (1 << 32) - 1])
def test_a_record_has_one_place_in_the_tree(record: int, place: int) -> None:
    """Whoever needs another one finds an element for the child that leads there, and it is no number."""
    run = RecordRun(record, True, words(FIXED))
    system, public, traces = shown([run], told=place)
    child = (64 * place - record) * pow((1 << 32) - 1, -1, PRIME) % PRIME
    traces[0][list(Records.columns).index("word"), len(FIXED)] = from_ints([child])[0]
    said = {str(each).split(" ")[0] for each in check(system, public, traces)}
    assert said == {"number"}


def test_a_child_s_place_is_beside_those_of_its_market() -> None:
    child = RecordRun(ACCOUNT + 3, True, words(FIXED))
    system, public, traces = shown([child], told=(3 << 26) + ACCOUNT // 64)
    assert not list(check(system, public, traces))


def test_an_account_without_words_is_none() -> None:
    """A leaf made of nothing would be published nowhere, so that nobody else could rebuild the tree."""
    made = [RecordRun(ACCOUNT, True, words(FIXED)), RecordRun(NEW, True, {}, existed=False)]
    assert "a record has words" in attack(made)
    assert "a record has words" in attack([RecordRun(NEW, True, {}), RecordRun(ACCOUNT, True, words(FIXED))])


def test_the_venues_records_stay() -> None:
    """The oracle's words are zeros before the first tick: without a digest it could come back with more of them."""
    oracle = {0: Word(0, 0), 1: Word(0, 0)}
    assert attack([RecordRun(ORACLE_RECORD, False, oracle)]) == ""
    for existed in (False, True):
        assert "other records exist" in attack([RecordRun(ORACLE_RECORD, False, oracle, existed, not existed)])


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (CHOICES + 2, choice(1)),  # the market would have no choice
        (CHOICES + 2, choice(1, (1 << 80) - 1)),
        (CHOICES + 1, choice(2, 0)),  # with 2**80 more below it
        (CHOICES, choice(1)),
        (CHOICES - 1, choice(1)),
        (POSITIONS + 1, choice(1)),
        (POSITIONS - 1, choice(1)),
        (POSITIONS + 2, position(1)),
        (POSITIONS + 1, position(2, 0)),
        (CHOICES + 1, position(1)),
        (POSITIONS + (1 << 27), position(1)),  # times 2**224 it would wrap around the prime
    ],
)
def test_a_word_stands_under_the_market_it_names(number: int, value: int) -> None:
    """Untouched, so that no program has cut it."""
    found = attack([RecordRun(ACCOUNT, True, words(FIXED) | {number: Word(value, value)})])
    assert "a word stands under its market's number" in found


def test_a_position_has_a_market() -> None:
    """As the position of none, a choice would be what it is."""
    assert "number (" in attack([RecordRun(ACCOUNT, True, words(FIXED) | {POSITIONS: Word(choice(1), choice(1))})])


@pytest.mark.parametrize("bits", [16, 17, 32, 63])
def test_what_is_below_a_market_is_not_wider(bits: int) -> None:
    """Else a choice of the second market could pass for one of the first, with the difference below it."""
    number = CHOICES + 1
    system, public, traces = shown([RecordRun(ACCOUNT, True, words(FIXED) | {number: Word(choice(2), choice(2))})])
    for name, value in (("part_3", (2 << 8 | 5) + (1 << 16)), ("part_3", (1 << bits) + 5)):
        table = traces[0].copy()
        table[list(Records.columns).index(name), 5] = from_ints([value])[0]
        assert "number" in "; ".join(str(each) for each in check(system, public, [table, *traces[1:]]))
