"""An order handed over by the screen Compare: the ticket filled from the address, nothing sent and nothing signed."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import background_tasks

from bulkhead.client import ClientError
from bulkhead.terminal import words
from bulkhead.terminal.compare.link import MODES, BadLink, Question, question_of
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.shell import Page
from bulkhead.terminal.trade import order_form
from bulkhead.terminal.trade.lists import can_be_edited
from bulkhead.terminal.trade.ticket import Ticket

ELSEWHERE = {
    "strategy": "Compared as a strategy: choose the strategy's account in the header, or make one on Risk, then send.",
    "scenario": "Compared under scenario margin: choose an account that was registered with it, then send.",
}


def take_over(page: Page, ticket: Ticket) -> None:
    """Fill the ticket where the address has an order. One that is none fills nothing, and the ticket says why."""
    if "replaces" in page.query:
        _Edit(page, ticket, page.query["replaces"])
        return
    if "size" not in page.query:
        return
    try:
        question = question_of(page.query, list(page.session.markets))
    except BadLink as error:
        ticket.outcome.show(f"The address holds no order: {error}.", "bh-warning")
        return
    ticket.choose_kind(order_form.MARKET if question.kind == "MARKET" else order_form.LIMIT)
    ticket.choose_side(question.side)
    ticket.fields["size"].set_value(f"{question.size:f}")
    ticket.fields["price"].set_value(f"{question.price:f}")
    ticket.ticks["post_only"].set_value(question.post_only)
    ticket.ticks["reduce_only"].set_value(question.reduce_only)
    _Offer(page, ticket, page.query.get("mode", ""), question)


class _Edit:
    """An open order of the account that is to be edited, by its external id, once it is known: from another market's
    page, or from Compare, with the size and price that were looked at."""

    def __init__(self, page: Page, ticket: Ticket, name: str) -> None:
        self._page, self._ticket, self._name = page, ticket, name
        self._is_done = False
        ticket.hold(True)
        page.on_account(lambda account: (account.orders_changed,), self._look)

    def _look(self) -> None:
        account = self._page.session.active
        if account is None or not account.is_known or self._is_done:
            return
        self._is_done = True
        self._ticket.hold(False)
        found = next((one for one in account.orders.values() if one.external_id == self._name), None)
        if found is None or found.market != self._ticket.market.name or not can_be_edited(found):
            said = "The order that was to be edited is open no more in this account and market."
            self._ticket.outcome.show(said, "bh-warning")
            return
        self._ticket.editing.begin(found)
        for name in ("size", "price"):
            value = order_form.number(self._page.query.get(name, ""))
            if value is not None:
                self._ticket.fields[name].set_value(f"{value:f}")


class _Offer:
    """The account that was compared, chosen once it is open; and a mode and leverage that are not in force in it yet:
    the form that signs them is opened with them, once. Cross is the main account's, whoever was asked of it."""

    def __init__(self, page: Page, ticket: Ticket, mode: str, question: Question) -> None:
        self._page, self._ticket = page, ticket
        self._mode, self._leverage, self._account_id = mode, question.leverage, question.account
        self._is_made = False
        page.painter.on(page.session.who, self._look)

    def _look(self) -> None:
        session = self._page.session
        if session.active is None or self._is_made:
            return
        account = session.accounts.get(self._account_id) if self._account_id else session.active
        if account is None:  # its owner's strategies come after his main account
            said = f"Compared for account {self._account_id}, which is not open here. The ticket trades for another."
            self._ticket.outcome.show(said, "bh-warning")
            return
        self._is_made = True
        is_strategy = account.named.kind == "STRATEGY"
        said = ELSEWHERE["strategy"] if self._mode == "strategy" and not is_strategy else ""
        if self._mode == "cross" and is_strategy and session.main is not None:
            account, said = session.main, "Compared in cross: that is the main account, which is chosen now."
        self._ticket.outcome.show(said, "bh-warning")
        session.choose(account.account_id)
        if self._mode in MODES and (self._mode != "strategy" or is_strategy):
            background_tasks.create(self._make(account), name="offered mode")

    async def _make(self, account: LiveAccount) -> None:
        try:
            found = await account.trader.leverage(self._ticket.market.name)
        except ClientError as error:
            why = words.of_error(error).what.lower()
            said = f"Compared in {self._mode}; which mode is in force is not known: {why}."
            self._show(lambda: self._ticket.outcome.show(said, "bh-warning"))
            return
        is_same = found.margin_mode.lower() == self._mode
        if self._mode == "scenario" and not is_same:
            self._show(lambda: self._ticket.outcome.show(ELSEWHERE["scenario"], "bh-warning"))
        elif not is_same or self._leverage not in (0, found.leverage):
            self._show(lambda: self._open(self._leverage or int(found.leverage)))

    def _open(self, leverage: int) -> None:
        margin = self._ticket.margin
        margin.choice.set_value("isolated" if self._mode == "isolated" else "cross")  # which a strategy is inside
        margin.entry.set_value(str(leverage))
        margin.form.set_visibility(True)
        margin.note.show(f"Compared in {self._mode} at {leverage}x: sign that first, then send.", "bh-note bh-warning")

    def _show(self, paint: Callable[[], None]) -> None:
        if not self._page.client.is_deleted:
            with self._page.client:
                paint()
