"""Orders, trades, positions and balances as the wire has them; REST and the account stream send the same shapes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from bulkhead.api.call import Api
from bulkhead.api.numbers import Wire, money, ratio
from bulkhead.engine.arrange import MarginMode, mode_of
from bulkhead.engine.order import OrderView, Stage
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.accounts import health_of, liquidation_price, settled
from bulkhead.ledger.state import Account, Kind
from bulkhead.node.store.staging import Row
from bulkhead.node.store.wording import OPEN
from bulkhead.rules.terms import Health, Position
from bulkhead.units import AccountId, Size

HUNDREDTH_PLACES = 6
SIZED = ("NEW", "PARTIALLY_FILLED", "FILLED")  # statuses in which an exit of a position has a size of its own


class Lying(NamedTuple):
    """A position, and the account that holds it: the signable one, or its isolated child."""

    holder: Account
    position: Position


# -- orders and trades ---------------------------------------------------------------------------------------------


def order_shape(api: Api, row: Row, legs: Iterable[Row] = ()) -> dict[str, Any]:
    """An order from its row; `legs` are the rows of its attached protection."""
    wire = api.markets.by_id[row["market_id"]]
    is_open = row["status"] in OPEN
    left = row["size"] - row["filled"]
    extra = json.loads(row["extra"]) if row["extra"] else {}
    shape: dict[str, Any] = {
        "id": row["order_id"],
        "accountId": row["account_id"],
        "externalId": row["external_id"],
        "market": wire.terms.name,
        "type": row["kind"],
        "side": row["side"],
        "status": row["status"],
        "statusReason": row["reason"],
        "price": wire.price(row["price"]),
        "averagePrice": wire.average(row["value"], row["filled"]) if row["filled"] else "0",
        "qty": wire.size(row["size"]),
        "filledQty": wire.size(row["filled"]),
        "cancelledQty": "0" if is_open or row["status"] == "FILLED" else wire.size(max(0, left)),
        "payedFee": money(row["fee"]),
        "reduceOnly": row["reduce_only"],
        "postOnly": row["post_only"],
        "timeInForce": row["time_in_force"],
        "createdTime": row["created_ms"],
        "updatedTime": row["updated_ms"],
        "expiryTime": row["expiry_ms"],
        "expireTime": row["expiry_ms"],
        "orderHash": row["hash"],
        "sequence": row["sequence"],
        "marginMode": margin_mode(api, row["account_id"], row["market_id"]),
    }
    if "trigger" in extra:
        _add_trigger(api, shape, wire, row, extra)
    for leg in legs:
        asked = json.loads(leg["extra"])
        shape[_leg_name(leg["side"], asked["trigger"])] = _leg(wire, leg, asked["trigger"])
        shape["tpSlType"] = asked["tpSlType"]
    return shape


def _add_trigger(api: Api, shape: dict[str, Any], wire: Wire, row: Row, extra: dict[str, Any]) -> None:
    """What an order waits for. One that closes a whole position knows its size when it fires; its signature names the
    largest that there may be. Until then, and where it left before, its size is what it filled. One that protects an
    order closes what that has filled, and while it is open that is its size: nothing more, when it sleeps again."""
    trigger = extra["trigger"]
    if row["kind"] == "TPSL":
        shape["tpSlType"] = extra["tpSlType"]
        view = api.sequencer.order(row["order_id"])
        is_asleep = view is not None and sleeps_again(api, view)
        if extra["tpSlType"] == "POSITION" and row["status"] not in SIZED:
            shape["qty"], shape["cancelledQty"] = shape["filledQty"], "0"
        elif view is not None:
            shape["qty"] = wire.size(int(view.filled if is_asleep else view.filled + view.left))
        if is_asleep:
            shape["isAsleep"] = True  # one of a whole position has no size that would say it
        shape[_leg_name(row["side"], trigger)] = _leg(wire, row, trigger)
        return
    shape["trigger"] = {
        "triggerPrice": wire.price(trigger["price"]),
        "triggerPriceType": trigger["source"],
        "direction": trigger["direction"],
        "executionPriceType": trigger["execution"],
    }


def sleeps_again(api: Api, view: OrderView) -> bool:
    """Protection whose position has gone while the rest of its order, which traded before, may still fill: it closes
    nothing until that fills more. It has been told as an order of its own, and stays one until it leaves."""
    if view.stage is not Stage.DORMANT:
        return False
    parent = api.sequencer.order(view.parent_id)
    return parent is not None and parent.filled > Size(0)


def _leg_name(side: str, trigger: dict[str, Any]) -> str:
    """A buy that waits for a fall takes a short's profit; one that waits for a rise stops its loss. Sales mirror it."""
    return "takeProfit" if (side == "BUY") == (trigger["direction"] == "DOWN") else "stopLoss"


