"""Ready chips: what they lend is right, every cell of theirs matters, and they prove."""

from __future__ import annotations

import random

import numpy as np
import pytest

from stark.air.check import check
from stark.air.chip import Bus, Chip, Must, Row
from stark.air.system import Public, System
from stark.chips.poseidon import (
    LIST,
    PAIR,
    POSEIDON,
    PREFIXED,
    SINGLE,
    Poseidon,
    Sponge,
    list_sponge,
    pair_sponge,
    take_hash,
)
from stark.chips.ranges import Numbers, Range, cut, is_number, limbs_of, numbers_asked
from stark.chips.tables import by_rows, cells, from_columns
from stark.field import Felts, from_ints, to_ints
from stark.fixed import prepare
from stark.parameters import Parameters
from stark.poseidon import hash1, hash2, hash_many, round_constants
from stark.prime import PRIME
from stark.prover import prove
from stark.verifier import verify
from tests.stark.mutation import unnoticed

DRAW = random.Random(8)
QUICK = Parameters(log_blowup=2, queries=6, grinding_bits=0, log_final=1)


def columns(values: list[list[int]]) -> Felts:
    """Lists of integers as columns."""
    return from_ints([value for column in values for value in column]).reshape(len(values), -1, 4)


def is_proven(system: System, public: list[int], traces: list[Felts]) -> bool:
    """Prove the tables and verify the proof."""
    fixed = prepare(system, [trace.shape[1].bit_length() - 1 for trace in traces], QUICK)
    return verify(fixed.key, public, prove(fixed, public, traces)) is None


# --- ranges -----------------------------------------------------------------------------------------------------------

BITS = 4
GIVEN = Bus("given", ("value",))


class Cut(Chip):
    """Cuts one value a row into three limbs of four bits."""

    name = "cut"
    columns = ("value", ("limb", 3))

    def constrain(self, row: Row, must: Must) -> None:
        must.send(GIVEN, [row.value])
        cut(must, "value", row.value, row["limb"], BITS)


def cutting(values: list[int]) -> tuple[System, list[Felts]]:
    """A system that states the values and cuts them."""
    names = [f"value{place}" for place in range(len(values))]

    def environment(public: Public, must: Must) -> None:
        for name in names:
            must.receive(GIVEN, [getattr(public, name)])

    limbs = [limbs_of(value % (1 << 3 * BITS), 3, BITS) for value in values]
    chip = Range(BITS)
    tables = [
        columns([values, *([row[place] for row in limbs] for place in range(3))]),
        chip.fill(limb for row in limbs for limb in row),
    ]
    return System("cutting", [Cut(), chip], names, environment), tables


def test_numbers_are_cut_into_limbs() -> None:
    values = [0, 1, 4095, *(DRAW.randrange(4096) for _ in range(5))]
    system, traces = cutting(values)
    assert not unnoticed(system, values, traces)
    assert is_proven(system, values, traces)


def test_columns_of_integers_are_elements_whatever_their_size() -> None:
    edges = [0, 1, (1 << 64) - 1, 1 << 64, PRIME - 1]
    values = [[edge, row, edges[row], DRAW.randrange(PRIME)] for row, edge in enumerate(reversed(edges))]
    flat = [value for row in values for value in row]
    assert from_columns(np.array(values, object)).reshape(-1, 4).tolist() == from_ints(flat).tolist()
    for wrong in (-1, PRIME, 1 << 256):
        with pytest.raises(ValueError, match="element"):
            from_columns(np.array([[1], [wrong]], object))
    with pytest.raises(ValueError, match="a row has not 2 cells"):
        by_rows([[1, 2], [3]], 2)


@pytest.mark.parametrize("value", [4096, PRIME - 1, 1 << 200])
def test_a_number_that_is_too_large_has_no_limbs(value: int) -> None:
    values = [value, *range(7)]
    system, traces = cutting(values)
    assert any("value" in str(each) for each in check(system, values, traces))
    with pytest.raises(ValueError, match="limbs"):
        limbs_of(value, 3, BITS)


