"""Withdrawals on L1: which can be claimed there, and which custody has paid; kept in the derived tables.

    settlement's notes ──final batches, claims──> `look` ──rows──> claims ──changed withdrawals──> listeners

Custody sends a recipient all that it owes him, so a claim pays each of his withdrawals in the batches that had settled
before it. What L1 takes back goes back here: a withdrawal that was paid is to be claimed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, delete, func, or_, select, true
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ColumnElement

from bulkhead.node.finality import Claim, Noted, Progress, claims_from
from bulkhead.node.store.database import Database
from bulkhead.node.store.keeper import Store
from bulkhead.node.store.staging import Row
from bulkhead.node.store.tables import batches, claims, operations

Span = tuple[int, int]

PAUSE_S = 1.0
AT_ONCE = 200  # terms of one query
IN_PROGRESS, CLAIMABLE, COMPLETED = "IN_PROGRESS", "READY_FOR_CLAIM", "COMPLETED"

PAYING = (
    select(claims.c.claim_id)
    .where(claims.c.recipient == operations.c.recipient, claims.c.sequence_last >= operations.c.sequence)
    .order_by(claims.c.sequence_last, claims.c.claim_id)
    .limit(1)
    .correlate(operations)
    .scalar_subquery()
)
"""The claim that paid a withdrawal, beside a row of operations; NULL while there is none."""


def with_claims() -> Select[Any]:
    """Operations; each with `claim_id`, `claim_block`, `claim_ms`, `claim_hash` of the claim that paid it, or None."""
    paid = claims.alias("paid")
    found = (paid.c.claim_id, paid.c.block.label("claim_block"), paid.c.time_ms.label("claim_ms"))
    joined = operations.outerjoin(paid, and_(operations.c.status == IN_PROGRESS, paid.c.claim_id == PAYING))
    return select(operations, *found, paid.c.hash.label("claim_hash")).select_from(joined)


def status_of(row: Row, settled: int) -> str:
    """An operation's status, of a row with its claim; `settled` is the last command that is final on L1.

    A row that has just been derived has no claim yet, and no withdrawal of it is final.
    """
    if row["status"] != IN_PROGRESS:
        return str(row["status"])
    if row.get("claim_id") is not None:
        return COMPLETED
    return CLAIMABLE if row["sequence"] <= settled else IN_PROGRESS


def of_status(status: str, settled: int) -> ColumnElement[bool]:
    """The same as a condition on operations."""
    column, is_paid, is_final = operations.c.status, PAYING.is_not(None), operations.c.sequence <= settled
    if status == COMPLETED:
        return or_(column == COMPLETED, and_(column == IN_PROGRESS, is_paid))
    if status == CLAIMABLE:
        return and_(column == IN_PROGRESS, is_final, ~is_paid)
    if status == IN_PROGRESS:
        return and_(column == IN_PROGRESS, ~is_final, ~is_paid)
    return column == status


class Withdrawals:
    """Follows the settlement service of this folder, in whatever process that runs.

    `listeners` hear of rows whose status has changed, as `with_claims` has them. `settled` is the last command that is
    final on L1, as it was told to them.
    """

    def __init__(self, store: Store, progress: Callable[[], Progress]) -> None:
        self.listeners: list[Callable[[list[Row]], None]] = []
        self.settled = 0
        self.failure = ""
        self._store, self._progress = store, progress
        self._noted: Noted | None = None  # what the tables have
        self._has_looked = False
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Look, now and then, until cancelled. What fails is told by health, and tried again."""
        while True:
            try:
                await self.look()
                self.failure = ""
            except (SQLAlchemyError, OSError, KeyError, ValueError) as error:
                self.failure = f"claims on L1: {type(error).__name__}: {error}"
            await asyncio.sleep(PAUSE_S)

    async def look(self) -> int:
        """Bring the tables to what is noted, and tell what has changed; `settled`."""
        async with self._looking:
            noted = self._progress().noted
            if noted != self._noted:
                await self._follow(noted)
        return self.settled

    async def _follow(self, noted: Noted) -> None:
        before = self._noted
        is_whole = before is None or before.rewinds != noted.rewinds or noted.claim < before.claim
        first = 0 if is_whole or before is None else before.claim + 1
        folder = self._progress().folder
        await self._store.caught_up()  # what is final was sealed and handled before
        done = await self._store.ask(lambda: _update(self._store.database, folder, noted, first))
        if done is None:
            return
        ends = [_between(operations.c.recipient == recipient, span) for recipient, span in done.paid.items()]
        if self._has_looked and done.settled != self.settled:
            ends.append(_between(true(), (self.settled, done.settled)))
        self._noted, self.settled, self._has_looked = (noted if done.is_whole else None), done.settled, True
        for start in range(0, len(ends), AT_ONCE):
            await self._tell(or_(*ends[start : start + AT_ONCE]))

    async def _tell(self, changed: ColumnElement[bool]) -> None:
        if not self.listeners:
            return
        rows = await self._store.rows(with_claims().where(operations.c.status == IN_PROGRESS, changed))
        for listener in self.listeners if rows else ():
            listener(rows)


