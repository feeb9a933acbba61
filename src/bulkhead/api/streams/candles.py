"""The current candle of a market, kind and interval, told again when it changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from bulkhead.api.call import Api
from bulkhead.api.numbers import Wire
from bulkhead.api.streams.frame import Frame
from bulkhead.api.streams.topic import Pulse, Topic
from bulkhead.node.store import tables
from bulkhead.node.store.candles import TRADES
from bulkhead.node.store.staging import Row

PAUSE_S = 0.25


class CandleTopic(Topic):
    """Minutes that are over are folded into one sum; the last one may still change, and is kept apart."""

    def __init__(self, api: Api, wire: Wire, kind: str, span_ms: int) -> None:
        super().__init__()
        self._api = api
        self._wire = wire
        self._kind = kind
        self._span_ms = span_ms
        self._folded: Row | None = None
        self._minute: Row | None = None
        self._is_ready = False
        self._readers = 0
        self._meanwhile: dict[int, Row] = {}  # minutes that were told while the tables were being read
        self._pulse = Pulse(PAUSE_S, self._flush, self.fail)

    async def prepare(self) -> None:
        """Read the newest span that has a candle, once; what is told meanwhile comes on top.

        It may be long ago: a market that is quiet still has a last candle, the one that REST tells first.
        """
        if self._is_ready:
            return
        table = tables.candles
        is_it = (table.c.market_id == int(self._wire.terms.market_id)) & (table.c.kind == self._kind)
        newest = func.max(table.c.minute_ms)
        first = select(newest - newest % self._span_ms).where(is_it).scalar_subquery()
        query = select(table).where(is_it, table.c.minute_ms >= first).order_by(table.c.minute_ms)
        self._readers += 1
        try:
            rows = await self._api.node.store.rows(query)
        finally:
            self._readers -= 1
        if self._is_ready:
            return
        self._folded, self._minute, self._is_ready = None, None, True
        for row in [*rows, *self._meanwhile.values()]:
            self._take(row)
        self._meanwhile.clear()

    def seen(self, row: Row) -> None:
        """A minute began or changed."""
        if self._is_ready:
            self._take(row)
            self._pulse.ask()
        elif self._readers:
            self._meanwhile[row["minute_ms"]] = row

    def fail(self) -> None:
        """A minute may have been missed: whoever comes next has everything read again."""
        self._is_ready = False
        self._meanwhile.clear()
        super().fail()

    def greeting(self) -> list[Frame]:
        """The newest candle; nothing where there never was one."""
        return [] if self._minute is None else [self._frame()]

    def _flush(self) -> None:
        if self.listeners and self._minute is not None:
            self.publish(self._frame())

    def _take(self, row: Row) -> None:
        last = self._minute
        if last is not None and row["minute_ms"] < last["minute_ms"]:
            return
        if last is not None and row["minute_ms"] > last["minute_ms"]:
            is_same_span = row["minute_ms"] // self._span_ms == last["minute_ms"] // self._span_ms
            if not is_same_span:
                self._flush()  # as it ended
            self._folded = merged(self._folded, last) if is_same_span else None
        self._minute = row

    def _frame(self) -> Frame:
        assert self._minute is not None, "asked only where there is a minute"
        row = merged(self._folded, self._minute)
        start_ms = row["minute_ms"] - row["minute_ms"] % self._span_ms
        data: dict[str, Any] = {
            "o": row["open"], "h": row["high"], "l": row["low"], "c": row["close"], "T": start_ms,
        }  # fmt: skip
        if self._kind == TRADES:
            data["v"] = self._wire.size(row["lots"])
        return Frame("", [data], int(self._api.sequencer.time_ms), rpc_kind="CANDLE")


def merged(earlier: Row | None, later: Row) -> Row:
    """Two candles as one; a row of its own, which does not change any more."""
    if earlier is None:
        return dict(later)
    return {
        **earlier,
        "high": max(earlier["high"], later["high"], key=Decimal),
        "low": min(earlier["low"], later["low"], key=Decimal),
        "close": later["close"],
        "lots": earlier["lots"] + later["lots"],
    }
