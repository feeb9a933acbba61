"""Trees over the rows of tables of different heights, and openings of some of their rows (the prover's side).

The tallest table's rows are the leaves. A shorter table's row enters at the level that has as many nodes as the table's
extension has points, so one row is bound to all the leaves that fold onto it: a prover can't show different rows of a
short table to different queries, as it could if the shorter table were only repeated. Positions are those of
`stark.domain`; in memory a level keeps a coset's rows in natural order, where siblings lie half a coset apart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stark.field import Felts, from_montgomery, ints_from_plain
from stark.keccak import CONSTANTS, digest_nodes, digest_rows, gather_rows, keccak256
from stark.poseidon import hash2_batch, hash_many, hash_many_batch
from stark.prime import reverse_bits
from stark.progress import Report, unheard, within
from stark.proof import words_of
from stark.threads import in_ranges, in_steps

Lanes = NDArray[np.uint64]
ROWS_AT_ONCE = 64  # a block of rows of a hundred columns is 200 kB
BLOCKS_AT_LEAST = 256  # between two reports
_NO_ROWS = np.empty((0, 4), np.uint64)


class Hasher(Protocol):
    """How rows and nodes become digests of four lanes; `words` writes a digest as a proof does."""

    def rows(self, rows: Felts, digests: Lanes) -> None:
        """Digests of rows (count, width, 4)."""

    def nodes(self, left: Lanes, right: Lanes, entering: Lanes, digests: Lanes) -> None:
        """Digests of pairs, each with the digest of a shorter table's row unless `entering` is empty."""

    def word(self, digest: Lanes) -> bytes:
        """A digest as 32 bytes."""

    def leaf(self, row: bytes) -> bytes:
        """The digest of a row that is written as in a proof, as 32 bytes."""


class KeccakHasher:
    """For proofs read by the EVM."""

    def rows(self, rows: Felts, digests: Lanes) -> None:
        """keccak256(0x00 || words)."""
        digest_rows(rows, CONSTANTS, len(rows), digests)

    def nodes(self, left: Lanes, right: Lanes, entering: Lanes, digests: Lanes) -> None:
        """keccak256(left || right || entering)."""
        digest_nodes(left, right, entering, CONSTANTS, digests)

    def word(self, digest: Lanes) -> bytes:
        """The lanes' bytes as they are."""
        return digest.tobytes()

    def leaf(self, row: bytes) -> bytes:
        """keccak256(0x00 || words)."""
        return keccak256(b"\0" + row)


class PoseidonHasher:
    """For proofs read by another proof. Digests are field elements in Montgomery form."""

    def rows(self, rows: Felts, digests: Lanes) -> None:
        """Poseidon of a sequence."""
        digests[:] = hash_many_batch(rows)

    def nodes(self, left: Lanes, right: Lanes, entering: Lanes, digests: Lanes) -> None:
        """Poseidon of two; with a row entering, of that digest and the row's."""
        digests[:] = hash2_batch(left, right)
        if len(entering):
            digests[:] = hash2_batch(digests, entering)

    def word(self, digest: Lanes) -> bytes:
        """The element, plain."""
        return words_of(ints_from_plain(from_montgomery(digest.reshape(1, 4))))

    def leaf(self, row: bytes) -> bytes:
        """Poseidon of a sequence."""
        return words_of([hash_many([int.from_bytes(row[at : at + 32], "big") for at in range(0, len(row), 32)])])


HASHERS: dict[str, type[KeccakHasher] | type[PoseidonHasher]] = {"keccak": KeccakHasher, "poseidon": PoseidonHasher}


def hasher(name: str) -> Hasher:
    """The hasher a parameter set names."""
    return HASHERS[name]()


RowsAt = Callable[[int, int, int], bytes]  # a row as a proof writes it: of the table of so many rows, on a coset
Place = tuple[int, int, int]


