"""Rows of money that came, went or moved between accounts, and of margin calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkhead.engine.event import StateChanged
from bulkhead.keepers.event import MarginCalled, ToppedUp
from bulkhead.ledger.tx import Deposit, ForcedClose, ForcedWithdrawal, FundDeposit, Move, Refund, Transfer, Withdrawal
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.node.store.staging import Row
from bulkhead.node.store.tables import place_id

if TYPE_CHECKING:
    from bulkhead.node.store.derive import Deriver


def family(account_id: int) -> int:
    """The signable account that an account belongs to."""
    return int(account_id) & -CHILDREN_PER_ACCOUNT


def changed(deriver: Deriver, event: StateChanged) -> None:
    """A transaction from outside: what it did to anybody's money, and to positions."""
    transaction = event.transaction
    if isinstance(transaction, Deposit):
        _operation(deriver, event, 0, transaction.account_id, "DEPOSIT", transaction.amount)
    elif isinstance(transaction, Withdrawal | ForcedWithdrawal):
        recipient = transaction.recipient if isinstance(transaction, Withdrawal) else transaction.sender
        row = _operation(deriver, event, 0, transaction.account_id, "SLOW_WITHDRAWAL", -transaction.amount)
        row["recipient"] = f"0x{recipient:040x}"
        row["status"] = "REJECTED" if event.failed else "IN_PROGRESS"  # until its batch has settled on L1
    elif isinstance(transaction, Transfer):
        for place, (own, other, amount) in enumerate(
            (
                (transaction.source, transaction.target, -transaction.amount),
                (transaction.target, transaction.source, transaction.amount),
            )
        ):
            _operation(deriver, event, place, own, "TRANSFER", amount)["counterparty_id"] = int(other)
    elif isinstance(transaction, Move):
        _moved(deriver, event, transaction)
    elif isinstance(transaction, FundDeposit):
        _insured(deriver, event.number, "deposit", 0, int(transaction.amount), int(event.time_ms))
    elif isinstance(transaction, ForcedClose):
        deriver.held.forced(event, transaction, deriver.sequence)
    elif isinstance(transaction, Refund):
        return  # it never was anybody's here


def _moved(deriver: Deriver, event: StateChanged, move: Move) -> None:
    """Between an owner's accounts. Within one family (isolated margin) nothing left it, so nothing is written."""
    place = 0
    for leg in move.assets:
        if family(leg.source) == family(leg.target):
            continue
        for own, other, amount in ((leg.source, leg.target, -leg.amount), (leg.target, leg.source, leg.amount)):
            row = _operation(deriver, event, place, own, "TRANSFER", amount)
            row["asset_id"], row["counterparty_id"] = int(leg.asset_id), family(other)
            place += 1
    deriver.held.moved(event, move)


def topped_up(deriver: Deriver, event: ToppedUp) -> None:
    """A strategy drew from its parent; an isolated child that did is of the same family."""
    if family(event.account_id) == family(event.parent_id):
        return
    sides = ((event.parent_id, event.account_id, -1), (event.account_id, event.parent_id, 1))
    for place, (own, other, sign) in enumerate(sides):
        row = _row(deriver, place_id(event.number, place), own, "TRANSFER", sign * int(event.amount))
        row["time_ms"], row["counterparty_id"] = int(event.time_ms), family(other)
        deriver.staging.put("operations", row["operation_id"], row)


def called(deriver: Deriver, event: MarginCalled) -> None:
    """A margin call."""
    row = {
        "call_id": event.number,
        "account_id": family(event.account_id),
        "holder_id": int(event.account_id),
        "level": event.level,
        "value": str(int(event.health.value) >> 32),
        "maintenance": str(int(event.health.maintenance) >> 64),
        "time_ms": int(event.time_ms),
    }
    deriver.staging.put("margin_calls", event.number, row)


def _insured(deriver: Deriver, entry_id: int, reason: str, account_id: int, amount: int, time_ms: int) -> None:
    row = {
        "entry_id": entry_id,
        "reason": reason,
        "account_id": account_id,
        "amount": amount,
        "time_ms": time_ms,
    }
    deriver.staging.put("insurance", entry_id, row)


def _operation(deriver: Deriver, event: StateChanged, place: int, account_id: int, kind: str, amount: int) -> Row:
    row = _row(deriver, place_id(event.number, place), account_id, kind, amount)
    row["time_ms"] = int(event.time_ms)
    row["asset_id"] = int(getattr(event.transaction, "asset_id", 1))
    deriver.staging.put("operations", row["operation_id"], row)
    return row


def _row(deriver: Deriver, operation_id: int, account_id: int, kind: str, amount: int) -> Row:
    return {
        "operation_id": operation_id,
        "account_id": family(account_id),
        "type": kind,
        "status": "COMPLETED",
        "amount": amount,
        "fee": 0,
        "asset_id": 1,
        "counterparty_id": 0,
        "recipient": "",
        "hash": "",
        "time_ms": 0,
        "sequence": deriver.sequence,
    }
