"""Filling the rules table and the tables it borrows from: the cells of all frames at once, as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bulkhead.circuit.frame import Given
from bulkhead.circuit.instructions import FLAGS, TIME_SHIFT, Flag, Program
from bulkhead.circuit.rules import Rules
from bulkhead.circuit.venue import Term
from stark.chips.poseidon import Sponge, list_sponge
from stark.field import Felts, from_ints, from_small
from stark.prime import PRIME

Places = NDArray[np.int64]
PLACE = {name: place for place, name in enumerate(Rules.columns)}


class Sizes(Protocol):
    """Heights of the tables of rules: what a shape of any system says of them."""

    @property
    def log_rules(self) -> int:
        """Rows of frames."""

    @property
    def log_programs(self) -> int:
        """Instructions."""

    @property
    def log_terms(self) -> int:
        """Terms, of a system that has a table of them."""


class Filled(NamedTuple):
    """The tables, and what they ask of others: numbers, and lists to hash."""

    rules: Felts
    programs: Felts
    terms: Felts
    asked: list[int]
    hashed: list[Sponge]


class Code(NamedTuple):
    """The instructions of a program as arrays."""

    left: Places
    right: Places
    flags: Places
    times: Places
    constants: Felts
    numbers: Places  # rows whose c is asked for as a number
    messages: Places  # rows that take or send a message


@lru_cache(maxsize=4096)
def code_of(program: Program) -> Code:
    """A program's instructions."""
    each = program.instructions
    flags = np.array([int(one.flags) for one in each], np.int64)
    times = np.array([one.times for one in each], np.int64)
    return Code(
        np.array([one.left for one in each], np.int64),
        np.array([one.right for one in each], np.int64),
        flags,
        times,
        from_ints([one.constant for one in each]),
        np.flatnonzero((flags & Flag.NUMBER > 0) & (flags & Flag.HASH == 0)),
        np.flatnonzero(times),
    )


def fill_rules(
    every: Sequence[Given], programs: Sequence[Program], terms: Sequence[Term], shape: Sizes,
    on_plates: Collection[int] = (),
) -> Filled:  # fmt: skip
    """All frames, one after the other, but those whose numbers are `on_plates`: they have cells and ask for numbers
    elsewhere. ValueError where the shape has too few rows."""
    frames = [frame for frame in every if frame.number not in on_plates]
    lengths = [len(frame.values) for frame in frames]
    height, used = 1 << shape.log_rules, sum(lengths)
    if used > height:
        raise ValueError(f"{used} rows of rules; a table of 2**{shape.log_rules} holds {height}")
    starts = np.cumsum([0, *lengths[:-1]])
    codes = [code_of(frame.program) for frame in frames]
    places = np.concatenate([frame.program.start + np.arange(len(frame.values)) for frame in frames])
    left = np.concatenate([start + code.left for start, code in zip(starts, codes, strict=True)])
    right = np.concatenate([start + code.right for start, code in zip(starts, codes, strict=True)])
    flags = np.concatenate([code.flags for code in codes])
    times = np.concatenate([code.times for code in codes])
    values = from_ints([value for frame in frames for value in frame.values])
    table = np.zeros((len(Rules.columns), height, 4), np.uint64)
    shift = places - np.arange(used)  # from a row of the table to an instruction
    for name, column in (
        ("frame", np.repeat([frame.number for frame in frames], lengths)),
        ("place", places), ("left", left + shift), ("right", right + shift),
        *((name, flags >> place & 1) for place, name in enumerate(FLAGS)),
        ("count", np.bincount(left, minlength=used) + np.bincount(right, minlength=used)),
    ):  # fmt: skip
        table[PLACE[name], :used] = from_small(column)
    table[PLACE["times"], :used] = from_ints([int(each) % PRIME for each in times])
    table[PLACE["constant"], :used] = np.concatenate([code.constants for code in codes])
    table[PLACE["a"], :used], table[PLACE["b"], :used] = values[left], values[right]
    table[PLACE["c"], :used] = values
    ages = _written(frames, starts, table[PLACE["written"]])
    asked = [frame.values[row] for frame, code in zip(frames, codes, strict=True) for row in code.numbers.tolist()]
    counts = np.bincount(places, minlength=1 << shape.log_programs)
    return Filled(
        table,
        from_small(counts).reshape(1, -1, 4),
        _terms(every, terms, shape),
        [*asked, *ages],
        lists_of(every),
    )


def lists_of(frames: Sequence[Given]) -> list[Sponge]:
    """The lists that frames hash."""
    return [list_sponge(listed) for frame in frames for listed in frame.hashed]


def _written(frames: Sequence[Given], starts: Places, column: Felts) -> list[int]:
    """Fill in when words were last written; answers the ages that are asked for as numbers."""
    rows, moments, ages = [], [], []
    for frame, start in zip(frames, starts.tolist(), strict=True):
        first = (frame.number << TIME_SHIFT) + frame.program.start
        for row, written in frame.written.items():
            rows.append(start + row)
            moments.append(written)
            ages.append(first + row - written - 1)
    if rows:
        column[rows] = from_ints(moments)
    return ages


def _terms(frames: Sequence[Given], terms: Sequence[Term], shape: Sizes) -> Felts:
    """How often each term is taken."""
    row_of = {term[:3]: row for row, term in enumerate(terms)}
    tags = {term[0] for term in terms}
    alike: dict[str, list[Given]] = {}
    for frame in frames:
        alike.setdefault(frame.program.name, []).append(frame)
    counts = np.zeros(1 << shape.log_terms, np.int64)
    for given in alike.values():
        program = given[0].program
        for row in code_of(program).messages.tolist():
            tag, left = program.instructions[row].constant, program.instructions[row].left
            if tag not in tags or program.instructions[row].times > 0:
                continue
            said = zip([each.values[left] for each in given], [each.values[row] for each in given], strict=True)
            for (about, value), times in Counter(said).items():
                if (tag, about, value) in row_of:
                    counts[row_of[tag, about, value]] += times
    return from_small(counts).reshape(1, -1, 4)