class Tree:
    """The nodes of every level above the rows of tables, and where to read these."""

    def __init__(
        self, levels: list[Lanes], heights: Collection[int], hasher: Hasher, row: RowsAt, *, keeps_leaves: bool
    ):
        self._sizes = [level.shape[:2] for level in levels]
        self._levels = levels  # each (cosets, rows, 4), down to one digest
        self._keeps_leaves = keeps_leaves or len(levels) == 1
        if not self._keeps_leaves:  # half of all digests, of which a proof shows at most one a query
            levels[0] = _NO_ROWS
        self._heights = frozenset(heights)
        self._hasher = hasher
        self._row = row
        self.log_size = (self._sizes[0][0] * self._sizes[0][1]).bit_length() - 1

    @property
    def root(self) -> bytes:
        """The digest of everything."""
        return self._hasher.word(self._levels[-1][0, 0])

    @classmethod
    def commit(cls, tables: Sequence[Felts], hasher: Hasher, threads: int = 1, report: Report = unheard) -> Tree:
        """Hash tables (width, cosets, rows, 4), the tallest first. Those of one height share rows, in this order."""
        heights = [table.shape[2] for table in tables]
        if not tables or heights != sorted(heights, reverse=True) or len({table.shape[1] for table in tables}) > 1:
            raise ValueError("a tree takes tables of the same blow-up, the tallest first")
        digests = []
        for rows in dict.fromkeys(heights):
            own = [table for table in tables if table.shape[2] == rows]
            found = np.empty((own[0].shape[1], rows, 4), np.uint64)
            for coset in range(len(found)):
                share = within(report, 0.5 * coset / len(found), 0.5 * (coset + 1) / len(found))
                digest_coset([table[:, coset] for table in own], hasher, threads, found[coset], share)
            digests.append(found)
            report = within(report, 0.5, 1)  # whatever is still to come is half of the rest at most

        def row(rows: int, coset: int, place: int) -> bytes:
            return row_words([table[:, coset, place] for table in tables if table.shape[2] == rows])

        return cls.grow(digests, hasher, row, threads, report)

    @classmethod
    def grow(
        cls,
        digests: Sequence[Lanes],
        hasher: Hasher,
        row: RowsAt,
        threads: int = 1,
        report: Report = unheard,
        *,
        keeps_leaves: bool = False,
    ) -> Tree:
        """A tree over digests of rows (cosets, rows, 4), the tallest first.

        Leaves are hashed again when they are shown, unless they are kept: where rows themselves are not.
        """
        entering = {level.shape[1]: level for level in digests[1:]}
        level = digests[0]
        levels = [level]
        while level.shape[0] * level.shape[1] > 1:
            level = _parents(level, entering.get(level.shape[1] // 2), hasher, threads)
            levels.append(level)
            report(1 - 0.5 ** len(levels))
        return cls(levels, [each.shape[1] for each in digests], hasher, row, keeps_leaves=keeps_leaves)

    def open(self, positions: Sequence[int]) -> bytes:
        """Rows and missing siblings for leaf positions: see `stark.opening` for the order."""
        current = sorted(set(positions))
        stream = [self._row(*self._at(0, position)) for position in current]
        for number in range(1, len(self._levels)):
            children = set(current)
            current = sorted({position >> 1 for position in current})
            enters = self._enters(number)
            for position in current:
                for child in (2 * position, 2 * position + 1):
                    if child not in children:
                        stream.append(self._digest(number - 1, child))
                if enters:
                    stream.append(self._row(*self._at(number, position)))
        return b"".join(stream)

    def places(self, positions: Sequence[int]) -> set[Place]:
        """The rows that an opening shows: rows of the table, coset and row."""
        shown = [number for number in range(len(self._levels)) if number == 0 or self._enters(number)]
        return {self._at(number, position >> number) for number in shown for position in positions}

    def _enters(self, number: int) -> bool:
        cosets, rows = self._sizes[number]
        return cosets == self._sizes[0][0] and rows in self._heights

    def _digest(self, number: int, position: int) -> bytes:
        rows, coset, row = self._at(number, position)
        if number == 0 and not self._keeps_leaves:
            return self._hasher.leaf(self._row(rows, coset, row))
        return self._hasher.word(self._levels[number][coset, row])

    def _at(self, number: int, position: int) -> Place:
        rows = self._sizes[number][1]
        coset, rest = divmod(position, rows)
        return rows, coset, reverse_bits(rest, rows.bit_length() - 1)


def row_words(cells: Sequence[Felts]) -> bytes:
    """A row of several tables, each (width, 4), as a proof writes it."""
    return words_of(ints_from_plain(from_montgomery(np.ascontiguousarray(np.concatenate(cells)))))


def digest_coset(
    tables: Sequence[Felts], hasher: Hasher, threads: int, digests: Lanes, report: Report = unheard
) -> None:
    """Digests of the rows of tables (width, rows, 4) of one height, side by side."""
    rows = len(digests)
    width = sum(len(table) for table in tables)
    block = min(ROWS_AT_ONCE, rows)

    def work(first: int, last: int) -> None:
        buffer = np.empty((block, width, 4), np.uint64)
        for start in range(first * block, last * block, block):
            offset = 0
            for table in tables:
                gather_rows(table, start, start + block, offset, buffer)
                offset += len(table)
            hasher.rows(buffer, digests[start : start + block])

    in_steps(rows // block, threads, work, (BLOCKS_AT_LEAST, 1), report)


def _parents(level: Lanes, entering: Lanes | None, hasher: Hasher, threads: int) -> Lanes:
    cosets, rows, _ = level.shape
    if rows == 1:  # siblings are neighbouring cosets
        parents = np.empty((cosets // 2, 1, 4), np.uint64)
        left, right = np.ascontiguousarray(level[0::2, 0]), np.ascontiguousarray(level[1::2, 0])
        hasher.nodes(left, right, _NO_ROWS, parents[:, 0])
        return parents
    half = rows // 2
    parents = np.empty((cosets, half, 4), np.uint64)
    grain = min(half, 1024)

    def work(first: int, last: int) -> None:
        for number in range(first, last):
            coset, start = divmod(number * grain, half)
            rows_in = _NO_ROWS if entering is None else entering[coset, start : start + grain]
            left = level[coset, start : start + grain]
            right = level[coset, half + start : half + start + grain]
            hasher.nodes(left, right, rows_in, parents[coset, start : start + grain])

    in_ranges(cosets * half // grain, threads, work)
    return parents
