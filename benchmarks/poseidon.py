"""How fast we hash and keep the tree of accounts, beside the other implementations Python can use."""

import random
import time
from collections.abc import Callable
from unittest.mock import patch

import fast_stark_crypto
from poseidon_py.poseidon_hash import poseidon_hash

from bulkhead.ledger.tree import AccountTree
from stark.field import PRIME, from_ints
from stark.poseidon import hash2, hash2_batch, hash2_list, hash_many

ACCOUNTS = 100_000
TOUCHED = 1_000
PAIRS = 5_000

Row = dict[str, str | float]


def best_s(work: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the fastest of several runs: the others measured what else the machine was doing."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def row(figure: str, value: float, unit: str, reference: float) -> Row:
    """One line of the table; the ratio says how many times faster than the reference named in the figure."""
    return {"figure": figure, "value": value, "unit": unit, "reference": reference, "ratio": reference / value}


def hashes(pairs: list[tuple[int, int]]) -> list[Row]:
    """Single calls and batches on one core."""
    few = pairs[:500]
    reference = best_s(lambda: [poseidon_hash(*pair) for pair in few]) / len(few) * 1e6
    one = best_s(lambda: [hash2(*pair) for pair in pairs]) / len(pairs) * 1e6
    listed = best_s(lambda: hash2_list(pairs)) / len(pairs) * 1e6
    left, right = from_ints([pair[0] for pair in pairs]), from_ints([pair[1] for pair in pairs])
    batched = best_s(lambda: hash2_batch(left, right)) / len(pairs) * 1e6
    return [
        row("Poseidon of two, one call (poseidon_py)", one, "us", reference),
        row("Poseidon of two, list of integers (poseidon_py)", listed, "us", reference),
        row("Poseidon of two, arrays (poseidon_py)", batched, "us", reference),
    ]


def order_hash() -> Row:
    """The twelve permutations of a signed order: struct of 10 elements, domain of 5, message of 4."""
    elements = [random.Random(1).randrange(PRIME) for _ in range(10)]
    arguments = (1, 2, 3, 4, -5, 4, 6, 7, 8, elements[0], "Perpetuals", "v0", "BH_1", "1")

    def ours() -> None:
        for _ in range(200):
            domain, struct = hash_many(elements[:5]), hash_many(elements)
            hash_many([elements[0], domain, elements[1], struct])

    reference = best_s(lambda: [fast_stark_crypto.get_order_msg_hash(*arguments) for _ in range(200)])
    return row("Hashes of one order (fast_stark_crypto)", best_s(ours) / 200 * 1e6, "us", reference / 200 * 1e6)


def tree_update() -> Row:
    """New leaves for 1,000 of 100,000 accounts, ids multiples of 64; the reference is the tree with slow hashes."""
    generator = random.Random(2)
    tree = AccountTree({64 * index: generator.randrange(PRIME) for index in range(ACCOUNTS)})
    leaves = {64 * index: generator.randrange(PRIME) for index in generator.sample(range(ACCOUNTS), TOUCHED)}
    twin = tree.copy()
    with patch("bulkhead.ledger.tree.hash2_list", lambda pairs: [poseidon_hash(*pair) for pair in pairs]):
        reference = best_s(lambda: twin.update(leaves), repeats=1)
    value = best_s(lambda: tree.update(leaves), repeats=1)
    if tree.root != twin.root:
        raise AssertionError("the two hashes disagree")
    return row(f"Tree, {TOUCHED:,} of {ACCOUNTS:,} accounts (poseidon_py)", value * 1e3, "ms", reference * 1e3)


def run() -> list[Row]:
    """Every figure of this file; kernels are compiled, or read from their cache, before the clock starts."""
    generator = random.Random(0)
    pairs = [(generator.randrange(PRIME), generator.randrange(PRIME)) for _ in range(PAIRS)]
    hash2_list(pairs[:1])
    return [*hashes(pairs), order_hash(), tree_update()]


if __name__ == "__main__":
    for line in run():
        print("{figure:52} {value:9.2f} {unit:3} reference {reference:9.2f}  {ratio:6.1f}x".format(**line))
