"""Trees: which leaf every number holds, under one root. The tree of accounts is one of depth 32: leaf i is account i's.

A sparse Merkle tree: an unused leaf is 0, a node is Starknet's Poseidon of its two children. Only nodes above a leaf in
use are kept, so memory follows the leaves that exist, and a leaf set back to 0 leaves no trace: the root is again what
it was before the leaf was used.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cache
from typing import Self

from bulkhead.limits import FIELD_PRIME, TREE_DEPTH
from stark.poseidon import hash2, hash2_list

DEPTH = TREE_DEPTH
LEAVES = 1 << DEPTH
ROOT = 1  # key of a node: 1 followed by the path to it in binary; its children are 2k and 2k + 1, its sibling k ^ 1
EMPTY_LEAF = 0


@cache
def empty_nodes() -> tuple[int, ...]:
    """The node over 2**height unused leaves, for heights 0 to DEPTH."""
    nodes = [EMPTY_LEAF]
    for _ in range(DEPTH):
        nodes.append(hash2(nodes[-1], nodes[-1]))
    return tuple(nodes)


class Tree:
    """The only owner of its 2**depth leaves, depth 32 at most; changed by `update` alone."""

    __slots__ = ("_nodes", "depth")

    def __init__(self, depth: int, leaves: Mapping[int, int] | None = None) -> None:
        self.depth = depth
        self._nodes: dict[int, int] = {}  # key -> node, without the nodes over unused leaves only
        self.update(leaves or {})

    @property
    def root(self) -> int:
        """Commitment to every leaf."""
        return self._nodes.get(ROOT, empty_nodes()[self.depth])

    def __len__(self) -> int:
        """How many nodes are kept; at most depth + 1 a leaf in use."""
        return len(self._nodes)

    def leaf(self, number: int) -> int:
        """A leaf (an account's, by its id), 0 if it is not in use."""
        return self._nodes.get(self._leaf_key(number), EMPTY_LEAF)

    def node(self, depth: int, place: int) -> int:
        """A node by its depth (0 is the root) and its place among the nodes of that depth."""
        return self._nodes.get((1 << depth) | place, empty_nodes()[self.depth - depth])

    def path(self, number: int) -> tuple[int, ...]:
        """The siblings on the way from a leaf to the root, lowest first."""
        key, empty = self._leaf_key(number), empty_nodes()
        return tuple([self._nodes.get((key >> height) ^ 1, empty[height]) for height in range(self.depth)])

    def copy(self) -> Self:
        """An independent tree with the same leaves."""
        twin = copy(self)
        twin._nodes = self._nodes.copy()
        return twin

    def update(self, leaves: Mapping[int, int]) -> None:
        """Set some leaves, 0 to remove one; hash every node above them once, whatever their number.

        Raises ValueError, and changes nothing, if there is no such leaf or it is not an element of the field.
        """
        changed = {self._leaf_key(number): _checked_leaf(leaf) for number, leaf in leaves.items()}
        for height in range(self.depth):
            changed = self._parents(self._write(changed, height), height)
        self._write(changed, self.depth)

    def _write(self, nodes: Mapping[int, int], height: int) -> list[int]:
        """Write nodes of one height; answers the keys of those that were different before."""
        empty = empty_nodes()[height]
        changed = [key for key, node in nodes.items() if node != self._nodes.get(key, empty)]
        for key in changed:
            if nodes[key] == empty:
                del self._nodes[key]  # kept until now, since it was different
            else:
                self._nodes[key] = nodes[key]
        return changed

    def _parents(self, keys: list[int], height: int) -> dict[int, int]:
        """The parents of nodes of one height, hashed anew."""
        nodes, empty = self._nodes, empty_nodes()[height]
        parents = list(dict.fromkeys([key >> 1 for key in keys]))
        pairs = [(nodes.get(2 * key, empty), nodes.get(2 * key + 1, empty)) for key in parents]
        return dict(zip(parents, hash2_list(pairs), strict=True))

    def _leaf_key(self, number: int) -> int:
        if not 0 <= number < 1 << self.depth:
            raise ValueError(f"leaf {number} is not in [0, 2**{self.depth})")
        return 1 << self.depth | number


class AccountTree(Tree):
    """The tree of accounts: leaves by account id."""

    __slots__ = ()

    def __init__(self, leaves: Mapping[int, int] | None = None) -> None:
        super().__init__(DEPTH, leaves)


def verify_path(root: int, account_id: int, leaf: int, path: Sequence[int]) -> bool:
    """Whether `path` proves that the tree under `root` holds `leaf` for the account; False for anything malformed."""
    if not 0 <= account_id < LEAVES or len(path) != DEPTH:
        return False
    if not all(0 <= node < FIELD_PRIME for node in (leaf, *path)):
        return False
    node, key = leaf, account_id
    for sibling in path:
        node = hash2(sibling, node) if key & 1 else hash2(node, sibling)
        key >>= 1
    return node == root


def _checked_leaf(leaf: int) -> int:
    if not 0 <= leaf < FIELD_PRIME:
        raise ValueError(f"leaf {leaf} is not below the field's prime")
    return leaf
