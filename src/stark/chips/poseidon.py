"""Starknet's Poseidon (Hades) as a narrow chip: 16 rows of 9 columns for one permutation.

Rows 0, 1, 14 and 15 take two full rounds each: three cells for the state before them, three for the state between.
Rows 2 to 13 take seven partial rounds each, with one cell a round: its cube's base w. Two elements pass a partial round
without a cube, so they can be eliminated, and what is left is a recurrence with cubes u = w^3:

    w[i+3] = 2 w[i+2] + 4 w[i+1] - 2 u[i+2] + 6 u[i+1] + 8 u[i] + constant[i]

The last cell of row 13 is the third element after all partial rounds.

Permutations that follow each other can be one sponge: the spare cell of row 15 says that the next one goes on from this
one's outcome. Its inputs are then the outcome plus two elements of the list that is hashed. Every permutation of a
sponge carries its digest, the first element of the last outcome, and how many permutations are `left`; so whoever takes
the messages of a digest with n - 1, n - 2, ... 0 left has all of a list, and no other list has that digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import Expr
from stark.field import ZERO, Felts, add, from_ints, load, multiply, square, store, subtract, to_ints
from stark.kernels import Felt, kernel
from stark.poseidon import HALF, PARTIAL_ROUNDS, round_constants
from stark.prime import PRIME, inverse

# A permutation absorbs the elements `first` and `second`; the first one of a sponge starts from (0, 0, capacity).
POSEIDON = Bus("poseidon", ("digest", "left", "is_start", "capacity", "first", "second"))
LIST, SINGLE, PAIR = range(3)  # the capacities of Starknet's three hashes
RATE = 2
ROWS = 16
CELLS = 7
ENTERING, LEAVING, LAST = 1, 13, 15  # rows: before the partial rounds, at their end, at the end of all

Triple = tuple[Expr, Expr, Expr]


def _partial(index: int) -> tuple[int, int, int]:
    """Constants of a partial round; after the last there is none."""
    return round_constants()[HALF + index] if index < PARTIAL_ROUNDS else (0, 0, 0)


def _recurrence(index: int) -> int:
    """The constant of w[index + 3], from the two eliminated elements' constants and its own."""
    (_, _, own), (x, y, z), (after_x, after_y, after_z) = (_partial(index + step) for step in (3, 1, 2))
    return (after_x + after_y - 2 * (x + y) + 4 * x - 2 * after_z - 4 * z + own) % PRIME


def _constant_columns() -> list[list[int]]:
    """By row: the constants of two full rounds and a zero, or of seven recurrences."""
    constants = round_constants()
    rows = []
    for row in range(ROWS):
        if row in (0, 1):
            rows.append([*constants[2 * row], *constants[2 * row + 1], 0])
        elif row > LEAVING:
            first = HALF + PARTIAL_ROUNDS + 2 * (row - LEAVING - 1)
            rows.append([*constants[first], *constants[first + 1], 0])
        else:
            places = range(CELLS * (row - 2), CELLS * (row - 1))
            rows.append([_recurrence(place) if place + 3 <= PARTIAL_ROUNDS else 0 for place in places])
    return rows


def _on(rows: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(row in rows) for row in range(ROWS))


class Sponge(NamedTuple):
    """A list to be hashed, its padding included, and how often its messages are taken."""

    capacity: int
    elements: tuple[int, ...]  # an even number of them
    times: int = 1


def pair_sponge(left: int, right: int, times: int = 1) -> Sponge:
    """What `stark.poseidon.hash2` hashes."""
    return Sponge(PAIR, (left, right), times)


def list_sponge(elements: Sequence[int], times: int = 1) -> Sponge:
    """What `stark.poseidon.hash_many` hashes: a 1, and if need be a 0, make the number of elements even."""
    padding = (1,) if len(elements) % RATE else (1, 0)
    return Sponge(LIST, (*elements, *padding), times)


def take_hash(must: Must, digest: Expr, sponge: tuple[int, Sequence[Expr | int]], times: Expr | int) -> None:
    """Take the messages of a whole sponge, a capacity and an even number of elements: they hash to `digest`."""
    capacity, elements = sponge
    permutations = len(elements) // RATE
    for place in range(permutations):
        first, second = elements[RATE * place : RATE * place + RATE]
        is_start = int(place == 0)
        values: list[Expr | int] = [digest, permutations - 1 - place, is_start, capacity * is_start, first, second]
        must.receive(POSEIDON, values, times)


