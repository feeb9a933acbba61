"""Memory and Merkle updates: what they lend is right, every cell matters, and known cheats are refused."""

from __future__ import annotations

import random

import pytest

from stark.air.check import check
from stark.air.chip import Bus, Chip, Must, Row
from stark.air.system import Public, System
from stark.chips.memory import Access, Cell, Memory, Touched
from stark.chips.merkle_update import TREE, Change, MerkleUpdate
from stark.chips.poseidon import Poseidon
from stark.chips.ranges import Range
from stark.chips.tables import by_rows, cells
from stark.field import Felts, from_ints, to_ints
from stark.fixed import prepare
from stark.parameters import Parameters
from stark.poseidon import hash2
from stark.prover import prove
from stark.verifier import verify
from tests.stark.mutation import unnoticed

QUICK = Parameters(log_blowup=2, queries=6, grinding_bits=0, log_final=1)


def is_proven(system: System, public: list[int], traces: list[Felts]) -> bool:
    """Prove the tables and verify the proof."""
    fixed = prepare(system, [trace.shape[1].bit_length() - 1 for trace in traces], QUICK)
    return verify(fixed.key, public, prove(fixed, public, traces)) is None


class Story(Chip):
    """Says what was read and written, and what the memory began and ended with: the party that trusts the memory."""

    name = "story"
    columns = (("access", 6), "is_access", ("key", 5), "is_key")

    def __init__(self, memory: Memory):
        self.memory = memory

    def constrain(self, row: Row, must: Must) -> None:
        must.receive(self.memory.accesses, row["access"], row.is_access)
        must.receive(self.memory.touched, row["key"], row.is_key)


MEMORY = Memory("cash", ("amount", "lock"), bits=4, key_limbs=2, time_limbs=2)
SYSTEM = System("memory", [Access(MEMORY), Touched(MEMORY), Range(4), Story(MEMORY)])
ACCESS, TOUCHED, RANGE, STORY = range(4)


@pytest.mark.parametrize("width", [1, 3])
def test_memory_and_updates_cost_what_their_docstrings_say(width: int) -> None:
    """Cells of a row, those of the chip's own and those of its bus."""
    memory = Memory("wide", [f"field{place}" for place in range(width)])
    tables = System("costs", [Access(memory), Touched(memory), MerkleUpdate(), Range()]).tables
    costs = [(table.trace_width, table.bus_width) for table in tables]
    assert costs == [(4 + 2 * width + 2, 2), (3 + 2 * width + 2 * 4, 3), (11, 2), (2, 1)]
    assert max(table.degree for table in tables) == 5


def told(accesses: list[Cell], log_rows: int = 3) -> list[Felts]:
    """Tables for accesses: the memory's own, the numbers they ask for, and the story."""
    access, touched = Access(MEMORY), Touched(MEMORY)
    tables = [access.fill(accesses, log_rows), touched.fill(accesses, log_rows)]
    ends: dict[int, list[tuple[int, ...]]] = {}
    for one in accesses:
        ends.setdefault(one.key, [one.before, one.after])[1] = one.after
    lines = [[time, one.key, *one.before, *one.after, 1] for time, one in enumerate(accesses, 1)]
    keys = [[key, *before, *after, 1] for key, (before, after) in sorted(ends.items())]
    rows = [
        [*(lines[place] if place < len(lines) else [0] * 7), *(keys[place] if place < len(keys) else [0] * 6)]
        for place in range(1 << log_rows)
    ]
    return [*tables, Range(4).fill(asked(tables)), by_rows(rows, log_rows)]


def asked(tables: list[Felts]) -> list[int]:
    """The numbers that both tables lend from the range table."""
    return cells(tables[ACCESS], slice(8, 10)) + cells(tables[TOUCHED], slice(7, 11))


HISTORY = [
    Cell(7, (100, 0), (70, 0)),
    Cell(255, (0, 0), (30, 1)),
    Cell(7, (70, 0), (70, 0)),
    Cell(0, (5, 5), (5, 6)),
    Cell(7, (70, 0), (0, 9)),
]


