"""The machine that runs programs: what a prover may not do to its table, whatever the programs say."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from bulkhead.circuit.batch import SMALL, circuit_of
from bulkhead.circuit.frame import Frame
from bulkhead.circuit.instructions import FLAGS, PROGRAM_BITS
from bulkhead.circuit.play import Play
from bulkhead.circuit.rules import Rules
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.trace import Tables
from bulkhead.ledger.config import VenueConfig
from stark.air.check import check
from stark.field import Felts, from_ints, to_ints
from stark.prime import PRIME
from tests.circuit.batches import Sealed

TINY = SMALL._replace(
    log_rules=9, log_orders=3, log_records=7, log_tree=7, log_poseidon=11, log_signatures=8, log_plates=7, plates=()
)
PLACE = {name: place for place, name in enumerate(Rules.columns)}


@cache
def deposits() -> tuple[VenueConfig, Tables, int]:
    """Two deposits: the venue, the tables, and how many rows of rules are live."""
    one = Sealed("deposit taker 5 ok\ndeposit maker 7 ok")
    tables = one.tables(TINY)
    live = np.flatnonzero(tables.traces[0][PLACE["place"]].any(axis=1))
    return one.before.config, tables, int(live[-1]) + 1


def said(rules: Felts) -> str:
    """What the row checker finds when the rules table is another."""
    config, tables, _ = deposits()
    found = check(circuit_of(config, TINY), tables.public, [rules, *tables.traces[1:]])
    return "; ".join(str(each) for each in found)


def honest() -> tuple[Felts, int]:
    """A copy of the rules table, and its live rows."""
    _, tables, live = deposits()
    return tables.traces[0].copy(), live


def set_cell(table: Felts, row: int, name: str, value: int) -> None:
    """Another cell."""
    table[PLACE[name], row] = from_ints([value % PRIME])[0]


def cell(table: Felts, row: int, name: str) -> int:
    """What a cell holds."""
    return to_ints(table[PLACE[name], row : row + 1])[0]


def without(table: Felts, first: int, count: int) -> Felts:
    """Rows left out, those behind moved up."""
    return np.concatenate([table[:, :first], table[:, first + count :], table[:, :count] * 0], axis=1)


def test_the_honest_table_is_right() -> None:
    table, live = honest()
    assert said(table) == "" and live > 100


def test_a_program_is_run_from_its_first_instruction_to_its_last() -> None:
    table, live = honest()
    assert "the first row begins a program" in said(without(table, 0, 3))
    assert "instructions follow each other" in said(without(table, 20, 1))
    cut = without(table, live - 2, 2)  # the batch is not closed
    assert "a program goes on until its last" in said(cut)
    early = cut.copy()
    set_cell(early, live - 3, "last", 1)
    assert "code" in said(early)


@pytest.mark.parametrize("numbers", [(1, 2, 2), (2, 3, 4), (1, 3, 4), (0, 1, 2), (1, 1, 2), (2, 1, 3)], ids=str)
def test_frames_have_numbers_of_their_own(numbers: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """From one without a gap: played under other numbers, a frame takes a turn that nobody gave it, or a late one."""

    def run(self: Play, name: str, case: object) -> None:
        frame = Frame(name, numbers[len(self.frames)], self.memory, self.programs[name].start)
        self.writers[name](frame, self.venue, case)
        self.frames.append(frame.played(self.programs[name]))

    one = Sealed("deposit taker 5 ok\ndeposit maker 7 ok")
    monkeypatch.setattr(Play, "run", run)
    if numbers[1] <= numbers[0]:  # what both write would be written before it was found: no age is below zero
        with pytest.raises(ValueError, match="a number outside 0 .. 2"):
            one.tables(TINY)
        return
    tables = one.tables(TINY)
    found = [str(each) for each in check(circuit_of(one.before.config, TINY), *tables)]
    assert any(each.startswith(f"message ({int(Tag.TURN)},") for each in found)


def test_nothing_is_live_behind_an_idle_row() -> None:
    table, live = honest()
    moved = np.concatenate([table[:, :live], table[:, :1] * 0, table[:, :1], table[:, live + 2 :]], axis=1)
    assert "nothing is live after an idle row" in said(moved)


@pytest.mark.parametrize("name", FLAGS)
def test_an_instruction_does_what_the_program_says(name: str) -> None:
    """A flag more or less is another instruction, or no bit."""
    table, live = honest()
    row = next(row for row in range(1, live) if cell(table, row, "add"))
    set_cell(table, row, name, 1 - cell(table, row, name))
    assert "code" in said(table) or "one operation a row" in said(table)


def test_times_cannot_stand_for_flags() -> None:
    """Flags and times are packed into one number: other flags with another multiple of a message would fit it."""
    table, live = honest()
    row = next(row for row in range(1, live) if cell(table, row, "given") and not cell(table, row, "number"))
    set_cell(table, row, "number", 1)
    packed = 1 << FLAGS.index("number")
    set_cell(table, row, "times", cell(table, row, "times") - packed * pow(1 << len(FLAGS), -1, PRIME))
    found = said(table)
    assert "a message is sent, taken, or there is none" in found and "code" not in found


def test_operands_are_those_of_the_program() -> None:
    table, live = honest()
    row = next(row for row in range(5, live) if cell(table, row, "add"))
    set_cell(table, row, "left", cell(table, row, "left") - 1)
    assert "code" in said(table)
    table, _ = honest()
    set_cell(table, row, "a", cell(table, row, "a") + 1)
    assert "computed" in said(table)


def test_memory_is_read_as_it_was_last_written() -> None:
    """An older value, which a later access has overwritten; and a time to come."""
    table, live = honest()
    rows = [row for row in range(live) if cell(table, row, "memory")]
    seen: dict[int, int] = {}
    for row in rows:
        word = (cell(table, row, "a") + cell(table, row, "constant")) % PRIME
        if word in seen and cell(table, row, "c") != cell(table, seen[word], "c"):
            set_cell(table, row, "written", cell(table, seen[word], "written"))
            set_cell(table, row, "c", cell(table, seen[word], "c"))
            assert "history" in said(table)
            break
        seen[word] = row
    else:
        raise AssertionError("no word is written twice")
    table, _ = honest()
    time = (cell(table, rows[0], "frame") << PROGRAM_BITS) + cell(table, rows[0], "place")
    set_cell(table, rows[0], "written", time)
    assert "number" in said(table)


def test_what_is_sent_is_what_the_program_computed() -> None:
    one = Sealed("withdraw maker 5 ok")
    shape = TINY._replace(log_signatures=9)
    tables = one.tables(shape)
    table = tables.traces[0].copy()
    row = next(row for row in range(table.shape[1]) if cell(table, row, "times") == 1)
    set_cell(table, row, "c", cell(table, row, "c") + 1)
    found = check(circuit_of(one.before.config, shape), tables.public, [table, *tables.traces[1:]])
    assert any("what is sent is b" in str(each) for each in found)


def test_another_chain_has_other_hashes() -> None:
    """The domain of signatures is a constant of the system: what was signed for one chain is nothing on another."""
    one = Sealed("withdraw maker 5 ok")
    shape = TINY._replace(log_signatures=9)
    tables, config = one.tables(shape), one.before.config
    assert not list(check(circuit_of(config, shape), tables.public, tables.traces))
    other = circuit_of(config._replace(chain_id="BH_1_another"), shape)
    names = {str(each) for each in check(other, tables.public, tables.traces)}
    assert any("a prefix leaves the third element" in each for each in names)
