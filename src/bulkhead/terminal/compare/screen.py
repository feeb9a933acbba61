"""The screen Compare: one order in four margin modes side by side, along prices that have not come."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from decimal import Decimal

from nicegui import background_tasks, ui

from bulkhead.client import ClientError, Unreachable
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.compare import columns, questions
from bulkhead.terminal.compare.figures import Answer, ask, check_unlocked, held_markets
from bulkhead.terminal.compare.link import (
    REACHES,
    BadLink,
    Question,
    check_steps,
    question_of,
    share_in_percent,
    text_of,
)
from bulkhead.terminal.compare.moments import Correlation
from bulkhead.terminal.compare.view import SHOWN, Chart, ModesTable, Slider
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.live.topic import now_ms
from bulkhead.terminal.session import NotReady
from bulkhead.terminal.shell import Page, screen

PAUSE_S = 0.04  # after the last key
AGAIN_S = 3.0  # while prices move by themselves
CORRELATIONS = (
    (Correlation.INTACT.value, "intact: by beta"),
    (Correlation.ONE.value, "broken to 1: equal σ"),
    (Correlation.ZERO.value, "broken to 0: alone"),
)
REACH_WORDS = tuple((name, f"\u00b1{name}%") for name in REACHES)
ENTRIES = (
    "side", "type", "size", "price", "postOnly", "reduceOnly", "leverage", "loss", "account", "move", "reach",
    "correlation", "replaces",
)  # fmt: skip
FIRST = ("size", "price", "leverage")  # entered here where the address asks nothing
KINDS = (("LIMIT", "Limit"), ("MARKET", "Market"))
COPIES = "navigator.clipboard?.writeText(location.href).then(() => true, () => false) ?? false"


@screen("/compare", "Compare", order=1)
def build(page: Page) -> None:
    """The comparison, or the wizard where the address asks for it."""
    if page.query.get("view") == "wizard":
        questions.build(page)
        return
    market = page.hold_market()
    if market is not None:
        Compare(page, market)


class Compare:
    """One tab. `said` holds the entries as texts by the names they have in the address."""

    def __init__(self, page: Page, market: LiveMarket) -> None:
        self.page = page
        self.market = market
        asked = page.query.get("market", market.name)
        self.stranger = asked if asked != market.name else ""  # a market of the address that there is none of here
        self.said = {**first_of(page, is_asked=not self.stranger), "market": market.name}
        self._is_filled = bool(self.said.get("size"))
        self.fields: dict[str, parts.Field] = {}
        self.answer: Answer | None = None
        self.place = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_asked = False
        self._asked_s = 0.0
        self._is_failed = False
        self._shown_address = ""
        self._active_id = page.session.active_id
        with ui.element("div").classes("bh-compare"):
            self._build_ticket()
            with ui.element("div").classes("bh-compare-right"):
                self._build_table()
                self._build_price()
        page.client.on_delete(self._close)
        page.on_account(lambda account: (account.money, account.held), self._account_changed)
        page.painter.on(page.session.who, self._who_changed)
        page.painter.on(market.priced, self._price_changed)
        page.painter.on(page.session.link, self._link_changed)

    # -- building ----------------------------------------------------------------------------------------------------

    def _build_ticket(self) -> None:
        with parts.panel("What if", mark="ticket"), ui.element("div").classes("bh-compare-ticket"):
            if self.stranger:
                said = f"The address asks for {self.stranger[:40]!r}: no market here. This is {self.market.name}."
                parts.Text(said, "p", "bh-note bh-warning").props('data-mark="stranger"')
            if self.said.get("replaces"):
                parts.Text("In the place of an open order, whose margin is free then", "p", "bh-note bh-warning")
            with ui.element("div").classes("bh-pair").props('role="group" aria-label="Side"'):
                self.buy = parts.button("Buy", lambda: self.enter("side", "BUY"), mark="buy")
                self.sell = parts.button("Sell", lambda: self.enter("side", "SELL"), mark="sell")
            self._field("type", "Type", kind="choice", options=KINDS)
            self._field("size", f"Size, {self.market.name.split('-')[0]}", kind="number")
            self._field("price", "Price (of a market order: the worst)", kind="number")
            self._field("leverage", "Leverage, as if signed", kind="number", placeholder="as signed now")
            with ui.element("div").classes("bh-pair"):
                self._tick("postOnly", "Post-only")
                self._tick("reduceOnly", "Reduce-only")
            self._field("loss", "Size for a loss of, USD", kind="number", placeholder="none")
            self.problem = parts.Text("", "p", "bh-note bh-danger")
            self.problem.props('role="alert" data-mark="problem"')
            self.whose = parts.Text("", "p", "bh-note bh-warning").props('data-mark="whose"')
            self.mine = parts.button("Ask it of my own account", self._ask_of_mine, mark="ask-of-mine")
            self.mine.set_visibility(False)
            parts.button("Copy link to this what-if", self._copy, mark="copy-link")
            self.copied = parts.Text("", "p", "bh-note bh-muted")
            self.copied.props('role="status" data-mark="copied"')
            self.wizard = ui.element("a").classes("bh-button").props('data-mark="to-wizard"')
            self.wizard.props["href"] = self.page.link_to("/compare", view="wizard")
            with self.wizard:
                parts.Text("Which mode for me?")
            self.age = parts.Age(prefix="answered ")
        self._paint_side()

    def _field(
        self, name: str, label: str, *, kind: parts.Kind = "text", options: tuple[tuple[str, str], ...] = (),
        placeholder: str = "",
    ) -> parts.Field:  # fmt: skip
        made = parts.Field(
            label, kind=kind, options=options, value=self.said.get(name, ""), placeholder=placeholder,
            on_change=lambda: self.enter(name, str(made.value)),
        )  # fmt: skip
        self.fields[name] = made
        return made.props(f'data-mark="entry-{name}"')

    def _tick(self, name: str, label: str) -> None:
        made = parts.Tick(
            label, value=self.said.get(name) == "1", on_change=lambda: self.enter(name, "1" if made.value else "")
        )
        made.props(f'data-mark="entry-{name}"')

    def _build_table(self) -> None:
        with parts.panel("Margin modes side by side", mark="comparison") as self.panel:
            self.table = ModesTable(self.market.terms, self._take)

    def _build_price(self) -> None:
        with parts.panel("Along the price", classes="bh-compare-price", mark="along") as self.along:
            with self.along.default_slot.children[0]:
                self._field("move", f"{self.market.name.split('-')[0]} moves by, %", kind="number").classes("bh-short")
                self._field("correlation", "others, correlation", kind="choice", options=CORRELATIONS)
                self._field("reach", "reach", kind="choice", options=REACH_WORDS)
                self.lines = parts.Field(
                    "lines show", kind="choice", value=SHOWN[0][0], options=SHOWN, on_change=self._paint
                )
                self.lines.props('data-mark="lines"')
            self.summary = parts.Text("", "p", "bh-summary")
            self.summary.props('data-mark="summary" aria-live="polite"')
            self.chart = Chart()
            self.slider = Slider(f"Price of {self.market.name}", self._slide)
            self.slider.props('data-mark="slider"')
            self.about = parts.Text("", "p", "bh-about")
            self.about.props('data-mark="about"')

    # -- entries -----------------------------------------------------------------------------------------------------

    def enter(self, name: str, text: str) -> None:
        """Another entry; asked soon."""
        if self.said.get(name, "") != text:
            self.said[name] = text
            self._is_filled = self._is_filled or name in FIRST
            self.copied.show("")
            if name == "side":
                self._paint_side()
            self.ask_soon()

    def _paint_side(self) -> None:
        for button, side in ((self.buy, "BUY"), (self.sell, "SELL")):
            parts.set_attribute(button, "aria-pressed", "true" if self.said.get("side", "BUY") == side else "false")

    def _prefill(self) -> None:
        """A first question where the address asks none: the account's worth of this market, at the price of now. Once,
        and not where anything was entered: a field that was emptied is being filled by the trader."""
        account = self.page.session.active
        index = self.market.index
        if self._is_filled or account is None or account.balance is None or index is None:
            return
        self._is_filled = True
        limits = self.market.terms.trading_config
        size = numbers.floored(account.balance.equity / index.price, limits.min_order_size_change)
        price = numbers.floored(self.market.best_ask or index.price, limits.min_price_change)
        first = {"size": size, "price": price, "leverage": min(Decimal(10), limits.max_leverage)}
        for name, value in first.items():
            if value and not self.said.get(name):
                self.said[name] = text_of(value)
                self.fields[name].set_value(self.said[name])

    def _who_changed(self) -> None:
        """Another account was chosen above, or the first is there: then the address's own is no longer asked of."""
        chosen = self.page.session.active_id
        if self._active_id and chosen != self._active_id:
            self.said.pop("account", None)
        self._active_id = chosen
        self._prefill()
        self.ask_soon()

    def _ask_of_mine(self) -> None:
        self.said.pop("account", None)
        self.ask_soon()

    def _account_changed(self) -> None:
        self._prefill()
        self._drift()

    def _price_changed(self) -> None:
        self._prefill()
        self._drift()

    def _link_changed(self) -> None:
        """What failed for want of an answer is asked again when there are answers."""
        if self._is_failed and self.page.session.link.is_live:
            self._drift()

    def _drift(self) -> None:
        """Something moved by itself: asked anew, but not for each of many changes."""
        if self.page.client.has_socket_connection or self.answer is None:  # a tab that was closed is kept for a while
            wait_s = max(PAUSE_S, self._asked_s + AGAIN_S - time.monotonic())
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(wait_s, self._ask)

    # -- asking ------------------------------------------------------------------------------------------------------

    def ask_soon(self) -> None:
        """Ask when no more is entered for a moment. What is asked last is what is shown."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(PAUSE_S, self._ask)

    def _ask(self) -> None:
        self._timer = None
        self._is_asked = True
        if self._task is None or self._task.done():
            self._task = background_tasks.create(self._asking(), name="compare")

    async def _asking(self) -> None:
        while self._is_asked and not self.page.client.is_deleted:
            self._is_asked = False
            await self._ask_once()

    async def _ask_once(self) -> None:
        began_s = self._asked_s = time.monotonic()
        try:
            check_unlocked(self.page.session)
            question = self.question()
            found = await ask(self.page.session, question)
        except BadLink as error:
            self._show_problem(error.field, str(error))
        except NotReady as error:
            self._show_problem("", f"{str(error)[:1].upper()}{str(error)[1:]}.")
        except Unreachable:
            self._is_failed = True
            self._show_problem("", "The exchange gives no answer: what is shown is old. It is asked again by itself.")
        except ClientError as error:
            self._is_failed = True
            self._show_problem("", f"{words.of_error(error)}. {words.sentence(words.details(error))}")
        else:
            self._is_failed = False
            if self.page.client.is_deleted:
                return
            with self.page.client:
                self._show_problem("", "")
                self._show(found)
                took = round(1000 * (time.monotonic() - began_s))
                parts.set_attribute(self.panel, "data-took", str(took))

    def question(self) -> Question:
        """The entries as a question. Raises BadLink."""
        said = {name: text for name, text in self.said.items() if text}
        found = question_of(said, list(self.page.session.markets))
        check_steps(found, self.market.terms)
        return found

    def _show_problem(self, field: str, text: str) -> None:
        """What hinders an answer; then what is shown is of an older question, and looks so."""
        if self.page.client.is_deleted:
            return
        with self.page.client:
            for name, made in self.fields.items():
                made.problem(text if name == field else "")
            self.problem.show("" if field in self.fields else text)
            self._show_whose()
            if self.answer is None:
                self.summary.show(words.sentence(text))
            is_old = bool(text) and self.answer is not None
            for panel in (self.panel, self.along):
                panel.classes(**({"add": "bh-is-old"} if is_old else {"remove": "bh-is-old"}))

    # -- showing -----------------------------------------------------------------------------------------------------

    def _show_whose(self) -> None:
        """Of which account it is asked, where that is not the one chosen above; of another, where it is not open."""
        session, asked = self.page.session, self.said.get("account", "")
        account = session.accounts.get(int(asked)) if asked.isdecimal() and len(asked) < 20 else None
        is_other = account is not None and account is not session.active
        said = f"Asked of {account.short_label}, not of the account chosen above." if account and is_other else ""
        self.whose.show(said)
        self.mine.set_visibility(bool(asked) and account is None and session.active is not None)

    def _show(self, answer: Answer) -> None:
        self.answer = answer
        self.place = answer.place_of(self._move_now(answer.question.move))
        self.table.paint(answer)
        self.problem.show(columns.todo(answer))
        if not answer.modes:
            found = words.of_reject(answer.reject or "")
            self.problem.show(f"Refused in every mode. {found if found is not None else answer.reject}")
        self.age.told(now_ms())
        markets = [answer.question.market, *held_markets(self.page.session)]
        self.about.show(columns.about_moments(answer.moments, list(dict.fromkeys(markets))))
        self._paint()

    def _move_now(self, asked: Decimal) -> Decimal:
        """Where the slider stands: it may have been moved while the answer was on its way."""
        try:
            return share_in_percent("move", self.said.get("move", "") or "0")
        except BadLink:
            return asked

    def _paint(self) -> None:
        """Everything that hangs on the slider."""
        answer = self.answer
        if answer is None:
            return
        self.table.move(answer, self.place)
        share = answer.grid[self.place]
        text = columns.share_text(share)
        self.slider.stand(self.place, answer.grid, text)
        self.summary.show(columns.summary(answer, self.place, self.market.terms) if answer.modes else "")
        self.chart.paint(answer, str(self.lines.value), self.place)
        self.chart.stand(share)
        self._show_address(replace(answer.question.at(share), account=answer.account_id))

    def _slide(self, place: int) -> None:
        """The slider was moved: its points are all here, nothing is asked."""
        if self.answer is None or not 0 <= place < len(self.answer.grid):
            return
        self.place = place
        self.said["move"] = text_of(100 * self.answer.grid[place])
        self.fields["move"].set_value(self.said["move"])
        self._paint()

    def _show_address(self, question: Question) -> None:
        """The address bar is the link to what is shown."""
        address = question.address()
        if address != self._shown_address:
            self._shown_address = address
            parts.set_attribute(self.wizard, "href", f"{address}&view=wizard")
            self.page.client.run_javascript(f"history.replaceState(history.state, '', {json.dumps(address)})")

    async def _copy(self) -> None:
        """The address bar's link into the clipboard; browsers may refuse that, and then it is said."""
        is_done = await self.page.client.run_javascript(COPIES)
        if not self.page.client.is_deleted:
            self.copied.show("Copied." if is_done else "Your browser refuses: copy the address bar, which is the link.")

    def _take(self, mode: str) -> None:
        """Fill the ticket of the trade screen with this order in a mode."""
        try:
            ui.navigate.to(self.page.link_to("/", **self.question().ticket(mode)))
        except BadLink as error:
            self._show_problem(error.field, str(error))

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


def first_of(page: Page, *, is_asked: bool = True) -> dict[str, str]:
    """The entries of the address, and what stands where it says nothing. What is wrong in it is told when asked.
    Nothing is taken from an address that asks for another market: its sizes and prices mean nothing in this one."""
    first = {"side": "BUY", "type": "LIMIT", "reach": "50", "correlation": Correlation.INTACT.value}
    if "size" not in page.query or not is_asked:
        first["move"] = "-10"
    return {**first, **{name: text for name, text in page.query.items() if name in ENTRIES and is_asked}}
