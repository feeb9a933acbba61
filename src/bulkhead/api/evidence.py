"""What can be checked afterwards: liquidations with their witnesses, insurance fund, receipts, profit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, func, select

from bulkhead.api import errors
from bulkhead.api.account import page
from bulkhead.api.call import Call, Endpoint, Page
from bulkhead.api.errors import ApiError
from bulkhead.api.numbers import money
from bulkhead.api.settlement import stage_of
from bulkhead.api.shapes import worth_of
from bulkhead.keepers.recompute import recompute
from bulkhead.keepers.story import story
from bulkhead.ledger.state import Account, Kind, child_id
from bulkhead.node.segment import JournalError
from bulkhead.node.store import tables
from bulkhead.node.store.held import WITNESSES
from bulkhead.node.store.staging import Row

PAGE = 100
Found = TypeVar("Found")


async def liquidations(call: Call) -> Page:
    """Steps of the account's own liquidations, newest first."""
    rows, cursor = await page(
        call, tables.liquidations, "step_id", [tables.liquidations.c.account_id == call.account_id], PAGE
    )
    return Page([liquidation_shape(call, row) for row in rows], cursor)


async def all_liquidations(call: Call) -> Page:
    """Everybody's, without names: what the market did to positions that had to be closed."""
    rows, cursor = await page(call, tables.liquidations, "step_id", [], PAGE)
    found = []
    for row in rows:
        shape = liquidation_shape(call, row)
        del shape["accountId"], shape["holderId"]
        found.append(shape)
    return Page(found, cursor)


def liquidation_shape(call: Call, row: Row) -> dict[str, Any]:
    """One close of a step. Slippage is from the mark, against the account when positive."""
    wire = call.api.markets.by_id[row["market_id"]]
    return {
        "id": row["step_id"],
        "accountId": row["account_id"],
        "holderId": row["holder_id"],
        "market": wire.terms.name,
        "takenBy": row["step"],
        "size": wire.size(row["size"]),
        "price": row["price"],
        "zeroPrice": row["zero_price"],
        "markPrice": row["mark_price"],
        "slippageBp": row["slippage_bp"],
        "fee": money(row["fee"]),
        "penalty": money(row["penalty"]),
        "coveredByFund": money(row["covered"]),
        "time": row["time_ms"],
    }


async def explain(call: Call) -> dict[str, Any]:
    """A liquidation step as a story, recomputed from its witness with the rules alone; `faults` is empty when it is
    what the rules say. The witness comes along, as the bytes that `bulkhead explain` reads, in hexadecimal."""
    table = tables.liquidations
    query = select(table).where(table.c.step_id == call.path_id("id"), table.c.account_id == call.account_id)
    rows = await call.api.node.store.rows(query)
    if not rows:
        raise ApiError(404, errors.NOT_ALLOWED, "there is no such liquidation of this account")
    witness = WITNESSES.decode(rows[0]["witness"])
    return {
        **liquidation_shape(call, rows[0]),
        "story": story(witness),
        "faults": recompute(witness),
        "witness": rows[0]["witness"].hex(),
    }


async def margin_calls(call: Call) -> Page:
    """Margin calls of the account and its isolated positions, newest first."""
    table = tables.calls
    rows, cursor = await page(call, table, "call_id", [table.c.account_id == call.account_id], PAGE)
    return Page(
        [
            {
                "id": row["call_id"],
                "accountId": row["account_id"],
                "holderId": row["holder_id"],
                "level": row["level"],
                "value": money(int(row["value"])),
                "maintenance": money(int(row["maintenance"])),
                "time": row["time_ms"],
            }
            for row in rows
        ],
        cursor,
    )


async def insurance(call: Call) -> dict[str, Any]:
    """The insurance fund, what each market may still lose, and the last entries."""
    state = call.api.state
    rows, cursor = await page(call, tables.insurance, "entry_id", [], PAGE)
    entries = [
        {"id": row["entry_id"], "reason": row["reason"], "amount": money(row["amount"]), "time": row["time_ms"]}
        for row in rows
    ]
    budgets = []
    for wire in call.api.markets.all:
        lost = int(state.markets[wire.terms.market_id].lost)
        budget = int(wire.terms.loss_budget)
        budgets.append(
            {"market": wire.terms.name, "budget": money(budget), "lost": money(lost), "left": money(budget - lost)}
        )
    funds = [
        {
            "asset": call.api.state.config.assets[0].name,
            "insurance": money(int(fund.insurance)),
            "fees": money(int(fund.fees)),
            "l1": money(int(fund.l1)),
        }
        for fund in state.funds.values()
    ]
    return {"funds": funds, "budgets": budgets, "entries": entries, "cursor": cursor}


