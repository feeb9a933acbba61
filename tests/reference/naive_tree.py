"""The tree of accounts by its definition: recursion over all leaves, another Poseidon, nothing kept."""

from collections.abc import Mapping
from functools import cache

from poseidon_py.poseidon_hash import poseidon_hash


@cache
def empty(height: int) -> int:
    """The node over 2**height leaves that are all 0."""
    return poseidon_hash(empty(height - 1), empty(height - 1)) if height else 0


def node(leaves: Mapping[int, int], height: int, first: int = 0) -> int:
    """The node over the 2**height leaves from `first` on."""
    inside = {index: leaf for index, leaf in leaves.items() if leaf and first <= index < first + 2**height}
    if not inside:
        return empty(height)
    if height == 0:
        return inside[first]
    half = 2 ** (height - 1)
    return poseidon_hash(node(inside, height - 1, first), node(inside, height - 1, first + half))


def place(account_id: int) -> int:
    """Which leaf is an account's: the last six bits of its id come first."""
    digits = f"{account_id:032b}"
    return int(digits[26:] + digits[:26], 2)


def root(leaves: Mapping[int, int]) -> int:
    """The root of depth 32 over the leaves of accounts."""
    return node({place(account_id): leaf for account_id, leaf in leaves.items()}, 32)


def path(leaves: Mapping[int, int], account_id: int) -> tuple[int, ...]:
    """The siblings from an account's leaf up: at each height the node beside the one above the leaf."""
    index, placed = place(account_id), {place(each): leaf for each, leaf in leaves.items()}
    return tuple(node(placed, height, (index >> height ^ 1) << height) for height in range(32))
