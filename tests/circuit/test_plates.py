"""Plates: the same values and the same demands as in the rules table, whichever of the two a frame runs on."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from bulkhead.circuit.batch import SMALL, circuit_of
from bulkhead.circuit.fusing import OWN, FusedRow, fused
from bulkhead.circuit.instructions import Flag, Program
from bulkhead.circuit.plates import NOWHERE, Plates, fill_plates, laid_out, rows_of
from bulkhead.circuit.play import Play
from bulkhead.circuit.programs import programs
from bulkhead.circuit.trace import Tables
from bulkhead.circuit.venue import venue_of
from bulkhead.ledger.config import VenueConfig
from stark.air.check import check
from stark.field import Felts, from_ints, to_ints
from stark.prime import PRIME
from tests.circuit.batches import START, Sealed
from tests.circuit.test_worlds import batch_of
from tests.stark.mutation import unnoticed

TRADES = "trade maker sell taker 0.001 BTC @ 50000 ok\n" * 2
BEGIN = START + "tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok"
# All frames of two trades find a plate but the second trade's own; one plate stays idle.
SOME = SMALL._replace(
    log_rules=11, log_orders=3, log_records=8, log_tree=8, log_poseidon=12, log_signatures=10, log_plates=11,
    plates=(
        ("trade, maker 3 ago", 1), ("side, cross", 4), ("account, 0 positions, fresh", 2),
        ("account, 1 positions, fresh", 3),
    ),
)  # fmt: skip
NONE = SOME._replace(plates=(), log_plates=7)
SAMPLE = 16  # rows whose cells are changed in turn
COLUMN = {name: place for place, name in enumerate(Plates.columns)}


@cache
def trades() -> Sealed:
    """Two trades of the same two accounts."""
    return Sealed(TRADES, BEGIN)


@cache
def cast() -> tuple[VenueConfig, Tables]:
    """Their venue and tables."""
    return trades().before.config, trades().tables(SOME)


def said(table: Felts) -> str:
    """What the row checker finds when the table of plates is another."""
    config, tables = cast()
    found = check(circuit_of(config, SOME), tables.public, [*tables.traces[:-1], table])
    return "; ".join(str(each) for each in found)


def rows_of_frame(name: str, place: int = 0) -> slice:
    """The rows of a frame of a program."""
    plates = laid_out(programs(venue_of(cast()[0])), SOME.plates)
    plate = [plate for plate in plates if plate.program.name == name][place]
    return slice(plate.start, plate.start + len(rows_of(plate.program)))


def test_frames_run_on_plates_or_not_with_the_same_outcome() -> None:
    config, tables = cast()
    assert said(tables.traces[-1]) == ""
    assert trades().problems(NONE) == [] == trades().problems(SMALL)
    assert trades().tables(NONE).public[:2] == tables.public[:2]
    live = to_ints(tables.traces[-1][COLUMN["live"]])
    lengths = {name: len(rows_of(each)) for name, each in programs(venue_of(config)).items()}
    names = ["trade, maker 3 ago"] + 4 * ["side, cross"] + ["account, 0 positions, fresh"] * 2
    names += 2 * ["account, 1 positions, fresh"]
    assert sum(live) == sum(lengths[name] for name in names)


def test_every_cell_of_plates_matters() -> None:
    """But where a sum is said to be zero nobody reads the row's own cell."""
    config, tables = cast()
    system = circuit_of(config, SOME)
    sample = dict.fromkeys((table.chip.name for table in system.tables), 0) | {"plates": SAMPLE}
    free = _unread(config)
    assert [each for each in unnoticed(system, tables.public, tables.traces, sample) if each not in free] == []
    assert 0 < len(free) < 60


def _unread(config: VenueConfig) -> set[str]:
    """Cells c of live frames that no operand reads and no gate computes."""
    live = to_ints(cast()[1].traces[-1][COLUMN["live"]])
    found = set()
    for plate in laid_out(programs(venue_of(config)), SOME.plates):
        rows = rows_of(plate.program)
        read = {place for row in rows for place in (row.left, row.right, row.third)}
        for number, row in enumerate(rows):
            if live[plate.start + number] and row.place not in read and not row.gate.c:
                assert not row.flags and not row.times
                found.add(f"plates[{plate.start + number}].c")
    return found


@pytest.mark.parametrize("name", ["frame", "live"])
def test_a_frame_is_of_one_piece(name: str) -> None:
    config, tables = cast()
    table = tables.traces[-1].copy()
    where = rows_of_frame("side, cross")
    table[COLUMN[name], where.start : where.start + 9] = from_ints([0])
    assert "a frame " in said(table)


