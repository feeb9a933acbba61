"""Many leaves of one Merkle tree changed at once: every node above a changed leaf is hashed twice, before and after.

A changed leaf sends (depth, index, before, after). A node takes the messages of those children that it marks as touched
and sends its own; of an untouched child both values must be equal. The statement takes the root's message, once. A
child that changed and is not marked leaves its message over, and a node with two rows sends up two messages of which
only one is taken: neither balances. The index of the root is 0, so every index below lies within its level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from stark.air.chip import Bus, Chip, Must, Row
from stark.chips.poseidon import PAIR, Sponge, pair_sponge, take_hash
from stark.chips.tables import by_rows
from stark.field import Felts
from stark.poseidon import hash2_list

TREE = Bus("tree", ("depth", "index", "before", "after"))  # depth 0 is the root


class Change(NamedTuple):
    """What a node or leaf holds before and after."""

    before: int
    after: int


class Nodes(NamedTuple):
    """A filled table, the root's change, and the hashes it asks for."""

    table: Felts
    root: Change
    hashed: list[Sponge]


class MerkleUpdate(Chip):
    """One row a node above a changed leaf: 11 cells, 2 of its bus, and 2 permutations. Idle rows are zeros."""

    name = "merkle_update"
    columns = (
        "live", "depth", "index", "left_before", "left_after", "right_before", "right_after", "before", "after",
        "is_left_touched", "is_right_touched",
    )  # fmt: skip

    def constrain(self, row: Row, must: Must) -> None:
        """A live node has a touched child; what is untouched stays; both states are hashed."""
        left, right = row.is_left_touched, row.is_right_touched
        must.boolean("live is a bit", row.live)
        must.boolean("the left child is touched or not", left)
        must.boolean("the right child is touched or not", right)
        must.zero("a live node has a touched child, an idle one none", (1 - left) * (1 - right) - (1 - row.live))
        must.zero("an untouched left child stays", (1 - left) * (row.left_before - row.left_after))
        must.zero("an untouched right child stays", (1 - right) * (row.right_before - row.right_after))
        for name in ("depth", "index", "left_before", "right_before", "before", "after"):
            must.zero(f"an idle row is empty: {name}", (1 - row.live) * getattr(row, name))
        take_hash(must, row.before, (PAIR, [row.left_before, row.right_before]), row.live)
        take_hash(must, row.after, (PAIR, [row.left_after, row.right_after]), row.live)
        must.receive(TREE, [row.depth + 1, 2 * row.index, row.left_before, row.left_after], left)
        must.receive(TREE, [row.depth + 1, 2 * row.index + 1, row.right_before, row.right_after], right)
        must.send(TREE, [row.depth, row.index, row.before, row.after], row.live)

    def fill(
        self, depth: int, leaves: Mapping[int, Change], node: Callable[[int, int], int], log_rows: int
    ) -> Nodes:
        """The table for changes of leaves by index; `node(depth, index)` is a node of the tree before them."""
        if not leaves:
            raise ValueError("no leaf changes: send one that stays as it is")
        rows: list[list[int]] = []
        hashed: list[Sponge] = []
        level = dict(leaves)
        for above in range(depth - 1, -1, -1):
            parents = sorted({index >> 1 for index in level})
            children = [_children(above + 1, parent, level, node) for parent in parents]
            pairs = [(left[when], right[when]) for left, right, _, _ in children for when in (0, 1)]
            digests = hash2_list(pairs)
            hashed += [pair_sponge(*pair) for pair in pairs]
            level = {}
            for place, (parent, (left, right, *touched)) in enumerate(zip(parents, children, strict=True)):
                level[parent] = Change(*digests[2 * place : 2 * place + 2])
                rows.append([1, above, parent, *left, *right, *level[parent], *touched])
        return Nodes(by_rows(rows, log_rows), level[0], hashed)


def _children(
    depth: int, parent: int, level: Mapping[int, Change], node: Callable[[int, int], int]
) -> tuple[Change, Change, int, int]:
    """Both children of a node, and which of them are touched."""

    def child(index: int) -> Change:
        if index in level:
            return level[index]
        kept = node(depth, index)
        return Change(kept, kept)

    return child(2 * parent), child(2 * parent + 1), int(2 * parent in level), int(2 * parent + 1 in level)
