"""The gate: whatever is sent, no batch is sealed that no shape holds; and what no batch could hold is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bulkhead.circuit.batch import MEDIUM, SMALL, Shape
from bulkhead.circuit.room import rooms_of
from bulkhead.circuit.venue import provable
from bulkhead.engine.command import Command, PlaceOrder, SealBatch
from bulkhead.engine.event import BatchSealed
from bulkhead.engine.order import OrderType, Terms, TimeInForce
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.batches import Batches, JournalledBatch
from bulkhead.node.exchange import Exchange
from bulkhead.node.gate import BatchGate
from bulkhead.node.writer import Malformed, Writer
from tests.circuit.test_room import taken
from tests.node.exchange_world import OPENING, START_MS, TRADERS, Scribe, small_config

COMMANDS, TOGETHER = 800, 12
LIVE_ORDERS = 300


def config() -> VenueConfig:
    return provable(small_config())._replace(filled_orders_max=LIVE_ORDERS)


class Sent:
    """An exchange behind a writer with a gate of one shape, and how often a batch was ended for want of room."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        self.exchange = Exchange.open(folder, config(), START_MS, verify=False)
        self.writer = Writer(self.exchange, lambda: START_MS, 10_000)
        self.gate = BatchGate(self.exchange, [shape])
        self.seals = 0
        self.writer.gate = self.gate
        self.writer.listeners += [self.gate.heard, self._count]

    def _count(self, answers: object) -> None:
        assert isinstance(answers, list)
        self.seals += sum(isinstance(event, BatchSealed) for answer in answers for event in answer.events)

    async def send(self, *commands: Command) -> list[object]:
        """All at once, as many clients would."""
        sends = (self.writer.send(lambda now, one=command: one) for command in commands)  # type: ignore[misc]
        return list(await asyncio.gather(*sends, return_exceptions=True))


def sealed(folder: Path) -> list[JournalledBatch]:
    return list(Batches(folder).new())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [SMALL, MEDIUM], ids=["small", "medium"])
def test_no_batch_is_larger_than_the_shape(tmp_path: Path, shape: Shape, seed: int) -> None:
    async def run() -> None:
        sent = Sent(tmp_path, shape)
        task = asyncio.create_task(sent.writer.run())
        scribe = Scribe(seed)
        commands = (one for one in scribe.commands() if not isinstance(one, SealBatch))
        for _ in range(COMMANDS // TOGETHER):
            await sent.send(*(next(commands) for _ in range(TOGETHER)))
        await sent.send(SealBatch(sent.writer.now()))
        sent.writer.close()
        await task
        assert sent.gate.overfull == ""
        assert sent.seals > 1  # the gate's own
        sent.exchange.close()

    asyncio.run(run())
    rooms, largest = rooms_of(shape), 0
    for batch in sealed(tmp_path):
        found = taken(batch.before, batch.after, list(batch.transactions), shape)
        over = {name: (count, rooms[name]) for name, count in found.items() if count > rooms[name]}
        assert not over, f"batch {batch.number} of {len(batch.transactions)} transactions"
        largest = max(largest, found["rows of rules"])
    assert largest > rooms["rows of rules"] // 20  # batches are not ended for nothing


def test_an_order_that_would_fill_more_than_a_batch_holds_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        sent = Sent(tmp_path, SMALL)
        task = asyncio.create_task(sent.writer.run())
        scribe = Scribe(1)
        await sent.send(*scribe.opening())
        price, lots = OPENING[1] * 101 // 100, 10
        for account_id in (128, 192, 256) * 20:
            await sent.send(PlaceOrder(scribe.now(), scribe.order(account_id, 1, -lots, price)))
        market = Terms("", OrderType.MARKET, TimeInForce.IOC)
        large = PlaceOrder(scribe.now(), scribe.order(TRADERS[4], 1, 60 * lots, price + 100), market)
        [refused] = await sent.send(large)
        assert isinstance(refused, Malformed) and "more than a batch can prove" in str(refused)
        before = sent.exchange.state.counters.transactions
        [done] = await sent.send(PlaceOrder(scribe.now(), scribe.order(TRADERS[4], 1, lots, price + 100), market))
        assert not isinstance(done, Exception)
        assert sent.exchange.state.counters.transactions >= before
        sent.writer.close()
        await task
        sent.exchange.close()

    asyncio.run(run())


def test_a_batch_that_became_too_large_is_told(tmp_path: Path) -> None:
    """What liquidations take is not known before: should a quarter of a batch not do, somebody must hear of it."""
    tiny = SMALL._replace(log_rules=9)  # a tick alone may take more, and time does not wait

    async def run() -> None:
        sent = Sent(tmp_path, tiny)
        task = asyncio.create_task(sent.writer.run())
        answers = await sent.send(*Scribe(2).opening())
        assert not any(isinstance(answer, Exception) for answer in answers[:-1])
        assert "batch " in sent.gate.overfull and "rows of rules" in sent.gate.overfull
        sent.writer.close()
        await task
        sent.exchange.close()

    asyncio.run(run())
