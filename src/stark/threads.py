"""Work cut into ranges over a few threads: kernels hold no interpreter lock, so threads are enough."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

STEPS = 16  # into which long work is cut, so that somebody hears of it in between


def in_ranges(count: int, threads: int, work: Callable[[int, int], None], grain: int = 1) -> None:
    """Call work(start, stop) on ranges that cover `count`, each a multiple of the grain but for the last."""
    pieces = max(1, min(threads, -(-count // grain)))
    cuts = [min(count, -(-count * piece // pieces // grain) * grain) for piece in range(pieces)] + [count]
    ranges = [(start, stop) for start, stop in zip(cuts, cuts[1:], strict=False) if start < stop]
    if len(ranges) <= 1:
        for start, stop in ranges:
            work(start, stop)
        return
    with ThreadPoolExecutor(len(ranges)) as pool:
        for done in [pool.submit(work, start, stop) for start, stop in ranges]:
            done.result()


def in_steps(
    count: int, threads: int, work: Callable[[int, int], None], sizes: tuple[int, int], report: Callable[[float], None]
) -> None:
    """`in_ranges` a step at a time, with the share that is done reported after each, in the caller's thread.

    `sizes` are the least size of a step (for less, threads are not worth their start) and the grain, which divides it.
    """
    least, grain = sizes
    size = max(least, -(-count // (STEPS * grain)) * grain)
    for first in range(0, count, size):
        last = min(count, first + size)

        def step(start: int, stop: int, first: int = first) -> None:
            work(first + start, first + stop)

        in_ranges(last - first, threads, step, grain)
        report(last / count)
