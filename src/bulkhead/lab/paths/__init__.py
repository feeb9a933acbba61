"""Paths: many markets' prices over time, recorded or drawn, in chunks that fit in memory.

Start at `Paths` (cube.py), what every world gives, and `World`, what gives it. `lab.worlds.world_of` makes one by name.
"""

from bulkhead.lab.paths.bootstrap import BootstrapWorld, block_length
from bulkhead.lab.paths.correlation import MIXINGS, CorrelationError, check_correlation, nearest_correlation
from bulkhead.lab.paths.cube import Paths, World
from bulkhead.lab.paths.gaussian import GaussianWorld
from bulkhead.lab.paths.grid import Grid, align
from bulkhead.lab.paths.recorded import EVENTS, RecordedWorld, event_world
from bulkhead.lab.prices.mend import Repair

__all__ = [
    "EVENTS",
    "MIXINGS",
    "BootstrapWorld",
    "CorrelationError",
    "GaussianWorld",
    "Grid",
    "Paths",
    "RecordedWorld",
    "Repair",
    "World",
    "align",
    "block_length",
    "check_correlation",
    "event_world",
    "nearest_correlation",
]
