"""Statements for the contracts: where each element stands, and lists of elements made from named values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

BOTH = (
    "state", "accounts", "orders", "markets", "money", "oracle", "counters",
    "deposits", "withdrawals", "forced", "transactions", "time_ms", "fresh_after_ms",
)  # fmt: skip
ONCE = ("batches_before", "now_s")
LISTS = {
    "deposit": ("account", "amount", "depositor", "used"),
    "paid": ("recipient", "amount", "used"),
    "forced": ("kind", "account", "subject", "sender", "included_ms", "used"),
    "changed": ("key", "value", "used"),
}


class Layout(NamedTuple):
    """How long a statement's lists are. Small ones say all that large ones do, and compile and run at once."""

    queue: int = 3
    forced: int = 3
    changes: int = 4

    @property
    def lengths(self) -> dict[str, int]:
        """Entries of each list."""
        return {"deposit": self.queue, "paid": self.queue, "forced": self.forced, "changed": self.changes}

    @property
    def names(self) -> list[str]:
        """The elements in order, named as the circuits name theirs."""
        single = [f"{name}_{when}" for name in BOTH for when in ("before", "after")]
        listed = [
            f"{name}_{field}_{place}"
            for name, length in self.lengths.items()
            for place in range(length)
            for field in LISTS[name]
        ]
        return [*single, *ONCE, *listed]

    @property
    def module(self) -> str:
        """The generated module `statement`."""
        names = self.names
        single = names[: names.index("deposit_account_0")]
        numbers = {name.upper(): place for place, name in enumerate(single)}
        numbers |= {f"{name.upper()}_START": names.index(f"{name}_{fields[0]}_0") for name, fields in LISTS.items()}
        numbers |= {"QUEUE": self.queue, "FORCED_QUEUE": self.forced, "CHANGES": self.changes, "LENGTH": len(names)}
        return "".join(f"{name}: constant(uint256) = {value}\n" for name, value in numbers.items())

    def elements(self, values: Mapping[str, int]) -> list[int]:
        """A statement: what is not named is zero."""
        names = self.names
        unknown = set(values) - set(names)
        assert not unknown, unknown
        return [values.get(name, 0) for name in names]