async def receipt(call: Call) -> dict[str, Any]:
    """The sequencer's receipt of an order: its place in the journal, and the hash chain up to it. `record` is what the
    journal has of it and `previous` the chain before: its owner can compute the chain and find his signature."""
    table = tables.orders
    query = select(table).where(table.c.order_id == call.path_id("id"), table.c.account_id == call.account_id)
    rows = await call.api.node.store.rows(query)
    if not rows:
        raise ApiError(404, errors.EDIT_NOT_FOUND, "there is no such order")
    sequence = rows[0]["sequence"]
    found = await _place(call, sequence)
    previous, record = await _read(call, lambda: call.api.node.exchange.journal.record_at(sequence))
    found |= {"previous": previous.hex(), "record": record.hex()}
    return {"orderId": rows[0]["order_id"], "orderHash": rows[0]["hash"], "time": rows[0]["created_ms"], **found}


async def place(call: Call) -> dict[str, Any]:
    """The hash chain after a record of the journal: two receipts that disagree show that history was changed."""
    return await _place(call, call.path_id("sequence"))


async def _place(call: Call, sequence: int) -> dict[str, Any]:
    journal, table = call.api.node.exchange.journal, tables.batches
    if not 0 < sequence <= journal.tip.sequence:
        raise ApiError(404, errors.NOT_ALLOWED, f"the journal ends at {journal.tip.sequence}")
    chain = await _read(call, lambda: journal.chain_at(sequence))
    query = select(table).where(table.c.sequence_first <= sequence, table.c.sequence_last >= sequence)
    rows = await call.api.node.store.rows(query)
    number, node = rows[0]["batch"] if rows else 0, call.api.node
    found = {"sequence": sequence, "chain": chain.hex(), "batch": number, "status": node.progress.of(number)}
    return {**found, "l1": stage_of(node, number)}


async def _read(call: Call, ask: Callable[[], Found]) -> Found:
    """Read the journal beside the event loop."""
    try:
        return await call.api.node.store.ask(ask)
    except JournalError as error:
        raise ApiError(404, errors.NOT_ALLOWED, "this record cannot be read") from error


async def profit(call: Call) -> list[dict[str, Any]]:
    """Profit and loss of this account and of each strategy below it, since they began."""
    table = tables.positions
    ids = [int(call.account_id)]
    ids += [one for one, account in call.api.state.accounts.items() if _is_below(account, call.account_id)]
    wheres: list[ColumnElement[bool]] = [table.c.account_id.in_(ids)]
    sums = [func.coalesce(func.sum(table.c[name]), 0).label(name) for name in _PROFIT]
    query = select(table.c.account_id, *sums).where(*wheres).group_by(table.c.account_id)
    rows = {row["account_id"]: row for row in await call.api.node.store.rows(query)}
    found = []
    for account_id in ids:
        row = rows.get(account_id, dict.fromkeys(_PROFIT, 0))
        worth = worth_of(call.api, account_id)
        fees = row["open_fees"] + row["close_fees"]
        found.append(
            {
                "accountId": account_id,
                "tradePnl": money(row["trade_profit"]),
                "fundingFees": money(row["funding"]),
                "fees": money(-fees),
                "realisedPnl": money(row["trade_profit"] + row["funding"] - fees),
                "unrealisedPnl": money(worth.unrealised),
                "equity": money(worth.equity),
            }
        )
    return found


_PROFIT = ("trade_profit", "funding", "open_fees", "close_fees")


def _is_below(account: Account, parent_id: int) -> bool:
    return account.parent_id == parent_id and account.kind is Kind.STRATEGY


async def deleveraging(call: Call) -> list[dict[str, Any]]:
    """The account's own place in the queue of each market: 10 would give up lots first, 0 not at all."""
    venue, found = call.api.node.exchange.machine.venue, []
    for wire in call.api.markets.all:
        ranks = venue.deleveraging_ranks(wire.terms.market_id)
        own = [ranks.get(call.account_id, 0), ranks.get(child_id(call.account_id, wire.terms.market_id), 0)]
        found.append({"market": wire.terms.name, "rank": max(own)})
    return found


ENDPOINTS = [
    Endpoint("GET", "/api/v1/user/liquidations", liquidations, query=("market", "cursor", "limit")),
    Endpoint("GET", "/api/v1/user/liquidations/{id}/explain", explain),
    Endpoint("GET", "/api/v1/user/marginCalls", margin_calls, query=("cursor", "limit")),
    Endpoint("GET", "/api/v1/user/profit", profit),
    Endpoint("GET", "/api/v1/user/deleveraging", deleveraging),
    Endpoint("GET", "/api/v1/user/orders/{id}/receipt", receipt),
    Endpoint("GET", "/api/v1/info/liquidations", all_liquidations, "", query=("market", "cursor", "limit")),
    Endpoint("GET", "/api/v1/info/insurance", insurance, "", query=("cursor", "limit")),
    Endpoint("GET", "/api/v1/info/receipts/{sequence}", place, ""),
]
