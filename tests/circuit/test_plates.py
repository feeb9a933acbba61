"""Plates: the same values and the same demands as in the rules table, whichever of the two a frame runs on."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache

import numpy as np
import pytest

from bulkhead.circuit.batch import SMALL, circuit_of
from bulkhead.circuit.casting import AGES, BORN, CELLS, NUMBERED, CastRow, blocked
from bulkhead.circuit.fusing import NOTHING, OWN, Sum, fused
from bulkhead.circuit.instructions import Flag, Instruction, Program
from bulkhead.circuit.plates import BIRTHS, Plates, fill_plates, laid_out, rows_of
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
    log_rules=11, log_orders=3, log_records=8, log_tree=8, log_poseidon=12, log_signatures=10, log_plates=10,
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
    """But where no variable sits."""
    config, tables = cast()
    system = circuit_of(config, SOME)
    sample = dict.fromkeys((table.chip.name for table in system.tables), 0) | {"plates": SAMPLE}
    free = _empty(config)
    assert [each for each in unnoticed(system, tables.public, tables.traces, sample) if each not in free] == []
    assert 0 < len(free) < 60


def _empty(config: VenueConfig) -> set[str]:
    """Cells of live frames in which nothing can be born or read."""
    live = to_ints(cast()[1].traces[-1][COLUMN["live"]])
    found = set()
    for plate in laid_out(programs(venue_of(config)), SOME.plates):
        for number, row in enumerate(rows_of(plate.program), plate.start):
            found |= {f"plates[{number}].{cell}" for cell in blocked(row.ask) if live[number]}
    return found


def test_a_frame_is_of_one_piece() -> None:
    table, where = cast()[1].traces[-1].copy(), rows_of_frame("side, cross")
    table[COLUMN["live"], where.start : where.start + 9] = from_ints([0])
    assert "a frame is live as a whole" in said(table)


def test_a_frame_has_one_number() -> None:
    """Each row that reads it reads the one that took the turn."""
    table, where = cast()[1].traces[-1].copy(), rows_of_frame("side, cross")
    rows = rows_of(programs(venue_of(cast()[0]))["side, cross"])
    reads = [number for number, row in enumerate(rows) if row.ask is not None and row.ask.flag == Flag.MEMORY]
    table[COLUMN["e"], where.start + reads[0]] = from_ints([1])
    assert "seats" in said(table)


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


def test_rows_behind_the_plates_are_nobodys() -> None:
    """A row behind them has seats of its own: what it says, none but itself reads."""
    table = cast()[1].traces[-1].copy()
    used = sum(len(rows_of(plate.program)) for plate in laid_out(programs(venue_of(cast()[0])), SOME.plates))
    table[COLUMN["live"], used:] = from_ints([1])
    table[COLUMN["c"], -1] = from_ints([7])
    assert f"seats ({BIRTHS * (1 << SOME.log_plates) - BIRTHS}, 7)" in said(table)
    table[COLUMN["a"], -1] = table[COLUMN["b"], -1] = from_ints([7])
    assert said(table) == ""


def test_a_shape_says_when_its_frames_do_not_fit() -> None:
    config, _ = cast()
    shape = SOME._replace(log_plates=9)
    with pytest.raises(ValueError, match=r"rows of plates; a table of 2\*\*9 holds 512"):
        circuit_of(config, shape).tables[-1].chip.fixed_columns(9)


# --- fusing ---------------------------------------------------------------------------------------------------------


def valued(found: Sum, values: dict[int, int]) -> int:
    """A sum of these variables."""
    total = 0
    for monomial, factor in found.items():
        for variable in monomial:
            factor = factor * values[variable] % PRIME
        total += factor
    return total % PRIME


def said_by(row: CastRow, values: dict[int, int]) -> list[int]:
    """What the gates of a row come to."""
    cells = {cell: values.get(variable, 0) for cell, variable in row.cells.items()} | {"": 1}
    asks = row.ask is not None and row.ask.flag != Flag.SIGNED
    found = []
    for gate in (row.first, row.second):
        parts = [factor * cells.get(pair[0], 0) * cells.get(pair[1:], 0) for pair, factor in gate.factors.items()]
        found.append((sum(parts) + gate.constant) % PRIME)
        assert gate is row.second or not asks or not gate.constant
    return found


@pytest.mark.parametrize("seed", range(0, 12, 3))
def test_what_is_cast_holds_for_every_frame_that_is_played(seed: int) -> None:
    before, _, transactions, _ = batch_of(seed)
    play = Play(before, venue_of(before.config))
    for number, transaction in enumerate(transactions):
        play.take(number, transaction)
    for frame in play.frames:
        rows = rows_of(frame.program)
        assert len(rows) < len(frame.program.instructions)
        values = dict(enumerate(frame.values)) | {OWN: frame.number, NOTHING: 0}
        assert {value for row in rows for value in said_by(row, values)} == {0}


def test_nothing_is_demanded_less_than_before() -> None:
    """Whatever a prover gives, what must be zero comes to the same, and numbers and asks are the same.

    Values are drawn at random, so two sums that come to the same are the same but for one draw in 2^240.
    """
    for name, program in programs(venue_of(cast()[0])).items():
        values, zeros = drawn(program)
        rows, demands = rows_of(program), fused(program)
        came = sorted(value for row in rows for value in said_by(row, values) if value)
        assert came == sorted(zeros), name
        assert came == sorted(value for found in demands.sums if (value := valued(found, values))), name
        numbers = {row.cells[cell] for row in rows for cell in row.numbers if row.cells[cell] > AGES}
        assert numbers == demands.numbers == set(asked(program, Flag.NUMBER)), name
        assert sorted((row.ask for row in rows if row.ask), key=lambda ask: ask.place) == [
            ask._replace(cells=row_cells(rows, ask.place)) for ask in demands.asks
        ], name
        for ask in demands.asks:
            check_ask(program, ask.place, dict(ask.cells), values)


def row_cells(rows: tuple[CastRow, ...], place: int) -> tuple[tuple[str, int], ...]:
    """The cells of a row that asks, of which the ask names some."""
    row = next(row for row in rows if row.ask is not None and row.ask.place == place)
    assert row.ask is not None and row.ask.cells == tuple((cell, row.cells[cell]) for cell, _ in row.ask.cells)
    return row.ask.cells


def check_ask(program: Program, place: int, cells: dict[str, int], values: dict[int, int]) -> None:
    """What is asked is what the instruction asks."""
    each = program.instructions[place]
    assert values[cells["a"]] == values[each.left]
    if not each.times:
        assert values[cells["b"]] == values[each.right]
        return
    assert values[cells["c"]] == values[each.right if each.times == 1 else place]
    after = program.instructions[place + 1]
    assert [values[cells["d"]], values[cells["e"]]] == [values[after.left], values[after.right]]


def drawn(program: Program) -> tuple[dict[int, int], list[int]]:
    """Values of a frame whose prover gives anything; what must be zero, where it is not."""
    draw = random.Random(program.name)
    values = {OWN: draw.randrange(PRIME), NOTHING: 0}
    zeros = []
    for place, each in enumerate(program.instructions):
        flags, is_list = each.flags, each.flags & Flag.HASH and not each.flags & Flag.NUMBER
        if flags & Flag.FIRST:
            values[place] = 1
        elif flags & (Flag.ADD | Flag.MULTIPLY):
            values[place] = _computed(place, each, values)
            zeros += [values[place]] if flags & Flag.ZERO and values[place] else []
        elif flags & Flag.ZERO:
            values[place] = values[OWN]
        else:
            values[place] = values[place - 1] if is_list else draw.randrange(PRIME)
    return values, zeros


def _computed(place: int, each: Instruction, values: dict[int, int]) -> int:
    ahead = {each.left: 0, each.right: 0} | values
    if each.flags & Flag.ADD:
        return (ahead[each.left] + each.constant * ahead[each.right]) % PRIME
    return (ahead[each.left] * ahead[each.right] + each.constant * values.get(place - 1, 0)) % PRIME


def asked(program: Program, flag: Flag) -> list[int]:
    """Places that are numbers, but for the frame's own."""
    each = enumerate(program.instructions)
    return [place for place, one in each if one.flags & flag and not one.flags & (Flag.HASH | Flag.ZERO)]


