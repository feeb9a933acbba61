"""Prices: recorded bars, the paths inside them, and simulated worlds.

Start at `load` (sets.py), which gives bars by the name of a set, and `ticks` (bridge.py): its prices on one clock.
"""

from bulkhead.lab.prices.bars import Bars, DataError, DataSet, Funding
from bulkhead.lab.prices.bridge import BAR_ORDERS, BarOrder, Ticks, paths, ticks
from bulkhead.lab.prices.sets import DEFAULT, SetInfo, list_sets, load
from bulkhead.lab.prices.simulated import simulate

__all__ = [
    "BAR_ORDERS",
    "DEFAULT",
    "BarOrder",
    "Bars",
    "DataError",
    "DataSet",
    "Funding",
    "SetInfo",
    "Ticks",
    "list_sets",
    "load",
    "paths",
    "simulate",
    "ticks",
]
