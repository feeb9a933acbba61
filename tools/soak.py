"""Long checks that are not part of `make test`: a thousand random batches on ledger and circuit (`make soak`)."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

from rich.progress import track

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.circuit.batches import agrees  # noqa: E402
from tests.circuit.test_worlds import batch_of  # noqa: E402

BATCHES = 1_000
SHIPPED = 100  # those of `make test`


def problem_of(seed: int) -> str | None:
    """What is wrong with a batch, None if ledger and circuit agree."""
    before, after, accepted, _ = batch_of(seed)
    try:
        agrees(before, after, accepted)
    except Exception as problem:
        return f"seed {seed}: {type(problem).__name__}: {problem}"
    return None


def main() -> int:
    """0 if all batches agree."""
    seeds = range(SHIPPED, SHIPPED + BATCHES)
    with multiprocessing.get_context("spawn").Pool() as pool:
        found = list(track(pool.imap(problem_of, seeds, chunksize=8), "random batches", total=BATCHES))
    problems = [problem for problem in found if problem is not None]
    for problem in problems:
        print(problem)
    print(f"{BATCHES - len(problems)} of {BATCHES} batches agree.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
