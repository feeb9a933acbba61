"""What an account sends: under its API key, signed for one exchange and for no other, once however often it is sent."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from bulkhead.client.errors import OtherExchange, Refused, Unreachable
from bulkhead.client.models import Configuration, Order, Placed
from bulkhead.client.once import counted, once
from bulkhead.client.signer import Signer

if TYPE_CHECKING:
    from bulkhead.client.exchange import Exchange

USER = "/api/v1/user"
DUPLICATE, NO_POSITION, NOT_OPEN = 1134, 1137, 1142
NONCE_STEP = 1 << 10  # of four billion numbers that an account has
UNAUTHORIZED, KEY_CODES = 401, (1100, 1101, 1102)  # key, signature or account that does not fit
Answer = TypeVar("Answer")


class Sender:
    """An account's way to its exchange: what `Trader` is made of."""

    def __init__(self, exchange: Exchange, api_key: str, signer: Signer) -> None:
        self.exchange = exchange
        self.api_key = api_key
        self.signer = signer

    async def _ask(
        self, method: str, path: str, kind: type[Answer], *, query: dict[str, Any] | None = None, body: Any = None
    ) -> Answer:
        headers = {"X-Api-Key": self.api_key}
        ask = self.exchange.transport.ask
        try:
            return await ask(method, USER + path, kind, query=query, body=body, headers=headers)
        except Refused as error:
            if error.status == UNAUTHORIZED or error.code in KEY_CODES:
                await self.exchange.look_again()
            raise

    async def _signer(self, *, anew: bool = False) -> Signer:
        """Who signs, while the exchange is the one in whose domain he does. Raises OtherExchange. An order that goes to
        another one before that is found out is of no use there: what was signed for this one is refused."""
        told = await self.exchange.domain(anew=anew)
        if told.named != self.signer.domain:
            raise OtherExchange(f"these keys sign for {self.signer.domain.chain_id}, not for {told.chain_id}")
        return self.signer

    async def _whole(self, path: str, kind: type[Answer], query: dict[str, Any]) -> Answer:
        headers = {"X-Api-Key": self.api_key}
        return await self.exchange.transport.whole("GET", USER + path, kind, query=query, headers=headers)

    async def orders_named(self, external_id: str) -> list[Order]:
        """Orders by the name that was given to them: how to find out what became of one when no answer came."""
        return await self._ask("GET", f"/orders/external/{external_id}", list[Order])

    async def _placed(self, body: dict[str, Any]) -> Placed:
        late = (DUPLICATE, NOT_OPEN) if "cancelId" in body else (DUPLICATE,)  # of the same message, once it was taken

        async def find() -> Placed | None:
            found = await self.orders_named(str(body["id"]))
            return Placed(id=found[0].id, external_id=found[0].external_id) if found else None

        clock, send = self.exchange.transport.clock, self._signed("/order", Placed, body)
        return await once(clock, send, find, lambda error: error.code in late)

    def _signed(self, path: str, kind: type[Answer], body: Any) -> Callable[[], Awaitable[Answer]]:
        """What sends a body that was signed just now: again only to the exchange that it was signed for."""
        is_again = False

        async def send() -> Answer:
            nonlocal is_again
            if is_again:
                await self._signer(anew=True)  # who came up after a break is known before
            is_again = True
            return await self._ask("POST", path, kind, body=body)

        return send

    async def _sure(self, method: str, path: str, *, query: Any = None, taken: int) -> None:
        """Send until it is answered what a copy does no harm of; `taken` as in `counted`."""
        nothing: dict[str, Any] = {}
        await counted(
            self.exchange.transport.clock, lambda: self._ask(method, path, dict[str, Any], query=query),
            taken=taken, done=nothing,
        )  # fmt: skip

    async def _once(self, path: str, kind: type[Answer], body: Any, taken: int, done: Answer) -> Answer:
        """Send what was signed until it is answered; `taken` and `done` as in `counted`."""
        return await counted(self.exchange.transport.clock, self._signed(path, kind, body), taken=taken, done=done)

    async def configuration(self) -> Configuration:
        """What was signed so far."""
        return await self._ask("GET", "/configuration", Configuration)

    async def _next_nonce(self) -> int:
        """A number for the next message, which need only rise. It is drawn, so that two who sign at the same moment
        hardly ever take the same one, and the last number tells whose message was taken."""
        return (await self.configuration()).next_nonce + secrets.randbelow(NONCE_STEP)

    async def _numbered(self, path: str, body: Any, nonce: int) -> None:
        """Send what bears a number of the account until it is known what became of it."""

        async def find() -> dict[str, Any] | None:
            last = (await self.configuration()).next_nonce - 1
            if last > nonce:
                raise Unreachable("something else was signed in between: the account shows which of it was done")
            return {} if last == nonce else None

        clock, send = self.exchange.transport.clock, self._signed(path, dict[str, Any], body)
        await once(clock, send, find, lambda error: error.reject == "BAD_NONCE")