def test_every_variable_is_born_once_where_others_read_it() -> None:
    for name, program in programs(venue_of(cast()[0])).items():
        rows = rows_of(program)
        born = [row.cells[cell] for row in rows for cell in row.births]
        assert len(born) == len(set(born)), name
        read = {variable for row in rows for variable in row.cells.values() if variable > AGES}
        assert read | {OWN} == set(born), name
        for row in rows:
            assert set(row.cells) <= set(CELLS) and set(row.births) <= set(BORN) and set(row.numbers) <= set(NUMBERED)


def test_every_seat_is_of_one_plate() -> None:
    """Whoever reads a seat reads what is born in his own plate, and all that is read is born."""
    config, _ = cast()
    chip = circuit_of(config, SOME).tables[-1].chip
    height = 1 << SOME.log_plates
    columns = dict(zip(chip.fixed, chip.fixed_columns(SOME.log_plates), strict=True))
    plates = laid_out(programs(venue_of(config)), SOME.plates)
    plate_of = np.repeat(range(len(plates)), [len(rows_of(plate.program)) for plate in plates]).tolist()
    plate_of += [-1 - row for row in range(len(plate_of), height)]
    counts: Counter[int] = Counter()
    for cell in CELLS:
        for row in range(height):
            count = columns[f"count_{cell}"][row] if cell in BORN else PRIME - 1
            if count:
                seat = columns[f"at_{cell}"][row]
                counts[seat] += count if count <= PRIME // 2 else count - PRIME
                assert plate_of[seat // BIRTHS] == plate_of[row]
                assert count > PRIME // 2 or seat == BIRTHS * row + BORN.index(cell)
    assert set(counts.values()) == {0}


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


def test_plates_beyond_the_table_are_refused() -> None:
    """The kernel that fills it looks at no bound: what it would write there is somebody else's memory."""
    one = trades()
    plates = laid_out(Play(one.before, venue_of(one.before.config)).programs, (("side, cross", 3),))
    rows = 3 * len(rows_of(plates[0].program))
    fitting = (rows - 1).bit_length()
    assert fill_plates([], plates, fitting).frames == frozenset()
    with pytest.raises(ValueError, match=f"the plates have {rows} rows, and the table 2\\^{fitting - 1}"):
        fill_plates([], plates, fitting - 1)