def _leg(wire: Wire, row: Row, trigger: dict[str, Any]) -> dict[str, Any]:
    return {
        "triggerPrice": wire.price(trigger["price"]),
        "triggerPriceType": trigger["source"],
        "price": wire.price(row["price"]),
        "priceType": trigger["execution"],
        "status": row["status"],
    }


def trade_shape(api: Api, row: Row) -> dict[str, Any]:
    """A fill of an account."""
    wire = api.markets.by_id[row["market_id"]]
    return {
        "id": row["fill_id"],
        "accountId": row["account_id"],
        "market": wire.terms.name,
        "orderId": row["order_id"],
        "externalId": row["external_id"],
        "externalOrderId": row["external_id"],
        "side": row["side"],
        "price": wire.price(row["price"]),
        "qty": wire.size(row["size"]),
        "value": money(row["value"]),
        "fee": money(row["fee"]),
        "l1Share": money(row["l1_share"]),
        "realisedPnl": money(row["profit"]),
        "isTaker": row["is_taker"],
        "tradeType": row["trade_type"],
        "createdTime": row["created_ms"],
        "sequence": row["sequence"],
    }


def public_trade(api: Api, row: Row) -> dict[str, Any]:
    """A fill as everybody sees it: the taker's side."""
    wire = api.markets.by_id[row["market_id"]]
    return {
        "i": row["fill_id"],
        "m": wire.terms.name,
        "S": row["side"],
        "tT": row["trade_type"],
        "T": row["created_ms"],
        "p": wire.price(row["price"]),
        "q": wire.size(row["size"]),
    }


# -- accounts --------------------------------------------------------------------------------------------------------


def margin_mode(api: Api, account_id: int, market_id: int) -> str:
    """The mode that an account's orders in a market have now."""
    account = api.state.accounts.get(account_id)
    return MarginMode.CROSS.name if account is None else mode_of(api.state, account, market_id).name


def family_of(api: Api, account_id: int) -> list[Account]:
    """A signable account and its isolated children, funding paid up to now."""
    state = api.state
    ids = [account_id, *(account_id + int(wire.terms.market_id) for wire in api.markets.all)]
    return [settled(state, state.accounts[one])[0] for one in ids if one in state.accounts]


def lying(api: Api, account_id: int) -> list[Lying]:
    """Every position of an account, those of its isolated children among them, by market."""
    found = [Lying(holder, position) for holder in family_of(api, account_id) for position in holder.positions]
    return sorted(found, key=lambda one: one.position.market_id)


def position_shape(api: Api, account_id: int, one: Lying, ranks: dict[int, int] | None = None) -> dict[str, Any]:
    """An open position."""
    holder, position = one
    wire = api.markets.by_id[int(position.market_id)]
    size, cost = int(position.size), int(position.cost)
    price, mark = int(api.state.markets[position.market_id].price), int(api.sequencer.mark(position.market_id))
    worth = size * price
    row = api.node.store.deriver.held.open.get((account_id, int(position.market_id)), {})
    closed_at = liquidation_price(api.state, holder, position.market_id)
    health = health_of(api.state, holder)
    is_child = holder.kind is Kind.CHILD
    margin = int(health.value) >> FRACTION_BITS if is_child else int(health.initial) >> 2 * FRACTION_BITS
    realised = row.get("trade_profit", 0) + row.get("funding", 0) - row.get("open_fees", 0) - row.get("close_fees", 0)
    return {
        "id": row.get("position_id", int(position.market_id)),
        "accountId": account_id,
        "market": wire.terms.name,
        "status": "OPENED",
        "side": "LONG" if size > 0 else "SHORT",
        "leverage": leverage_of(api, account_id, int(position.market_id)),
        "size": wire.size(abs(size)),
        "value": money(abs(worth) >> FRACTION_BITS),
        "openPrice": wire.average(cost, size),
        "markPrice": wire.index_price(mark),
        "indexPrice": wire.index_price(price),
        "liquidationPrice": "0" if closed_at is None else wire.index_price(int(closed_at)),
        "margin": money(margin),
        "unrealisedPnl": money((worth >> FRACTION_BITS) - cost),
        "realisedPnl": money(realised),
        "adl": (ranks or {}).get(int(holder.account_id), 0),
        "createdAt": row.get("created_ms", 0),
        "updatedAt": row.get("updated_ms", 0),
        "marginMode": margin_mode(api, account_id, int(position.market_id)),
        "holderId": int(holder.account_id),
    }


