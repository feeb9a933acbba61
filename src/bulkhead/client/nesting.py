"""How deep what strangers send may be nested before it is refused: less than the stack of a thread takes.

`py_ecc`, which comes with `eth_account`, raises the interpreter's limit to 100,000. JSON is decoded under that limit,
and brackets that deep (measured: more than 20,000, on a stack of 8 MiB) end the whole process.
"""

from __future__ import annotations

import sys

import py_ecc  # noqa: F401  (here, so that it cannot raise the limit after it was lowered)

DEPTH_MAX = 5_000


def keep_shallow() -> None:
    """Lower the limit again. Called by whoever is about to read what strangers send."""
    if sys.getrecursionlimit() > DEPTH_MAX:
        sys.setrecursionlimit(DEPTH_MAX)
