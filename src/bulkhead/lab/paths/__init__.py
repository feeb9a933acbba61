"""Paths: many markets' prices over time, recorded or drawn, in chunks that fit in memory.

Start at `Paths` (cube.py), what every world gives, and `World`, what gives it.
"""

from bulkhead.lab.paths.correlation import CorrelationError, check_correlation
from bulkhead.lab.paths.cube import Paths, Repair, World
from bulkhead.lab.paths.gaussian import GaussianWorld

__all__ = ["CorrelationError", "GaussianWorld", "Paths", "Repair", "World", "check_correlation"]