def leverage_of(api: Api, account_id: int, market_id: int) -> str:
    """The leverage in force: what was signed, no more than the cap, and without either the market's own most."""
    account = api.state.accounts.get(account_id)
    choice = None if account is None else account.choice(market_id)
    cap = api.sequencer.leverage_cap(account_id, market_id)
    named = [value for value in (0 if choice is None else choice.leverage, cap) if value]
    return str(min(named)) if named else str(most_leverage(api.markets.by_id[market_id]))


def most_leverage(wire: Wire) -> int:
    """A market's own largest leverage, of its first tier."""
    return (1 << FRACTION_BITS) // int(wire.terms.tiers[0].initial)


class Worth(NamedTuple):
    """A signable account in whole 10^-6 USD, its isolated children included, each sum rounded against it."""

    cash: int  # balances and what positions cost: deposits and realised profit
    equity: int
    unrealised: int
    initial: int
    maintenance: int
    free: int
    withdrawable: int


def worth_of(api: Api, account_id: int) -> Worth:
    """What an account is worth, asks and has left."""
    family = family_of(api, account_id)
    healths = [health_of(api.state, one) for one in family]
    cash = sum(int(one.balance) + sum(int(position.cost) for position in one.positions) for one in family)
    equity = sum(int(health.value) for health in healths) >> FRACTION_BITS
    free = int(api.sequencer.free_initial(account_id))
    reserved = int(api.sequencer.reserved(account_id)) + sum(int(health.initial) for health in healths[1:])
    maintenance = sum(int(health.maintenance) for health in healths)
    return Worth(
        cash,
        equity,
        equity - cash,
        -(-reserved >> 2 * FRACTION_BITS),
        -(-maintenance >> 2 * FRACTION_BITS),
        max(0, free),
        _withdrawable(api, family[0], healths[0], free),
    )


def _withdrawable(api: Api, account: Account, health: Health, free: int) -> int:
    """What may leave now: what is free beyond open orders, and beyond the profit lock."""
    if not account.positions:
        return max(0, min(free, int(account.balance)))
    state = api.state
    gross = sum(abs(int(position.size * state.risks[position.market_id].price)) for position in account.positions)
    locked = -(-gross * int(state.config.profit_lock) >> 2 * FRACTION_BITS)
    return max(0, min(free, (int(health.value) >> FRACTION_BITS) - locked))


def balance_shape(api: Api, account_id: int) -> dict[str, Any]:
    """An account's balance; `strategies` is what lies in its other accounts, which is none of its own."""
    worth = worth_of(api, account_id)
    return {
        "collateralName": "USD",
        "balance": money(worth.cash),
        "equity": money(worth.equity),
        "availableForTrade": money(worth.free),
        "availableForWithdrawal": money(worth.withdrawable),
        "unrealisedPnl": money(worth.unrealised),
        "initialMargin": money(worth.initial),
        "maintenanceMargin": money(worth.maintenance),
        "marginRatio": ratio(worth.maintenance, worth.equity, HUNDREDTH_PLACES) if worth.equity > 0 else "0",
        "leverage": ratio(_gross(api, account_id), worth.equity, HUNDREDTH_PLACES) if worth.equity > 0 else "0",
        "updatedTime": int(api.sequencer.time_ms),
    }


def _gross(api: Api, account_id: int) -> int:
    held = lying(api, account_id)
    return sum(abs(int(one.position.size * api.state.risks[one.position.market_id].price)) for one in held) >> 32


