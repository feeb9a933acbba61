"""The store: derives rows as commands are handled, writes them beside the event loop, and answers questions of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from sqlalchemy import Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.exchange import Answer
from bulkhead.node.store.database import Database
from bulkhead.node.store.derive import Deriver
from bulkhead.node.store.staging import Row, Staging
from bulkhead.node.store.tables import candles, orders, positions
from bulkhead.node.store.wording import OPEN

log = structlog.get_logger("bulkhead.store")

FLUSH_S = 0.1
RETRY_S = 1.0
AWAY = "the database of derived tables has failed; trading goes on"
Answered = TypeVar("Answered")


class Unavailable(Exception):
    """The database does not answer now. Whoever asked may try again; trading does not need it."""


class Store:
    """Derived tables of one exchange. `heard` is called in the event loop; `run` is the task that writes.

    A write that fails is tried again: rows wait in memory, and the journal has everything in any case. Until one has
    succeeded, whoever asks is told Unavailable at once.
    """

    def __init__(self, database: Database, config: VenueConfig, authority: Authority) -> None:
        self.database = database
        self.failure = ""
        self.staging = Staging()
        self.deriver = Deriver(config, self.staging, authority)
        self.written = 0  # the last sequence in the tables
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="store")
        self._dirty = asyncio.Event()
        self._asked: list[asyncio.Future[None]] = []
        load(database, self.deriver)
        self.written = self.deriver.sequence

    def heard(self, answers: Sequence[Answer]) -> None:
        """Derive rows of a group."""
        for answer in answers:
            self.deriver.heard(answer.sequence, answer.command, answer.events)
        self._dirty.set()

    async def run(self) -> None:
        """Write, now and then, until cancelled."""
        while True:
            await self._dirty.wait()
            if not self._asked:
                await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what is staged, and wake those who wait for it."""
        self._dirty.clear()
        asked, self._asked = self._asked, []
        sequence, staged = self.deriver.sequence, self.staging.take()
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._pool, self.database.write, staged)
                self.failure = ""
                break
            except Exception as error:  # a full disk, a database that went away: told by health, tried again
                if not self.failure:
                    log.warning("the database failed", reason=str(error))
                self.failure = type(error).__name__  # where it is and how it is reached is not for everybody
                for waiting in [*asked, *self._asked]:
                    if not waiting.done():
                        waiting.set_exception(Unavailable(AWAY))
                asked, self._asked = [], []
                await asyncio.sleep(RETRY_S)
        self.written = sequence
        for waiting in asked:
            if not waiting.done():
                waiting.set_result(None)

    async def caught_up(self) -> None:
        """Wait until everything that has been handled by now is in the tables. Raises Unavailable."""
        self.check()
        if self.written >= self.deriver.sequence:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append(done)
        self._dirty.set()
        await done

    def check(self) -> None:
        """Raises Unavailable while the database does not answer, so that nobody waits for it."""
        if self.failure:
            raise Unavailable(AWAY)

    @property
    def lag(self) -> int:
        """Commands that are not in the tables yet."""
        return self.deriver.sequence - self.written

    async def rows(self, query: Select[tuple[object, ...]]) -> list[Row]:
        """The rows of a query over what has been handled by now. Raises Unavailable."""
        await self.caught_up()
        return await self.ask(lambda: rows_of(self.database, query))

    async def ask(self, question: Callable[[], Answered]) -> Answered:
        """Run something slow beside the event loop. Raises Unavailable."""
        self.check()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, question)
        except SQLAlchemyError as error:
            log.warning("the database failed", reason=str(error))
            raise Unavailable(AWAY) from error

    def close(self) -> None:
        """Write what is left, and let go of the database."""
        self._pool.shutdown()
        self.database.write(self.staging.take())
        self.database.close()


def rows_of(database: Database, query: Select[tuple[object, ...]]) -> list[Row]:
    """Rows as dictionaries."""
    with database.engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def load(database: Database, deriver: Deriver) -> None:
    """Let a deriver go on where the tables end."""
    newest = (
        select(candles.c.market_id, candles.c.kind, func.max(candles.c.minute_ms).label("minute_ms"))
        .group_by(candles.c.market_id, candles.c.kind)
        .subquery()
    )
    last = select(candles).join(
        newest,
        (candles.c.market_id == newest.c.market_id)
        & (candles.c.kind == newest.c.kind)
        & (candles.c.minute_ms == newest.c.minute_ms),
    )
    deriver.load(
        rows_of(database, select(orders).where(orders.c.status.in_(sorted(OPEN))).order_by(orders.c.order_id)),
        rows_of(database, select(positions).where(positions.c.closed_ms == 0)),
        rows_of(database, last),
        database.progress(),
    )
