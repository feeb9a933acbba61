"""The tabs below the chart: positions, open orders, fills, funding, history; close, cancel, cancel all."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from nicegui import background_tasks, ui

from bulkhead.client import ClientError, Market, NewOrder, Order, Position, Trade
from bulkhead.terminal import numbers, parts
from bulkhead.terminal.actions import Action, Actions
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.shell import Page
from bulkhead.terminal.table import Column, Row, Table
from bulkhead.terminal.trade import lists, order_form
from bulkhead.terminal.words import Words

PAST_MAX = 200
RENEW_S = 30.0
ORDER = re.compile("[0-9]{1,20}")
CLOSE_SLIPPAGE = Decimal(1)  # percent


class Tabs:
    """One tab's tables; `cancel_all` is what the button and the key do, `edit` takes an order into the ticket."""

    def __init__(self, page: Page, edit: Callable[[Order], None]) -> None:
        self.page = page
        self._edit = edit
        self.session = page.session
        self.markets: dict[str, Market] = page.session.markets
        self._tables: dict[str, Table[Any]] = {}
        self._buttons: dict[str, ui.element] = {}
        self._texts: dict[str, parts.Text] = {}
        self._past: dict[str, list[Any]] = {"funding": [], "orders-past": [], "positions-past": []}
        self._shown = "positions"
        with parts.panel("Account", classes="bh-area-tabs", mark="account-panel") as panel:
            with panel.default_slot.children[0] as head:
                head.clear()
                self._build_head()
            with ui.element("div").classes("bh-fill bh-tables"):
                self._build_tables()
        self._bind()
        self.show("positions")

    # -- building ----------------------------------------------------------------------------------------------------

    def _build_head(self) -> None:
        names = (
            ("positions", "Positions"), ("orders", "Open orders"), ("fills", "Fills"), ("funding", "Funding"),
            ("orders-past", "Order history"), ("positions-past", "Position history"),
        )  # fmt: skip
        with ui.element("span").classes("bh-switch").props('role="group" aria-label="Tables"'):
            for name, text in names:
                made = parts.button(text, partial(self.show, name), mark=f"tab-{name}")
                self._buttons[name], self._texts[name] = made, parts.text_of(made)
        self.age = parts.Age(old_ms=parts.NEVER_MS, prefix="changed ")
        self.cancel_button = parts.button("Cancel all", self.cancel_all, mark="cancel-all", title="Shift+X")

    def _build_tables(self) -> None:
        self._add("positions", lists.POSITIONS, self._positions, lists.position_row, self._close)
        self._add("orders", lists.ORDERS, self._orders, lists.order_row, self._act)
        self._add("fills", lists.FILLS, self._fills, lists.fill_row)
        self._add("funding", lists.FUNDING, lambda: self._past["funding"], lists.funding_row)
        self._add("orders-past", lists.PAST_ORDERS, lambda: self._past["orders-past"], lists.past_order_row)
        self._add("positions-past", lists.PAST_POSITIONS, lambda: self._past["positions-past"], lists.past_position_row)

    def _add(
        self, name: str, columns: Sequence[Column], source: Callable[[], Sequence[Any]],
        row: Callable[[dict[str, Market], Any], Row], on_act: Any = None,
    ) -> None:  # fmt: skip
        made: Table[Any] = Table(
            self._texts[name].text, columns, source=source, row=lambda item: row(self.markets, item), on_act=on_act
        )
        self._tables[name] = made.props(f'data-mark="table-{name}"')

    def _bind(self) -> None:
        self.page.on_account(lambda account: (account.held,), lambda: self._paint("positions"))
        self.page.on_account(lambda account: (account.orders_changed,), lambda: self._paint("orders"))
        self.page.on_account(lambda account: (account.filled,), self._filled)
        self.page.on_account(lambda account: (account.money,), self._paint_age)
        self.page.painter.on(self.session.actions, self._paint_cancel)
        self.page.painter.every(RENEW_S, self._renew)

    # -- showing -----------------------------------------------------------------------------------------------------

    def show(self, name: str) -> None:
        """Show one of the tables."""
        self._shown = name
        for other, table in self._tables.items():
            table.set_visibility(other == name)
            parts.set_attribute(self._buttons[other], "aria-pressed", "true" if other == name else "false")
        self._renew()

    def _paint(self, name: str) -> None:
        account = self.session.active
        counts = {"positions": "Positions", "orders": "Open orders"}
        if name in counts:
            count = 0 if account is None else len(account.positions if name == "positions" else account.orders)
            self._texts[name].show(f"{counts[name]} {count:,}" if count else counts[name])
            self._paint_cancel()
        if name == self._shown:
            self._tables[name].paint()

    def _filled(self) -> None:
        self._paint("fills")
        self._renew_past()

    def _paint_age(self) -> None:
        account = self.session.active
        self.age.told(0 if account is None else account.money.changed_ms)

    def _renew(self) -> None:
        """What only the exchange keeps is asked for again; the times of the others read differently after midnight."""
        self._renew_past()
        self._paint(self._shown)

    def _renew_past(self) -> None:
        if self._shown in self._past and self.session.active is not None:
            background_tasks.create(self._ask_past(self._shown, self.session.active), name="past")

    async def _ask_past(self, name: str, account: LiveAccount) -> None:
        asks: dict[str, Callable[..., Awaitable[list[Any]]]] = {
            "funding": account.trader.funding_paid,
            "orders-past": account.trader.orders_history,
            "positions-past": account.trader.positions_history,
        }
        try:
            found = await asks[name](limit=PAST_MAX)
        except ClientError:
            return  # the banner says that the exchange gives no answer
        self._past[name] = found
        table = self._tables[name]
        if not table.is_deleted:
            with table:
                self._paint(name)

    def _positions(self) -> list[Position]:
        account = self.session.active
        return [] if account is None else list(account.positions.values())

    def _orders(self) -> list[Order]:
        account = self.session.active
        return [] if account is None else list(reversed(account.orders.values()))

    def _fills(self) -> list[Trade]:
        account = self.session.active
        return [] if account is None else list(account.fills)

    # -- acting ------------------------------------------------------------------------------------------------------

    async def _act(self, row_id: str, action: str) -> None:
        """Edit or cancel an order. One of another market is edited on that market's page."""
        account = self.session.active
        if account is None or not ORDER.fullmatch(row_id):
            return
        if action == "edit":
            order = account.orders.get(int(row_id))
            if order is not None and order.market == self.page.market_name:
                self._edit(order)
            elif order is not None:
                ui.navigate.to(self.page.link_to("/", market=order.market, replaces=order.external_id))
            return
        await self._cancel(account, f"Cancel order {row_id}", {int(row_id)}, lambda: account.trader.cancel(int(row_id)))

    async def _cancel(
        self, account: LiveAccount, what: str, order_ids: set[int], send: Callable[[], Awaitable[None]]
    ) -> Action:
        """Have orders cancelled. Without an answer it is done as soon as none of them is open."""

        async def find() -> bool:
            return order_ids.isdisjoint(order.id for order in await account.trader.orders())

        clock = self.session.exchange.transport.clock
        return await self.session.actions.run(Actions.new_key(), what, send, (clock, find) if order_ids else None)

    async def _close(self, market: str, action: str) -> None:
        """Close a position at market: reduce-only, at no more than a percent worse than the best price."""
        account = self.session.active
        if account is None or market not in account.positions:
            return
        position, terms, key = account.positions[market], self.markets[market], Actions.new_key()
        side = "SELL" if position.side == "LONG" else "BUY"
        what = f"Close {numbers.size(terms, position.size)} {market} at market"
        try:
            now = await self.session.exchange.statistics(market)
        except ClientError as error:
            await self.session.actions.run(key, what, partial(_fail, error))
            return
        best = (now.bid_price if side == "SELL" else now.ask_price) or None
        entries = order_form.Entries(
            kind=order_form.MARKET, side=side, size=f"{position.size:f}", reduce_only=True, force="IOC",
            slippage=str(CLOSE_SLIPPAGE),
        )  # fmt: skip
        made = order_form.make(entries, terms, best)
        if made.order is None:
            await self.session.actions.run(key, what, partial(_fail, ValueError("; ".join(made.problems.values()))))
            return
        order: NewOrder = made.order
        await self.session.actions.place(key, account, order, what)

    async def cancel_all(self) -> None:
        """Cancel every open order of the account, in every market."""
        account = self.session.active
        if account is None or not self._can_cancel or self.cancel_button.props.get("disabled"):
            return
        parts.set_disabled(self.cancel_button, True)
        actions, count = self.session.actions, len(account.orders)
        what = f"Cancel all {count:,} orders" if count > 1 else "Cancel all orders"
        late = actions.on_their_way
        try:
            action = await self._cancel(account, what, set(account.orders), account.trader.cancel_all)
        finally:
            if not self.cancel_button.is_deleted:
                self._paint_cancel()
        if late and action.words is None:
            many = "An order that was on its way is" if late == 1 else f"{late} orders that were on their way are"
            action.words = Words(f"{many} perhaps not among them", "Look at the open orders once more")
            actions.tell_of(action)

    @property
    def _can_cancel(self) -> bool:
        """There is something to cancel, or will be when it arrives."""
        account = self.session.active
        return account is not None and bool(account.orders or self.session.actions.on_their_way)

    def _paint_cancel(self) -> None:
        parts.set_disabled(self.cancel_button, not self._can_cancel)


async def _fail(error: Exception) -> None:
    raise error
