"""The tape on eight rows at a time (`stark.eights`), where the processor allows it: the same results, sooner.

A register holds a block of rows, eight by eight. How far its values go, and whether its limbs are even, is known when
the tape is written, so what bounds ask for is written into it: limbs are evened before a product, values folded before
they grow too far, and a difference is given as many P as it may need. Weighted outputs are summed as products twice as
wide as an element, and reduced once for all of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.tape import (
    ADD,
    ADD_SCALAR,
    FILL,
    FOLD,
    LOAD,
    MULTIPLY,
    MULTIPLY_SCALAR,
    STORE,
    SUBTRACT,
    SUBTRACT_FROM_SCALAR,
    Tape,
)
from stark.eights import (
    EIGHT,
    LIMBS,
    P_LIMBS,
    add_product,
        cut,
    evened,
    folded,
    load_rows,
    on_words,
    product_of,
    put_eight,
    settled,
    square_of,
    store_rows,
    sum_of,
    take_eight,
    take_one,
)
from stark.field import Felts
from stark.kernels import kernel
from stark.lanes import LANES, WORD, put, splat, take

BLOCK = 128  # rows a register holds: 5 kB
GROUPS = BLOCK // LANES
EVEN, REDUCE, SQUARE = range(10, 13)  # codes besides those of `stark.air.tape`
MOST = 511  # values stay below so many P
SUMMED = 200  # outputs: their products, ten words of 52 bits a limb, stay below 2**63
MULTIPLES = np.array([[times * P_LIMBS.get(limb, 0) for limb in range(LIMBS)] for times in range(MOST + 1)], np.uint64)


class Plan(NamedTuple):
    """Operations (code, register, operand, operand, scalar): of a difference the scalar is a multiple of P."""

    operations: NDArray[np.int32]
    registers: int


class _Planner:
    """Follows bounds, in multiples of P, and evenness along a tape."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, int, int, int]] = []
        self.bound: dict[int, int] = {}
        self.even: set[int] = set()

    def put(
        self, code: int, target: int, sides: tuple[int, int], scalar: int, *, bound: int, even: bool
    ) -> None:
        """Append an operation, and what is known of its result."""
        assert bound <= MOST, "values were not folded in time"
        self.entries.append((code, target, *sides, scalar))
        self.bound[target] = bound
        (self.even.add if even else self.even.discard)(target)

    def make_even(self, register: int) -> None:
        """For a product."""
        if register not in self.even:
            self.put(EVEN, register, (register, 0), 0, bound=self.bound[register], even=True)

    def keep_below(self, most: int, *registers: int) -> None:
        """Fold the largest until all together are below so many P."""
        while sum(self.bound[each] for each in registers) > most:
            largest = max(registers, key=lambda each: self.bound[each])
            self.put(REDUCE, largest, (largest, 0), 0, bound=2, even=False)

    def take(self, code: int, target: int, first: int, second: int) -> None:
        """One operation of the tape."""
        bound, scalars = self.bound, MOST + 1  # where the scalars begin
        if code == LOAD:
            self.put(code, target, (first, second), 0, bound=16, even=True)
        elif code == FILL:
            self.put(code, target, (0, 0), scalars + first, bound=1, even=True)
        elif code in (ADD, SUBTRACT):
            self.keep_below(MOST - 1, first, second)
            grown = bound[first] + bound[second]
            self.put(code, target, (first, second), bound[second], bound=grown, even=False)
        elif code == ADD_SCALAR:
            self.keep_below(MOST - 1, first)
            self.put(code, target, (first, 0), scalars + second, bound=bound[first] + 1, even=False)
        elif code == SUBTRACT_FROM_SCALAR:
            self.keep_below(MOST - 1, first)
            multiple = bound[first]
            self.put(code, target, (first, multiple), scalars + second, bound=multiple + 1, even=False)
        elif code == MULTIPLY:
            self.make_even(first)
            self.make_even(second)
            product = 1 + -(-bound[first] * bound[second] // MOST)
            self.put(SQUARE if first == second else code, target, (first, second), 0, bound=product, even=True)
        elif code == MULTIPLY_SCALAR:
            self.make_even(first)
            product = 1 + -(-bound[first] // MOST)
            self.put(code, target, (first, 0), scalars + second, bound=product, even=True)
        else:
            self.make_even(first)
            self.entries.append((code, 0, first, second, scalars + second if code == FOLD else 0))


def fits(tape: Tape) -> bool:
    """Whether the outputs can be summed at once."""
    return tape.outputs <= SUMMED


@lru_cache(maxsize=256)
def _planned(operations: bytes, registers: int) -> Plan:
    planner = _Planner()
    for code, target, first, second in np.frombuffer(operations, np.int32).reshape(-1, 4).tolist():
        planner.take(code, target, first, second)
    return Plan(np.array(planner.entries, np.int32).reshape(-1, 5), registers)


def plan_of(tape: Tape) -> Plan:
    """A tape with what bounds ask for written in."""
    return _planned(tape.operations.tobytes(), tape.registers)


def scalars_of(scalars: Felts) -> Felts:
    """Multiples of P, then a tape's scalars, as limbs."""
    return np.concatenate([MULTIPLES, cut(scalars)])


# --- emitted: places of registers and scalars, in words ---------------------------------------------------------------


def _emit_load(builder: Any, source: Any, registers: Any, index: Any, target: Any, *_: Any) -> None:
    put_eight(builder, registers, target, load_rows(builder, source, index, WORD(4)))


def _emit_fill(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, _, _, scalar = places
    put_eight(builder, registers, target, take_one(builder, scalars, scalar))


def _emit_add(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, first, second, _ = places
    total = sum_of(builder, take_eight(builder, registers, first), take_eight(builder, registers, second))
    put_eight(builder, registers, target, total)


def _less(builder: Any, one: list[Any], other: list[Any]) -> list[Any]:
    return [builder.sub(left, right) for left, right in zip(one, other, strict=True)]


def _emit_subtract(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, first, second, scalar = places
    total = sum_of(builder, take_eight(builder, registers, first), take_one(builder, scalars, scalar))
    put_eight(builder, registers, target, _less(builder, total, take_eight(builder, registers, second)))


def _emit_add_scalar(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, first, _, scalar = places
    total = sum_of(builder, take_eight(builder, registers, first), take_one(builder, scalars, scalar))
    put_eight(builder, registers, target, total)


def _emit_subtract_from_scalar(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, first, multiple, scalar = places
    total = sum_of(builder, take_one(builder, scalars, scalar), take_one(builder, scalars, multiple))
    put_eight(builder, registers, target, _less(builder, total, take_eight(builder, registers, first)))


def _emit_multiply(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, first, second, _ = places
    product = product_of(builder, take_eight(builder, registers, first), take_eight(builder, registers, second))
    put_eight(builder, registers, target, evened(builder, product))


def _emit_square(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, first, _, _ = places
    square = settled(builder, square_of(builder, take_eight(builder, registers, first)))
    put_eight(builder, registers, target, evened(builder, square))


def _emit_multiply_scalar(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, first, _, scalar = places
    product = product_of(builder, take_eight(builder, registers, first), take_one(builder, scalars, scalar))
    put_eight(builder, registers, target, evened(builder, product))


def _emit_even(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, first, _, _ = places
    put_eight(builder, registers, target, evened(builder, take_eight(builder, registers, first)))


def _emit_reduce(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    target, first, _, _ = places
    value = folded(builder, evened(builder, take_eight(builder, registers, first)))
    put_eight(builder, registers, target, value)


def _emit_weigh(builder: Any, registers: Any, scalars: Any, *places: Any) -> None:
    """Add a weighted output to the ten vectors of its rows, which stand behind the registers."""
    total, first, _, scalar = places
    before = [take(builder, registers, builder.add(total, WORD(LANES * limb))) for limb in range(2 * LIMBS)]
    value, weight = take_eight(builder, registers, first), take_one(builder, scalars, scalar)
    for limb, each in enumerate(add_product(builder, before, value, weight)):
        put(builder, registers, builder.add(total, WORD(LANES * limb)), each)


def _emit_clear(builder: Any, registers: Any, scalars: Any, total: Any, *_: Any) -> None:
    for limb in range(2 * LIMBS):
        put(builder, registers, builder.add(total, WORD(LANES * limb)), splat(0))


def _emit_settle(builder: Any, registers: Any, result: Any, total: Any, index: Any, *_: Any) -> None:
    wide = [take(builder, registers, builder.add(total, WORD(LANES * limb))) for limb in range(2 * LIMBS)]
    value = evened(builder, settled(builder, wide))
    store_rows(builder, value, result, index, WORD(4), is_last=True)


def _emit_store(builder: Any, registers: Any, result: Any, first: Any, index: Any, *_: Any) -> None:
    store_rows(builder, take_eight(builder, registers, first), result, index, WORD(4), is_last=True)


_load, _fill, _weigh, _clear = (on_words(each) for each in (_emit_load, _emit_fill, _emit_weigh, _emit_clear))
_add, _subtract, _add_scalar = (on_words(each) for each in (_emit_add, _emit_subtract, _emit_add_scalar))
_subtract_from_scalar, _multiply = on_words(_emit_subtract_from_scalar), on_words(_emit_multiply)
_square, _multiply_scalar = on_words(_emit_square), on_words(_emit_multiply_scalar)
_even, _reduce, _settle, _store = (on_words(each) for each in (_emit_even, _emit_reduce, _emit_settle, _emit_store))


# --- kernels ----------------------------------------------------------------------------------------------------------


@kernel
def run_eights(
    operations: NDArray[np.int32],
    scalars: Felts,
    columns: tuple[Felts, Felts, Felts, Felts, Felts],
    coset: int,
    start: int,
    stop: int,
    registers: Felts,
    result: Felts,
) -> None:
    """`stark.air.tape.run_tape`, with a plan's operations and registers that end with GROUPS * 2 * EIGHT words more."""
    fixed, trace, bus, periodic, selector = columns
    totals = len(registers) - GROUPS * 2 * EIGHT
    is_summed = False
    for block in range(start, stop, BLOCK):
        count = min(BLOCK, stop - block)
        groups = (count + LANES - 1) // LANES
        for group in range(groups):
            _clear(registers, scalars, totals + group * 2 * EIGHT, 0, 0, 0)
        for entry in range(len(operations)):
            code, target = operations[entry, 0], operations[entry, 1]
            first, second = operations[entry, 2], operations[entry, 3]
            if code == LOAD:
                source, offset = first >> 1, block + (first & 1)
                if source == 0:
                    _load_column(fixed, second, coset, offset, groups, registers, target)
                elif source == 1:
                    _load_column(trace, second, coset, offset, groups, registers, target)
                elif source == 2:
                    _load_column(bus, second, coset, offset, groups, registers, target)
                elif source == 3:
                    _load_column(periodic, second, 0, offset, groups, registers, target)
                else:
                    _load_column(selector, second, 0, offset, groups, registers, target)
            elif code == STORE:
                _write(registers, first * GROUPS * EIGHT, EIGHT, False, count, result, second, block - start)
            elif code == FOLD:
                is_summed = True
                for group in range(groups):
                    place = (first * GROUPS + group) * EIGHT
                    total = totals + group * 2 * EIGHT
                    _weigh(registers, scalars, total, place, 0, operations[entry, 4] * LIMBS)
            else:
                _operate(code, registers, target, first, second, operations[entry, 4], scalars, groups)
        if is_summed:
            _write(registers, totals, 2 * EIGHT, True, count, result, 0, block - start)


@kernel
def _load_column(
    source: Felts, column: int, coset: int, offset: int, groups: int, registers: Felts, target: int
) -> None:
    """Take cells, going on at the first row after the last."""
    rows = source.shape[2]
    base = (column * source.shape[1] + coset) * rows
    wrapped = np.empty((LANES, 4), np.uint64)
    for group in range(groups):
        row, place = (offset + group * LANES) % rows, (target * GROUPS + group) * EIGHT
        if row + LANES <= rows:
            _load(source, registers, (base + row) * 4, place, 0, 0)
        else:
            for lane in range(LANES):
                for part in range(4):
                    wrapped[lane, part] = source[column, coset, (row + lane) % rows, part]
            _load(wrapped, registers, 0, place, 0, 0)


@kernel
def _write(
    registers: Felts, first: int, stride: int, is_wide: bool, count: int, result: Felts, output: int, row: int
) -> None:
    """Eights of rows to a result; behind its last row only what is there."""
    rest = np.empty((LANES, 4), np.uint64)
    for done in range(0, count, LANES):
        place = first + done // LANES * stride
        index = (output * result.shape[1] + row + done) * 4
        if done + LANES <= count:
            if is_wide:
                _settle(registers, result, place, index, 0, 0)
            else:
                _store(registers, result, place, index, 0, 0)
        else:
            if is_wide:
                _settle(registers, rest, place, 0, 0, 0)
            else:
                _store(registers, rest, place, 0, 0, 0)
            for lane in range(count - done):
                for part in range(4):
                    result[output, row + done + lane, part] = rest[lane, part]


@kernel
def _operate(
    code: int, registers: Felts, target: int, first: int, second: int, scalar: int, scalars: Felts, groups: int
) -> None:
    """One arithmetic operation on whole registers."""
    for group in range(groups):
        own, one = (target * GROUPS + group) * EIGHT, (first * GROUPS + group) * EIGHT
        other, value = (second * GROUPS + group) * EIGHT, scalar * LIMBS
        if code == MULTIPLY:
            _multiply(registers, scalars, own, one, other, value)
        elif code == MULTIPLY_SCALAR:
            _multiply_scalar(registers, scalars, own, one, other, value)
        elif code == SQUARE:
            _square(registers, scalars, own, one, other, value)
        elif code == ADD:
            _add(registers, scalars, own, one, other, value)
        elif code == SUBTRACT:
            _subtract(registers, scalars, own, one, other, value)
        elif code == ADD_SCALAR:
            _add_scalar(registers, scalars, own, one, other, value)
        elif code == SUBTRACT_FROM_SCALAR:
            _subtract_from_scalar(registers, scalars, own, one, second * LIMBS, value)
        elif code == EVEN:
            _even(registers, scalars, own, one, other, value)
        elif code == REDUCE:
            _reduce(registers, scalars, own, one, other, value)
        else:
            _fill(registers, scalars, own, one, other, value)
