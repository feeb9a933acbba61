"""What happens to one account: orders, fills, positions, balance, money that comes and goes, margin calls.

Orders and fills are told at once. What prices move (positions, balance) is told at most every PULSE_S, whatever the
number of fills. Margin calls are a field of their own beside the balance, for the wire has no word for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bulkhead.api import shapes
from bulkhead.api.call import Api
from bulkhead.api.numbers import money
from bulkhead.api.operations import operation_shape
from bulkhead.api.streams.frame import Frame
from bulkhead.api.streams.topic import Pulse, Topic
from bulkhead.engine.order import Stage
from bulkhead.node.store.staging import Row

PULSE_S = 0.05
OPERATIONS = {"DEPOSIT": "DEPOSIT", "CLAIM": "DEPOSIT", "TRANSFER": "TRANSFER"}  # every other is a withdrawal
DEPOSITED = {"COMPLETED": "PROCESSED", "REJECTED": "REJECTED"}  # every other is on its way


class AccountTopic(Topic):
    """One signable account, its isolated children included."""

    def __init__(self, api: Api, account_id: int) -> None:
        super().__init__()
        self.account_id = account_id
        self._api = api
        self._orders: dict[int, Row] = {}
        self._fills: list[Row] = []
        self._operations: list[Row] = []
        self._calls: list[Row] = []
        self._positions: dict[int, Row] = {}  # by id; changed by a fill, funding or a move
        self._moved: list[Row] = []  # positions of this group; each may still change until `flush`
        self._rows: dict[str, Callable[[Row], None]] = {
            "orders": lambda row: self._orders.__setitem__(row["order_id"], row),
            "fills": self._fills.append,
            "operations": self._operations.append,
            "margin_calls": self._calls.append,
            "positions": self._position_moved,
        }
        self._pulse = Pulse(PULSE_S, self._tell_worth, self.fail)

    # -- hearing -----------------------------------------------------------------------------------------------------

    def changed(self, table: str, row: Row) -> None:
        """A row of this account."""
        self._rows[table](row)

    def progressed(self, row: Row) -> None:
        """A withdrawal of this account has come further on L1, or L1 went back. `row` has its claim."""
        self._tell_operation(row)

    def _position_moved(self, row: Row) -> None:
        self._positions[row["position_id"]] = row
        self._moved.append(row)

    def flush(self) -> None:
        """The group is over: tell what it did."""
        orders, self._orders = self._orders, {}
        for row in [row for row in orders.values() if row["filled"]]:
            for leg in self._legs(row["order_id"]):
                orders.setdefault(leg["order_id"], leg)
        ended = {row["market_id"] for row in self._moved if row["closed_ms"]}
        self._moved.clear()
        for leg in self._slept(ended) if ended else ():
            orders.setdefault(leg["order_id"], leg)
        shapes_of_orders = [shape for row in orders.values() if (shape := self._order(row)) is not None]
        if shapes_of_orders:
            self._tell("ORDER", {"orders": shapes_of_orders})
        if self._fills:
            self._tell("TRADE", {"trades": [shapes.trade_shape(self._api, row) for row in self._fills]})
            self._fills.clear()
        for row in self._operations:
            self._tell_operation(row)
        self._operations.clear()
        if self._calls:
            self._tell_worth()
        else:
            self._pulse.ask()

    def repriced(self) -> None:
        """Prices have moved: what the account is worth follows."""
        self._pulse.ask()

    # -- telling -----------------------------------------------------------------------------------------------------

    def greeting(self) -> list[Frame]:
        """Open orders, positions and balances. Frames of this are snapshots."""
        positions = [self._position(one) for one in shapes.lying(self._api, self.account_id)]
        return [
            self._frame("ORDER", {"orders": shapes.orders_of(self._api, self.account_id)}, is_snapshot=True),
            self._frame("POSITION", {"positions": positions}, is_snapshot=True),
            *self._balances(is_snapshot=True),
        ]

    def _tell_worth(self) -> None:
        """Positions that are open or have just been closed, and balances."""
        if not self.listeners:
            self._positions.clear()
            return
        open_now = shapes.lying(self._api, self.account_id)
        rows, self._positions = self._positions, {}
        positions = [self._position(one) for one in open_now]
        positions += [self._closed(row) for row in rows.values() if row["closed_ms"]]
        if positions:
            self._tell("POSITION", {"positions": positions})
        for frame in self._balances(is_snapshot=False):
            self.publish(frame)

    def _balances(self, *, is_snapshot: bool) -> list[Frame]:
        data: dict[str, Any] = {"balance": shapes.balance_shape(self._api, self.account_id)}
        if self._calls and not is_snapshot:
            data["marginCalls"] = [call_shape(row) for row in self._calls]
            self._calls.clear()
        spot = {"spotBalances": shapes.spot_balances(self._api, self.account_id)}
        return [
            self._frame("BALANCE", data, is_snapshot=is_snapshot),
            self._frame("SPOT_BALANCE", spot, is_snapshot=is_snapshot),
        ]

    def _tell_operation(self, row: Row) -> None:
        kind = OPERATIONS.get(row["type"], "WITHDRAWAL")
        shape = operation_shape(row, self._api.node.withdrawals.settled)
        rpc: dict[str, Any] = {"operation": shape}
        stated = {"assetId": row["asset_id"], "amount": money(abs(row["amount"])), "status": shape["status"]}
        if kind == "DEPOSIT":
            rpc["deposit"] = {
                **stated, "timestamp": row["time_ms"], "status": DEPOSITED.get(row["status"], "CREATED"),
            }  # fmt: skip
        elif kind == "WITHDRAWAL":
            rpc["withdrawal"] = {**stated, "id": row["operation_id"]}
        self._tell(kind, rpc)

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        self.publish(self._frame(kind, data, is_snapshot=False))

    def _frame(self, kind: str, data: dict[str, Any], *, is_snapshot: bool) -> Frame:
        return Frame(
            kind,
            data,
            int(self._api.sequencer.time_ms),
            rpc_kind=f"ACCOUNT.{kind}",
            rpc_data=lambda: {"isSnapshot": is_snapshot, **data},
        )

    # -- shapes ------------------------------------------------------------------------------------------------------

    def _order(self, row: Row) -> dict[str, Any] | None:
        """An order as REST shows it. Protection asleep until its parent trades is shown with the parent; one that
        sleeps again, by itself."""
        view = self._api.sequencer.order(row["order_id"])
        if view is None:
            return shapes.order_shape(self._api, row)
        if view.stage is Stage.DORMANT and not shapes.sleeps_again(self._api, view):
            return None
        rows = self._api.node.store.deriver.orders
        return shapes.order_shape(self._api, row, [rows[leg] for leg in view.legs if leg in rows])

    def _legs(self, order_id: int) -> Iterator[Row]:
        """Protection that came with an order: a fill wakes it, or makes it larger, and no row of its own says so. It
        has the numbers after the order's, which may have left with that fill."""
        for leg_id in (order_id + 1, order_id + 2):
            view, row = self._api.sequencer.order(leg_id), self._api.node.store.deriver.orders.get(leg_id)
            if view is not None and row is not None and view.parent_id == order_id:
                yield row

    def _slept(self, market_ids: set[int]) -> Iterator[Row]:
        """Protection that sleeps again since its position in one of these has ended: no row of its own says so."""
        rows = self._api.node.store.deriver.orders
        for view in self._api.sequencer.open_orders(self.account_id):
            is_there = view.signed.market_id in market_ids and view.order_id in rows
            if is_there and shapes.sleeps_again(self._api, view):
                yield rows[view.order_id]

    def _position(self, one: shapes.Lying) -> dict[str, Any]:
        shape = shapes.position_shape(self._api, self.account_id, one)
        del shape["adl"]  # a rank among all holders: REST works it out when it is asked
        return shape

    def _closed(self, row: Row) -> dict[str, Any]:
        """A position that has ended: what it came to."""
        history = shapes.history_shape(self._api, row)
        wire = self._api.markets.by_id[row["market_id"]]
        return {
            "id": row["position_id"],
            "accountId": self.account_id,
            "market": wire.terms.name,
            "status": "CLOSED",
            "side": row["side"],
            "leverage": history["leverage"],
            "size": "0",
            "value": "0",
            "openPrice": history["openPrice"],
            "exitPrice": history.get("exitPrice", "0"),
            "exitType": row["exit_type"],
            "markPrice": wire.index_price(int(self._api.sequencer.mark(row["market_id"]))),
            "unrealisedPnl": "0",
            "realisedPnl": history["realisedPnl"],
            "createdAt": row["created_ms"],
            "updatedAt": row["closed_ms"],
            "marginMode": shapes.margin_mode(self._api, self.account_id, row["market_id"]),
        }


def call_shape(row: Row) -> dict[str, Any]:
    """A margin call: maintenance has reached `level` hundredths of the holder's value."""
    return {
        "id": row["call_id"],
        "level": row["level"],
        "accountId": row["account_id"],
        "holderId": row["holder_id"],
        "value": money(int(row["value"])),
        "maintenance": money(int(row["maintenance"])),
        "time": row["time_ms"],
    }
