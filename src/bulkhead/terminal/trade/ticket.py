"""The ticket: every type of order, with margin mode and leverage; sent once, and what became of it in words."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from decimal import Decimal

from nicegui import ui

from bulkhead.client import ClientError, NewOrder, Order
from bulkhead.client.errors import NoAnswer
from bulkhead.client.models import ModePreview
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.actions import Action, Actions, Stage
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.live.topic import now_ms
from bulkhead.terminal.shell import Page
from bulkhead.terminal.trade import editing, order_form
from bulkhead.terminal.trade.editing import Editing
from bulkhead.terminal.trade.margin import Margin
from bulkhead.terminal.trade.order_form import LIMIT, MARKET, PROTECT, STOP, Entries, Made

REPEAT_S = 0.5
PREVIEW_S = 0.25  # after the last key
AGAIN_S, OLD_MS = 5.0, 15_000  # prices move while nobody types
SHARES = ("25", "50", "75", "100")
STAGE_STYLES = {
    Stage.SENT: "bh-muted", Stage.LOOKING: "bh-warning", Stage.DONE: "bh-up", Stage.REFUSED: "bh-danger",
    Stage.LOST: "bh-warning", Stage.UNKNOWN: "bh-warning",
}  # fmt: skip


class Ticket:
    """One tab's ticket. `send` is what the button and Enter do."""

    def __init__(self, page: Page, market: LiveMarket) -> None:
        self.page = page
        self.market = market
        self.entries = Entries()
        self.fields: dict[str, parts.Field] = {}
        self.ticks: dict[str, parts.Tick] = {}
        self._key = Actions.new_key()
        self._action: Action | None = None
        self._foreseen = ""  # why the order would be refused
        self._is_taking = False
        self.is_sending = False
        self._last: tuple[float, tuple[object, ...]] | None = None  # when was sent what
        self._preview_task: asyncio.Task[None] | None = None
        with parts.panel("Order", classes="bh-area-ticket", mark="ticket"), ui.element("div").classes("bh-ticket"):
            self.editing = Editing(self, self._show_edited)
            self.margin = Margin(page, market, self.look_ahead)
            self._build()
        page.painter.on(page.session.actions, self._paint_action)
        page.on_account(lambda account: (account.money, account.held), self._paint_state)
        page.painter.on(page.session.link, self._paint_state)
        page.painter.every(AGAIN_S, self._look_again)

    # -- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.sides = ui.element("div").classes("bh-sides").props('role="group" aria-label="Side"')
        with self.sides:
            self.buy = parts.button("Buy / long", lambda: self.choose_side("BUY"), mark="side-buy")
            self.sell = parts.button("Sell / short", lambda: self.choose_side("SELL"), mark="side-sell")
        self._field("kind", "Type", options=order_form.TYPES)
        with ui.element("div").classes("bh-two"):
            self._field("trigger", "Trigger price", number=True)
            self._field("source", "Trigger by", options=order_form.SOURCES)
            self._field("direction", "Fires when it", options=(("UP", "rises to it"), ("DOWN", "falls to it")))
            self._field("price", "Price", number=True)
            self._field("size", f"Size, {self.market.name.split('-')[0]}", number=True)
            self._field("slippage", "Slippage at most, %", number=True)
            self._field("force", "Time in force", options=order_form.FORCES)
            self._field("lifetime", "Good for", options=order_form.LIFETIMES)
        self.shares = ui.element("div").classes("bh-shares").props('role="group" aria-label="Share of free margin"')
        with self.shares:
            for share in SHARES:
                parts.button(f"{share}%", lambda share=share: self.take_share(Decimal(share) / 100))
        with ui.element("div").classes("bh-two"):
            self._tick("post_only", "Post-only")
            self._tick("reduce_only", "Reduce-only")
        with ui.element("div").classes("bh-two"):
            self._field("take_profit", "Take-profit at", number=True, placeholder="none")
            self._field("stop_loss", "Stop-loss at", number=True, placeholder="none")
        with ui.element("div").classes("bh-send"):
            self._build_send()
        self._show()

    def _build_send(self) -> None:
        self.preview = ui.element("dl").classes("bh-preview").props('data-mark="preview"')
        with self.preview:
            self._ahead = {name: _term(name) for name in ("Margin", "Fee at most", "Liquidation", "At stake")}
        self.age = parts.Age(old_ms=OLD_MS, prefix="estimate of ")
        self.note = parts.Text("", "p", "bh-note")
        self.submit = parts.button("", self.send, style="buy", mark="submit")
        self.submit_text = parts.text_of(self.submit)
        with ui.element("p").classes("bh-outcome").props('role="status" data-mark="outcome"'):
            self.outcome = parts.Text()
        self.more = parts.Text("", "p", "bh-note bh-muted")
        self.compare = parts.button("Compare margin modes…", self._compare, mark="compare")

    def _field(
        self, name: str, label: str, *, number: bool = False, placeholder: str = "",
        options: tuple[tuple[str, str], ...] = (),
    ) -> None:  # fmt: skip
        made = parts.Field(
            label, kind="choice" if options else "number" if number else "text", options=options,
            value=getattr(self.entries, name), placeholder=placeholder, on_change=lambda: self._entered(name),
            on_enter=self.send, on_escape=self.editing.leave,
        )  # fmt: skip
        self.fields[name] = made.props(f'data-mark="ticket-{name}"')

    def _tick(self, name: str, label: str) -> None:
        made = parts.Tick(label, on_change=lambda: self._entered(name))
        self.ticks[name] = made.props(f'data-mark="ticket-{name}"')

    # -- entries -----------------------------------------------------------------------------------------------------

    def _entered(self, name: str) -> None:
        if self._is_taking:
            return
        setattr(self.entries, name, (self.fields | self.ticks)[name].value)
        if name == "kind":
            self._fit_force()
            self._show()
        self._renew()
        self.look_ahead()

    def _renew(self) -> None:
        """Whatever is sent next is another order, unless the last one is still under way."""
        if not self.is_sending and (self._action is None or self._action.is_over):
            self._key = Actions.new_key()

    def choose_side(self, side: str) -> None:
        """Buy or sell. An order that is edited keeps its side."""
        if self.editing.order is not None:
            return
        self.entries.side = side
        if self.entries.kind == STOP:
            self.fields["direction"].set_value("UP" if side == "BUY" else "DOWN")
            self.entries.direction = self.fields["direction"].value
        self._show()
        self._renew()
        self.look_ahead()

    def choose_kind(self, kind: str) -> None:
        """Another type of order. One that is edited keeps its own."""
        if self.editing.order is None:
            self.fields["kind"].set_value(kind)

    def take_entries(self, entries: Entries) -> None:
        """Have other entries in the ticket, all at once."""
        self._is_taking, self.entries = True, entries
        for name, field in self.fields.items():
            field.set_value(getattr(entries, name))
            field.problem("")
        for name, tick in self.ticks.items():
            tick.set_value(getattr(entries, name))
        self._is_taking = False
        self._renew()

    def hold(self, is_held: bool) -> None:
        """Take no entries while others are on their way into the ticket: they would overwrite them."""
        for field in self.fields.values():
            field.disable(is_held)
        for tick in self.ticks.values():
            tick.disable(is_held)

    def take_price(self, price: str) -> None:
        """A price of the book that was clicked."""
        self.fields["price"].set_value(str(numbers.read(price)))

    def _compare(self) -> None:
        """The same order on the screen Compare."""
        entries = self.entries
        price = order_form.number(entries.price) if entries.kind != MARKET else self._best()
        edited = self.editing.order
        replaces = {} if edited is None or self.editing.gone else {"replaces": edited.external_id}
        ui.navigate.to(self.page.link_to(
            "/compare", market=self.market.name, side=entries.side, price=str(price or ""),
            type="MARKET" if entries.kind == MARKET else "LIMIT", size=str(order_form.number(entries.size) or ""),
            **replaces,
        ))  # fmt: skip

    def take_share(self, share: Decimal) -> None:
        """A share of what the free margin could carry at the leverage in force."""
        account = self.page.session.active
        price = order_form.number(self.entries.price) if self.entries.kind != MARKET else self._best()
        if account is None or account.balance is None or not price:
            return
        worth = account.balance.available_for_trade * self.margin.leverage * share * Decimal("0.98")  # room for fees
        size = numbers.floored(worth / price, self.market.terms.trading_config.min_order_size_change)
        self.fields["size"].set_value(f"{size:f}")

    def _best(self) -> Decimal | None:
        return self.market.best_ask if self.entries.side == "BUY" else self.market.best_bid

    def _made(self) -> Made:
        account = self.page.session.active
        held = Decimal(0) if account is None else account.size(self.market.name)
        made = order_form.make(self.entries, self.market.terms, self._best(), held)
        edited = self.editing.order
        now_ms = int(1000 * self.page.session.exchange.transport.clock.signing_s())
        return made if edited is None else editing.replacement(made, self.entries, edited, now_ms)

    # -- showing -----------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        """What the chosen type needs, and nothing else."""
        kind, is_buy, is_new = self.entries.kind, self.entries.side == "BUY", self.editing.order is None
        for name, kinds in (
            ("trigger", (STOP,)), ("direction", (STOP,)), ("source", (STOP, PROTECT)), ("price", (LIMIT, STOP)),
            ("size", (LIMIT, MARKET, STOP)), ("lifetime", (LIMIT, STOP)), ("slippage", (MARKET, PROTECT)),
        ):  # fmt: skip
            self.fields[name].set_visibility(kind in kinds and (is_new or name != "lifetime"))
        self.fields["kind"].set_visibility(is_new)
        self.sides.set_visibility(is_new)
        self.fields["force"].set_visibility(kind != PROTECT and is_new)
        self.fields["force"].choose_from(order_form.FORCES[1:] if kind == MARKET else order_form.FORCES)
        self.ticks["post_only"].set_visibility(kind == LIMIT)
        self.ticks["reduce_only"].set_visibility(kind != PROTECT)
        self.shares.set_visibility(kind != PROTECT and is_new)
        self.preview.set_visibility(kind != PROTECT)
        self.compare.set_visibility(kind != PROTECT)  # exits take no margin
        for button, side in ((self.buy, "BUY"), (self.sell, "SELL")):
            parts.set_attribute(button, "aria-pressed", "true" if side == self.entries.side else "false")
        name = self.market.name.split("-")[0]
        text = "Protect the position" if kind == PROTECT else f"{'Buy' if is_buy else 'Sell'} {name}"
        edited = self.editing.order
        if edited is not None:
            text = "Replace the exits" if kind == PROTECT else f"Replace order {edited.id}"
        self.submit_text.show(text)
        style = "bh-primary" if kind == PROTECT else "bh-buy" if is_buy else "bh-sell"
        self.submit.classes(replace=f"bh-button {style}")

    def _fit_force(self) -> None:
        """A market order takes; any other rests, unless it is told not to."""
        if self.entries.kind == MARKET and self.entries.force == "GTT":
            self.fields["force"].set_value("IOC")
        elif self.entries.kind != MARKET and self.entries.force == "IOC":
            self.fields["force"].set_value("GTT")

    def _show_edited(self) -> None:
        """An order has come into the ticket, or left it."""
        self._show()
        self.look_ahead()
        if self.editing.order is not None and not self.editing.gone:
            self.focus("price" if self.entries.kind != PROTECT else "take_profit")

    def focus(self, name: str) -> None:
        """Have the cursor in a field, with all of it selected."""
        own = self.fields[name].props["own"]
        self.page.client.run_javascript(
            f"const found = document.getElementById('{own}'); if (found) {{ found.focus(); found.select(); }}"
        )

    def _paint_state(self) -> None:
        """Whether it can be sent now, and why not."""
        session = self.page.session
        why = session.link.why if session.active is not None else "Unlock an account on the screen Keys to trade."
        if why:
            self.note.show(why, "bh-note bh-warning")
        else:
            self.note.show(self._foreseen, "bh-note bh-danger")
        is_open = self.is_sending or (self._action is not None and not self._action.is_over)
        cannot = session.active is None or session.link.other is not None
        parts.set_disabled(self.submit, cannot or is_open or bool(self.editing.gone))

    def _paint_problems(self, made: Made) -> None:
        for name, field in self.fields.items():
            field.problem(made.problems.get(name, ""))

    def _paint_action(self) -> None:
        action = self._action
        if action is None:
            return
        took = f" in {action.answered_ms:.0f} ms" if action.stage is Stage.DONE else ""
        self.outcome.show(f"{action.what}: {action.text}{took}", STAGE_STYLES[action.stage])
        self.more.show(f"The exchange says: {action.details}" if action.details else "")
        self._paint_state()

    # -- looking ahead -------------------------------------------------------------------------------------------------

    def look_ahead(self) -> None:
        """Ask what the order would cost, a moment after the last entry."""
        if self._preview_task is not None:
            self._preview_task.cancel()
        account, made = self.page.session.active, self._made()
        for name, field in self.fields.items():  # complaints go as soon as they are met; new ones wait for the click
            if name not in made.problems:
                field.problem("")
        if account is None or made.order is None or self.editing.gone:
            self._paint_ahead(None, "")
            return
        self._preview_task = asyncio.create_task(self._ask_ahead(account, made.order), name="preview")

    def _look_again(self) -> None:
        """The same order at the prices of now. One that is on its way is waited for, however slow it is."""
        if self._preview_task is None or self._preview_task.done():
            self.look_ahead()

    async def _ask_ahead(self, account: LiveAccount, order: NewOrder) -> None:
        await asyncio.sleep(PREVIEW_S)
        try:
            shown = await account.trader.preview(order)
        except ClientError as error:
            with self.preview:
                said = "No estimate: no answer." if isinstance(error, NoAnswer) else str(words.of_error(error))
                self._paint_ahead(None, said)
            return
        current = next((mode for mode in shown.modes if mode.is_current), None)
        reject = words.of_reject(shown.reject) if shown.reject else None
        if not self.preview.is_deleted:
            with self.preview:
                self._paint_ahead(current, "" if reject is None else f"Would be rejected: {reject}")

    def _paint_ahead(self, mode: ModePreview | None, problem: str) -> None:
        shown = dict.fromkeys(self._ahead, numbers.NONE)
        if mode is not None:
            price = numbers.price(self.market.terms, mode.liquidation_price) if mode.liquidation_price else "none"
            texts = (numbers.dollars(mode.margin), numbers.dollars(mode.fee), price, numbers.dollars(mode.at_stake))
            shown = dict(zip(self._ahead, texts, strict=True))
        for name, text in shown.items():
            self._ahead[name].show(text)
        self.age.told(0 if mode is None else now_ms())
        self._foreseen = problem
        self._paint_state()

    # -- sending -----------------------------------------------------------------------------------------------------

    async def send(self) -> None:
        """Send what stands in the ticket, once."""
        account = self.page.session.active
        if account is None or self.is_sending or self._is_repeated():
            return
        made, edited = self._made(), self.editing.order
        if self.editing.gone:
            return self.outcome.show(f"Nothing was sent. {self.editing.gone}.", "bh-danger")
        other = self.page.session.link.other
        if other is not None:
            return self.outcome.show(f"Nothing was sent. {words.sentence(other.what)}", "bh-danger")
        self._paint_problems(made)
        if made.problems:
            worst = "; ".join(f"{name.replace('_', ' ')}: {problem}" for name, problem in made.problems.items())
            self.outcome.show(f"Nothing was sent. {worst.capitalize()}.", "bh-danger")  # a note lasts a second
            return
        if edited is not None and self.entries == editing.entries_of(edited):
            self.outcome.show("Nothing was sent: nothing is different yet.", "bh-danger")
            return
        self._renew()
        self.is_sending = True
        parts.set_disabled(self.submit, True)
        try:
            self._action = await self._sent(account, made, edited)
            if edited is not None and not self.submit.is_deleted:
                with self.submit:
                    await self.editing.done(edited, account, self._action)
        finally:
            self.is_sending = False
            self.editing.look()
            self._renew()
            if not self.submit.is_deleted:
                with self.submit:
                    self._paint_state()
                    self._paint_action()

    def _is_repeated(self) -> bool:
        """The same entries, sent again faster than anybody decides to: a slip of the hand."""
        before, now_s, entries = self._last, time.monotonic(), dataclasses.astuple(self.entries)
        self._last = (now_s, entries)
        return before is not None and before[1] == entries and now_s - before[0] < REPEAT_S

    async def _sent(self, account: LiveAccount, made: Made, edited: Order | None) -> Action:
        actions, key = self.page.session.actions, self._key

        def begun() -> None:
            self._action = actions.all.get(key, self._action)

        asyncio.get_running_loop().call_soon(begun)
        if made.order is not None:
            terms = self.market.terms
            what = order_form.words(made.order, terms) if edited is None else editing.words(edited, made.order, terms)
            return await actions.place(key, account, made.order, what)
        name, exits = self.market.name, (made.take_profit, made.stop_loss)
        if edited is None:
            return await actions.protect(key, account, name, exits, f"Protect the position in {name}")
        return await actions.protect(
            key, account, name, exits, f"Other exits of {name}", size=self.editing.closes, replaces=edited.external_id
        )


def _term(name: str) -> parts.Text:
    with ui.element("div"):
        parts.Text(name, "dt")
        return parts.Text(numbers.NONE, "dd")
