"""The frame of every page: navigation, market, account, the connection and its age; and the registry of screens.

A screen is a function that builds its part of the page from what the `Page` offers:

    @screen("/risk", "Risk", order=3)
    def build(page: Page) -> None:
        page.painter.on(page.session.who, paint)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import urlencode

from nicegui import Client, ui

from bulkhead.client import Untrusted
from bulkhead.terminal import alerts, parts, theme, words
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.live.link import LinkState
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.live.topic import Topic
from bulkhead.terminal.paint import Painter
from bulkhead.terminal.session import Session

STATES = {
    LinkState.CONNECTING: "connecting",
    LinkState.LIVE: "live",
    LinkState.STALE: "stale: no answer",
    LinkState.DOWN: "disconnected",
    LinkState.OTHER: "another exchange",
}

CLOCK_FOLLOWED = "Ages and expiries follow the exchange's, what is signed within two hours."


class Page:
    """One browser tab while it is built and painted. `query` are the parts of its address after the question mark."""

    def __init__(self, session: Session, client: Client, path: str, query: dict[str, str]) -> None:
        self.session = session
        self.client = client
        self.painter = Painter(client)
        self.path = path
        self.query = query
        self._market = ""

    @property
    def market_name(self) -> str:
        """The market of this tab: of the address, else the first one; empty while no market is known."""
        asked = self.query.get("market", "")
        return asked if asked in self.session.markets else self.session.first_market

    def hold_market(self) -> LiveMarket | None:
        """The market of this tab, followed for as long as the tab is open; None while none is known."""
        market = self.session.market(self.market_name)
        if market is not None:
            self.client.on_delete(market.hold())
        return market

    def on_account(self, topics: Callable[[LiveAccount], Iterable[Topic]], paint: Callable[[], None]) -> None:
        """Paint now, whenever the account is another one, and whenever one of its topics tells. Ask `session.active`
        for the account; None while nothing is unlocked."""
        leaves: list[Callable[[], None]] = []

        def bind() -> None:
            for leave in leaves:
                leave()
            account = self.session.active
            leaves[:] = [] if account is None else [self.painter.on(topic, paint) for topic in topics(account)]
            if account is None:
                paint()

        self.painter.on(self.session.who, bind)

    def link_to(self, path: str, **query: str) -> str:
        """The address of a screen with this tab's market kept."""
        kept = {"market": self.query["market"]} if "market" in self.query else {}
        asked = {**kept, **query}
        return path + (f"?{urlencode(asked)}" if asked else "")

    def reload(self) -> None:
        """Build this tab anew."""
        self.client.run_javascript("location.reload()")


Build = Callable[[Page], None]


class Screen(NamedTuple):
    """A page of the terminal."""

    path: str
    title: str
    order: int
    build: Build
    needs_exchange: bool = True  # it is built only when the markets are known


SCREENS: dict[str, Screen] = {}


def screen(
    path: str, title: str, *, order: int, needs_exchange: bool = True
) -> Callable[[Build], Build]:
    """Register a screen under a path of its own; `order` is its place in the navigation."""

    def add(build: Build) -> Build:
        if path in SCREENS:
            raise ValueError(f"two screens at {path}")
        SCREENS[path] = Screen(path, title, order, build, needs_exchange)
        return build

    return add


def frame(page: Page, shown: Screen) -> None:
    """Build header and screen. A screen that needs markets is built again when they are known."""
    page.client.title = f"{shown.title} · Bulkhead"
    with ui.element("header").classes("bh-header").props('data-floats="yes"'):
        link = ui.element("a").classes("bh-brand").props(f'href="{page.link_to("/")}"')
        with link:
            parts.Text("Bulkhead")
        _navigation(page, shown)
        _markets(page)
        ui.element("span").classes("bh-spring")
        _last_action(page)
        _accounts(page)
        _light(page)
        theme.Choice().props('data-mark="theme"')
    _banner(page)
    _account_banner(page)
    alerts.build(page)
    with ui.element("div").classes("bh-screen"):
        if page.session.markets or not shown.needs_exchange:
            shown.build(page)
        else:
            _wait_for_markets(page)


def _navigation(page: Page, shown: Screen) -> None:
    with ui.element("nav").classes("bh-nav").props('aria-label="Screens"'):
        for one in sorted(SCREENS.values(), key=lambda each: each.order):
            made = ui.element("a").props(f'href="{page.link_to(one.path)}"')
            if one is shown:
                made.props('aria-current="page"')
            with made:
                parts.Text(one.title)


def _markets(page: Page) -> None:
    names = [(name, name) for name in page.session.markets]
    field = parts.Field("Market", kind="choice", value=page.market_name, options=names)
    field.classes("bh-inline").props('data-mark="market"')
    field.on_value_change(lambda _: ui.navigate.to(page.link_to(page.path, market=field.value)))


