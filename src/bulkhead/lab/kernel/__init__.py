"""The margin kernel: many accounts on many paths, checked at every step and liquidated by the exchange's own rules.

`run(venue, accounts, paths)` is compiled and spread over threads; `exact.run` does the same through `rules/` itself, in
whole numbers, some ten thousand times slower. What agrees, held by `tests/lab/kernel`:

- prices, sizes, fill prices, zero prices, fees and penalties are the same numbers, for they are whole (or multiples of
  2^-32) and below 2^53;
- value and requirement are sums of floats: with N positions and a gross notional of G, value is off by less than
  3·N·G·2^-53, so by less than one 10^-6 USD for eight positions of 300 million USD together;
- each settlement of funding rounds such a sum up, which may differ by one unit more;
- hence the same decisions at the same steps, and end equities that agree within one unit, except where an account lies
  within that error of a threshold: then one step may come earlier or later, or close one lot more or less.
"""

from bulkhead.lab.kernel.accounts import Accounts, Outcomes
from bulkhead.lab.kernel.run import run
from bulkhead.lab.kernel.terms import Impact, KernelError, Venue

__all__ = ["Accounts", "Impact", "KernelError", "Outcomes", "Venue", "run"]
