"""Margin mode and leverage of the shown market: what is in force, and a small form that signs another choice."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from nicegui import background_tasks, ui

from bulkhead.client import ClientError
from bulkhead.terminal import parts, words
from bulkhead.terminal.actions import Actions, Stage
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.shell import Page
from bulkhead.terminal.trade.order_form import number

HINT = "A strategy is an account of its own: choose it above, or make one on the screen Risk."
MODES = (("cross", "Cross: the whole account"), ("isolated", "Isolated: this position"))


class Margin:
    """`leverage` is the one in force; the market's largest before it is known."""

    def __init__(self, page: Page, market: LiveMarket, changed: Callable[[], None]) -> None:
        self.page = page
        self.market = market
        self.leverage = market.terms.trading_config.max_leverage
        self.mode = ""
        self._changed = changed
        self._key = Actions.new_key()
        self._seen = 0  # number of the last action that was looked at
        self.account = parts.Field("Account or strategy", kind="choice", on_change=self._choose)
        self.account.props('data-mark="ticket-account"')
        with ui.element("div").classes("bh-margin").props('data-mark="margin"'):
            self.text = parts.Text("", "span")
            self.open = parts.button("Change", self._open, mark="margin-change")
        with ui.element("div").classes("bh-form").props('data-mark="margin-form"') as self.form:
            self.choice = parts.Field("Margin mode", kind="choice", value="cross", options=MODES)
            with ui.element("div").classes("bh-two"):
                self.entry = parts.Field("Leverage", kind="number", value="10")
                self.cap = parts.Field("Top-up cap, USD", kind="number", value="0")
            self.note = parts.Text(HINT, "p", "bh-note bh-muted")
            with ui.element("div").classes("bh-two"):
                parts.button("Sign", self._sign, style="primary", mark="margin-sign")
                parts.button("Leave", lambda: self.form.set_visibility(False))
        self.form.set_visibility(False)
        page.painter.on(page.session.who, self._look)
        page.painter.on(page.session.actions, self._look_after_action)

    def _open(self) -> None:
        self.form.set_visibility(not self.form.visible)
        if self.mode:
            self.choice.set_value(self.mode.lower())
            self.entry.set_value(f"{self.leverage.normalize():f}")

    def _look_after_action(self) -> None:
        """A mode that was signed in another tab is in force in this one, too."""
        last = self.page.session.actions.last
        if last is None or last.stage is not Stage.DONE or last.number <= self._seen:
            return
        if last.what.startswith("Margin"):
            self._seen = last.number
            self._look()

    def _choose(self) -> None:
        """Trade as another of the owner's accounts, on all screens."""
        if self.account.value != str(self.page.session.active_id):
            self.page.session.choose(int(self.account.value))

    def _look(self) -> None:
        session = self.page.session
        account = session.active
        self.account.set_visibility(len(session.accounts) > 1)
        if account is not None:
            self.account.choose_from([(str(one.account_id), one.label) for one in session.accounts.values()])
            self.account.set_value(str(account.account_id))
        self.open.set_visibility(account is not None)
        if account is None:
            self.text.show("Margin mode: unlock an account")
            return
        background_tasks.create(self._ask(), name="margin mode")

    async def _ask(self) -> None:
        account = self.page.session.active
        if account is None:
            return
        try:
            found = await account.trader.leverage(self.market.name)
        except ClientError as error:
            self._say(f"Margin mode not known: {words.of_error(error).what.lower()}")
            return
        is_whole = found.margin_mode == "STRATEGY"  # cross inside it: what is signed there is cross or isolated, too
        self.leverage, self.mode = found.leverage, "CROSS" if is_whole else found.margin_mode
        where = " in a strategy" if account.named.kind != "MAIN" else ""
        self._say(f"{self.mode.title()} {found.leverage.normalize():f}x{where}")

    def _say(self, text: str) -> None:
        if not self.text.is_deleted:
            with self.form:
                self.text.show(text)
                self._changed()

    async def _sign(self) -> None:
        account, leverage, cap = self.page.session.active, number(self.entry.value), number(self.cap.value)
        most = self.market.terms.trading_config.max_leverage
        is_whole = leverage is not None and leverage == int(leverage) and 1 <= leverage <= most
        self.entry.problem("" if is_whole else f"whole, from 1 to {most.normalize():f}")
        self.cap.problem("" if cap is not None and cap >= 0 else "zero or more")
        if account is None or not is_whole or leverage is None or cap is None or cap < 0:
            return
        name, mode = self.market.name, self.choice.value
        action = await self.page.session.actions.run(
            self._key, f"Margin of {name}: {mode} {int(leverage)}x",
            lambda: account.trader.choose_mode(name, mode, leverage=int(leverage), top_up_cap=Decimal(cap)),
        )  # fmt: skip
        self._key = Actions.new_key()
        if action.stage is Stage.DONE:
            self.form.set_visibility(False)
            self.note.show(HINT, "bh-note bh-muted")
        else:
            self.note.show(action.text, "bh-note bh-danger")
