"""How a function of the lab becomes machine code: typed wrappers around Numba, and a cache that cannot go stale.

`@kernel` compiles a whole function that runs without the interpreter lock, so that threads share the work; `@inlined`
makes a piece of it. Neither may reorder arithmetic: the same seed gives the same bits on any machine and in any split
of the work.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numba import njit

FunctionType = TypeVar("FunctionType", bound=Callable[..., Any])
THREADS_VARIABLE = "BULKHEAD_THREADS"


def kernel(function: FunctionType) -> FunctionType:
    """Compile on the first call and keep the machine code on disk.

    Numba renews its cache when the file of the function changes, not when a function or a constant that it took from
    another file does. So the stamp by which it judges the cache is a digest of everything the function reaches.
    """
    dispatcher: Any = njit(cache=True, nogil=True, error_model="numpy")(function)
    digest = hashlib.sha256()
    for part in sorted(set(_reached(function, set()))):
        digest.update(part)
    dispatcher._cache._cache_file._source_stamp = digest.hexdigest()
    compiled: FunctionType = dispatcher
    return compiled


def inlined(function: FunctionType) -> FunctionType:
    """A function for use inside kernels, compiled into them."""
    piece: Any = njit(error_model="numpy")(function)
    compiled: FunctionType = piece
    return compiled


def threads() -> int:
    """Threads a kernel is spread over: BULKHEAD_THREADS, else as many as there are cores for this process."""
    named = os.environ.get(THREADS_VARIABLE)
    if named is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not named.isdigit() or int(named) < 1:
        raise ValueError(f"{THREADS_VARIABLE} is a count of threads, not {named!r}")
    return int(named)


def spread(work: Callable[[int, int], object], count: int, parts: int | None = None) -> None:
    """Call `work(first, last)` on `parts` stretches of range(count) at once; what a kernel writes must not overlap."""
    parts = max(1, min(parts or threads(), count))
    edges = [count * part // parts for part in range(parts + 1)]
    if parts == 1:
        work(0, count)
        return
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(work, first, last) for first, last in zip(edges, edges[1:], strict=False)]:
            done.result()


def _reached(function: Callable[..., Any], seen: set[object]) -> Iterator[bytes]:
    """The source of every file a kernel's code comes from, and every constant it names."""
    if function in seen:
        return
    seen.add(function)
    yield Path(function.__code__.co_filename).read_bytes()
    for name in function.__code__.co_names:
        value: Any = function.__globals__.get(name)
        if hasattr(value, "py_func"):
            yield from _reached(value.py_func, seen)
        elif isinstance(value, int | float | complex | str | tuple | Enum | np.generic | np.ndarray):
            yield f"{name} {value!r}".encode()