class _Done(NamedTuple):
    settled: int
    paid: dict[str, Span]  # by recipient: up to which command he was paid before, and is now
    is_whole: bool  # every claim's batch is known here


def _between(whose: ColumnElement[bool], span: Span) -> ColumnElement[bool]:
    low, high = sorted(span)
    return and_(whose, operations.c.sequence > low, operations.c.sequence <= high)


def _update(database: Database, folder: Path, noted: Noted, first: int) -> _Done | None:
    """Bring the table to what is noted of claims from number `first` on. None where that cannot be read now."""
    found = claims_from(folder, first)
    if found is None:
        return None
    with database.engine.begin() as connection:
        lowest = min([noted.final, *(one.batch for one in found)])
        query = select(batches.c.batch, batches.c.sequence_last).where(batches.c.batch >= lowest)
        ends = {0: 0, **{row.batch: row.sequence_last for row in connection.execute(query)}}
        wanted = {one.number: _row(one, ends[one.batch]) for one in found if one.batch in ends}
        query = select(claims).where(claims.c.claim_id >= first)
        here = {row["claim_id"]: dict(row) for row in connection.execute(query).mappings()}
        gone = [number for number, row in here.items() if wanted.get(number) != row]
        new = [row for number, row in wanted.items() if here.get(number) != row]
        recipients = sorted({row["recipient"] for row in (*new, *(here[number] for number in gone))})
        before = _paid(connection, recipients)
        for start in range(0, len(gone), AT_ONCE):
            connection.execute(delete(claims).where(claims.c.claim_id.in_(gone[start : start + AT_ONCE])))
        database.upsert(connection, claims, new)
        after = _paid(connection, recipients)
    paid = {one: (before.get(one, 0), after.get(one, 0)) for one in recipients}
    return _Done(ends.get(noted.final, 0), paid, len(wanted) == len(found))


def _paid(connection: Connection, recipients: list[str]) -> dict[str, int]:
    """Up to which command each recipient is paid."""
    found: dict[str, int] = {}
    for start in range(0, len(recipients), AT_ONCE):
        some = claims.c.recipient.in_(recipients[start : start + AT_ONCE])
        query = select(claims.c.recipient, func.max(claims.c.sequence_last)).where(some).group_by(claims.c.recipient)
        found |= {str(recipient): int(last) for recipient, last in connection.execute(query)}
    return found


def _row(one: Claim, sequence_last: int) -> Row:
    return {
        "claim_id": one.number,
        "recipient": one.recipient,
        "amount": one.amount,
        "batch": one.batch,
        "sequence_last": sequence_last,
        "block": one.block,
        "time_ms": one.time_ms,
        "hash": one.transaction,
    }