def _accounts(page: Page) -> None:
    session = page.session
    field = parts.Field("Account", kind="choice", on_change=lambda: session.choose(int(field.value)))
    field.classes("bh-inline").props('data-mark="account"')
    locked = ui.element("a").props(f'href="{page.link_to("/keys")}" data-mark="locked"')
    with locked:
        text = parts.Text()

    def paint() -> None:
        has_accounts = bool(session.accounts)
        field.set_visibility(has_accounts)
        locked.set_visibility(not has_accounts)
        if has_accounts:
            field.choose_from([(str(one.account_id), one.label) for one in session.accounts.values()])
            if field.value != str(session.active_id):
                field.set_value(str(session.active_id))
        elif session.unlocked is None:
            text.show("Unlock an account")
        elif session.access is not None:
            text.show(f"Entering as {session.unlocked.name}…")
        else:
            text.show("Onboard" if session.unlocked.kept.ethereum_key else f"{session.unlocked.name}: not of here")

    page.painter.on(session.who, paint)


def _light(page: Page) -> None:
    link = page.session.link
    with ui.element("span").classes("bh-light").props('role="status" data-mark="light"') as light:
        ui.element("i")
        text = parts.Text()
    age = parts.Age(old_ms=3_000)

    def paint() -> None:
        parts.set_attribute(light, "data-state", link.state.value)
        text.show(STATES[link.state] + (f" {link.delay_ms:.0f} ms" if link.is_live else ""))
        age.told(link.heard_ms)
        parts.set_attribute(age, "data-ahead", str(link.ahead_ms // 1_000 * 1_000))

    page.painter.on(link, paint)


def _banner(page: Page) -> None:
    """Says in words that what is shown is not what is so now."""
    link = page.session.link
    with ui.element("div").classes("bh-banner").props('role="alert" data-mark="banner" data-floats="yes"') as banner:
        text = parts.Text()
        age = parts.Age(old_ms=0, prefix="For ", suffix=".")

    def paint() -> None:
        lost = f"No connection to {page.session.exchange.transport.url}: everything below is old. Trying again."
        if isinstance(link.error, Untrusted):
            lost = f"{words.of_error(link.error)}. Everything below is old."
        said = {
            LinkState.STALE: "The exchange gives no answer: everything below may be old.",
            LinkState.DOWN: lost,
            LinkState.OTHER: "" if link.other is None else f"{words.of_other(link.other)}.",
        }.get(link.state, "")
        banner.set_visibility(bool(said))
        if said:
            text.show(said + " ")
            age.told(link.since_ms)

    page.painter.on(link, paint)


def _account_banner(page: Page) -> None:
    """Says that nothing is heard of the account though the exchange answers: an exchange that began anew, a key that is
    good no more. What is shown of it is then of before. Says, too, when this machine's clock is wrong."""
    banner = ui.element("div").classes("bh-banner").props('role="alert" data-mark="account-banner" data-floats="yes"')
    with banner:
        text = parts.Text()

    def paint() -> None:
        account, link = page.session.active, page.session.link
        is_bad = account is not None and bool(account.problem) and link.is_live
        clock = page.session.exchange.transport.clock
        ahead_ms = clock.ahead_ms if clock.told_ms else link.ahead_ms
        minutes = abs(ahead_ms) // 60_000
        banner.set_visibility(is_bad or bool(minutes and link.is_live))
        if account is not None and is_bad:
            text.show(f"What is shown of {account.label} is old: nothing is heard of it. {account.problem}.")
        elif minutes:
            way = "behind" if ahead_ms > 0 else "ahead of"
            text.show(f"This machine's clock is {minutes} min {way} the exchange's: set it. {CLOCK_FOLLOWED}")

    page.on_account(lambda account: (account.troubled,), paint)
    page.painter.on(page.session.link, paint)


def _last_action(page: Page) -> None:
    actions = page.session.actions
    with ui.element("span").classes("bh-last").props('role="status" data-mark="last-action"') as shown:
        text = parts.Text()

    def paint() -> None:
        last = actions.last
        if last is not None:
            text.show(f"{last.what}: {last.stage.value}")
            parts.set_attribute(shown, "title", text.text)

    page.painter.on(actions, paint)


def _wait_for_markets(page: Page) -> None:
    parts.Text("Asking the exchange for its markets…", "p", "bh-muted")
    why = parts.Text("", "p", "bh-muted")
    page.painter.every(1.0, lambda: why.show(page.session.trouble))
    leave = page.session.markets_known.listen(page.reload)
    page.client.on_delete(leave)
