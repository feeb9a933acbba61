"""Whether an exchange's total of what it owes counts one's own accounts, computed here."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkhead.client.signer import MONEY
from bulkhead.node.liabilities import Node, Owed, Part, holds

if TYPE_CHECKING:
    from bulkhead.client.trader import Trader


class SolvencyError(Exception):
    """What the exchange said does not hold; the text says what."""


class Counted(NamedTuple):
    """What was found. `surplus` is what custody holds beyond all that is owed to accounts; below zero it lacks that."""

    sequence: int
    owed: Decimal  # to this account and its isolated positions
    total: Decimal  # to everybody
    custody: Decimal
    surplus: Decimal


async def counted(trader: Trader) -> Counted:
    """Ask for the published sums and for the own part in them, and check one by the other. Raises SolvencyError."""
    published = await trader.exchange.books.solvency()
    own = await trader.solvency(published["sequence"])
    return check(published, own, trader.account_id, trader.signer.key)


def check(published: Mapping[str, Any], own: Mapping[str, Any], account_id: int, key: int) -> Counted:
    """The same of answers that are there. Raises SolvencyError."""
    try:
        root = Node(bytes.fromhex(published["liabilities"]["root"]), micro(published["liabilities"]["total"]))
        parts = [_part(one) for one in own["parts"]]
        custody, sequence = Decimal(published["custody"]), int(published["sequence"])
        stated = own["sequence"], bytes.fromhex(own["root"]), micro(own["total"])
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise SolvencyError(f"this is no proof of solvency: {error!r}") from error
    if stated != (sequence, root.digest, root.total):
        raise SolvencyError("the exchange tells this account another root than everybody")
    if account_id not in {part.owed.account_id for part in parts}:
        raise SolvencyError(f"account {account_id} is not among what is owed")
    if len({part.place for part in parts}) != len(parts):
        raise SolvencyError("two accounts share one place")
    for part in parts:
        if part.owed.owner_key != key:
            raise SolvencyError(f"account {part.owed.account_id} is counted under another key")
        if not holds(part, root):
            raise SolvencyError(f"account {part.owed.account_id} is not under the published root")
    total = Decimal(root.total) / MONEY
    owed = sum((Decimal(part.owed.amount) for part in parts), Decimal(0)) / MONEY
    return Counted(sequence, owed, total, custody, custody - total)


def micro(text: str) -> int:
    """Dollars as smallest units. ValueError for what is no whole number of them."""
    value = Decimal(text) * MONEY
    if value != int(value):
        raise ValueError(f"{text} is no whole number of 10^-6 USD")
    return int(value)


def _part(told: Mapping[str, Any]) -> Part:
    owed = Owed(
        int(told["accountId"]), int(told["ownerKey"], 16), micro(told["owed"]), bytes.fromhex(told["salt"])
    )
    path = tuple(Node(bytes.fromhex(one["digest"]), micro(one["total"])) for one in told["path"])
    return Part(owed, int(told["place"]), path)
