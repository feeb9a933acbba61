"""Margin calls, on every screen: shown as soon as the stream tells one, until it is read or the account is well again.

Calls that were made before this terminal was there are asked for when an account is entered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from nicegui import ui

from bulkhead.client import ClientError
from bulkhead.client.models import MarginCall
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.terminal import numbers, parts
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.live.topic import Topic
from bulkhead.terminal.session import Session

if TYPE_CHECKING:  # the shell shows this line
    from bulkhead.terminal.shell import Page

LOOK_S = 5.0  # while a call is shown: whether it is still in force


class Alerts(Topic):
    """Of one session: the newest call of each holder that is in force and was not read. Made by `alerts_of`."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.calls: dict[int, MarginCall] = {}
        self._session = session
        self._read: set[int] = set()  # ids of calls
        self._followed: dict[int, Callable[[], None]] = {}
        self._task: asyncio.Task[None] | None = None
        session.who.listen(self._who)
        self._who()

    def read(self) -> None:
        """All of them were read."""
        self._read |= {call.id for call in self.calls.values()}
        self.calls.clear()
        self.tell()

    def _who(self) -> None:
        """Accounts have come or gone."""
        accounts = self._session.accounts
        for gone in [one for one in self._followed if one not in accounts]:
            self._followed.pop(gone)()
        self.calls = {holder: call for holder, call in self.calls.items() if _head(holder) in accounts}
        for account_id, account in accounts.items():
            if account_id not in self._followed:
                self._followed[account_id] = account.called.listen(self._hearing(account))
                self._look()
        self.tell()

    def _hearing(self, account: LiveAccount) -> Callable[[], None]:
        def heard() -> None:
            for call in reversed(account.margin_calls):
                self._take(call)
            self._look()
            self.tell()

        return heard

    def _take(self, call: MarginCall) -> None:
        known = self.calls.get(call.holder_id)
        if call.id not in self._read and (known is None or call.id > known.id):
            self.calls[call.holder_id] = call

    def _look(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch(), name="alerts")

    async def _watch(self) -> None:
        """Ask what is in force until nothing is."""
        while True:
            try:
                await self._ask()
            except ClientError:
                pass  # what was told stays shown until the exchange says that it is over
            if not self.calls:
                return
            await asyncio.sleep(LOOK_S)

    async def _ask(self) -> None:
        main = self._session.main
        if main is None:
            return
        in_force = {one.account_id for one in (await main.trader.compartments()).compartments if one.call}
        for account in list(self._session.accounts.values()):
            if any(_head(holder) == account.account_id for holder in in_force):
                for call in reversed(await account.trader.evidence.margin_calls(limit=50)):
                    if call.holder_id in in_force:
                        self._take(call)
        kept = {holder: call for holder, call in self.calls.items() if holder in in_force}
        if kept != self.calls:
            self.calls = kept
        self.tell()


_alerts: WeakKeyDictionary[Session, Alerts] = WeakKeyDictionary()


def alerts_of(session: Session) -> Alerts:
    """The same for all tabs of a session."""
    if session not in _alerts:
        _alerts[session] = Alerts(session)
    return _alerts[session]


def build(page: Page) -> None:
    """The line below the header; nothing where nobody is called."""
    alerts = alerts_of(page.session)
    with ui.element("div").classes("bh-alert").props('role="alert" data-mark="margin-call"') as line:
        text = parts.Text("", "strong")
        age = parts.Age(old_ms=1 << 40, by_exchange=True)
        with ui.element("a").props(f'href="{page.link_to("/risk")}"'):
            parts.Text("Move margin")
        parts.button("Read", alerts.read, mark="margin-call-read")

    def paint() -> None:
        line.set_visibility(bool(alerts.calls))
        if alerts.calls:
            text.show("Margin call: " + "; ".join(_words(page.session, call) for call in alerts.calls.values()))
            age.told(max(call.time for call in alerts.calls.values()))

    page.painter.on(alerts, paint)


def _words(session: Session, call: MarginCall) -> str:
    account = session.accounts.get(_head(call.holder_id))
    where = str(call.holder_id) if account is None else account.short_label
    place = call.holder_id % CHILDREN_PER_ACCOUNT
    market = next((one.name for one in session.markets.values() if place and one.market_id == place), "")
    return (
        f"{where}{f', isolated {market},' if market else ''} uses more than {call.level}% of its value as maintenance "
        f"({numbers.dollars(call.maintenance)} of {numbers.dollars(call.value)} USD); liquidated at 100%"
    )


def _head(holder_id: int) -> int:
    return holder_id & -CHILDREN_PER_ACCOUNT