def test_limbs_of_one_width_are_not_lent_by_a_table_of_another() -> None:
    """Limbs of four bits and numbers of eight: 4096 would be 0, 0 and 16."""

    def environment(public: Public, must: Must) -> None:
        must.receive(GIVEN, [public.value])

    system = System("two widths", [Cut(), Range(8)], ["value"], environment)
    traces = [columns([[4096], [0], [0], [16]]), Range(8).fill([0, 0, 16])]
    assert any("range of 4 bits" in str(each) for each in check(system, [4096], traces))


class Wide(Chip):
    """A number of 64 bits and one of 128 in each row, in limbs of 16 bits."""

    name = "wide"
    columns = ("small", "large", ("small_limb", 4), ("large_limb", 8))

    def constrain(self, row: Row, must: Must) -> None:
        cut(must, "64 bits", row.small, row["small_limb"])
        cut(must, "128 bits", row.large, row["large_limb"])


def test_numbers_of_64_and_128_bits_are_cut() -> None:
    """At the cost that the docstring says: 5 and 10 cells, besides the number's own."""
    smalls = [0, 1, (1 << 64) - 1, DRAW.randrange(1 << 64)]
    larges = [(1 << 128) - 1, DRAW.randrange(1 << 128), 0, 1 << 127]
    rows = [[a, b, *limbs_of(a, 4), *limbs_of(b, 8)] for a, b in zip(smalls, larges, strict=True)]
    system = System("wide", [Wide(), Range()])
    assert system.tables[0].trace_width + system.tables[0].bus_width == 2 + 5 + 10
    table = by_rows(rows, 2)
    traces = [table, Range().fill(cells(table, slice(2, 14)))]
    assert unnoticed(system, [], traces, {"range": 2}) == []
    for column in range(14):
        for row in range(4):
            kept = table[column, row].copy()
            for value in (65536, PRIME - 1):
                table[column, row] = from_ints([value])[0]
                assert next(iter(check(system, [], traces)), None), f"row {row}, column {column}"
            table[column, row] = kept
    table[0, 1] = from_ints([1 << 64])[0]  # its limbs would be 0, 0, 0, 0 and 1: there is no fifth
    assert any("64 bits" in str(each) for each in check(system, [], traces))


class Asks(Chip):
    """Asks for a number of 64 bits and one of 40."""

    name = "asks"
    columns = ("large", "small")

    def constrain(self, row: Row, must: Must) -> None:
        is_number(must, row.large)
        is_number(must, row.small, 40)


def asking(large: list[int], small: list[int]) -> list[Felts]:
    """Tables for numbers, those that are too large asked for all the same."""
    asked = [number for value in large for number in numbers_asked(value)]
    asked += [number for value in small for number in numbers_asked(value, 40)]
    numbers = Numbers().fill([number for number in asked if number < 1 << 64], 4)
    return [columns([large, small]), numbers, Range().fill(cells(numbers, slice(0, 4)))]


def test_numbers_are_lent() -> None:
    system = System("asking", [Asks(), Numbers(), Range()])
    largest = [(1 << 64) - 1, (1 << 40) - 1]
    traces = asking([largest[0], 0, 5, 5], [largest[1], 0, 1, 1])
    assert not list(check(system, [], traces))
    assert unnoticed(system, [], traces, {"range": 2}) == []
    assert system.tables[1].trace_width + system.tables[1].bus_width == 7
    assert "number" in str(list(check(system, [], asking([1 << 64, 0, 5, 5], [0, 0, 1, 1]))))
    assert "number" in str(list(check(system, [], asking([0, 0, 5, 5], [1 << 40, 0, 1, 1]))))
    fraction = pow(1 << 24, -1, PRIME)  # times 2**24 it is 1, a number of 64 bits; it is none itself
    assert "number" in str(list(check(system, [], asking([0, 0, 5, 5], [fraction, 0, 1, 1]))))


