"""The screen Keys: accounts of this machine are made, unlocked, locked; onboarded, and given test money."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.actions import Action, Actions, Stage
from bulkhead.terminal.keys.making import build as build_making
from bulkhead.terminal.keystore import KeyStoreError, Listed
from bulkhead.terminal.session import NotReady
from bulkhead.terminal.shell import Page, screen

WHERE = (
    "Keys are made and kept on this machine, in files that only its owner may read, each encrypted with its passphrase."
    " While an account is unlocked its keys are in the memory of this terminal. The exchange is sent signatures and"
    " public keys; no key is ever sent to the browser."
)


@screen("/keys", "Keys", order=9)
def build(page: Page) -> None:
    """Accounts on the left, the exchange on the right."""
    parts.Text("Keys", "h1")
    with ui.element("div").classes("bh-keys"):
        with ui.element("div").classes("bh-column"):
            _Accounts(page)
            build_making(page)
        with ui.element("div").classes("bh-column"):
            _Entry(page)


class _Accounts:
    """The accounts of this machine."""

    def __init__(self, page: Page) -> None:
        self.page = page
        with parts.panel("Accounts on this machine", mark="accounts"), ui.element("div").classes("bh-body"):
            parts.Text(f"In {page.session.store.folder}", "p", "bh-muted")
            self.box = ui.element("div").classes("bh-column")
            self.note = parts.Text("", "p", "bh-note bh-danger").props('role="alert" data-mark="accounts-note"')
        page.painter.on(page.session.who, self.paint)

    def paint(self) -> None:
        """A line for each account."""
        session = self.page.session
        self.box.clear()
        listed = session.store.listed()
        with self.box:
            if not listed:
                parts.Text("None yet: make one, or import its key.", "p", "bh-muted")
            for one in listed:
                self._line(one)

    def _line(self, one: Listed) -> None:
        session = self.page.session
        is_open = session.unlocked is not None and session.unlocked.name == one.name
        with ui.element("div").classes("bh-account").props(f'data-mark="account-{one.name}"'):
            with ui.element("div"):
                parts.Text(one.name, "b")
                if not one.problem:
                    parts.Text(one.wallet or "Stark key and API key", "span", "bh-muted")
            if one.problem and not is_open:
                said = one.problem.removeprefix(f"{session.store.folder / one.name}.json: ")  # the folder stands above
                parts.Text(words.sentence(said), "span", "bh-note bh-danger bh-account-problem")
                return
            if is_open:
                parts.Text("unlocked", "span", "bh-up")
                parts.button("Lock", session.lock, mark=f"lock-{one.name}")
                return
            field = parts.Field(f"Passphrase of {one.name}", kind="password")
            opening = partial(self._unlock, one.name, field)
            field.on("enter", opening)
            parts.button("Unlock", opening, style="primary", mark=f"unlock-{one.name}")

    async def _unlock(self, name: str, field: parts.Field, *_: object) -> None:
        passphrase = field.value
        field.clear_secret()
        self.note.show("")
        try:
            await self.page.session.unlock(name, passphrase)
        except (KeyStoreError, NotReady) as error:
            if not self.note.is_deleted:
                self.note.show(words.sentence(str(error)))


class _Entry:
    """The unlocked account at this exchange."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.told_of = ""
        session = page.session
        with parts.panel("At this exchange", mark="entry"), ui.element("div").classes("bh-body"):
            parts.Text(session.exchange.transport.url, "b")
            self.state = parts.Text("", "p").props('data-mark="entry-state"')
            with ui.element("div").classes("bh-row"):
                self.onboard = parts.button("Onboard", self._onboard, style="primary", mark="onboard")
                self.claim = parts.button("Get test money", self._claim, mark="claim")
            self.note = parts.Text("", "p", "bh-note").props('role="status" data-mark="entry-note"')
            self.money = parts.Text("", "p").props('data-mark="entry-money"')
        with parts.panel("What is kept where"), ui.element("div").classes("bh-body"):
            parts.Text(WHERE, "p")
        page.painter.on(session.who, self._paint)
        page.on_account(lambda account: (account.money,), self._paint_money)

    def _paint(self) -> None:
        session = self.page.session
        unlocked, active = session.unlocked, session.active
        name = "" if unlocked is None else unlocked.name
        if name != self.told_of:
            self.told_of = name
            self.note.show("")  # it told of another account
        is_owner = unlocked is not None and bool(unlocked.kept.ethereum_key)
        # Also where what is kept opens nothing any more: the API key was revoked, or the exchange is a new one.
        can_onboard = is_owner and active is None and (session.access is None or bool(session.problem))
        self.onboard.set_visibility(can_onboard)
        self.claim.set_visibility(active is not None)
        if unlocked is None:
            self.state.show("Nothing is unlocked: prices and books can be watched, nothing can be signed.")
        elif active is not None:
            count = len(session.accounts) - 1
            more = f", and {count} strateg{'y' if count == 1 else 'ies'}" if count else ""
            self.state.show(f"{unlocked.name} trades as account {active.account_id}{more}.")
        elif session.access is None:
            others = ", ".join(sorted({url.split("#")[0] for url in unlocked.kept.exchanges}))
            elsewhere = f"opens {others}, not this exchange"
            what = "has no account here yet: onboarding makes one" if can_onboard else elsewhere
            self.state.show(f"{unlocked.name} {what}.")
        else:
            why = session.problem or "asking"
            self.state.show(f"{unlocked.name} has an account here that cannot be entered yet: {why}.")

    def _paint_money(self) -> None:
        account = self.page.session.active
        balance = None if account is None else account.balance
        if balance is None:
            self.money.show("")
            return
        held, free = numbers.dollars(balance.equity), numbers.dollars(balance.available_for_trade)
        self.money.show(f"Equity {held} USD, free margin {free} USD")

    async def _onboard(self) -> None:
        await self._run(self.onboard, "Onboard", self.page.session.onboard, "Onboarded.")

    async def _claim(self) -> None:
        account = self.page.session.active
        if account is not None:
            await self._run(self.claim, "Get test money", account.trader.claim_test_money, "Test money was credited.")

    async def _run(self, button: ui.element, what: str, send: Callable[[], Awaitable[object]], done: str) -> None:
        parts.set_disabled(button, True)
        self.note.show(f"{what}: sent…", "bh-note bh-muted")
        try:
            action = await self.page.session.actions.run(Actions.new_key(), what, send)
        finally:
            if not button.is_deleted:
                parts.set_disabled(button, False)
        if not self.note.is_deleted:
            self.note.show(*_said(action, done))


def _said(action: Action, done: str) -> tuple[str, str]:
    if action.stage is Stage.DONE:
        return done, "bh-note bh-up"
    style = "bh-danger" if action.stage is Stage.REFUSED else "bh-warning"
    details = f" ({action.details})" if action.details else ""
    return f"{action.text}{details}", f"bh-note {style}"
