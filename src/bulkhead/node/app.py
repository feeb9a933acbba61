"""A node: the only place where its objects are made and put together. Start reading here.

    open   keys, configuration, exchange (replayed), derived tables (caught up), directory of owners and keys, L1
    start  writer, store and clock as tasks of the event loop; prover and settlement beside it
    stop   proving ends, nothing more is taken, what was taken is done, a snapshot is written, everything is closed
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from bulkhead.engine.command import SealBatch, Submit
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, VenueConfig
from bulkhead.ledger.defaults import USD, default_config
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.ledger.tx import Register
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.node.claims import Withdrawals
from bulkhead.node.clock import ClockService, Signers
from bulkhead.node.directory import Directory
from bulkhead.node.exchange import Exchange
from bulkhead.node.finality import Progress
from bulkhead.node.keys import Keys, keys_in
from bulkhead.node.metrics import Metrics
from bulkhead.node.replay import read_genesis
from bulkhead.node.settings import Settings, check_settings
from bulkhead.node.sources import Live, Source, SourceError, Walk
from bulkhead.node.store.database import Database
from bulkhead.node.store.keeper import Store
from bulkhead.node.store.rebuild import catch_up, rebuild
from bulkhead.node.writer import Writer
from bulkhead.reject import Reject
from bulkhead.signing import Signature, sign
from bulkhead.units import AccountId, TimeMs

if TYPE_CHECKING:  # what proves, and what talks to Ethereum, takes seconds to import
    from bulkhead.node.settles import Settles

log = structlog.get_logger("bulkhead.node")

FIRST_PRICES = {"BTC-USD": 60_000.0, "ETH-USD": 3_000.0, "XRP-USD": 0.6, "LTC-USD": 80.0, "EOS-USD": 1.0}
CLOCK_BEHIND_MAX_MS = 5_000  # a leap or a correction is not told
STORE_LAG_MAX = 200_000  # commands whose rows wait in memory for a database that does not answer
MakeConfig = Callable[[Keys, str], VenueConfig]


def wall_clock() -> TimeMs:
    """Milliseconds since the epoch."""
    return TimeMs(time.time_ns() // 1_000_000)


def config_of(keys: Keys, chain_id: str) -> VenueConfig:
    """The default venue under this node's keys."""
    return default_config(keys.oracle_public, keys.backstop_public, chain_id)


def settling_config_of(keys: Keys, chain_id: str) -> VenueConfig:
    """The same venue with what has no circuit switched off."""
    from bulkhead.circuit.venue import provable  # here, for what proves takes seconds to import

    return provable(config_of(keys, chain_id))


class Node:
    """Everything that runs. Made by `open_node`; `start` and `stop` belong in one event loop."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        exchange: Exchange,
        database: Database,
        source: Source,
        settles: Settles | None = None,
    ) -> None:
        self.settings = settings
        self.began_ms = read_genesis(exchange.journal.directory).time_ms
        self.exchange = exchange
        self.database = database
        self.source = source
        self.directory = Directory(database)
        self.metrics = Metrics()
        self.clock_ms = wall_clock
        self.writer = Writer(exchange, wall_clock, settings.limits.queue_max)
        self.store = Store(database, exchange.state.config, exchange.machine.authority)
        self.clock = ClockService(self.writer, source, Signers(keys, exchange.state.config), settings.clock)
        self.progress = Progress(settings.place)
        self.withdrawals = Withdrawals(self.store, lambda: self.progress)
        self.settles = settles
        self.is_stopping = False
        self.faucet_times: dict[int, float] = {}  # by owner: when he claimed last
        self.one_at_a_time = asyncio.Lock()  # for numbers that the node gives: accounts, places in the deposit queue
        self._keys = keys
        self._lowest = AccountId(BACKSTOP_ACCOUNT + CHILDREN_PER_ACCOUNT)  # no id below it is free
        self._tasks: list[asyncio.Task[None]] = []
        self._writing: asyncio.Task[None] | None = None
        # The store first: whoever hears after it finds the rows of a group derived.
        self.writer.listeners += [self.store.heard, self.metrics.heard]
        if settles is not None:
            self.writer.gate = settles.gate
            self.writer.listeners += [settles.gate.heard, settles.openings.heard]

    async def start(self) -> None:
        """Begin to work. The first tick is done when this returns, so that there are prices. Raises SettlementError."""
        self._writing = asyncio.create_task(self.writer.run(), name="writer")
        self._tasks = [asyncio.create_task(self.store.run(), name="store")]
        if self.settles is not None and self.exchange.state.counters.transactions:
            await self.writer.send(SealBatch)  # what the gate has not seen is no part of what it measures
        if BACKSTOP_ACCOUNT not in self.exchange.state.accounts:
            await self._register_backstop()
        await self.clock.tick()
        self._tasks.append(asyncio.create_task(self.clock.run(), name="clock"))
        self._tasks.append(asyncio.create_task(self.withdrawals.run(), name="withdrawals"))
        if self.settles is not None:
            await self.settles.start(self.writer)
        log.info("node started", sequence=self.exchange.sequence, chain=self.exchange.state.config.chain_id)

    async def stop(self) -> None:
        """End in order. Nothing that was acknowledged is lost, whether or not this is called."""
        if self.is_stopping:
            return
        self.is_stopping = True
        if self.settles is not None:
            await self.settles.stop()
        self.writer.close()
        if self._writing is not None:
            with suppress(Exception):  # told by `writer.failure` already
                await self._writing
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.source.close()
        try:
            if not self.writer.failure:
                self.exchange.snapshot()
            self.exchange.close()
        finally:
            self.store.close()
        log.info("node stopped", sequence=self.exchange.sequence)

    @property
    def failures(self) -> dict[str, str]:
        """What is wrong, by part; empty when all is well."""
        found = {
            "writer": self.writer.failure,
            "store": self.store.failure,
            "claims": self.withdrawals.failure,
            "prices": self.clock.source_failure,
            "clock": self._clock_failure(),
            **({} if self.settles is None else self.settles.failures),
        }
        return {part: reason for part, reason in found.items() if reason}

    def _clock_failure(self) -> str:
        if self.writer.clock_behind_ms > CLOCK_BEHIND_MAX_MS:
            behind_s = self.writer.clock_behind_ms // 1000
            return f"it is {behind_s} s behind the exchange's, and no time passes until it has caught up"
        age_ms = int(self.clock_ms()) - self.clock.last_tick_ms
        return "" if age_ms < 10_000 + 3_000 * self.settings.clock.interval_s else "no tick for too long"

    @property
    def is_browned_out(self) -> bool:
        """So much waits for the writer, the tables or the prover, that only cancels and reduce-only orders are taken;
        or prices cannot follow, since the machine's clock went back; or what is traded may never settle."""
        if self.unsettled or self.writer.clock_behind_ms > CLOCK_BEHIND_MAX_MS:
            return True
        limits = self.settings.limits
        if self.writer.depth >= limits.brown_out_depth or self.store.lag >= STORE_LAG_MAX:
            return True
        return bool(limits.brown_out_batches) and self.unproven > limits.brown_out_batches

    @property
    def unsettled(self) -> str:
        """Why what is traded now will not settle on L1, or may not; empty where it will, or nothing settles."""
        if self.settles is None:
            return ""
        standing = self.settles.standing
        if standing.is_cut_off:
            return "L1 takes no further batch of this exchange"
        return "a batch is about to become too old to settle" if standing.is_late else ""

    @property
    def unproven(self) -> int:
        """Sealed batches without a proof in the node's folder; looked up again when it is a few seconds old."""
        return max(0, self.exchange.state.counters.batches - len(self.progress.proven))

    def next_account_id(self) -> AccountId:
        """The lowest free id: whoever chose a high one leaves all below it. Ask under `one_at_a_time`."""
        while self._lowest in self.exchange.state.accounts:
            self._lowest = AccountId(self._lowest + CHILDREN_PER_ACCOUNT)
        return self._lowest

    async def _register_backstop(self) -> None:
        """The venue's own account, signed by its own key."""
        config = self.exchange.state.config
        blank = Register(
            TimeMs(0), BACKSTOP_ACCOUNT, Kind.BACKSTOP, MarginRule.LINEAR, config.backstop_key, 0, AccountId(0), USD,
            Signature(0, 0),
        )  # fmt: skip
        signature = sign(self._keys.backstop, Authority(config).register_hash(blank))

        def make(now: TimeMs) -> Submit:
            return Submit(now, blank_at(blank, now, signature))

        answer = await self.writer.send(make)
        if isinstance(answer, Reject):
            raise RuntimeError(f"the backstop cannot be registered: {answer.name}")