def test_limbs_that_could_wrap_are_refused() -> None:
    with pytest.raises(ValueError, match="wrap"):
        cut(Must(), "value", Row(Cut()).value, [Row(Cut()).value] * 16)
    with pytest.raises(ValueError, match="outside"):
        Range(BITS).fill([16])


# --- Poseidon ---------------------------------------------------------------------------------------------------------


def hashing(sponges: list[Sponge], log_rows: int) -> tuple[System, list[int], list[Felts]]:
    """A system that states lists with their digests."""
    names = [f"digest{place}" for place in range(len(sponges))]
    names += [f"element{place}_{part}" for place, sponge in enumerate(sponges) for part in range(len(sponge.elements))]

    def environment(public: Public, must: Must) -> None:
        for place, sponge in enumerate(sponges):
            elements = [getattr(public, f"element{place}_{part}") for part in range(len(sponge.elements))]
            take_hash(must, getattr(public, f"digest{place}"), (sponge.capacity, elements), 1)

    chip = Poseidon()
    table, digests = chip.fill(sponges, log_rows)
    public = [*digests, *(element for sponge in sponges for element in sponge.elements)]
    return System("hashing", [chip], names, environment), public, [table]


def test_hashes_are_starknets() -> None:
    """Pairs, single elements, and lists of any length, beside the hashes that the exchange uses."""
    edges = [(0, 0), (1, 2), (PRIME - 1, PRIME - 1), (DRAW.randrange(PRIME), DRAW.randrange(PRIME))]
    lists = [[DRAW.randrange(PRIME) for _ in range(length)] for length in range(7)]
    sponges = [pair_sponge(*pair) for pair in edges] + [list_sponge(each) for each in lists]
    sponges.append(Sponge(SINGLE, (5, 0)))
    system, public, traces = hashing(sponges, 9)
    expected = [*(hash2(*pair) for pair in edges), *(hash_many(each) for each in lists), hash1(5)]
    assert public[: len(expected)] == expected
    assert not list(check(system, public, traces))
    assert is_proven(system, public, traces)
    assert system.tables[0].degree == 5
    assert system.tables[0].trace_width + system.tables[0].bus_width == 17


def test_cells_are_what_the_rounds_cube() -> None:
    """Row by row, by plain arithmetic: three elements of a full round, one of a partial one."""
    table, _ = Poseidon().fill([pair_sponge(21, 34)], 3)
    shown = [value for row in range(8) for value in to_ints(table[:14, row])]
    found, state = [], [21, 34, PAIR]
    for number, constants in enumerate(round_constants()):
        bases = [(value + constant) % PRIME for value, constant in zip(state, constants, strict=True)]
        is_full = number not in range(4, 87)
        cubes = [pow(base, 3, PRIME) if is_full or place == 2 else base for place, base in enumerate(bases)]
        found += bases if is_full else bases[2:]
        state = [sum(cubes) + 2 * cubes[0], sum(cubes) - 2 * cubes[1], sum(cubes) - 3 * cubes[2]]
        found += {3: [0, 1], 86: [state[2] % PRIME], 90: [0, 0]}.get(number, [])  # it is taken once, and does not go on
    assert shown == found and state[0] % PRIME == hash2(21, 34)


def test_every_cell_of_a_hash_matters() -> None:
    system, public, traces = hashing([list_sponge([5, 6, 7]), pair_sponge(1, 2)], 5)
    assert unnoticed(system, public, traces) == []


