"""Small numbers: a table that lends every number of so many bits, and cutting larger values into such limbs.

A chip with many numbers can cut them in its own columns (`cut`), or ask `Numbers`, which has a row for each: a quarter
of a column at the asker instead of five.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import Expr, total
from stark.field import Felts, from_small

NUMBER = Bus("number", ("value",))
LIMB_BITS = 16
NUMBER_LIMBS = 4
NUMBER_BITS = NUMBER_LIMBS * LIMB_BITS


def range_bus(bits: int) -> Bus:
    """The bus of numbers of so many bits: a limb asks for its own width, whatever tables there are."""
    return Bus(f"range of {bits} bits", ("value",))


class Range(Chip):
    """Lends 0 .. 2**bits - 1, each as often as it says. 2 cells a number, and one of its bus; 2**bits rows, no more."""

    name = "range"
    columns = ("value", "count")

    def __init__(self, bits: int = LIMB_BITS):
        self.bits = bits

    def constrain(self, row: Row, must: Must) -> None:
        """Numbers in order; `count` is free, for the bus says what it must be."""
        must.first("starts at zero", row.value)
        must.transition("counts up", row.next.value - row.value - 1)
        must.last("ends at the largest", row.value - ((1 << self.bits) - 1))
        must.receive(range_bus(self.bits), [row.value], row.count)

    def fill(self, asked: Iterable[int]) -> Felts:
        """The table, given every number that is asked for; ValueError for one that is too large."""
        numbers = numbers_of(asked, self.bits)
        counts = np.bincount(numbers.astype(np.int64), minlength=1 << self.bits)
        return from_small(np.concatenate([np.arange(1 << self.bits), counts])).reshape(2, -1, 4)


def numbers_of(asked: Iterable[int], bits: int) -> NDArray[np.uint64]:
    """Numbers as an array; ValueError where one is negative or has more than so many bits, at most 64."""
    given = asked if isinstance(asked, np.ndarray) else list(asked)
    try:
        numbers = np.array(given, np.uint64)
    except OverflowError:
        numbers = None
    if numbers is None or (numbers.size and int(numbers.max()) >> bits):
        wrong = next(int(number) for number in given if not 0 <= int(number) < 1 << bits)
        raise ValueError(f"{wrong} is asked for, a number outside 0 .. 2**{bits} - 1")
    return numbers


def cut(
    must: Must, name: str, value: Expr, limbs: Sequence[Expr], bits: int = LIMB_BITS, times: Expr | int = 1
) -> None:
    """`value` is a number of len(limbs) * bits bits, on rows where `times` is 1.

    A limb costs its cell and a message, of which four share a cell at degree 5 and two at degree 3: 5 cells for 64 bits
    in limbs of 16, 10 for 128; 6 and 12 at degree 3. The limbs' total may not reach the prime, or a value would have a
    second cutting.
    """
    must.equal(name, value, together(limbs, bits, name))
    lend(must, limbs, bits, times)


def together(limbs: Sequence[Expr], bits: int = LIMB_BITS, name: str = "a number") -> Expr:
    """The number that limbs make, least significant first."""
    if len(limbs) * bits > 250:
        raise ValueError(f"{name}: {len(limbs)} limbs of {bits} bits can wrap around the prime")
    return total([limb * (1 << (bits * place)) for place, limb in enumerate(limbs)])


def lend(must: Must, limbs: Sequence[Expr], bits: int = LIMB_BITS, times: Expr | int = 1) -> None:
    """Each limb is a number that the range table lends, on rows where `times` is 1."""
    for limb in limbs:
        must.send(range_bus(bits), [limb], times)


def limbs_of(value: int, count: int, bits: int = LIMB_BITS) -> list[int]:
    """The limbs of a number, least significant first; ValueError where it has more."""
    if not 0 <= value < 1 << (count * bits):
        raise ValueError(f"{value} has not {count} limbs of {bits} bits")
    return [(value >> (bits * place)) & ((1 << bits) - 1) for place in range(count)]


class Numbers(Chip):
    """Lends numbers of 64 bits, one a row, each as often as it says: 5 cells and 2 of its bus."""

    name = "numbers"
    columns = (("limb", NUMBER_LIMBS), "count")

    def constrain(self, row: Row, must: Must) -> None:
        """The limbs are small; what they make is lent. `count` is free, for the bus says what it must be."""
        lend(must, row["limb"])
        must.receive(NUMBER, [together(row["limb"])], row.count)

    def fill(self, asked: Iterable[int], log_rows: int) -> Felts:
        """The table, given every number that is asked for; ValueError for one that is too large, or too many."""
        numbers, counts = np.unique(numbers_of(asked, NUMBER_BITS), return_counts=True)
        height = 1 << log_rows
        if numbers.size > height:
            raise ValueError(f"{numbers.size} rows; a table of 2**{log_rows} holds {height}")
        columns = np.zeros((NUMBER_LIMBS + 1, height), np.uint64)
        for place in range(NUMBER_LIMBS):
            columns[place, : numbers.size] = numbers >> np.uint64(LIMB_BITS * place) & np.uint64((1 << LIMB_BITS) - 1)
        columns[NUMBER_LIMBS, : numbers.size] = counts
        return from_small(columns.ravel()).reshape(NUMBER_LIMBS + 1, height, 4)


def is_number(must: Must, value: Expr | int, bits: int = NUMBER_BITS, times: Expr | int = 1) -> None:
    """`value` has so many bits, at most 64, on rows where `times` is 1: one message, or two for fewer bits than 64.

    Of fewer bits: a number of 64 bits that stays one when it is multiplied by what is missing.
    """
    must.send(NUMBER, [value], times)
    if bits < NUMBER_BITS:
        must.send(NUMBER, [value * (1 << (NUMBER_BITS - bits))], times)


def numbers_asked(value: int, bits: int = NUMBER_BITS) -> list[int]:
    """What `is_number` asks for."""
    return [value] if bits == NUMBER_BITS else [value, value << (NUMBER_BITS - bits)]
