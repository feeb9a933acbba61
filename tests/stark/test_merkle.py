"""Trees: the same roots and openings as the definition, for tables of any heights; nothing else is accepted."""

from __future__ import annotations

import random

import pytest

from stark.field import from_ints
from stark.keccak import keccak256
from stark.merkle import Tree, hasher
from stark.opening import DIGESTS, read_opening
from stark.prime import PRIME
from stark.proof import Reader, Rejection
from tests.reference import naive_proof

DRAW = random.Random(21)


def tables_of(shape: list[tuple[int, int]], log_blowup: int) -> list[naive_proof.Table]:
    """Random tables for (log rows, width), the tallest first."""
    cosets = 1 << log_blowup
    return [
        naive_proof.Table(
            [[[DRAW.randrange(PRIME) for _ in range(1 << log_rows)] for _ in range(cosets)] for _ in range(width)]
        )
        for log_rows, width in shape
    ]


def commit(tables: list[naive_proof.Table], name: str = "keccak", threads: int = 1) -> Tree:
    """The library's tree over the same cells."""
    arrays = [
        from_ints([cell for column in table.cells for coset in column for cell in coset]).reshape(
            len(table.cells), table.cosets, table.rows, 4
        )
        for table in tables
    ]
    return Tree.commit(arrays, hasher(name), threads)


SHAPES = [
    ([(0, 1)], 1),
    ([(3, 2)], 1),
    ([(4, 3), (4, 1), (2, 2)], 2),
    ([(5, 1), (4, 1), (3, 1), (0, 2)], 3),
    ([(7, 5), (1, 4)], 1),
    ([(7, 2), (6, 1)], 4),
]


@pytest.mark.parametrize(("shape", "log_blowup"), SHAPES)
def test_roots_and_openings_are_those_of_the_definition(shape: list[tuple[int, int]], log_blowup: int) -> None:
    tables = tables_of(shape, log_blowup)
    tree, twin = commit(tables, threads=2), naive_proof.Tree(tables)
    assert tree.log_size == twin.log_size == shape[0][0] + log_blowup
    assert tree.root == twin.digest(twin.log_size, 0)
    for count in (1, 2, 5, 1 << tree.log_size):
        positions = [DRAW.randrange(1 << tree.log_size) for _ in range(count)]
        assert tree.open(positions) == twin.open(positions)
    assert tree.open(range(1 << tree.log_size)) == twin.open(range(1 << tree.log_size))


def levels_of(shape: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Widths by height."""
    return [(height, sum(width for own, width in shape if own == height)) for height in dict(shape)]


@pytest.mark.parametrize("name", ["keccak", "poseidon"])
@pytest.mark.parametrize(("shape", "log_blowup"), SHAPES)
def test_an_opening_gives_its_rows_and_its_root(shape: list[tuple[int, int]], log_blowup: int, name: str) -> None:
    tables = tables_of(shape, log_blowup)
    tree = commit(tables, name)
    positions = sorted({DRAW.randrange(1 << tree.log_size) for _ in range(4)})
    reader = Reader(tree.open(positions))
    opened = read_opening(reader, tree.root, positions, levels_of(shape), log_blowup, name)
    reader.finish()
    for (height, _), rows in zip(levels_of(shape), opened, strict=True):
        own = [table for table in tables if table.rows == 1 << height]
        assert sorted(rows) == sorted({position >> (shape[0][0] - height) for position in positions})
        for position, row in rows.items():
            assert b"".join(value.to_bytes(32, "big") for value in row) == b"".join(t.row(position) for t in own)


@pytest.mark.parametrize("name", ["keccak", "poseidon"])
def test_every_spoiled_word_is_refused(name: str) -> None:
    shape, log_blowup = [(4, 3), (2, 2)], 2
    tree = commit(tables_of(shape, log_blowup), name)
    positions = [3, 4, 5, 40, 63]
    stream = tree.open(positions)
    for start in range(0, len(stream), 32):
        spoiled = bytearray(stream)
        spoiled[start + DRAW.randrange(32)] ^= 1 << DRAW.randrange(8)
        with pytest.raises(Rejection):
            read_opening(Reader(bytes(spoiled)), tree.root, positions, shape, log_blowup, name)
    with pytest.raises(Rejection, match="ends at byte"):
        read_opening(Reader(stream[:-1]), tree.root, positions, shape, log_blowup, name)


def test_a_short_row_is_the_same_for_all_positions_that_fold_onto_it() -> None:
    """Two positions of one class give one short row; another row for the second would lead to another root."""
    shape, log_blowup = [(3, 1), (1, 1)], 1
    tree = commit(tables_of(shape, log_blowup))
    one, other = (read_opening(Reader(tree.open([at])), tree.root, [at], shape, log_blowup, "keccak") for at in (0, 3))
    assert one[1] == other[1] and one[0] != other[0]


def test_leaves_and_nodes_can_not_be_taken_for_each_other() -> None:
    """A row of two words is as long as a node; the byte before it keeps their digests apart."""
    left, right = keccak256(b"left"), keccak256(b"right")
    row = [int.from_bytes(left, "big") % PRIME, int.from_bytes(right, "big") % PRIME]
    digests = DIGESTS["keccak"]
    words = [value.to_bytes(32, "big") for value in row]
    assert digests.row(row) != digests.node(*words)
    assert digests.row([*row, row[0]]) != digests.entering(*words, words[0])
    assert DIGESTS["poseidon"].row(row) != DIGESTS["poseidon"].node(*words)


def test_tables_out_of_order_are_refused() -> None:
    tables = tables_of([(2, 1), (3, 1)], 1)
    with pytest.raises(ValueError, match="tallest first"):
        commit(tables)
