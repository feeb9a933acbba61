"""Starknet's Poseidon (Hades) as a narrow chip: 8 rows of 16 columns for one permutation.

What is cubed has a cell, and nothing else has: 24 elements of the full rounds, 83 of the partial ones, each with its
round constant added. Rows 0 and 7 take four full rounds each, in four times three cells. Rows 1 to 6 take fourteen
partial rounds each, with one cell a round: its cube's base w. Two elements pass a partial round without a cube, so they
can be eliminated, and what is left is a recurrence with cubes u = w^3:

    w[i+3] = 2 w[i+2] + 4 w[i+1] - 2 u[i+2] + 6 u[i+1] + 8 u[i] + constant[i]

The last cell of row 6 is the third element after all partial rounds.

Permutations that follow each other can be one sponge: the last cell of row 7 says that the next one goes on from this
one's outcome. Its inputs are then the outcome plus two elements of the list that is hashed. Every permutation of a
sponge carries its digest, the first element of the last outcome, and how many permutations are `left`; so whoever takes
the messages of a digest with n - 1, n - 2, ... 0 left has all of a list, and no other list has that digest.

Where many lists begin with the same two elements, the state that these leave is a constant, and a list may start from
it: its first message says so by PREFIXED more than are left, and has the elements after the prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import Expr, lift
from stark.field import ZERO, Felts, add, from_ints, from_small, load, multiply, square, store, subtract, to_ints
from stark.kernels import Felt, kernel
from stark.poseidon import HALF, PARTIAL_ROUNDS, ROUNDS, permute, round_constants
from stark.prime import PRIME, inverse
from stark.threads import in_ranges

# A permutation absorbs the elements `first` and `second`; the first one of a sponge starts from (0, 0, capacity).
POSEIDON = Bus("poseidon", ("digest", "left", "is_start", "capacity", "first", "second"))
LIST, SINGLE, PAIR = range(3)  # the capacities of Starknet's three hashes
RATE = 2
PREFIXED = 1 << 32  # more than are ever left
ROWS = 8
CELLS = 14
SPARE, COUNT = 12, 13  # cells of full rows: whether a list is prefixed; how often it is taken, or that it goes on
ENTERING, LEAVING, LAST = 0, 6, 7  # rows: before the partial rounds, at their end, at the end of all

Triple = tuple[Expr, Expr, Expr]


def _partial(index: int) -> tuple[int, int, int]:
    """Constants of a partial round; after the last there is none."""
    return round_constants()[HALF + index] if index < PARTIAL_ROUNDS else (0, 0, 0)


def _recurrence(index: int) -> int:
    """The constant of w[index + 3], from the two eliminated elements' constants and its own."""
    (_, _, own), (x, y, z), (after_x, after_y, after_z) = (_partial(index + step) for step in (3, 1, 2))
    return (after_x + after_y - 2 * (x + y) + 4 * x - 2 * after_z - 4 * z + own) % PRIME


def _constant_columns() -> list[list[int]]:
    """By row: what is added in each cell. The first cells of a row follow from the row before, and that of a count."""
    constants = round_constants()
    rows = []
    for row in range(ROWS):
        if row in (ENTERING, LAST):
            first = 0 if row == ENTERING else HALF + PARTIAL_ROUNDS
            rows.append([value for place in range(HALF) for value in constants[first + place]] + [0, 0])
        else:
            places = range(CELLS * (row - 1) - 3, CELLS * row - 3)
            rows.append([_recurrence(place) if place >= 0 else 0 for place in places])
    return rows


