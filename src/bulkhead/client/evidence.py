"""What an account may check: liquidations with their witnesses, margin calls, profit, receipts, its place in the queue.

Wide answers are dictionaries, as the exchange's own pages (`/docs`) describe them.
"""

from __future__ import annotations

from typing import Any, TypeVar

from bulkhead.client.models import MarginCall
from bulkhead.client.transport import Transport

USER, INFO = "/api/v1/user", "/api/v1/info"
Answer = TypeVar("Answer")


class Evidence:
    """One account's. Made by `Trader.evidence`; every call may raise what `Trader`'s raise."""

    def __init__(self, transport: Transport, api_key: str) -> None:
        self._transport = transport
        self._headers = {"X-Api-Key": api_key}

    async def _ask(self, path: str, kind: type[Answer], **query: Any) -> Answer:
        return await self._transport.ask("GET", USER + path, kind, query=query, headers=self._headers)

    async def margin_calls(self, limit: int = 100) -> list[MarginCall]:
        """Newest first."""
        return await self._ask("/marginCalls", list[MarginCall], limit=limit)

    async def liquidations(self, market: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Steps of the account's own liquidations with price, slippage and penalty, newest first."""
        return await self._ask("/liquidations", list[dict[str, Any]], market=market, limit=limit)

    async def explain(self, step: int) -> dict[str, Any]:
        """One of these steps as a story, recomputed from its witness; `faults` is empty when the rules agree."""
        return await self._ask(f"/liquidations/{step}/explain", dict[str, Any])

    async def profit(self) -> list[dict[str, Any]]:
        """Profit and loss of the account and of each strategy below it."""
        return await self._ask("/profit", list[dict[str, Any]])

    async def receipt(self, order_id: int) -> dict[str, Any]:
        """An order's place in the journal, the hash chain up to it, and how far it has come on the way to L1."""
        return await self._ask(f"/orders/{order_id}/receipt", dict[str, Any])

    async def deleveraging(self) -> list[dict[str, Any]]:
        """The account's place in the queue of each market: 10 would give up lots first, 0 not at all."""
        return await self._ask("/deleveraging", list[dict[str, Any]])


class Books:
    """The exchange's own books, for everybody. Made by `Exchange.books`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _ask(self, path: str, kind: type[Answer], **query: Any) -> Answer:
        return await self._transport.ask("GET", INFO + path, kind, query=query)

    async def solvency(self) -> dict[str, Any]:
        """What the exchange holds beside what it owes."""
        return await self._ask("/solvency", dict[str, Any])

    async def insurance(self) -> dict[str, Any]:
        """The insurance fund, and what each market may still lose."""
        return await self._ask("/insurance", dict[str, Any])

    async def liquidations(self, market: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Everybody's, without names, newest first."""
        return await self._ask("/liquidations", list[dict[str, Any]], market=market, limit=limit)

    async def batches(self, limit: int = 100) -> list[dict[str, Any]]:
        """Sealed batches and how far each has come: sealed, proven, final on L1."""
        return await self._ask("/batches", list[dict[str, Any]], limit=limit)

    async def batch(self, number: int) -> dict[str, Any]:
        """One of them."""
        return await self._ask(f"/batches/{number}", dict[str, Any])

    async def settlement(self) -> dict[str, Any]:
        """How many batches are sealed, proven, settled and final, and what is being done."""
        return await self._ask("/settlement", dict[str, Any])

    async def forced(self, limit: int = 100) -> list[dict[str, Any]]:
        """Forced requests of L1's queue and what became of them, newest first."""
        return await self._ask("/forced", list[dict[str, Any]], limit=limit)

    async def oracle(self) -> dict[str, Any]:
        """The oracle's signers and feeds, with their ages."""
        return await self._ask("/oracle", dict[str, Any])

    async def operator(self) -> dict[str, Any]:
        """Load and health of the node: queues, brown-out, throughput, latency, the prover's lag."""
        return await self._ask("/operator", dict[str, Any])

    async def check_liquidation(self, step: int) -> dict[str, Any]:
        """A step, recomputed by the exchange from its witness; `faults` is empty when the rules agree."""
        return await self._ask(f"/liquidations/{step}/check", dict[str, Any])

    async def genesis(self) -> bytes:
        """The genesis: with L1 alone it is enough to rebuild the state, so keep it."""
        return bytes.fromhex((await self._ask("/genesis", dict[str, Any]))["bytes"])

    async def deployment(self) -> dict[str, Any]:
        """The record of the contracts. Raises Refused where nothing settles."""
        return await self._ask("/deployment", dict[str, Any])

    async def record(self, sequence: int) -> dict[str, Any]:
        """The hash chain after a record of the journal."""
        return await self._ask(f"/receipts/{sequence}", dict[str, Any])
