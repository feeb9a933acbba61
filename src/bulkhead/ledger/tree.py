"""Trees: which leaf every number holds, under one root. The tree of accounts is one of depth 32.

An account's leaf is not at its id: ids that sign are multiples of 64, and leaves 64 apart share nothing in the six
lowest levels. So the last six bits of an id, which say whose child it is, come first, and neighbours are those who
signed up one after the other.

A sparse Merkle tree: an unused leaf is 0, a node is Starknet's Poseidon of its two children. Only nodes above a leaf in
use are kept, so memory follows the leaves that exist, and a leaf set back to 0 leaves no trace: the root is again what
it was before the leaf was used.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cache
from typing import Self

from bulkhead.limits import CHILD_BITS, CHILDREN_PER_ACCOUNT, FIELD_PRIME, TREE_DEPTH
from stark.poseidon import hash2, hash2_list

DEPTH = TREE_DEPTH
LEAVES = 1 << DEPTH
FAMILY_BITS = DEPTH - CHILD_BITS
ROOT = 1  # key of a node: 1 followed by the path to it in binary; its children are 2k and 2k + 1, its sibling k ^ 1
EMPTY_LEAF = 0
NODE_BYTES = 32


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


class FullTree:
    """A tree of which most leaves are in use: every node has its place, and memory is the same however many are.

    Commits to the same as `Tree`. A node over unused leaves only is kept as zero.
    """

    __slots__ = ("_nodes", "depth")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self._nodes = bytearray(NODE_BYTES << depth + 1)  # node of key k at 32 k

    @property
    def root(self) -> int:
        """As `Tree.root`."""
        return self.node(0, 0)

    def node(self, depth: int, place: int) -> int:
        """As `Tree.node`."""
        return self._at((1 << depth) | place, empty_nodes()[self.depth - depth])

    def copy(self) -> Self:
        """As `Tree.copy`."""
        twin = copy(self)
        twin._nodes = self._nodes.copy()
        return twin

    def update(self, leaves: Mapping[int, int]) -> None:
        """As `Tree.update`."""
        if not all(0 <= number < 1 << self.depth for number in leaves):
            raise ValueError(f"not all of the leaves {sorted(leaves)} are in [0, 2**{self.depth})")
        nodes = {1 << self.depth | number: _checked_leaf(leaf) for number, leaf in leaves.items()}
        for height in range(self.depth + 1):
            empty = empty_nodes()[height]
            for key, node in nodes.items():
                kept = EMPTY_LEAF if node == empty else node
                self._nodes[NODE_BYTES * key : NODE_BYTES * (key + 1)] = kept.to_bytes(NODE_BYTES, "big")
            above = list(dict.fromkeys([key >> 1 for key in nodes])) if height < self.depth else []
            pairs = [(self._at(2 * key, empty), self._at(2 * key + 1, empty)) for key in above]
            nodes = dict(zip(above, hash2_list(pairs), strict=True))

    def _at(self, key: int, empty: int) -> int:
        return int.from_bytes(self._nodes[NODE_BYTES * key : NODE_BYTES * (key + 1)], "big") or empty


def leaf_place(account_id: int) -> int:
    """Where an account's leaf stands; ValueError for what is no account's id."""
    if not 0 <= account_id < LEAVES:
        raise ValueError(f"leaf {account_id} is not in [0, 2**{DEPTH})")
    return (account_id & CHILDREN_PER_ACCOUNT - 1) << FAMILY_BITS | account_id >> CHILD_BITS


class AccountTree(Tree):
    """The tree of accounts: leaves by account id."""

    __slots__ = ()

    def __init__(self, leaves: Mapping[int, int] | None = None) -> None:
        super().__init__(DEPTH, leaves)

    def _leaf_key(self, number: int) -> int:
        return LEAVES | leaf_place(number)


def verify_path(root: int, account_id: int, leaf: int, path: Sequence[int]) -> bool:
    """Whether `path` proves that the tree under `root` holds `leaf` for the account; False for anything malformed."""
    if not 0 <= account_id < LEAVES or len(path) != DEPTH:
        return False
    if not all(0 <= node < FIELD_PRIME for node in (leaf, *path)):
        return False
    node, key = leaf, leaf_place(account_id)
    for sibling in path:
        node = hash2(sibling, node) if key & 1 else hash2(node, sibling)
        key >>= 1
    return node == root


def _checked_leaf(leaf: int) -> int:
    if not 0 <= leaf < FIELD_PRIME:
        raise ValueError(f"leaf {leaf} is not below the field's prime")
    return leaf