def _ahead() -> list[list[int]]:
    """By row of partial rounds: the constants of the next row's first cells."""
    following = [[_recurrence(place) for place in range(CELLS * row - 3, CELLS * row)] for row in range(1, LEAVING)]
    return [[0] * 3, *following, [0] * 3, [0] * 3]


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
    """128 cells a permutation and 8 of its bus; degree 5. Unused permutations are those of zeros, sent 0 times.

    `prefix`: the two elements with which many lists begin.
    """

    name = "poseidon"
    columns = (("cell", CELLS), "digest", "left")
    periodic = {
        "is_full": _on([ENTERING, LAST]),
        "is_inner": _on(range(ENTERING + 1, LEAVING)),
        "is_entering": _on([ENTERING]),
        "is_leaving": _on([LEAVING]),
        "is_last": _on([LAST]),
        **{f"constant{place}": tuple(row[place] for row in _constant_columns()) for place in range(3, CELLS)},
        **{f"ahead{place}": tuple(row[place] for row in _ahead()) for place in range(3)},
    }

    def __init__(self, prefix: tuple[int, int] | None = None):
        self.prefix = prefix
        self.begun = permute(*prefix, LIST) if prefix is not None else None

    def constrain(self, row: Row, must: Must) -> None:
        """Full rounds, the way into the partial ones, their recurrence, the way out, and what a sponge says."""
        cells, after = row["cell"], row.next["cell"]
        bases = [_Base(cell) for cell in [*cells, *after[0:2]]]
        mixed = [value for place in range(HALF) for value in _mixed(bases[3 * place : 3 * place + 3])]
        outcome = _triple(mixed[-3:])
        for place in range(3, CELLS):
            constant, partial = getattr(row, f"constant{place}"), _recur(bases[place - 3 : place])
            if place < 3 * HALF:
                full = mixed[place - 3]
                found = cells[place] - constant - partial - row.is_full * (full - partial)
            else:
                found = (1 - row.is_full) * (cells[place] - constant - partial)
            must.zero(f"the round to cell {place}", found)
        entered, left = _entered(outcome, after), _left(bases[CELLS - 3 :])
        for place in range(3):
            partial = getattr(row, f"ahead{place}") + _recur(bases[CELLS - 3 + place : CELLS + place])
            found = row.is_inner * (after[place] - partial) + row.is_entering * (after[place] - entered[place])
            found = found + row.is_leaving * (after[place] - left[place])
            must.zero(f"the round to the next row's cell {place}", found)
        prefixed = self._prefixed(row, must)
        self._absorb(row, must, outcome, prefixed)

    def _prefixed(self, row: Row, must: Must) -> Triple:
        """What a prefix leaves in the state that the next permutation starts from; zeros without one.

        A list may start so whose third element is the prefix's; so the bit of a permutation of zeros is zero.
        """
        if self.begun is None:
            must.zero("a cell without use is zero", row.is_full * row["cell"][SPARE])
            return _triple([lift(0)] * 3)
        after = row.next["cell"]
        is_prefixed = after[SPARE]
        must.zero("a cell without use is zero", row.is_last * row["cell"][SPARE])
        must.zero("a list is prefixed or not", row.is_last * (is_prefixed * (is_prefixed - 1)))
        must.zero("a list is prefixed at its start", row.is_last * (row["cell"][COUNT] * is_prefixed))
        third = after[2] - (self.begun[2] + round_constants()[0][2])
        must.zero("a prefix leaves the third element", row.is_last * (is_prefixed * third))
        return _triple([is_prefixed * value for value in self.begun])

    def _absorb(self, row: Row, must: Must, outcome: Triple, prefixed: Triple) -> None:
        """From the last row of a permutation to the first of the next one, which may go on with the same sponge."""
        goes_on, after = row["cell"][COUNT], row.next["cell"]
        inputs = [after[place] - constant for place, constant in enumerate(round_constants()[0])]
        must.zero("a sponge goes on or not", row.is_last * (goes_on * (goes_on - 1)))
        must.zero("the digest is the first element", row.is_last * ((1 - goes_on) * (row.digest - outcome[0])))
        must.zero("nothing is left at the end", row.is_last * ((1 - goes_on) * row.left))
        must.zero("one less is left", row.is_last * (goes_on * (row.left - row.next.left - 1)))
        must.zero("a sponge has one digest", row.is_last * (goes_on * (row.next.digest - row.digest)))
        must.zero("the third element goes on", row.is_last * (goes_on * (inputs[2] - outcome[2])))
        must.zero("the digest stands in every row", (1 - row.is_last) * (row.next.digest - row.digest))
        must.zero("what is left stands in every row", (1 - row.is_last) * (row.next.left - row.left))
        is_start = 1 - goes_on
        absorbed = [inputs[place] - prefixed[place] - goes_on * outcome[place] for place in range(RATE)]
        capacity, left = is_start * inputs[2] - prefixed[2], row.next.left
        if self.prefix is not None:
            left = left + PREFIXED * after[SPARE]
        must.send(POSEIDON, [row.next.digest, left, is_start, capacity, *absorbed], row.is_last * after[COUNT])

    def _shortened(self, sponge: Sponge) -> tuple[Sponge, bool]:
        """A list that begins with the prefix, as it goes on from there; and whether it does."""
        first, second, *rest = sponge.elements
        if self.begun is None or not rest or (sponge.capacity, (first, second)) != (LIST, self.prefix):
            return sponge, False
        rest[0], rest[1] = ((value + left) % PRIME for value, left in zip(rest[:2], self.begun[:2], strict=True))
        return Sponge(self.begun[2], tuple(rest), sponge.times), True

    def fill(self, sponges: Sequence[Sponge], log_rows: int, threads: int = 1) -> tuple[Felts, list[int]]:
        """The table for these lists, and their digests. Lists that begin with the prefix start from its state."""
        if any(not sponge.elements or len(sponge.elements) % RATE for sponge in sponges):
            raise ValueError("a sponge absorbs an even number of elements, at least two")
        room, shown = (1 << log_rows) // ROWS, [self._shortened(sponge) for sponge in sponges]
        sponges = [sponge for sponge, _ in shown]
        lengths = [len(sponge.elements) // RATE for sponge in sponges]
        if sum(lengths) > room:
            raise ValueError(f"{sum(lengths)} permutations; 2**{log_rows} rows hold {room}")
        if sum(lengths) < room:  # one permutation of zeros, which all others that are unused repeat
            sponges, lengths = [*sponges, Sponge(0, (0,) * RATE, 0)], [*lengths, 1]
        used = sum(lengths)
        capacities = from_ints([sponge.capacity for sponge in sponges])
        starts = np.cumsum([0, *lengths[:-1]])
        begins = np.zeros(used, np.int64)
        begins[starts] = 1 + np.arange(len(lengths))  # one more than the sponge's number
        constants = from_ints([value for triple in round_constants() for value in triple])
        table = np.zeros((CELLS + 2, 1 << log_rows, 4), np.uint64)
        outcomes = np.empty((used, 4), np.uint64)
        absorbed = from_ints([element for sponge in sponges for element in sponge.elements])
        bounds = [*starts.tolist(), used]

        def work(start: int, stop: int) -> None:
            _fill(absorbed, capacities, begins, constants, table, outcomes, bounds[start], bounds[stop])

        in_ranges(len(starts), threads, work)
        blocks, counts = table.reshape(CELLS + 2, room, ROWS, 4), np.array(lengths)
        digests = outcomes[starts + counts - 1]
        left = np.repeat(starts + counts, counts) - 1 - np.arange(used)
        blocks[CELLS, :used] = np.repeat(digests, counts, axis=0)[:, None]
        blocks[CELLS + 1, :used] = from_small(left)[:, None]
        blocks[COUNT, :used, 0] = np.repeat(from_ints([sponge.times for sponge in sponges]), counts, axis=0)
        blocks[COUNT, :used, LAST] = from_small(left > 0)
        prefixed = starts[[place for place, (_, is_prefixed) in enumerate(shown) if is_prefixed]]
        blocks[SPARE, prefixed, 0] = from_ints([1])[0]
        blocks[:, used:] = blocks[:, used - 1 : used]
        return table, to_ints(digests)[: len(shown)]


class _Base:
    """What is cubed, and the multiples of it that a recurrence takes one, two and three rounds later."""

    def __init__(self, cell: Expr):
        self.cell, self.cube = cell, cell**3
        # Sums of equals, where a product costs four times as much.
        gap, twice = cell - self.cube, self.cube + self.cube
        four_times = twice + twice
        self.soon = gap + gap
        self.last = four_times + four_times
        self.later = (self.soon + self.soon) + (self.last + twice)


def _triple(values: Sequence[Expr]) -> Triple:
    first, second, third = values
    return first, second, third


def _mixed(bases: Sequence[_Base]) -> Triple:
    """The state after a full round, without the next one's constants."""
    first, second, third = (base.cube for base in bases)
    near, far = first + second, first + third
    return near + (first + far), far - second, near - (third + third)


def _recur(bases: Sequence[_Base]) -> Expr:
    """The base after three others, without its constant."""
    first, second, third = bases
    return third.soon + second.later + first.last


def _entered(state: Triple, after: Sequence[Expr]) -> Triple:
    """The first three bases of the partial rounds, from the state after the full ones."""
    (x, y, z), (next_x, next_y, next_z), (_, _, last_z) = (_partial(index) for index in range(3))
    first = state[2] + z
    second = state[0] + state[1] + (x + y + next_z) - 2 * after[0] ** 3
    sums = 4 * (state[0] + x) + 2 * after[0] ** 3 + (next_x + next_y)
    return first, second, sums - 2 * after[1] ** 3 + last_z


def _left(bases: Sequence[_Base]) -> Triple:
    """The first bases of the full rounds that follow, from the last two of the partial ones and the third element."""
    before, base, third = bases[0], bases[1], bases[2].cell
    last_x, last_y, last_z = _partial(PARTIAL_ROUNDS - 1)
    quarter = inverse(4)
    x_before = (third + 2 * base.cube - 2 * before.cube - (last_x + last_y)) * quarter
    sum_before = base.cell - last_z + 2 * before.cube
    x = 2 * x_before + sum_before + before.cube + last_x
    pair = third + 2 * base.cube
    own = round_constants()[HALF + PARTIAL_ROUNDS]
    return 2 * x + pair + base.cube + own[0], 2 * x - pair + base.cube + own[1], third + own[2]


@kernel
def _cube(value: Felt) -> Felt:
    return multiply(square(value), value)


@kernel
def _fill(
    elements: Felts, capacities: Felts, begins: NDArray[np.int64], constants: Felts, table: Felts, outcomes: Felts,
    start: int, stop: int,
) -> None:  # fmt: skip
    """Run permutations, from where a sponge begins, and keep what the rows show of them."""
    x, y, z = ZERO, ZERO, ZERO
    for index in range(start, stop):
        if begins[index]:
            x, y, z = ZERO, ZERO, load(capacities, begins[index] - 1)
        x, y = add(x, load(elements, 2 * index)), add(y, load(elements, 2 * index + 1))
        base = ROWS * index
        for number in range(ROUNDS):
            x = add(x, load(constants, 3 * number))
            y = add(y, load(constants, 3 * number + 1))
            z = add(z, load(constants, 3 * number + 2))
            if number < HALF or number >= HALF + PARTIAL_ROUNDS:
                is_late = number >= HALF
                first = 3 * (number - (HALF + PARTIAL_ROUNDS if is_late else 0))
                at = base + (LAST if is_late else ENTERING)
                store(table[first], at, x)
                store(table[first + 1], at, y)
                store(table[first + 2], at, z)
                x, y = _cube(x), _cube(y)
            else:
                place = number - HALF
                store(table[place % CELLS], base + ENTERING + 1 + place // CELLS, z)
            z = _cube(z)
            both = add(x, y)
            x, y, z = add(add(add(x, x), both), z), add(subtract(x, y), z), subtract(both, add(z, z))
            if number == HALF + PARTIAL_ROUNDS - 1:
                store(table[CELLS - 1], base + LEAVING, z)
        store(outcomes, index, x)
