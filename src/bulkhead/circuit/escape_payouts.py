"""The payouts of the escape, as a statement lists them: each that a frame told, once, under its account's number.

    key   = the account's number
    value = amount * 2^160 + owner

Programs keep an owner's address to 160 bits and an amount to 91 (`circuit.escape`), so a value is below the prime and
has one meaning, and small amounts need few bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bulkhead.circuit.tags import Tag
from bulkhead.circuit.words import MESSAGE
from bulkhead.limits import FIELD_BITS, L1_ADDRESS_BITS
from stark.air.chip import Bus, Chip, Must, Row
from stark.chips.tables import by_rows
from stark.field import Felts

PAID_OUT = Bus("paid out", ("account", "packed"))
AMOUNT_BITS = FIELD_BITS - L1_ADDRESS_BITS
AMOUNT_MAX = (1 << AMOUNT_BITS) - 1


class Payout(NamedTuple):
    """What L1 owes for an account: its number, an address as a number, and quote before any haircut."""

    account: int
    owner: int
    amount: int

    @property
    def packed(self) -> int:
        """Owner and amount as they are listed."""
        return (self.amount << L1_ADDRESS_BITS) + self.owner


def payout_of(account: int, packed: int) -> Payout:
    """A payout from its entry."""
    return Payout(account, packed & (1 << L1_ADDRESS_BITS) - 1, packed >> L1_ADDRESS_BITS)


class Payouts(Chip):
    """One row a payout: 5 cells, and one of its buses; idle rows are zeros, wherever they stand."""

    name = "payouts"
    columns = ("live", "frame", "account", "owner", "amount")

    def constrain(self, row: Row, must: Must) -> None:
        """What a frame told is listed, and nothing else: an idle row takes and sends nothing."""
        must.boolean("live is a bit", row.live)
        for name in self.columns[1:]:
            must.zero(f"an idle row is empty: {name}", (1 - row.live) * getattr(row, name))
        must.receive(MESSAGE, [int(Tag.PAYOUT_ACCOUNT), row.frame, row.account, row.owner, row.amount], row.live)
        must.send(PAID_OUT, [row.account, row.amount * (1 << L1_ADDRESS_BITS) + row.owner], row.live)

    def fill(self, payouts: Sequence[Payout], log_rows: int) -> Felts:
        """The table, of payouts by the number of their frame, from one on. ValueError where they are too many."""
        rows = [[1, frame, *payout] for frame, payout in enumerate(payouts, 1)]
        return by_rows(rows, log_rows, len(self.columns))


def listed(payouts: Iterable[Payout]) -> list[int]:
    """Payouts as the elements of a listing. Accounts rise."""
    return [element for payout in payouts for element in (payout.account, payout.packed)]
