"""One running terminal: an exchange, the connection to it, the accounts that are unlocked. All browser tabs share it.

Start reading here: a screen is given the Session and shows what it holds.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import msgspec
import structlog

from bulkhead.client import ClientError, Exchange, Market, Owner, Refused, Trader
from bulkhead.terminal import words
from bulkhead.terminal.actions import Actions
from bulkhead.terminal.keystore import Access, KeyStore, KeyStoreError, Unlocked
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.live.link import Link
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.live.topic import Topic
from bulkhead.terminal.settings import Settings

AGAIN_S = 2.0
MARKETS_S = 10.0  # markets are asked for again: a halt, another step or a new one is known by then
log = structlog.get_logger(__name__)


class NotReady(ValueError):
    """What was asked for needs something that is not there yet; says what."""


class Locked(NotReady):
    """The account was locked, or another one unlocked, while something was on its way."""


class Session:
    """`link` tells of the connection, `actions` of everything that was sent, `who` of accounts that come and go,
    `markets_known` of the list of markets. Every part keeps the time of its last change."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.exchange = Exchange(settings.exchange_url)
        self.store = KeyStore(settings.keys)
        self.link = Link(self.exchange)
        self.actions = Actions(self.link)
        self.markets: dict[str, Market] = {}
        self.markets_known = Topic()
        self.who = Topic()
        self.unlocked: Unlocked | None = None
        self.accounts: dict[int, LiveAccount] = {}  # main first, then its strategies
        self.active_id = 0
        self.problem = ""  # why the unlocked account is not there
        self.trouble = ""  # why the markets, or the account, could not be had just now
        self._live: dict[str, LiveMarket] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._entering = asyncio.Lock()

    # -- running -----------------------------------------------------------------------------------------------------

    async def start(self, opened: Unlocked | None = None) -> None:
        """Connect in the background, and use an account that is open; nothing waits for an exchange that is down."""
        self._tasks = [
            asyncio.create_task(self.link.run(), name="link"),
            asyncio.create_task(self._prepare(), name="prepare"),
        ]
        if opened is not None:
            await self.adopt(opened)

    async def stop(self) -> None:
        """End in order."""
        await self.actions.stop()
        for market in self._live.values():
            market.stop()
        for task in self._tasks:
            task.cancel()
        for account in self.accounts.values():
            await account.stop()
        await self.exchange.close()

    async def _prepare(self) -> None:
        """Whatever could not be had at the start, as soon as it can be."""
        asked_s = -MARKETS_S
        while True:
            try:
                if self.link.other is not None and self.markets:
                    asked_s = -MARKETS_S  # what another exchange lists is not for these accounts
                elif time.monotonic() - asked_s >= MARKETS_S:
                    await self._ask_markets()
                    asked_s = time.monotonic()
                if self.unlocked is not None and not self.accounts:
                    if self.access is not None:
                        await self.enter()
                    elif self.settings.onboard and self.unlocked.name == self.settings.unlock:
                        await self.onboard()  # whoever unlocks another account has not asked for it
                self.trouble = ""
            except (ClientError, KeyStoreError) as error:
                self.trouble = words.details(error)
            await asyncio.sleep(AGAIN_S if self.markets else AGAIN_S / 4)

    # -- markets -----------------------------------------------------------------------------------------------------

    async def _ask_markets(self) -> None:
        """What is traded here and on what terms. What is listed no more may still be held, and stays."""
        is_first = not self.markets
        self.markets.update(await self.exchange.markets())
        for name, live in self._live.items():
            live.terms = self.markets[name]
        if is_first:
            self.markets_known.tell()

    def market(self, name: str) -> LiveMarket | None:
        """A market that is followed while somebody holds it; None where it is not known (yet)."""
        found = self._live.get(name)
        if found is None and name in self.markets:
            found = self._live[name] = LiveMarket(self.exchange, self.link, self.markets[name])
        return found

    @property
    def first_market(self) -> str:
        """The market that is shown first; empty where none is known yet."""
        return next(iter(self.markets), "")

    # -- accounts ----------------------------------------------------------------------------------------------------

    @property
    def access(self) -> Access | None:
        """What opens the unlocked owner's main account at this exchange; None before he has onboarded."""
        return None if self.unlocked is None else self.unlocked.kept.exchanges.get(self.exchange.transport.url)

    @property
    def kept_here(self) -> list[Access]:
        """What the unlocked owner's file opens at this exchange, its strategies too: known when nobody answers."""
        url = self.exchange.transport.url
        kept = {} if self.unlocked is None else self.unlocked.kept.exchanges
        return [access for place, access in kept.items() if place.split("#")[0] == url]

    @property
    def active(self) -> LiveAccount | None:
        """The account that the ticket trades for; None while nothing is unlocked."""
        return self.accounts.get(self.active_id)

    @property
    def main(self) -> LiveAccount | None:
        """The main account."""
        return next(iter(self.accounts.values()), None)

    async def unlock(self, name: str, passphrase: str) -> None:
        """Open an account and enter the exchange with it. WrongPassphrase or KeyStoreError; an exchange that is down
        is entered when it is there again."""
        unlocked = await asyncio.to_thread(self.store.unlock, name, passphrase)
        await self.adopt(unlocked)

    async def adopt(self, unlocked: Unlocked) -> None:
        """Use an account that is open already."""
        await self.lock()
        self.unlocked = unlocked
        self.exchange.expect(None if self.access is None else self.access.domain)
        self.who.tell()
        if self.access is not None:
            with suppress(ClientError):
                await self.enter()

    async def lock(self) -> None:
        """Forget every key that is in memory."""
        accounts, self.accounts, self.active_id = self.accounts, {}, 0
        self.unlocked, self.problem = None, ""
        self.exchange.expect(None)  # whatever is there may be watched
        for account in accounts.values():
            await account.stop()
        self.who.tell()

    async def onboard(self) -> None:
        """Make the main account at this exchange, or find it again, and enter. Raises NotReady, KeyStoreError, and
        what the client raises."""
        unlocked = self.unlocked
        if unlocked is None:
            raise NotReady("unlock an account first")
        if not unlocked.kept.ethereum_key:
            raise NotReady("only an owner with an Ethereum key can onboard; this account was imported without one")
        made = await Owner(self.exchange, unlocked.kept.ethereum_key).onboard(description="terminal")
        kept = Access(made.account_id, made.api_key, hex(made.private_key), await self.exchange.domain())
        await asyncio.to_thread(unlocked.remember, self.exchange.transport.url, kept)  # his, though locked meanwhile
        if self.unlocked is unlocked:
            await self.enter()

    async def enter(self) -> None:
        """Follow the main account and its strategies. What hinders it is kept in `problem`, and raised."""
        async with self._entering:
            access, unlocked = self.access, self.unlocked
            if access is None or unlocked is None or self.accounts:
                return
            try:
                trader = await self.exchange.trader(access.api_key, access.stark_key)
                await self._add(trader, unlocked)
                self.active_id = trader.account_id
                await self._keep_domain(unlocked, access)
                for strategy in (await trader.strategies()).strategies:
                    await self.add_strategy(strategy.l2_vault, trader)
                self.problem = ""
            except Locked:
                return
            except (ClientError, ValueError) as error:
                if self.unlocked is not unlocked:
                    return  # a problem of an account that was locked
                self.problem = str(words.of_error(error)) if isinstance(error, ClientError) else str(error)
                if isinstance(error, ValueError):
                    raise KeyStoreError(f"the kept key does not fit the account: {error}") from error
                raise
            finally:
                self.who.tell()

    async def _keep_domain(self, unlocked: Unlocked, access: Access) -> None:
        """Which exchange an account is of is known from its first entrance on."""
        if access.domain is None:
            named = msgspec.structs.replace(access, domain=await self.exchange.domain())
            await asyncio.to_thread(unlocked.remember, self.exchange.transport.url, named)

    async def add_strategy(self, account_id: int, trader: Trader | None = None) -> LiveAccount:
        """Follow a strategy account, under an API key that is made once and kept."""
        if trader is None:
            if self.main is None:
                raise NotReady("unlock an account first")
            trader = self.main.trader
        unlocked, main = self.unlocked, self.access
        if unlocked is None or main is None:
            raise NotReady("unlock an account first")
        if account_id in self.accounts:
            return self.accounts[account_id]
        place = f"{self.exchange.transport.url}#{account_id}"
        access = unlocked.kept.exchanges.get(place)
        if access is not None:
            made = Trader(self.exchange, access.api_key, trader.signer.of(account_id))
            with suppress(Refused):  # the key was revoked: another one is made
                return await self._add(made, unlocked)
        made = await trader.strategy(account_id)
        kept = Access(account_id, made.api_key, main.stark_key, main.domain)
        await asyncio.to_thread(unlocked.remember, place, kept)
        return await self._add(made, unlocked)

    async def _add(self, trader: Trader, unlocked: Unlocked) -> LiveAccount:
        """Follow an account of who was unlocked when this began; Locked where he is not any more."""
        named = await trader.account()
        if self.unlocked is not unlocked:
            raise Locked("the account was locked meanwhile")
        account = LiveAccount(trader, named, self.link)
        account.on_left.append(self.actions.follow_order)
        self.accounts[account.account_id] = account
        account.start()
        self.who.tell()
        return account

    def choose(self, account_id: int) -> None:
        """Trade for another account from now on, in every tab."""
        if account_id in self.accounts and account_id != self.active_id:
            self.active_id = account_id
            self.who.tell()
