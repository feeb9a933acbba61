"""Operations on an account's money: what came, what left and whether it can be claimed on L1, what moved."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_

from bulkhead.api.account import page
from bulkhead.api.call import Call, Endpoint, Page
from bulkhead.api.numbers import money
from bulkhead.api.settlement import final
from bulkhead.node.claims import CLAIMABLE, COMPLETED, IN_PROGRESS, of_status, status_of, with_claims
from bulkhead.node.finality import Finality
from bulkhead.node.store import tables
from bulkhead.node.store.staging import Row

PAGE = 50
OPERATION_STATES = ("UNKNOWN", "CREATED", IN_PROGRESS, "REJECTED", CLAIMABLE, COMPLETED)
OPERATION_TYPES = ("CLAIM", "DEPOSIT", "FAST_WITHDRAWAL", "SLOW_WITHDRAWAL", "TRANSFER")
BOTH_WITHDRAWALS = "WITHDRAWAL"  # ccxt's name


async def operations(call: Call) -> Page:
    """Deposits, withdrawals, transfers and claims, newest first. A withdrawal is READY_FOR_CLAIM when its batch is
    final on L1, and COMPLETED when custody has paid its recipient there: `claim` has the transaction. `finality` says
    how far it has come."""
    table, settled = tables.operations, await call.api.node.withdrawals.look()
    wheres = [table.c.account_id == call.account_id]
    if call.text("id"):
        wheres.append(table.c.operation_id == call.number("id", 0))
    kinds = call.words("type", (*OPERATION_TYPES, BOTH_WITHDRAWALS))
    if kinds:
        wheres.append(table.c.type.in_(_kinds(kinds)))
    states = call.words("status", OPERATION_STATES)
    if states:
        wheres.append(or_(*(of_status(state, settled) for state in states)))
    if call.text("startTime"):
        wheres.append(table.c.time_ms >= call.number("startTime", 0))
    if call.text("endTime"):
        wheres.append(table.c.time_ms <= call.number("endTime", 0))
    rows, cursor = await page(call, table, "operation_id", wheres, PAGE, base=with_claims())
    found = await final(call.api, [operation_shape(row, settled) for row in rows])
    for shape in found:
        if "claim" in shape:
            shape["finality"] = Finality.CLAIMED
    return Page(found, cursor)


def _kinds(asked: list[str]) -> list[str]:
    """Types that are asked for; ccxt's name for both kinds of withdrawals among them. A claim is a deposit here."""
    found: list[str] = []
    for kind in asked:
        found += ["FAST_WITHDRAWAL", "SLOW_WITHDRAWAL"] if kind == BOTH_WITHDRAWALS else [kind]
    return found


def operation_shape(row: Row, settled: int = 0) -> dict[str, Any]:
    """An operation on an account's money. `settled`: the last command that is final on L1."""
    shape: dict[str, Any] = {
        "id": str(row["operation_id"]),
        "type": row["type"],
        "status": status_of(row, settled),
        "amount": money(row["amount"]),
        "fee": money(row["fee"]),
        "asset": row["asset_id"],
        "time": row["time_ms"],
        "accountId": row["account_id"],
        "sequence": row["sequence"],
    }
    if row["counterparty_id"]:
        shape["counterpartyAccountId"] = row["counterparty_id"]
    if row["recipient"]:
        shape["recipient"] = row["recipient"]
        shape["chain"] = "ETH"
    if row.get("claim_id") is not None:
        shape["claim"] = {"block": row["claim_block"], "time": row["claim_ms"], "transaction": row["claim_hash"]}
    return shape


ENDPOINTS = [
    Endpoint(
        "GET", "/api/v1/user/assetOperations", operations,
        query=("id", "type", "status", "startTime", "endTime", "cursor", "limit"),
        words={"type": (*OPERATION_TYPES, BOTH_WITHDRAWALS), "status": OPERATION_STATES},
    ),
]  # fmt: skip