class Poseidon(Chip):
    """144 cells a permutation and 16 of its bus; degree 5. Unused permutations are those of zeros, sent 0 times."""

    name = "poseidon"
    columns = (("cell", CELLS), "digest", "left")
    periodic = {
        "is_full": _on([0, 1, 14, 15]),
        "is_spare": _on([1, 14]),
        "is_before_full": _on([0, 14]),
        "is_entering": _on([ENTERING]),
        "is_leaving": _on([LEAVING]),
        "is_last": _on([LAST]),
        **{f"constant{place}": tuple(row[place] for row in _constant_columns()) for place in range(CELLS)},
    }

    def constrain(self, row: Row, must: Must) -> None:
        """Full rounds, the way into the partial ones, their recurrence, the way out, and what a sponge says."""
        cells, after = row["cell"], row.next["cell"]
        constants = [getattr(row, f"constant{place}") for place in range(CELLS)]
        before, between = _triple(cells[0:3]), _triple(cells[3:6])
        middle = _full_round(before, _triple(constants[0:3]))
        outcome = _full_round(between, _triple(constants[3:6]))
        for place in range(3):
            must.zero(f"full round to cell {place + 3}", row.is_full * (between[place] - middle[place]))
            name = f"full round to the next row's cell {place}"
            must.zero(name, row.is_before_full * (after[place] - outcome[place]))
        must.zero("a cell without use is zero", row.is_spare * cells[6])
        self._enter(row, must, outcome, after)
        everything = [*cells, *after[0:3]]
        for place in range(CELLS):
            target = _recur(everything[place : place + 3], constants[place])
            gate = 1 - row.is_full if place <= 3 else 1 - row.is_full - row.is_leaving  # the last row has four
            must.zero(f"partial round {place} of the row", gate * (everything[place + 3] - target))
        self._leave(row, must, cells, after)
        self._absorb(row, must, outcome)

    def _absorb(self, row: Row, must: Must, outcome: Triple) -> None:
        """From the last row of a permutation to the first of the next one, which may go on with the same sponge."""
        goes_on, inputs = row["cell"][CELLS - 1], row.next["cell"][0:3]
        must.zero("a sponge goes on or not", row.is_last * (goes_on * (goes_on - 1)))
        must.zero("the digest is the first element", row.is_last * ((1 - goes_on) * (row.digest - outcome[0])))
        must.zero("nothing is left at the end", row.is_last * ((1 - goes_on) * row.left))
        must.zero("one less is left", row.is_last * (goes_on * (row.left - row.next.left - 1)))
        must.zero("a sponge has one digest", row.is_last * (goes_on * (row.next.digest - row.digest)))
        must.zero("the third element goes on", row.is_last * (goes_on * (inputs[2] - outcome[2])))
        must.zero("the digest stands in every row", (1 - row.is_last) * (row.next.digest - row.digest))
        must.zero("what is left stands in every row", (1 - row.is_last) * (row.next.left - row.left))
        is_start = 1 - goes_on
        absorbed = [inputs[place] - goes_on * outcome[place] for place in range(RATE)]
        message = [row.next.digest, row.next.left, is_start, is_start * inputs[2], *absorbed]
        must.send(POSEIDON, message, row.is_last * row.next["cell"][CELLS - 1])

    def _enter(self, row: Row, must: Must, state: Triple, after: Sequence[Expr]) -> None:
        """The first three bases, from the state after the first full rounds."""
        (x, y, z), (next_x, next_y, next_z), (_, _, last_z) = (_partial(index) for index in range(3))
        first = state[2] + z
        second = state[0] + state[1] + (x + y + next_z) - 2 * after[0] ** 3
        sums = 4 * (state[0] + x) + 2 * after[0] ** 3 + (next_x + next_y)
        third = sums - 2 * after[1] ** 3 + last_z
        for place, base in enumerate((first, second, third)):
            must.zero(f"base {place} of the partial rounds", row.is_entering * (after[place] - base))

    def _leave(self, row: Row, must: Must, cells: Sequence[Expr], after: Sequence[Expr]) -> None:
        """The state after the partial rounds: the two eliminated elements from the last bases and the third element."""
        last = PARTIAL_ROUNDS - 1
        cube_before, cube, third = cells[4] ** 3, cells[5] ** 3, cells[6]
        last_x, last_y, last_z = _partial(last)
        quarter = inverse(4)
        x_before = (third + 2 * cube - 2 * cube_before - (last_x + last_y)) * quarter
        sum_before = cells[5] - last_z + 2 * cube_before
        x = 2 * x_before + sum_before + cube_before + last_x
        pair = third + 2 * cube
        state = (2 * x + pair + cube, 2 * x - pair + cube, third)
        for place in range(3):
            must.zero(f"element {place} after the partial rounds", row.is_leaving * (after[place] - state[place]))

    def fill(self, sponges: Sequence[Sponge], log_rows: int) -> tuple[Felts, list[int]]:
        """The table for these lists, and their digests."""
        room = (1 << log_rows) // ROWS
        lengths = [len(sponge.elements) // RATE for sponge in sponges]
        if sum(lengths) > room:
            raise ValueError(f"{sum(lengths)} permutations; 2**{log_rows} rows hold {room}")
        if any(not sponge.elements or len(sponge.elements) % RATE for sponge in sponges):
            raise ValueError("a sponge absorbs an even number of elements, at least two")
        padding = room - sum(lengths)
        elements = [element for sponge in sponges for element in sponge.elements] + [0] * (RATE * padding)
        lengths += [1] * padding
        capacities = from_ints([sponge.capacity for sponge in sponges] + [0] * padding)
        starts = np.cumsum([0, *lengths[:-1]])
        begins = np.zeros(room, np.int64)
        begins[starts] = 1 + np.arange(len(lengths))  # one more than the sponge's number
        constants = from_ints([value for triple in round_constants() for value in triple])
        table = np.zeros((CELLS + 2, 1 << log_rows, 4), np.uint64)
        outcomes = np.empty((room, 4), np.uint64)
        _fill(from_ints(elements), capacities, begins, constants, table, outcomes)
        counts = np.array(lengths)
        digests = outcomes[starts + counts - 1]
        left = np.repeat(starts + counts, counts) - 1 - np.arange(room)
        table[CELLS] = np.repeat(np.repeat(digests, counts, axis=0), ROWS, axis=0)
        table[CELLS + 1] = np.repeat(from_ints(left.tolist()), ROWS, axis=0)
        times = [sponge.times for sponge in sponges] + [0] * padding
        table[CELLS - 1, ::ROWS] = np.repeat(from_ints(times), counts, axis=0)
        table[CELLS - 1, LAST::ROWS] = from_ints([int(number > 0) for number in left.tolist()])
        return table, to_ints(digests)[: len(sponges)]


def _triple(values: Sequence[Expr]) -> Triple:
    first, second, third = values
    return first, second, third


def _full_round(state: Triple, constants: Triple) -> Triple:
    first, second, third = ((value + constant) ** 3 for value, constant in zip(state, constants, strict=True))
    return 3 * first + second + third, first - second + third, first + second - 2 * third


def _recur(bases: Sequence[Expr], constant: Expr) -> Expr:
    first, second, third = bases
    return 2 * third + 4 * second - 2 * third**3 + 6 * second**3 + 8 * first**3 + constant


@kernel
def _cube(value: Felt) -> Felt:
    return multiply(square(value), value)


@kernel
def _fill(
    elements: Felts, capacities: Felts, begins: NDArray[np.int64], constants: Felts, table: Felts, outcomes: Felts
) -> None:
    """Run every permutation and keep what the rows show of it."""
    x, y, z = ZERO, ZERO, ZERO
    for index in range(len(outcomes)):
        if begins[index]:
            x, y, z = ZERO, ZERO, load(capacities, begins[index] - 1)
        x, y = add(x, load(elements, 2 * index)), add(y, load(elements, 2 * index + 1))
        base = 16 * index
        for number in range(91):
            is_full = number < 4 or number >= 87
            if is_full:
                place = number if number < 4 else number - 87
                at = base + (place >> 1) + (0 if number < 4 else 14)
                first = 3 * (place & 1)
                store(table[first], at, x)
                store(table[first + 1], at, y)
                store(table[first + 2], at, z)
            x = add(x, load(constants, 3 * number))
            y = add(y, load(constants, 3 * number + 1))
            z = add(z, load(constants, 3 * number + 2))
            if is_full:
                x, y = _cube(x), _cube(y)
            else:
                place = number - 4
                store(table[place % 7], base + 2 + place // 7, z)
            z = _cube(z)
            both = add(x, y)
            x, y, z = add(add(add(x, x), both), z), add(subtract(x, y), z), subtract(both, add(z, z))
            if number == 86:
                store(table[6], base + 13, z)
        store(outcomes, index, x)
