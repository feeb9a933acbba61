"""Webhooks: an account's margin calls, sent to a URL that its owner named, signed with a secret that he was given.

The URL is a stranger's. So this node only ever sends to public addresses, whatever a name resolves to at that moment,
follows no redirect, reads no answer, and gives up after a few attempts. On test networks a loopback address will do.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
import socket
from collections import deque
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from bulkhead.node.store.database import Database
from bulkhead.node.store.tables import webhooks

log = structlog.get_logger("bulkhead.webhooks")

SIGNATURE_HEADER = "X-Bulkhead-Signature"
TIMEOUT_S = 5.0
PAUSES_S = (1.0, 5.0, 25.0)  # before each further attempt
QUEUE_MAX = 10_000
URL_MAX = 500
AT_ONCE = 100  # posts under way; who is silent holds a place for TIMEOUT_S, and none while he is given a pause
UNDELIVERED_MAX = 5_000  # messages that have been tried, or are
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_encode = msgspec.json.Encoder().encode


class BadUrl(Exception):
    """A URL that nothing is sent to; the text says why."""


class Webhook(NamedTuple):
    """Where to, and with which secret."""

    account_id: int
    url: str
    secret: str


# -- what owners named -------------------------------------------------------------------------------------------------


def find(database: Database, account_id: int) -> Webhook | None:
    """An account's webhook."""
    with database.engine.connect() as connection:
        row = connection.execute(select(webhooks).where(webhooks.c.account_id == account_id)).mappings().first()
    return None if row is None else Webhook(row["account_id"], row["url"], row["secret"])


def name(database: Database, account_id: int, url: str, time_ms: int, *, is_test: bool) -> Webhook:
    """Send an account's margin calls there from now on, under a new secret. Raises BadUrl."""
    check(url, is_test=is_test)
    made = Webhook(account_id, url, secrets.token_hex(32))
    with database.engine.begin() as connection:
        database.upsert(connection, webhooks, [{**made._asdict(), "created_ms": time_ms}])
    return made


def forget(database: Database, account_id: int) -> bool:
    """Send nothing more; False where nothing was sent."""
    with database.engine.begin() as connection:
        return connection.execute(delete(webhooks).where(webhooks.c.account_id == account_id)).rowcount > 0


def check(url: str, *, is_test: bool) -> None:
    """Raises BadUrl for what no webhook can be: HTTPS on real networks, no credentials, no private address."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadUrl(f"no URL: {error}") from error
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable():
        raise BadUrl(f"a URL of at most {URL_MAX} plain characters is expected")
    if parts.scheme != "https" and not (is_test and parts.scheme == "http"):
        raise BadUrl("the URL must begin with https://")
    if not host or parts.username is not None or parts.password is not None:
        raise BadUrl("the URL must name a host, and no user")
    if not _may_be_sent_to(host, is_test):
        raise BadUrl(f"{host} is not a public address")


def _may_be_sent_to(host: str, is_test: bool) -> bool:
    """Whether an address is public, whatever it wraps; a name is decided when it is resolved.

    Digits that are no address in full (`127.1`, `2130706433`) are no name either: what they mean is the system's guess.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return not host.rstrip(".").rsplit(".", 1)[-1].isdigit()
    if is_test and address.is_loopback:
        return True
    inner = _wrapped(address) if isinstance(address, ipaddress.IPv6Address) else None
    return all(one.is_global and not one.is_multicast for one in (address, inner) if one is not None)


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a gateway makes of an IPv6 one (NAT64, 6to4, mapped, compatible)."""
    if address in NAT64 or not int(address) >> 32:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address.ipv4_mapped


class PublicResolver(AbstractResolver):
    """Resolves names, and hides addresses that are nobody's business."""

    def __init__(self, is_test: bool) -> None:
        self._is_test = is_test
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Public addresses of a name; OSError where there is none."""
        found = await self._inner.resolve(host, port, family)
        public = [one for one in found if _may_be_sent_to(one["host"], self._is_test)]
        if not public:
            raise OSError(f"{host} has no public address")
        return public

    async def close(self) -> None:
        """Nothing to let go of."""
        await self._inner.close()


# -- sending -----------------------------------------------------------------------------------------------------------


class Courier:
    """Sends in the background; whoever calls `tell` never waits. What cannot be delivered is logged, and told by REST
    and the stream in any case."""

    def __init__(self, database: Database, *, is_test: bool) -> None:
        self._database = database
        self._is_test = is_test
        self._waiting: deque[tuple[int, dict[str, Any]]] = deque(maxlen=QUEUE_MAX)
        self._task: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    def tell(self, account_id: int, message: dict[str, Any]) -> None:
        """Send a message to an account's webhook, if it has one."""
        self._waiting.append((account_id, message))
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="webhooks")

    async def _run(self) -> None:
        """Until nothing waits and nothing is on its way."""
        loop, places = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)
        connector = aiohttp.TCPConnector(resolver=PublicResolver(self._is_test))
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(TIMEOUT_S)) as session:
            while self._waiting or self._sending:
                self._wake.clear()
                while self._waiting and len(self._sending) < UNDELIVERED_MAX:
                    account_id, message = self._waiting.popleft()
                    try:
                        webhook = await loop.run_in_executor(None, find, self._database, account_id)
                    except SQLAlchemyError as error:  # a database that went away must not cost the others their turn
                        log.warning("a webhook was not found", account=account_id, reason=type(error).__name__)
                        continue
                    if webhook is not None:
                        sending = loop.create_task(self._send(session, webhook, _encode(message), places))
                        self._sending.add(sending)
                        sending.add_done_callback(self._sent)
                if self._sending:
                    await self._wake.wait()

    def _sent(self, done: asyncio.Task[None]) -> None:
        self._sending.discard(done)
        self._wake.set()

    async def _send(
        self, session: aiohttp.ClientSession, webhook: Webhook, body: bytes, places: asyncio.Semaphore
    ) -> None:
        """Try, and try again. The same message may arrive twice: its id says so."""
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature(webhook.secret, body)}
        problem = ""
        for pause_s in (0.0, *PAUSES_S):
            await asyncio.sleep(pause_s)
            try:
                check(webhook.url, is_test=self._is_test)
                async with (
                    places,
                    session.post(webhook.url, data=body, headers=headers, allow_redirects=False) as answer,
                ):
                    if answer.status < 300:
                        return
                    problem = f"HTTP {answer.status}"
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, BadUrl) as error:
                problem = type(error).__name__
        log.warning("a webhook was not delivered", account=webhook.account_id, reason=problem)


def signature(secret: str, body: bytes) -> str:
    """HMAC-SHA256 of the body under the secret, in hexadecimal."""
    return hmac.new(secret.encode(), body, "sha256").hexdigest()
