"""The clock service: what the venue owes to time. Oracle ticks, clock commands, sealed batches, snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from bulkhead.engine.command import Clock, Command, Prices, SealBatch
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.tx import OracleReport
from bulkhead.limits import PRICE_LIMIT
from bulkhead.node.keys import Keys
from bulkhead.node.memory import give_back
from bulkhead.node.settings import ClockSettings
from bulkhead.node.sources import Source, SourceError
from bulkhead.node.writer import Busy, Stopped, Writer
from bulkhead.signing import Signature, sign
from bulkhead.units import Price, TimeMs

log = structlog.get_logger("bulkhead.clock")


def index_of(dollars: float, resolution: int) -> Price:
    """An index price from dollars for one whole coin: 10^-6 USD per lot with 32 fraction bits, rounded down.

    0, which no tick accepts, for what is no price at all: not a number, not positive, or too large.
    """
    if not 0 < dollars < 1e15:
        return Price(0)
    price = int(dollars * 1_000_000 * (1 << 32)) // resolution
    return Price(price if price < PRICE_LIMIT else 0)


class Signers:
    """The oracle's signers of a test venue, all on this machine."""

    def __init__(self, keys: Keys, config: VenueConfig) -> None:
        self._keys = keys.oracle
        self._public = keys.oracle_public
        self._authority = Authority(config)

    def reports(
        self, sequence: int, time_ms: TimeMs, prices: tuple[tuple[int, Price], ...]
    ) -> tuple[OracleReport, ...]:
        """Every signer's report of the same prices."""
        found = []
        for signer, key in enumerate(self._keys):
            report = OracleReport(signer, sequence, time_ms, prices, Signature(0, 0))
            message_hash = self._authority.report_hash(report, self._public[signer])
            found.append(report._replace(signature=sign(key, message_hash)))
        return tuple(found)


class ClockService:
    """Ticks at a fixed pace until it is cancelled. A source that fails is told, and asked again at the next tick."""

    def __init__(self, writer: Writer, source: Source, signers: Signers, settings: ClockSettings) -> None:
        self.last_tick_ms = 0
        self.source_failure = ""
        self._writer = writer
        self._source = source
        self._signers = signers
        self._settings = settings
        self._sealed_after = writer.exchange.state.counters.transactions
        self._sealed_ms = writer.now()
        self._batches = writer.exchange.state.counters.batches
        self._snapshot_after = writer.exchange.sequence

    async def run(self) -> None:
        """Tick, sleep the rest of the interval, tick again."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self.tick()
            except Busy:
                log.warning("tick skipped", reason="the queue is full")
            except Stopped:
                return
            except Exception:  # time must go on: without ticks nothing is priced, liquidated or sealed
                log.exception("a tick failed")
            await asyncio.sleep(max(0.001, self._settings.interval_s - (loop.time() - began)))

    async def tick(self) -> None:
        """New prices where there are any; time passes in any case; a batch is sealed when it is due."""
        try:
            prices = await self._source.prices()
            self.source_failure = ""
        except Exception as error:  # SourceError, or a mistake in somebody's source: time passes without it
            prices = {}
            reason = str(error) if isinstance(error, SourceError) else f"{type(error).__name__}: {error}"
            if not self.source_failure:
                log.warning("no prices", source=self._source.name, reason=reason)
            self.source_failure = reason
        vector = self._vector(prices)
        if vector:
            await self._writer.send(lambda now: self._prices(now, vector))
        await self._writer.send(Clock)
        self.last_tick_ms = int(self._writer.now())
        batches = self._batches
        await self._seal()
        is_snapshot_due = self._writer.exchange.sequence - self._snapshot_after >= self._settings.snapshot_commands
        if is_snapshot_due:
            await self._writer.snapshot()
            self._snapshot_after = self._writer.exchange.sequence
        if is_snapshot_due or self._batches != batches:
            give_back()

    def _vector(self, prices: Mapping[str, float]) -> tuple[tuple[int, Price], ...]:
        found = []
        for terms in self._writer.exchange.state.config.markets:
            price = index_of(prices.get(terms.name, 0.0), terms.resolution)
            if int(price):
                found.append((int(terms.market_id), price))
        return tuple(found)

    def _prices(self, now: TimeMs, vector: tuple[tuple[int, Price], ...]) -> Command:
        sequence = self._writer.exchange.state.oracle.sequence + 1
        return Prices(now, self._signers.reports(sequence, now, vector))

    async def _seal(self) -> None:
        """A batch ends when it has enough transactions, or is old enough and not empty."""
        counters = self._writer.exchange.state.counters
        if counters.batches != self._batches:  # somebody else has ended one: this one is a tick old at most
            self._batches = counters.batches
            self._sealed_after, self._sealed_ms = counters.transactions, self._writer.now()
        done = counters.transactions - self._sealed_after
        age_s = (self._writer.now() - self._sealed_ms) / 1000
        if done >= self._settings.batch_transactions or (done and age_s >= self._settings.batch_s):
            await self._writer.send(SealBatch)
            counters = self._writer.exchange.state.counters
            self._batches, self._sealed_after = counters.batches, counters.transactions
            self._sealed_ms = self._writer.now()