def test_memory_gives_back_what_was_last_written() -> None:
    traces = told(HISTORY)
    assert not list(check(SYSTEM, [], traces))
    assert is_proven(SYSTEM, [], traces)


def test_every_cell_of_a_memory_matters() -> None:
    found = unnoticed(SYSTEM, [], told(HISTORY))
    assert [cell for cell in found if not cell.startswith("story")] == []  # the story's idle cells say nothing


def test_a_memory_of_nothing_is_idle() -> None:
    access, touched = Access(MEMORY).fill([], 2), Touched(MEMORY).fill([], 2)
    story = by_rows([], 2, 13)
    tables = [access, touched, Range(4).fill(asked([access, touched])), story]
    assert not list(check(SYSTEM, [], tables))


def broken(traces: list[Felts]) -> str:
    """What the row checker says."""
    return "; ".join(str(each) for each in check(SYSTEM, [], traces))


def test_a_value_that_was_never_written_is_not_read() -> None:
    assert "cash history" in broken(told([Cell(7, (100, 0), (70, 0)), Cell(7, (80, 0), (80, 0))]))


def test_the_future_is_not_read() -> None:
    """A read of what a later row writes: the messages balance, the ages do not."""
    traces = told([Cell(7, (1, 1), (1, 1)), Cell(7, (1, 1), (2, 2)), Cell(7, (2, 2), (2, 2))])
    access, touched = traces[ACCESS], traces[TOUCHED]
    # The first access takes what the third wrote, the second begins the chain, the third follows the second.
    for column, values in ((3, (3, 0, 2)), (4, (2, 1, 2)), (5, (2, 1, 2)), (6, (2, 2, 2)), (7, (2, 2, 2))):
        access[column, :3] = from_ints(list(values))
    touched[2, 0], touched[5, 0], touched[6, 0] = from_ints([1, 2, 2])
    for column, values in ((2, (2, 1, 2)), (3, (2, 1, 2)), (4, (2, 2, 2)), (5, (2, 2, 2))):
        traces[STORY][column, :3] = from_ints(list(values))
    traces[STORY][10, 0], traces[STORY][11, 0] = from_ints([2, 2])
    said = broken(traces)
    assert "what is found is older" in said and "history" not in said


def test_a_key_has_one_history() -> None:
    """Two rows for one key give it two beginnings: the keys do not rise."""
    one, two = told([Cell(7, (1, 1), (1, 1))], 2), told([Cell(7, (9, 9), (9, 9))], 2)
    one[TOUCHED][:, 1] = two[TOUCHED][:, 0]
    assert "keys rise" in broken(one)


def test_a_memory_that_is_too_small_says_so() -> None:
    with pytest.raises(ValueError, match=r"9 rows; a table of 2\*\*3 holds 8"):
        Access(MEMORY).fill([HISTORY[0]] * 9, 3)
    with pytest.raises(ValueError, match="limbs"):
        Touched(MEMORY).fill([Cell(256, (0, 0), (0, 0))], 3)


# --- Merkle updates ---------------------------------------------------------------------------------------------------

DEPTH = 4


class Leaves(Chip):
    """Sends the changes of leaves."""

    name = "leaves"
    columns = ("index", "before", "after", "live")

    def constrain(self, row: Row, must: Must) -> None:
        must.boolean("live", row.live)
        must.send(TREE, [DEPTH, row.index, row.before, row.after], row.live)
        must.send(SAID, [row.index, row.before, row.after], row.live)


SAID = Bus("said", ("index", "before", "after"))