def test_padding_lends_nothing() -> None:
    """Permutations that nobody asked for are there, and sent no times: stating one of them does not balance."""
    system, public, traces = hashing([pair_sponge(5, 6)], 4)
    assert not list(check(system, public, traces))
    zeros = list_sponge([])._replace(elements=(0, 0))
    padding, own, _ = hashing([zeros], 4)
    assert any("poseidon" in str(each) for each in check(padding, own, traces))
    with pytest.raises(ValueError, match="hold 2"):
        Poseidon().fill([pair_sponge(0, 0)] * 3, 4)
    with pytest.raises(ValueError, match="even"):
        Poseidon().fill([Sponge(LIST, (1, 2, 3))], 6)


def test_a_list_cannot_be_cut_or_crossed_with_another() -> None:
    """A part of a list, two lists' parts together, or another start are not what was hashed."""
    one, other = list_sponge([1, 2, 3, 4]), list_sponge([5, 6, 7, 8])
    system, public, traces = hashing([one, other], 7)
    first, second = public[:2]
    for digest, sponge in (
        (first, one._replace(elements=one.elements[2:])),
        (first, one._replace(elements=one.elements[:4])),
        (first, one._replace(elements=(*one.elements[:2], *other.elements[2:]))),
        (second, one._replace(elements=(*one.elements[:2], *other.elements[2:]))),
        (first, one._replace(capacity=PAIR)),
    ):
        false, stated, _ = hashing([sponge, other], 7)
        stated[0] = digest
        assert any("poseidon" in str(each) for each in check(false, stated, traces))


PREFIX = (11, 12)


def prefixed(lists: list[list[int]], log_rows: int, *, at_start: bool = True) -> tuple[System, list[int], list[Felts]]:
    """A system that states digests of lists, and takes the messages of what follows the prefix.

    `at_start`: the first message of each says that it is prefixed.
    """
    names = [f"digest{place}" for place in range(len(lists))]

    def environment(public: Public, must: Must) -> None:
        for name, each in zip(names, lists, strict=True):
            _, elements, _ = list_sponge(each)
            count = len(elements) // 2
            for place in range(1, count):
                left = count - 1 - place + (PREFIXED if at_start and place == 1 else 0)
                must.receive(
                    POSEIDON, [getattr(public, name), left, int(place == 1), 0, *elements[2 * place : 2 * place + 2]]
                )

    chip = Poseidon(PREFIX)
    table, digests = chip.fill([list_sponge(each) for each in lists], log_rows)
    return System("prefixed", [chip], names, environment), digests, [table]


def test_lists_of_one_prefix_start_from_its_state() -> None:
    """Two permutations instead of three, with Starknet's digest; every cell matters, those of unused places too."""
    lists = [[*PREFIX, 13, 14], [*PREFIX, 15]]
    system, public, traces = prefixed(lists, 5)
    assert public == [hash_many(each) for each in lists]
    assert unnoticed(system, public, traces) == []
    assert is_proven(system, public, traces)
    times = to_ints(traces[0][13, ::8])
    assert times == [1, 1, 1, 0]


def test_only_a_list_that_begins_with_the_prefix_starts_from_its_state() -> None:
    """What begins otherwise, or from nothing, is not taken for a list with the prefix, nor the other way round."""
    honest, public, traces = prefixed([[*PREFIX, 13, 14]], 5)
    assert not list(check(honest, public, traces))
    bare, own, _ = prefixed([[*PREFIX, 13, 14]], 5, at_start=False)
    assert any("poseidon" in str(each) for each in check(bare, own, traces))
    column, spare = traces[0][13], traces[0][12]
    for other in ([12, 11, 13, 14], [13, 14]):
        digests = Poseidon(PREFIX).fill([list_sponge(other)], 5)
        false = [digests[0]]
        assert any("poseidon" in str(each) for each in check(honest, digests[1], false))
        false[0][12, 0] = from_ints([1])[0]
        assert any("a prefix leaves" in str(each) for each in check(honest, digests[1], false))
    assert to_ints(spare)[0] == 1 and to_ints(column)[0] == 1
    spare[0] = from_ints([2])[0]
    assert any("prefixed or not" in str(each) for each in check(honest, public, traces))
