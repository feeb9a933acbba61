"""Accounts before a run, and what became of them on every path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.kernel.linear import (
    BAD_DEBT,
    BALANCE,
    CALL_66,
    CALL_80,
    CLOSED,
    FEES,
    FIRST,
    FLAT,
    FUNDING,
    PENALTY,
    SLIPPAGE,
    STEPS,
    WHOLE,
    WORST,
)
from bulkhead.lab.kernel.terms import EXACT_LIMIT, MICRO, KernelError, Venue
from bulkhead.lab.prices.bars import Floats
from bulkhead.limits import POSITIONS_MAX

Steps = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Accounts:
    """Accounts as they stand when a path begins: lots (accounts, markets), and their balance as the ledger keeps it.

    The balance has paid for the positions: value = balance + Σ size · index. `is_scenario` chooses the margin rule.
    """

    size: Floats
    balance: Floats  # 10^-6 USD
    is_scenario: NDArray[np.bool_]

    def __post_init__(self) -> None:
        count = len(self.size)
        if self.size.ndim != 2 or self.balance.shape != (count,) or self.is_scenario.shape != (count,):
            raise KernelError(f"sizes {self.size.shape} need one balance and one rule an account")
        for name, values in (("size", self.size), ("balance", self.balance[:, None])):
            wrong = ~np.isfinite(values) | (np.abs(values) >= EXACT_LIMIT) | (np.rint(values) != values)
            if wrong.any():
                row = int(np.argmax(wrong.any(axis=1)))
                raise KernelError(f"account {row}: {name} must be whole and below 2^53, not {values[row].tolist()}")
        crowded = (self.size != 0).sum(axis=1) > POSITIONS_MAX
        if crowded.any():
            raise KernelError(f"account {int(np.argmax(crowded))}: more than {POSITIONS_MAX} positions")

    def __len__(self) -> int:
        return len(self.size)

    @classmethod
    def holding(
        cls, venue: Venue, notional: Floats, equity: Floats, is_scenario: NDArray[np.bool_] | bool = False
    ) -> Accounts:
        """Accounts that hold about `notional` USD in each market (negative: short) and are worth `equity` USD.

        Notional is rounded to whole lots, equity to 10^-6 USD; the balance follows from both at the venue's prices.
        """
        notional, equity = np.atleast_2d(np.asarray(notional, float)), np.atleast_1d(np.asarray(equity, float))
        if notional.shape != (len(equity), len(venue.markets)):
            raise KernelError(f"notional {notional.shape}: {len(equity)} accounts, {len(venue.markets)} markets")
        size = np.rint(notional * MICRO / venue.start)
        return cls.of_lots(venue, size, equity, is_scenario)

    @classmethod
    def of_lots(
        cls, venue: Venue, size: Floats, equity: Floats, is_scenario: NDArray[np.bool_] | bool = False
    ) -> Accounts:
        """Accounts of so many lots, worth `equity` USD at the venue's prices."""
        balance = np.rint(np.asarray(equity, float) * MICRO - size @ venue.start)
        rule = np.broadcast_to(np.asarray(is_scenario, bool), balance.shape).copy()
        return cls(np.ascontiguousarray(size, dtype=np.float64), balance, rule)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of every account on every path: arrays (paths, accounts). Money is in 10^-6 USD, steps begin at 0.

    A step is -1 where the thing did not happen. `by_market` is (paths, 2, markets): notional closed, debts covered.
    """

    money: Floats
    marks: Steps
    by_market: Floats

    @property
    def first_step(self) -> Steps:
        """Step of the first liquidation."""
        return self.marks[..., FIRST]

    @property
    def liquidations(self) -> Steps:
        """Liquidation steps, partial and whole."""
        return self.marks[..., STEPS]

    @property
    def whole_step(self) -> Steps:
        """Step at which the account was first found below close-out."""
        return self.marks[..., WHOLE]

    @property
    def flat_step(self) -> Steps:
        """Step at which its last position was closed."""
        return self.marks[..., FLAT]

    @property
    def call_66_step(self) -> Steps:
        """Step of the margin call at 66 % of value used."""
        return self.marks[..., CALL_66]

    @property
    def call_80_step(self) -> Steps:
        """Step of the margin call at 80 %."""
        return self.marks[..., CALL_80]

    @property
    def is_liquidated(self) -> NDArray[np.bool_]:
        """Whether anything was closed."""
        return self.first_step >= 0

    @property
    def equity(self) -> Floats:
        """Value at the end, funding settled."""
        return self.money[..., BALANCE]

    @property
    def fees(self) -> Floats:
        """Liquidation fees paid."""
        return self.money[..., FEES]

    @property
    def penalty(self) -> Floats:
        """Penalties paid to the insurance fund."""
        return self.money[..., PENALTY]

    @property
    def slippage(self) -> Floats:
        """What fills were worse than the index, times lots; takeovers at the zero price included."""
        return self.money[..., SLIPPAGE]

    @property
    def bad_debt(self) -> Floats:
        """Debts that the insurance fund, or who was deleveraged, had to bear."""
        return self.money[..., BAD_DEBT]

    @property
    def closed(self) -> Floats:
        """Notional closed, at its fill prices."""
        return self.money[..., CLOSED]

    @property
    def funding(self) -> Floats:
        """Funding paid (negative: received)."""
        return self.money[..., FUNDING]

    @property
    def worst_health(self) -> Floats:
        """The least value over maintenance at any step."""
        return self.money[..., WORST]
