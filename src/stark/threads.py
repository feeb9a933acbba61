"""Work cut into ranges over a few threads: kernels hold no interpreter lock, so threads are enough."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


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
