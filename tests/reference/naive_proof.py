"""Slow twins of the proof library: polynomials by definition, trees by recursion, in plain integers and bytes."""

from __future__ import annotations

from collections.abc import Sequence

from Crypto.Hash import keccak

from stark.prime import PRIME, reverse_bits, root_of_unity


def keccak256(data: bytes) -> bytes:
    """An independent Keccak-256."""
    return keccak.new(digest_bits=256, data=data).digest()


def evaluate(coefficients: Sequence[int], point: int) -> int:
    """A polynomial at a point."""
    return sum(coefficient * pow(point, power, PRIME) for power, coefficient in enumerate(coefficients)) % PRIME


def extension(coefficients: Sequence[int], log_blowup: int, shift: int) -> list[list[int]]:
    """Values by coset and row."""
    log_rows = len(coefficients).bit_length() - 1
    root, step = root_of_unity(log_rows), root_of_unity(log_rows + log_blowup)
    return [
        [
            evaluate(coefficients, shift * pow(step, reverse_bits(coset, log_blowup), PRIME) * pow(root, row, PRIME))
            for row in range(1 << log_rows)
        ]
        for coset in range(1 << log_blowup)
    ]


class Table:
    """Columns by coset and row, as integers."""

    def __init__(self, cells: list[list[list[int]]]):
        self.cells = cells
        self.cosets, self.rows = len(cells[0]), len(cells[0][0])

    def row(self, position: int) -> bytes:
        """The words at a tree position."""
        coset, rest = divmod(position, self.rows)
        index = reverse_bits(rest, self.rows.bit_length() - 1)
        return b"".join(column[coset][index].to_bytes(32, "big") for column in self.cells)


class Tree:
    """Digests by level and position, straight from the definition."""

    def __init__(self, tables: list[Table]):
        self.tables = tables
        self.log_size = (tables[0].cosets * tables[0].rows).bit_length() - 1

    def words(self, level: int, position: int) -> bytes:
        """The row that enters at a node; empty where none does."""
        size = 1 << (self.log_size - level)
        return b"".join(table.row(position) for table in self.tables if table.cosets * table.rows == size)

    def digest(self, level: int, position: int) -> bytes:
        """A node."""
        row = self.words(level, position)
        if level == 0:
            return keccak256(b"\0" + row)
        below = self.digest(level - 1, 2 * position) + self.digest(level - 1, 2 * position + 1)
        return keccak256(below + keccak256(b"\0" + row)) if row else keccak256(below)

    def open(self, positions: Sequence[int]) -> bytes:
        """The stream of rows and missing siblings."""
        current = sorted(set(positions))
        stream = b"".join(self.words(0, position) for position in current)
        for level in range(1, self.log_size + 1):
            known, current = current, sorted({position >> 1 for position in current})
            for position in current:
                for child in (2 * position, 2 * position + 1):
                    stream += b"" if child in known else self.digest(level - 1, child)
                stream += self.words(level, position)
        return stream
