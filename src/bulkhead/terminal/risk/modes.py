"""Strategies and margin modes: small forms that sign what decides where later fills settle."""

from __future__ import annotations

from nicegui import ui

from bulkhead.terminal import numbers, parts
from bulkhead.terminal.actions import Actions, Stage
from bulkhead.terminal.live.venue import own_of
from bulkhead.terminal.session import NotReady
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
        if main is None:
            self.name.problem("Unlock an account first.")
            return

        async def open_it() -> None:
            made = await main.trader.add_strategy(name)
            await self._session.add_strategy(made.account_id, main.trader)

        action = await self._session.actions.run(self._key, f"Open strategy {name}", open_it)
        if action.stage is Stage.DONE:
            self._key = Actions.new_key()
            self.name.empty(typed)
        else:
            self.name.problem(action.text)
        await self._own.compartments.refresh()


class ModeForm:
    """Where the fills of one market settle from now on."""

    def __init__(self, page: Page) -> None:
        self._session = page.session
        self._key = Actions.new_key()
        markets = [(name, name) for name in page.session.markets]
        with parts.panel("Margin mode of a market", mark="mode"), ui.element("div").classes("bh-entry"):
            self.market = parts.Field(
                "In", kind="choice", value=page.market_name, options=markets, on_change=self._changed
            )
            self.mode = parts.Field("Mode", kind="choice", value="isolated", options=MODES, on_change=self._changed)
            self.leverage = parts.Field(
                "Leverage", kind="number", placeholder="the market's most", on_change=self._changed
            )
            self.cap = parts.Field("Top-up cap, USD", kind="number", placeholder="0", on_change=self._changed)
            self.note = parts.Text("", "p", "bh-note bh-muted")
            self.note.props('role="status" data-mark="mode-note"')
            self.send = parts.button("Sign", self._choose, mark="mode-send")

    def _changed(self) -> None:
        self._key = Actions.new_key()
        self.leverage.problem("")
        self.cap.problem("")

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

        async def choose() -> None:
            await account.trader.choose_mode(market, mode, leverage=int(text), top_up_cap=most)

        action = await self._session.actions.run(self._key, f"{market} {mode}", choose)
        is_done = action.stage is Stage.DONE
        said = f"{market} is {mode} for orders of {account.label} from now on." if is_done else action.text
        self.note.show(said, "bh-note " + ("bh-up" if is_done else "bh-danger"))
        if is_done:
            self._key = Actions.new_key()
