"""Strategies and margin modes: small forms that sign what decides where later fills settle."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from nicegui import background_tasks, ui

from bulkhead.client import ClientError
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.actions import Actions, Stage
from bulkhead.terminal.live.account import shortened
from bulkhead.terminal.live.venue import own_of
from bulkhead.terminal.session import Locked, NotReady
from bulkhead.terminal.shell import Page

MODES = [("isolated", "isolated"), ("cross", "cross")]


class StrategyForm:
    """A new strategy account: a name and a button."""

    def __init__(self, page: Page) -> None:
        self._session, self._own = page.session, own_of(page.session)
        self._key = Actions.new_key()
        with parts.panel("New strategy", mark="new-strategy"), ui.element("div").classes("bh-entry"):
            self.name = parts.Field(
                "Name", hint="Isolated from everything else, cross inside; the same key signs for it.",
                on_change=self._changed,
            )  # fmt: skip
            self.name.classes("bh-wide")
            self.send = parts.button("Sign and open", self._open, mark="strategy-send")

    def _changed(self) -> None:
        self._key = Actions.new_key()
        self.name.problem("")

    async def _open(self) -> None:
        typed, main = self.name.value, self._session.main
        name = typed.strip()
        if not name or len(name) > 128:
            self.name.problem("A name of 1 to 128 characters.")
            return
        held = self._own.compartments.value
        if held is not None and any(one.kind == "STRATEGY" and one.name == name for one in held.compartments):
            self.name.problem("There is a strategy of that name: money would be moved to the wrong one.")
            return
        if main is None:
            self.name.problem("Unlock an account first.")
            return

        async def open_it() -> None:
            made = await main.trader.add_strategy(name)
            with suppress(Locked):  # it is there all the same, and is followed when he unlocks again
                await self._session.add_strategy(made.account_id, main.trader)

        action = await self._session.actions.run(self._key, f"Open strategy {shortened(name)}", open_it)
        if action.stage is Stage.DONE:
            self._key = Actions.new_key()
            self.name.empty(typed)
        else:
            self.name.problem(action.text)
        await self._own.compartments.refresh()


class ModeForm:
    """Where the fills of one market settle from now on."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.session
        self._key = Actions.new_key()
        markets = [(name, name) for name in page.session.markets]
        with parts.panel("Margin mode of a market", mark="mode"), ui.element("div").classes("bh-entry"):
            self.market = parts.Field(
                "In", kind="choice", value=page.market_name, options=markets, on_change=self._another
            )
            self.mode = parts.Field("Mode", kind="choice", value="isolated", options=MODES, on_change=self._changed)
            self.leverage = parts.Field(
                "Leverage", kind="number", placeholder="the market's most", on_change=self._changed
            )
            self.cap = parts.Field("Top-up cap, USD", kind="number", placeholder="0", on_change=self._changed)
            self.now = parts.Text("", "p", "bh-note bh-muted")
            self.now.props('data-mark="mode-now"')
            self.note = parts.Text("", "p", "bh-note bh-muted")
            self.note.props('role="status" data-mark="mode-note"')
            self.send = parts.button("Sign", self._choose, mark="mode-send")
        page.painter.on(page.session.who, self._look)

    def _another(self) -> None:
        """Another market: what was said was of the one before."""
        self.note.show("")
        self._changed()
        self._look()

    def _changed(self) -> None:
        self._key = Actions.new_key()
        self.leverage.problem("")
        self.cap.problem("")

    def _look(self) -> None:
        """Say what is in force, so that nobody signs what he has already, or for another account than he thinks."""
        background_tasks.create(self._ask(), name="mode in force")

    async def _ask(self) -> None:
        account, market = self._session.active, self.market.value
        said = ""
        if account is not None:
            try:
                found = await account.trader.leverage(market)
            except ClientError as error:
                said = f"What is in force is not known: {words.of_error(error).what.lower()}."
            else:
                mode = f"{found.margin_mode.lower()}, {found.leverage.normalize():f}x"
                said = f"Now {mode}, for orders of {account.short_label}."
        if not self._page.client.is_deleted and market == self.market.value and account is self._session.active:
            self.now.show(said)

    async def _choose(self) -> None:
        account = self._session.active
        if account is None:
            self.note.show(str(NotReady("Unlock an account first.")), "bh-note bh-warning")
            return
        text, most = self.leverage.value.strip() or "0", numbers.typed(self.cap.value.strip() or "0")
        if not text.isascii() or not text.isdigit():
            self.leverage.problem("A whole number, or empty.")
            return
        if most is None or most < 0:
            self.cap.problem("An amount in USD, or empty.")
            return
        market, mode = self.market.value, self.mode.value
        highest = self._session.markets[market].trading_config.max_leverage
        if self.leverage.value.strip() and not 1 <= Decimal(text) <= highest:
            self.leverage.problem(f"From 1 to {highest.normalize():f}, or empty.")
            return

        async def choose() -> None:
            await account.trader.choose_mode(market, mode, leverage=int(text), top_up_cap=most)

        self.note.show("Sent…", "bh-note bh-muted")
        action = await self._session.actions.run(self._key, f"{market} {mode}", choose)
        is_done = action.stage is Stage.DONE
        said = f"{market} is {mode} for orders of {account.short_label} from now on." if is_done else action.text
        if not self._page.client.is_deleted:
            self.note.show(said, "bh-note " + ("bh-up" if is_done else "bh-danger"))
        if is_done:
            self._key = Actions.new_key()
        self._look()