def blank_at(blank: Register, now: TimeMs, signature: Signature) -> Register:
    """A registration with its time and signature."""
    return Register(
        now, blank.account_id, blank.kind, blank.rule, blank.owner_key, blank.l1_owner, blank.parent_id,
        blank.asset_id, signature,
    )  # fmt: skip


def source_of(name: str, config: VenueConfig) -> Source:
    """A source of prices by its name. Recorded ones are handed in by whoever stands above the lab."""
    kind, _, rest = name.partition("-")
    if kind == "simulated" and rest.isdigit():
        start = {terms.name: FIRST_PRICES.get(terms.name, 100.0) for terms in config.markets}
        return Walk(start, int(rest))
    if name.startswith("live:"):
        return Live(name.removeprefix("live:").split(","), [terms.name for terms in config.markets])
    raise SourceError(f"prices {name!r}: not simulated-SEED and not live:VENUE,VENUE")


def _settles(settings: Settings, exchange: Exchange) -> Settles | None:
    if not settings.settlement.l1:
        return None
    from bulkhead.node.settles import open_settles

    return open_settles(settings, exchange)


def open_node(
    settings: Settings,
    *,
    source: Source | None = None,
    make_config: MakeConfig | None = None,
    is_rebuilding: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Node:
    """Open everything a node needs, replaying what must be. Call inside the event loop that will run it.

    Raises SettingsError, KeysError, ExchangeError, JournalError, DatabaseError, AheadOfJournal, SourceError or
    SettlementError, each with what to do; then nothing is left open.
    """
    check_settings(settings)  # whoever made them: no faucet ever runs where money is real
    folder = settings.place
    keys = keys_in(folder, settings.venue.oracle_signers)
    make = make_config or (settling_config_of if settings.venue.settles else config_of)
    config = make(keys, settings.venue.chain_id)
    source = source_of(settings.prices, config) if source is None else source
    exchange = Exchange.open(folder, config, wall_clock(), progress=progress)
    try:
        if exchange.torn is not None:
            log.warning("torn tail cut", kept=exchange.torn.sequence_kept, reason=exchange.torn.reason)
        for passed in exchange.refused:
            log.warning("snapshot passed over", file=passed.path.name, reason=passed.reason)
        database = Database(settings.database_url)
        behind = (rebuild if is_rebuilding else catch_up)(exchange.journal, database, progress)
        log.info("derived tables are up to date", commands=behind)
        settles = _settles(settings, exchange)
        try:
            return Node(settings, keys, exchange, database, source, settles)
        except BaseException:
            if settles is not None:
                settles.close()
            raise
    except BaseException:
        exchange.close()
        raise
