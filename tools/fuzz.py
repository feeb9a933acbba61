"""Feed the verifier spoiled proofs for a while: it must refuse every one by name, raise nothing, stay small and quick.

python tools/fuzz.py [SECONDS] [SEED]
"""

import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stark.fixed import prepare  # noqa: E402
from stark.key import Key  # noqa: E402
from stark.parameters import Parameters  # noqa: E402
from stark.prime import PRIME  # noqa: E402
from stark.proof import Phase, ProofRejected  # noqa: E402
from stark.prover import prove  # noqa: E402
from stark.steps import Head  # noqa: E402
from stark.verifier import verify  # noqa: E402
from tests.stark.toy import SYSTEM, case  # noqa: E402

INTERESTING = [0, 1, 2**64 - 1, 2**64, 2**251, PRIME - 1, PRIME, 2**256 - 1]
SLOW_S = 1.0  # for a verification that takes some milliseconds
GROWTH_BYTES = 128 << 20  # of the whole process: a verifier's own needs are far below


class Target(NamedTuple):
    """A key, its statement, and honest proofs of it."""

    key: Key
    public: list[int]
    proofs: list[bytes]


def targets() -> list[Target]:
    """Keys of both hashes, with and without parts."""
    found = []
    for hash_name, part in (("keccak", 0), ("keccak", 2), ("poseidon", 3)):
        parameters = Parameters(2, 6, 2, log_arity_max=3, log_final=2, hash=hash_name, part_queries=part)
        cases = [case(4, 6, number) for number in range(3)]
        fixed = prepare(SYSTEM, (4, 6), parameters)
        proofs = [prove(fixed, each.public, each.traces) for each in cases]
        found.append(Target(fixed.key, cases[0].public, proofs))
    return found


def spoiled(draw: random.Random, proofs: Sequence[bytes], head_bytes: int) -> bytes:
    """One of the proofs after one to four changes: of bits and words, or pieces moved, cut, repeated, or of another."""
    data = bytearray(draw.choice(proofs))
    for _ in range(draw.randrange(1, 5)):
        # The head is a small part of the bytes, and much of what can go wrong is there.
        at = draw.randrange(1 + min(len(data), draw.choice([head_bytes, len(data)])))
        word = at - at % 32
        value = int.from_bytes(data[word : word + 32], "big")
        match draw.randrange(9):
            case 0 if at < len(data):
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                data[word : word + 32] = draw.choice(INTERESTING).to_bytes(32, "big")
            case 2:
                data[word : word + 32] = draw.randbytes(32)
            case 3:
                del data[word : word + 32 * draw.randrange(4)]
            case 4:
                data[word:word] = data[word : word + 32 * draw.randrange(4)]
            case 5:
                other = draw.choice(proofs)
                data[word : word + 320] = other[word : word + 320]
            case 6:  # another name of the same element, where there is one
                data[word : word + 32] = ((value + PRIME) % 2**256).to_bytes(32, "big")
            case 7:
                data[word : word + 32] = ((value + draw.choice([-1, 1])) % 2**256).to_bytes(32, "big")
            case _:
                del data[at:]
        if not data:
            break
    return bytes(data)


def attempt(draw: random.Random, every: Sequence[Target]) -> tuple[Target, list[int], bytes]:
    """A spoiled proof; now and then an honest one for another statement, or under another key."""
    target = draw.choice(every)
    public, honest = list(target.public), draw.random() < 0.02
    if not honest:
        return target, public, spoiled(draw, target.proofs, 32 * Head.of(target.key).words)
    if draw.random() < 0.5:
        public[draw.randrange(len(public))] = draw.choice([*INTERESTING, -1, draw.randrange(PRIME)])
        return target, public, draw.choice(target.proofs)
    other = draw.choice([each for each in every if each is not target])
    return target, public, draw.choice(other.proofs)


def memory_bytes() -> int:
    """The most that the process has had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(seconds: float, seed: int, attempts: float = inf) -> int:
    """Fuzz three keys; answers 1 if one was accepted, slow or large, and raises what is raised."""
    draw = random.Random(seed)
    every = targets()
    honest = {(each.key.digest, *each.public, proof) for each in every for proof in each.proofs}
    seen: Counter[str] = Counter()
    before, end, slowest = memory_bytes(), time.monotonic() + seconds, 0.0
    while time.monotonic() < end and seen.total() < attempts:
        target, public, data = attempt(draw, every)
        if (target.key.digest, *public, data) in honest:
            continue
        start = time.perf_counter()
        try:
            rejected = verify(target.key, public, data)
        except Exception:
            print(f"RAISED on a proof of {len(data)} bytes for {public} (seed {seed}): {data.hex()}")
            raise
        slowest = max(slowest, time.perf_counter() - start)
        if not isinstance(rejected, ProofRejected):
            print(f"ACCEPTED a spoiled proof of {len(data)} bytes for {public} (seed {seed}): {data.hex()}")
            return 1
        seen[str(rejected.phase)] += 1
    grown = memory_bytes() - before
    for phase in Phase:
        print(f"{seen[str(phase)]:9,} refused at {phase}")
    told = f"the slowest in {slowest * 1000:.1f} ms, memory grown by {grown / 2**20:.1f} MiB"
    print(f"{seen.total():9,} in all, {told}")
    return int(slowest > SLOW_S or grown > GROWTH_BYTES)


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *["60", "1"][len(sys.argv) - 1 :]]
    sys.exit(main(float(arguments[0]), int(arguments[1])))