def updating(changes: dict[int, Change], log_nodes: int = 4) -> tuple[System, list[int], list[Felts]]:
    """A tree of 16 leaves of which some change; the statement names each change, and the root before and after."""
    levels = [[1000 + index for index in range(1 << DEPTH)]]
    for index, change in changes.items():
        levels[0][index] = change.before
    while len(levels[-1]) > 1:
        levels.append([hash2(*levels[-1][place : place + 2]) for place in range(0, len(levels[-1]), 2)])
    filled = MerkleUpdate().fill(DEPTH, changes, lambda depth, index: levels[DEPTH - depth][index], log_nodes)
    assert filled.root.before == levels[-1][0]
    poseidon, _ = Poseidon().fill(filled.hashed, 4 + (len(filled.hashed) - 1).bit_length())
    said = [value for index, change in sorted(changes.items()) for value in (index, *change)]
    names = [f"{part}{place}" for place in range(len(changes)) for part in ("index", "before", "after")]

    def environment(public: Public, must: Must) -> None:
        must.receive(TREE, [0, 0, public.root_before, public.root_after])
        for start in range(0, len(names), 3):
            must.receive(SAID, [getattr(public, name) for name in names[start : start + 3]])

    rows = [[index, *change, 1] for index, change in sorted(changes.items())]
    leaves = by_rows(rows, 2)
    chips = [MerkleUpdate(), Poseidon(), Leaves()]
    system = System("updating", chips, ["root_before", "root_after", *names], environment)
    return system, [*filled.root, *said], [filled.table, poseidon, leaves]


CHANGES = {0: Change(5, 6), 1: Change(7, 7), 9: Change(0, 1)}


def test_a_root_follows_from_its_changed_leaves() -> None:
    system, public, traces = updating(CHANGES)
    assert not list(check(system, public, traces))
    assert is_proven(system, public, traces)
    leaves = [1000 + index for index in range(1 << DEPTH)]
    leaves[0], leaves[1], leaves[9] = 6, 7, 1
    while len(leaves) > 1:
        leaves = [hash2(*leaves[place : place + 2]) for place in range(0, len(leaves), 2)]
    assert public[1] == leaves[0]


def test_every_cell_of_an_update_matters() -> None:
    """Of three leaves under one root: nodes with one touched child and with two, and an idle row."""
    system, public, traces = updating(CHANGES, log_nodes=3)
    assert [int(live) for live in to_ints(traces[0][0])] == [1] * 7 + [0]
    found = unnoticed(system, public, traces, {"poseidon": 8})
    assert [cell for cell in found if not cell.startswith("leaves")] == []  # the test's own idle cells say nothing


def test_a_changed_leaf_cannot_be_left_out() -> None:
    """The node above says that its left child is untouched: the leaf's message finds no taker."""
    system, public, traces = updating(CHANGES)
    honest = updating({1: Change(7, 7), 9: Change(0, 1)})[2]
    traces[0] = honest[0]
    assert any("tree" in str(each) for each in check(system, public, traces))


def test_a_node_cannot_have_two_rows() -> None:
    """One row for each child, each from the old state: two roots, of which the statement takes one."""
    system, public, traces = updating({0: Change(5, 6), 1: Change(7, 8)})
    apart = [updating({0: Change(5, 6), 1: Change(7, 7)})[2][0], updating({0: Change(5, 5), 1: Change(7, 8)})[2][0]]
    for place in range(DEPTH):
        traces[0][:, place], traces[0][:, DEPTH + place] = apart[0][:, place], apart[1][:, place]
    assert any("tree (0, 0" in str(each) for each in check(system, public, traces))


def test_nothing_to_change_is_refused() -> None:
    with pytest.raises(ValueError, match="stays as it is"):
        MerkleUpdate().fill(DEPTH, {}, lambda depth, index: 0, 4)


def test_random_updates_agree_with_a_tree() -> None:
    draw = random.Random(3)
    for _ in range(5):
        chosen = draw.sample(range(1 << DEPTH), 4)
        changes = {index: Change(draw.randrange(100), draw.randrange(100)) for index in chosen}
        system, public, traces = updating(changes)
        assert not list(check(system, public, traces))
