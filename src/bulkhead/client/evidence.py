"""What an account may check: liquidations with their witnesses, margin calls, profit, receipts, its place in the queue.

Lists are newest first. `cursor` is the id of the last one that is known: what is older comes.
"""

from __future__ import annotations

from typing import Any, TypeVar

from bulkhead.client.answers import (
    Batch,
    CheckedStep,
    ExplainedStep,
    ForcedRequest,
    Profit,
    Proposal,
    PublicStep,
    Rank,
    Receipt,
    Record,
    Settlement,
    Step,
)
from bulkhead.client.answers_venue import Health, Insurance, Operator, Oracle, SettledSolvency, Solvency
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
        return await self._transport.whole("GET", USER + path, kind, query=query, headers=self._headers)

    async def margin_calls(self, limit: int = 100, cursor: int | None = None) -> list[MarginCall]:
        """Margin calls of the account and its isolated positions."""
        query = {"limit": limit, "cursor": cursor}
        return await self._transport.ask(
            "GET", f"{USER}/marginCalls", list[MarginCall], query=query, headers=self._headers
        )

    async def liquidations(
        self, market: str | None = None, limit: int = 100, cursor: int | None = None
    ) -> list[Step]:
        """Steps of the account's own liquidations with price, slippage and penalty."""
        return await self._ask("/liquidations", list[Step], market=market, limit=limit, cursor=cursor)

    async def explain(self, step: int) -> ExplainedStep:
        """One of these steps as a story, recomputed from its witness; `faults` is empty when the rules agree."""
        return await self._ask(f"/liquidations/{step}/explain", ExplainedStep)

    async def profit(self) -> list[Profit]:
        """Profit and loss of the account and of each strategy below it."""
        return await self._ask("/profit", list[Profit])

    async def receipt(self, order_id: int) -> Receipt:
        """An order's place in the journal, the hash chain up to it, and how far it has come on the way to L1."""
        return await self._ask(f"/orders/{order_id}/receipt", Receipt)

    async def deleveraging(self) -> list[Rank]:
        """The account's place in the queue of each market: 10 would give up lots first, 0 not at all."""
        return await self._ask("/deleveraging", list[Rank])


class Books:
    """The exchange's own books, for everybody. Made by `Exchange.books`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _ask(self, path: str, kind: type[Answer], **query: Any) -> Answer:
        return await self._transport.whole("GET", INFO + path, kind, query=query)

    async def solvency(self) -> Solvency:
        """What the exchange holds beside what it owes, and the root of what it owes."""
        return await self._ask("/solvency", Solvency)

    async def settled_solvency(self) -> SettledSolvency:
        """What the state of the newest batch that is final on L1 is made of, and the root of what it owes."""
        return await self._ask("/solvency/settled", SettledSolvency)

    async def insurance(self, limit: int = 100, cursor: int | None = None) -> Insurance:
        """The insurance fund, what each market may still lose, and entries."""
        return await self._ask("/insurance", Insurance, limit=limit, cursor=cursor)

    async def liquidations(
        self, market: str | None = None, limit: int = 100, cursor: int | None = None
    ) -> list[PublicStep]:
        """Everybody's, without names."""
        return await self._ask("/liquidations", list[PublicStep], market=market, limit=limit, cursor=cursor)

    async def batches(self, limit: int = 100, cursor: int | None = None) -> list[Batch]:
        """Sealed batches and how far each has come: sealed, proven, final on L1."""
        return await self._ask("/batches", list[Batch], limit=limit, cursor=cursor)

    async def batch(self, number: int) -> Batch:
        """One of them."""
        return await self._ask(f"/batches/{number}", Batch)

    async def settlement(self) -> Settlement:
        """How many batches are sealed, proven, settled and final, and what is being done."""
        return await self._ask("/settlement", Settlement)

    async def proposals(self) -> list[Proposal]:
        """What waits behind L1's timelock, and what came of it, the newest first."""
        return await self._ask("/proposals", list[Proposal])

    async def forced(self, limit: int = 100, cursor: int | None = None) -> list[ForcedRequest]:
        """Forced requests of L1's queue and what became of them."""
        return await self._ask("/forced", list[ForcedRequest], limit=limit, cursor=cursor)

    async def oracle(self) -> Oracle:
        """The oracle's signers and feeds, with their ages."""
        return await self._ask("/oracle", Oracle)

    async def operator(self) -> Operator:
        """Load and health of the node: queues, brown-out, throughput, latency, the prover's lag."""
        return await self._ask("/operator", Operator)

    async def health(self) -> Health:
        """A node that works. Raises Refused (503, 1010) with the parts that do not where one does not."""
        return await self._transport.whole("GET", "/health", Health)

    async def check_liquidation(self, step: int) -> CheckedStep:
        """A step, recomputed by the exchange from its witness; `faults` is empty when the rules agree."""
        return await self._ask(f"/liquidations/{step}/check", CheckedStep)

    async def genesis(self) -> bytes:
        """The genesis: with L1 alone it is enough to rebuild the state, so keep it."""
        return bytes.fromhex((await self._ask("/genesis", dict[str, Any]))["bytes"])

    async def deployment(self) -> dict[str, Any]:
        """The record of the contracts, as `bridge.record` reads it. Raises Refused where nothing settles."""
        return await self._ask("/deployment", dict[str, Any])

    async def record(self, sequence: int) -> Record:
        """The hash chain after a record of the journal."""
        return await self._ask(f"/receipts/{sequence}", Record)
