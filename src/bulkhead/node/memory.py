"""Give memory that is free back to the system.

A batch or a snapshot takes tens of megabytes for a moment. The C library keeps them, in pieces between what lives on,
so that a process seems to grow by a step now and then, and nobody can tell a step from a leak.
"""

from __future__ import annotations

import ctypes

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; other libraries decide for themselves


def give_back() -> None:
    """Costs a millisecond where there is something to give, and nothing otherwise."""
    if _trim is not None:
        _trim(0)
