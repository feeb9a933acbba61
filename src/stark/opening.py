"""The verifier's side of a tree: read the opened rows, and recompute the root.

The order of the words: the rows of the tallest tables, by position; then for each level up, for each node above what is
known, by position: the digest of the child that is not known, if there is one, and the row of the shorter tables that
enter here, if any do. Every node appears once, however many queries pass through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stark import poseidon
from stark.keccak import keccak256
from stark.proof import Reader, Rejection, words_of


class Digests(NamedTuple):
    """How rows and nodes become 32-byte digests."""

    row: Callable[[list[int]], bytes]
    node: Callable[[bytes, bytes], bytes]
    entering: Callable[[bytes, bytes, bytes], bytes]
    from_field: bool  # digests are field elements: any other word is refused


def _poseidon_row(row: list[int]) -> bytes:
    return words_of([poseidon.hash_many(row)])


def _poseidon_node(left: bytes, right: bytes) -> bytes:
    return words_of([poseidon.hash2(int.from_bytes(left, "big"), int.from_bytes(right, "big"))])


def _poseidon_entering(left: bytes, right: bytes, row: bytes) -> bytes:
    return _poseidon_node(_poseidon_node(left, right), row)


DIGESTS = {
    "keccak": Digests(
        row=lambda row: keccak256(b"\0" + words_of(row)),
        node=lambda left, right: keccak256(left + right),
        entering=lambda left, right, row: keccak256(left + right + row),
        from_field=False,
    ),
    "poseidon": Digests(_poseidon_row, _poseidon_node, _poseidon_entering, from_field=True),
}

Rows = dict[int, list[int]]  # by position at the rows' own level


def read_opening(
    reader: Reader, root: bytes, positions: Sequence[int], shape: Sequence[tuple[int, int]], log_blowup: int, hash: str
) -> list[Rows]:
    """Opened rows for each (log height, width) of the shape, the tallest first; raises Rejection if the root differs.

    `positions` are leaf positions of this tree, without repetition and in ascending order.
    """
    digests = DIGESTS[hash]
    widths = dict(shape)
    log_height, width = shape[0]
    rows: dict[int, Rows] = {height: {} for height, _ in shape}
    known: dict[int, bytes] = {}
    for position in positions:
        rows[log_height][position] = reader.felts(width)
        known[position] = digests.row(rows[log_height][position])
    for below in range(log_height + log_blowup - 1, -1, -1):
        height = below - log_blowup  # of tables whose rows enter among the 2**below nodes of this level
        parents: dict[int, bytes] = {}
        for position in sorted({child >> 1 for child in known}):
            left, right = (
                known[child] if child in known else _read_digest(reader, digests)
                for child in (2 * position, 2 * position + 1)
            )
            if height in widths:
                rows[height][position] = reader.felts(widths[height])
                parents[position] = digests.entering(left, right, digests.row(rows[height][position]))
            else:
                parents[position] = digests.node(left, right)
        known = parents
    if known[0] != root:
        raise Rejection(reader.phase, "opened rows do not lead to the root")
    return [rows[height] for height, _ in shape]


def _read_digest(reader: Reader, digests: Digests) -> bytes:
    return words_of(reader.felts(1)) if digests.from_field else reader.words(1)
