"""The common scale of a t-distributed step, from one uniform number: 1/sqrt(w), w gamma with mean 1.

A table of quantiles in three levels, each a thousand times finer than the one before, reaches chances of 2^-30.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import inlined
from bulkhead.lab.paths.calibration import NORMAL_TAIL

CELLS = 1024
LEVELS = 3


def scale_table(tail: float) -> NDArray[np.float32]:
    """(levels, cells + 1): scales at chances k / CELLS^level of a smaller w."""
    chance = np.array([[k / CELLS**level for k in range(CELLS + 1)] for level in range(1, LEVELS + 1)])
    if tail >= NORMAL_TAIL:
        return np.ones_like(chance, dtype=np.float32)
    half = tail / 2
    # Density of y = ln w up to a factor, from the far left where it falls like exp(half·y).
    y = np.linspace(-34 / half - 2, np.log(1 + 60 / half) + 1, 400_001)
    density = np.exp(half * (y - np.exp(y)) + half)
    summed = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    logs = np.log(np.maximum(summed, 1e-300) / summed[-1])
    logs[0] = 2 * logs[1] - logs[2]
    # Inverted in the logarithm of the chance, in which the left tail is a straight line.
    wanted = np.log(np.clip(chance, CELLS ** -float(LEVELS) / 4, 1 - 2.0**-32))
    return np.asarray(np.exp(-np.interp(wanted, logs, y) / 2), dtype=np.float32)


@inlined
def scale_of(table: NDArray[np.float32], chance: Any) -> Any:
    """The scale at a uniform number in (0, 1)."""
    level = 0
    place = chance * CELLS
    while place < 1.0 and level < LEVELS - 1:
        place *= CELLS
        level += 1
    cell = min(int(place), CELLS - 1)
    share = np.float32(place - cell)
    return table[level, cell] + share * (table[level, cell + 1] - table[level, cell])
