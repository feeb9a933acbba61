"""Trees over the rows of tables of different heights, and openings of some of their rows (the prover's side).

The tallest table's rows are the leaves. A shorter table's row enters at the level that has as many nodes as the table's
extension has points, so one row is bound to all the leaves that fold onto it: a prover can't show different rows of a
short table to different queries, as it could if the shorter table were only repeated. Positions are those of
`stark.domain`; in memory a level keeps a coset's rows in natural order, where siblings lie half a coset apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stark.field import Felts, from_montgomery, ints_from_plain
from stark.keccak import CONSTANTS, digest_nodes, digest_rows, gather_rows
from stark.poseidon import hash2_batch, hash_many_batch
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


HASHERS: dict[str, type[KeccakHasher] | type[PoseidonHasher]] = {"keccak": KeccakHasher, "poseidon": PoseidonHasher}


def hasher(name: str) -> Hasher:
    """The hasher a parameter set names."""
    return HASHERS[name]()


class Tree:
    """Tables (width, cosets, rows, 4), the tallest first, and the nodes of every level above their rows."""

    def __init__(self, tables: Sequence[Felts], levels: list[Lanes], hasher: Hasher):
        self._tables = tables
        self._levels = levels  # each (cosets, rows, 4), down to one digest
        self._hasher = hasher
        self.log_size = (levels[0].shape[0] * levels[0].shape[1]).bit_length() - 1

    @property
    def root(self) -> bytes:
        """The digest of everything."""
        return self._hasher.word(self._levels[-1][0, 0])

    @classmethod
    def commit(cls, tables: Sequence[Felts], hasher: Hasher, threads: int = 1, report: Report = unheard) -> Tree:
        """Hash the tables. Those of one height share their rows, in the order given."""
        heights = [table.shape[2] for table in tables]
        if not tables or heights != sorted(heights, reverse=True) or len({table.shape[1] for table in tables}) > 1:
            raise ValueError("a tree takes tables of the same blow-up, the tallest first")
        level = _row_digests(_of_height(tables, heights[0]), hasher, threads, within(report, 0, 0.5))
        levels = [level]
        while level.shape[0] * level.shape[1] > 1:
            level = _parents(level, tables, hasher, threads)
            levels.append(level)
            report(1 - 0.5 ** len(levels))
        return cls(tables, levels, hasher)

    def open(self, positions: Sequence[int]) -> bytes:
        """Rows and missing siblings for leaf positions: see `stark.opening` for the order."""
        cosets = self._tables[0].shape[1]
        current = sorted(set(positions))
        stream = [self._row(0, position) for position in current]
        for number, level in enumerate(self._levels[1:], 1):
            children = set(current)
            current = sorted({position >> 1 for position in current})
            enters = level.shape[0] == cosets and bool(_of_height(self._tables, level.shape[1]))
            for position in current:
                for child in (2 * position, 2 * position + 1):
                    if child not in children:
                        stream.append(self._hasher.word(self._levels[number - 1][self._place(number - 1, child)]))
                if enters:
                    stream.append(self._row(number, position))
        return b"".join(stream)

    def _place(self, number: int, position: int) -> tuple[int, int]:
        rows = self._levels[number].shape[1]
        coset, rest = divmod(position, rows)
        return coset, reverse_bits(rest, rows.bit_length() - 1)

    def _row(self, number: int, position: int) -> bytes:
        coset, row = self._place(number, position)
        cells = [table[:, coset, row] for table in _of_height(self._tables, self._levels[number].shape[1])]
        return words_of(ints_from_plain(from_montgomery(np.ascontiguousarray(np.concatenate(cells)))))


def _of_height(tables: Sequence[Felts], rows: int) -> list[Felts]:
    return [table for table in tables if table.shape[2] == rows]


def _row_digests(tables: list[Felts], hasher: Hasher, threads: int, report: Report = unheard) -> Lanes:
    cosets, rows = tables[0].shape[1:3]
    width = sum(len(table) for table in tables)
    digests = np.empty((cosets, rows, 4), np.uint64)
    block = min(ROWS_AT_ONCE, rows)

    def work(first: int, last: int) -> None:
        buffer = np.empty((block, width, 4), np.uint64)
        for number in range(first, last):
            coset, start = divmod(number * block, rows)
            offset = 0
            for table in tables:
                gather_rows(table, coset, start, start + block, offset, buffer)
                offset += len(table)
            hasher.rows(buffer, digests[coset, start : start + block])

    in_steps(cosets * rows // block, threads, work, (BLOCKS_AT_LEAST, 1), report)
    return digests


def _parents(level: Lanes, tables: Sequence[Felts], hasher: Hasher, threads: int) -> Lanes:
    cosets, rows, _ = level.shape
    if rows == 1:  # siblings are neighbouring cosets
        parents = np.empty((cosets // 2, 1, 4), np.uint64)
        left, right = np.ascontiguousarray(level[0::2, 0]), np.ascontiguousarray(level[1::2, 0])
        hasher.nodes(left, right, _NO_ROWS, parents[:, 0])
        return parents
    half = rows // 2
    parents = np.empty((cosets, half, 4), np.uint64)
    shorter = _of_height(tables, half)
    entering = _row_digests(shorter, hasher, threads) if shorter else None
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
