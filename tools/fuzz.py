"""Feed the verifier spoiled proofs for a while: it must refuse every one by name, raise nothing, and stay quick.

    python tools/fuzz.py [SECONDS] [SEED]
"""

import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stark.fixed import prepare  # noqa: E402
from stark.parameters import Parameters  # noqa: E402
from stark.prover import prove  # noqa: E402
from stark.verifier import verify  # noqa: E402
from tests.stark.toy import SYSTEM, case  # noqa: E402

INTERESTING = [0, 1, 2**64 - 1, 2**64, 2**251, 2**251 + 17 * 2**192, 2**251 + 17 * 2**192 + 1, 2**256 - 1]


def spoiled(draw: random.Random, proofs: list[bytes]) -> bytes:
    """One of the proofs after one to four changes: bits, words, pieces moved, cut, repeated or taken from another."""
    data = bytearray(draw.choice(proofs))
    for _ in range(draw.randrange(1, 5)):
        at, word = draw.randrange(len(data) + 1), 32 * draw.randrange(len(data) // 32 + 1)
        match draw.randrange(7):
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
            case _:
                del data[at:]
        if not data:
            break
    return bytes(data)


def main(seconds: float, seed: int) -> int:
    """Fuzz three keys; answers 1 if anything was accepted, raised or took more than a second."""
    draw = random.Random(seed)
    targets = []
    for hash_name, parts in (("keccak", 1), ("keccak", 3), ("poseidon", 2)):
        parameters = Parameters(2, 6, 2, log_arity_max=3, log_final=2, hash=hash_name, parts=parts)
        cases = [case(4, 6, number) for number in range(3)]
        fixed = prepare(SYSTEM, (4, 6), parameters)
        targets.append((fixed.key, cases[0].public, [prove(fixed, each.public, each.traces) for each in cases]))
    honest = {proof for _, _, proofs in targets for proof in proofs}
    seen: Counter[str] = Counter()
    end, slowest = time.monotonic() + seconds, 0.0
    while time.monotonic() < end:
        key, public, proofs = draw.choice(targets)
        data = spoiled(draw, proofs)
        if data in honest:
            continue
        start = time.perf_counter()
        rejected = verify(key, public, data)
        slowest = max(slowest, time.perf_counter() - start)
        if rejected is None:
            print(f"ACCEPTED a spoiled proof of {len(data)} bytes (seed {seed}): {data.hex()}")
            return 1
        seen[str(rejected.phase)] += 1
    for phase, count in sorted(seen.items()):
        print(f"{count:9,} refused at {phase}")
    print(f"{sum(seen.values()):9,} in all, the slowest in {slowest * 1000:.1f} ms")
    return int(slowest > 1)


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *["60", "1"][len(sys.argv) - 1 :]]
    sys.exit(main(float(arguments[0]), int(arguments[1])))