def test_a_frame_on_a_plate_cannot_be_left_out_or_run_twice() -> None:
    config, tables = cast()
    table, where = tables.traces[-1].copy(), rows_of_frame("side, cross")
    gone = table.copy()
    gone[:, where] = 0
    assert "message" in said(gone) and "history" in said(gone)
    twice = table.copy()
    twice[:, rows_of_frame("account, 1 positions, fresh", 2)] = table[:, rows_of_frame("account, 1 positions, fresh")]
    found = said(twice)
    assert "message" in found and "history" in found


def test_rows_between_frames_are_nobodys() -> None:
    """A row behind the frames that takes part in the values of one: it reads itself alone."""
    config, tables = cast()
    table = tables.traces[-1].copy()
    first = rows_of_frame("trade, maker 3 ago")
    for name in ("frame", "live"):
        table[COLUMN[name], -1] = table[COLUMN[name], first.start]
    table[COLUMN["c"], -1] = from_ints([7])
    assert f"{NOWHERE}, 7" in said(table)


def test_a_shape_says_when_its_frames_do_not_fit() -> None:
    config, _ = cast()
    shape = SOME._replace(log_plates=10)
    with pytest.raises(ValueError, match=r"rows of plates; a table of 2\*\*10 holds 1024"):
        circuit_of(config, shape).tables[-1].chip.fixed_columns(10)


# --- fusing ---------------------------------------------------------------------------------------------------------


def computed(row: FusedRow, values: list[int], number: int) -> int:
    """What a row's gate says of the values of a frame, less c."""
    a, b, d = (values[place] for place in (row.left, row.right, row.third))
    gate = row.gate
    plain = not row.flags & (Flag.MEMORY | Flag.HASH) and not row.times
    found = gate.a * a + gate.b * b + gate.ab * a * b + gate.own * number + plain * gate.constant
    if not row.flags & Flag.MEMORY:
        found += gate.d * d + gate.ad * a * d
    return (found - gate.c * values[row.place]) % PRIME


@pytest.mark.parametrize("seed", range(0, 12, 3))
def test_what_is_gathered_holds_for_every_frame_that_is_played(seed: int) -> None:
    before, _, transactions, _ = batch_of(seed)
    play = Play(before, venue_of(before.config))
    for number, transaction in enumerate(transactions):
        play.take(number, transaction)
    for frame in play.frames:
        rows = rows_of(frame.program)
        assert len(rows) < len(frame.program.instructions)
        assert [row for row in rows if computed(row, frame.values, frame.number)] == []


def test_nothing_is_demanded_less_than_before() -> None:
    """Each number, word, list, message and signature of a program is asked for by one row; each zero, too."""
    for program in programs(venue_of(cast()[0])).values():
        rows = fused(program)
        for flag in (Flag.MEMORY, Flag.HASH, Flag.SIGNED):
            assert [row.place for row in rows if row.flags & flag] == asked(program, flag)
        numbers = [place for place in asked(program, Flag.NUMBER) if not program.instructions[place].flags & Flag.HASH]
        own = [place for place in numbers if program.instructions[place].flags & Flag.ZERO]
        assert [row.place for row in rows if row.flags & Flag.NUMBER] == [each for each in numbers if each not in own]
        sent = [(place, each.times) for place, each in enumerate(program.instructions) if each.times]
        assert [(row.place, row.times) for row in rows if row.times] == sent
        zeros = [place for place in asked(program, Flag.ZERO) if place not in own]
        there = {row.place for row in rows if not row.gate.c} | {row.place + 1 for row in rows if not row.gate.c}
        assert set(zeros) <= there


def asked(program: Program, flag: Flag) -> list[int]:
    """Places of a program's instructions with a flag."""
    return [place for place, each in enumerate(program.instructions) if each.flags & flag]


def test_own_number_is_no_place() -> None:
    assert OWN < 0 <= min(row.place for row in rows_of(programs(venue_of(cast()[0]))["close"]))


def test_filling_takes_frames_in_their_order() -> None:
    """The first ones stand; who comes later runs elsewhere."""
    one = trades()
    play = Play(one.before, venue_of(one.before.config))
    for number, transaction in enumerate(one.transactions):
        play.take(number, transaction)
    plates = laid_out(play.programs, (("side, cross", 3),))
    filled = fill_plates(play.frames, plates, 10)
    sides = [frame.number for frame in play.frames if frame.program.name == "side, cross"]
    assert sorted(filled.frames) == sides[:3]
    assert np.count_nonzero(filled.table[COLUMN["live"]].any(axis=1)) == 3 * len(rows_of(plates[0].program))