def spot_balances(api: Api, account_id: int) -> list[dict[str, Any]]:
    """The collateral as a list of assets."""
    worth = worth_of(api, account_id)
    return [
        {
            "accountId": account_id,
            "asset": "USD",
            "balance": money(worth.cash),
            "indexPrice": "1",
            "notionalValue": money(worth.cash),
            "contributionFactor": "1",
            "equityContribution": money(worth.cash),
            "availableToWithdraw": money(worth.withdrawable),
            "updatedAt": int(api.sequencer.time_ms),
        }
    ]


def history_shape(api: Api, row: Row) -> dict[str, Any]:
    """A position from its first lot to its last, or to now."""
    wire = api.markets.by_id[row["market_id"]]
    fees = row["open_fees"] + row["close_fees"]
    shape: dict[str, Any] = {
        "id": row["position_id"],
        "accountId": row["account_id"],
        "market": wire.terms.name,
        "side": row["side"],
        "size": wire.size(row["size"] or row["closed_size"]),
        "maxPositionSize": wire.size(row["size_max"]),
        "leverage": leverage_of(api, row["account_id"], row["market_id"]),
        "openPrice": wire.average(row["opened_value"], row["opened_size"]),
        "realisedPnl": money(row["trade_profit"] + row["funding"] - fees),
        "realisedPnlBreakdown": {
            "tradePnl": money(row["trade_profit"]),
            "fundingFees": money(row["funding"]),
            "openFees": money(-row["open_fees"]),
            "closeFees": money(-row["close_fees"]),
        },
        "createdTime": row["created_ms"],
    }
    if row["closed_size"]:
        shape["exitPrice"] = wire.average(row["closed_value"], row["closed_size"])
    if row["closed_ms"]:
        shape["exitType"] = row["exit_type"]
        shape["closedTime"] = row["closed_ms"]
    return shape


def account_shape(api: Api, account_id: AccountId | int) -> dict[str, Any]:
    """An account as its owner knows it."""
    named = api.node.directory.account(int(account_id))
    account = api.state.accounts[int(account_id)]
    return {
        "id": int(account_id),
        "accountId": int(account_id),
        "description": "" if named is None else named.description,
        "accountIndex": 0 if named is None else named.account_index,
        "accountIndexForKeyGeneration": 0 if named is None else named.account_index,
        "status": "ACTIVE",
        "l2Key": hex(account.owner_key),
        "l2Vault": int(account_id),
        "bridgeStarknetAddress": f"0x{account.l1_owner:040x}",
        "apiKeys": [key.key_id for key in api.node.directory.keys_of(int(account_id))],
        "kind": account.kind.name,
        "marginRule": account.rule.name,
        "parentId": int(account.parent_id),
        "nonce": account.nonce,
    }


def exits_of(api: Api, account_id: int) -> dict[str, dict[str, str]]:
    """By market: where the orders that close its whole position wait, and the worst prices that they then take."""
    found: dict[str, dict[str, str]] = {}
    for order in orders_of(api, account_id):
        if order["type"] != "TPSL" or order["tpSlType"] != "POSITION":
            continue
        view = api.sequencer.order(order["id"])
        if view is None or view.stage is Stage.DORMANT:
            continue  # it sleeps again: a position that is there now is another order's, and this does not close it
        for name, short in (("takeProfit", "tp"), ("stopLoss", "sl")):
            if name in order:
                leg = order[name]
                exits = {f"{short}TriggerPrice": leg["triggerPrice"], f"{short}Price": leg["price"]}
                found.setdefault(order["market"], {}).update(exits)
    return found


def orders_of(api: Api, account_id: int) -> list[dict[str, Any]]:
    """Open orders of an account, oldest first. Protection asleep until its parent trades is shown with the parent;
    one that sleeps again, by itself."""
    found = []
    rows = api.node.store.deriver.orders
    for view in api.sequencer.open_orders(account_id):
        row = rows.get(view.order_id)
        if row is not None and (view.stage is not Stage.DORMANT or sleeps_again(api, view)):
            found.append(order_shape(api, row, [rows[leg] for leg in view.legs if leg in rows]))
    return found
