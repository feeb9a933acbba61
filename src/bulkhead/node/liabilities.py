"""What a venue owes, as a tree of sums: everybody can check that his own part is in the total, and nobody sees whose
the others are.

A leaf is an account with what it is owed, a node the sum of its two children, and both are hashed with their sums. So a
root stands for one total; whoever finds his leaf under it knows that the total counts him, whatever the other leaves
are, since no sum is below zero. An account that owes the venue counts as nothing. A path shows one neighbour's amount,
and not whose it is: leaves are ordered by their hashes, whose salts are made anew for every tree.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from bulkhead.ledger.accounts import settled
from bulkhead.ledger.state import Account, State
from bulkhead.units import AssetId

SALT_BYTES = 16
TOTAL_BITS = 127
_TOTAL_BYTES = 16


class NotOpen(Exception):
    """There is no settled batch whose state can be opened now; the text says why."""


class Owed(NamedTuple):
    """A leaf: an account, its owner's key, and what it is owed in 10^-6 USD."""

    account_id: int
    owner_key: int
    amount: int
    salt: bytes


class Node(NamedTuple):
    """A digest, and the sum below it."""

    digest: bytes
    total: int


class Part(NamedTuple):
    """A leaf with its way to the root: siblings, lowest first. Bit i of `place` says that sibling i is on the left."""

    owed: Owed
    place: int
    path: tuple[Node, ...]


NOBODY = Node(sha256(b"\x02").digest(), 0)  # fills the lowest level up to a power of two


def leaf_of(owed: Owed) -> Node:
    """The node of a leaf."""
    octets = b"\x00" + owed.account_id.to_bytes(8, "big") + owed.owner_key.to_bytes(32, "big") + owed.salt
    return Node(sha256(octets + owed.amount.to_bytes(_TOTAL_BYTES, "big")).digest(), owed.amount)


def parent_of(left: Node, right: Node) -> Node:
    """The node over two."""
    sums = left.total.to_bytes(_TOTAL_BYTES, "big"), right.total.to_bytes(_TOTAL_BYTES, "big")
    return Node(sha256(b"\x01" + sums[0] + left.digest + sums[1] + right.digest).digest(), left.total + right.total)


def holds(part: Part, root: Node) -> bool:
    """Whether a leaf is under a root, and counted in its total. False for anything malformed."""
    owed, place = part.owed, part.place
    sums = [owed.amount, *(sibling.total for sibling in part.path)]
    if not all(0 <= total < 1 << TOTAL_BITS for total in sums) or sum(sums) >= 1 << TOTAL_BITS:
        return False
    if not (0 <= owed.account_id < 1 << 64 and 0 <= owed.owner_key < 1 << 256 and len(owed.salt) == SALT_BYTES):
        return False
    if place < 0 or place >> len(part.path) or any(len(sibling.digest) != 32 for sibling in part.path):
        return False
    node = leaf_of(owed)
    for sibling in part.path:
        node = parent_of(sibling, node) if place & 1 else parent_of(node, sibling)
        place >>= 1
    return node == root


class Liabilities:
    """The tree over all accounts of one moment. `secret` makes the salts, and is forgotten with it."""

    def __init__(self, owed: Iterable[tuple[int, int, int]], secret: bytes) -> None:
        leaves = [Owed(account_id, key, amount, salt_of(secret, account_id)) for account_id, key, amount in owed]
        ordered = sorted(((leaf_of(leaf), leaf) for leaf in leaves), key=lambda pair: pair[0].digest)
        self.count = len(ordered)
        self._leaves = {leaf.account_id: (place, leaf) for place, (_, leaf) in enumerate(ordered)}
        self._levels: list[Sequence[Node]] = [[node for node, _ in ordered] or [NOBODY]]
        while len(self._levels[-1]) > 1 or len(self._levels) == 1:
            level = [*self._levels[-1], NOBODY] if len(self._levels[-1]) % 2 else self._levels[-1]
            self._levels[-1] = level
            self._levels.append([parent_of(*level[place : place + 2]) for place in range(0, len(level), 2)])

    @property
    def root(self) -> Node:
        """Stands for every leaf; its total is what is owed in all."""
        return self._levels[-1][0]

    def part(self, account_id: int) -> Part | None:
        """An account's leaf and path; None where it is not there."""
        found = self._leaves.get(account_id)
        if found is None:
            return None
        place, owed = found
        return Part(owed, place, tuple(level[(place >> height) ^ 1] for height, level in enumerate(self._levels[:-1])))


def salt_of(secret: bytes, account_id: int) -> bytes:
    """An account's salt in one tree."""
    return hmac.digest(secret, account_id.to_bytes(8, "big"), "sha256")[:SALT_BYTES]


def value_of(state: State, account: Account) -> int:
    """Balance and positions at index prices, funding paid up to now, in whole 10^-6 USD, rounded down."""
    now = settled(state, account)[0] if account.positions else account
    return int(now.balance) + (sum(int(one.size * state.risks[one.market_id].price) for one in now.positions) >> 32)


def settled_liabilities(state: State, root: int) -> Liabilities:
    """What a settled state owes, as the one tree that follows from it: `root` is S, which makes the salts. They hide
    nothing, for what L1 was given names every account; they make the tree the same for whoever makes it."""
    asset_id = settlement_asset(state)
    held = [one for _, one in sorted(state.accounts.items()) if one.asset_id == asset_id]
    owed = [(int(one.account_id), int(one.owner_key), max(0, value_of(state, one))) for one in held]
    return Liabilities(owed, secret_of(root))


def secret_of(root: int) -> bytes:
    """What makes the salts of a settled state's tree."""
    return root.to_bytes(32, "big")


def settlement_asset(state: State) -> AssetId:
    """In which accounts are kept."""
    return state.config.assets[0].asset_id
