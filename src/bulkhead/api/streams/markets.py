"""Trades, prices and funding rates of a market."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bulkhead.api import shapes
from bulkhead.api.call import Api
from bulkhead.api.numbers import Wire, share
from bulkhead.api.streams.frame import Frame
from bulkhead.api.streams.topic import Topic
from bulkhead.node.store import tables
from bulkhead.node.store.staging import Row
from bulkhead.rules.funding import hourly_rate

KINDS = {"mark": "MP", "index": "IP"}


class TradesTopic(Topic):
    """Fills as everybody sees them. Nobody is greeted: what was traded before is for REST."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api
        self._new: list[Row] = []

    def traded(self, row: Row) -> None:
        """A fill; it is told at the end of its group."""
        if self.listeners:
            self._new.append(row)

    def flush(self) -> None:
        """Tell what was traded."""
        if self._new:
            rows, self._new = self._new, []
            data = [shapes.public_trade(self._api, row) for row in rows]
            self.publish(Frame("", data, int(self._api.sequencer.time_ms), rpc_kind="TRADES"))


class PriceTopic(Topic):
    """The mark or the index price of a market."""

    def __init__(self, api: Api, wire: Wire, kind: str) -> None:
        super().__init__()
        self._api = api
        self._wire = wire
        self._kind = kind

    def priced(self, price: int, time_ms: int) -> None:
        """A new price."""
        if self.listeners:
            self.publish(self._frame(price, time_ms))

    def greeting(self) -> list[Frame]:
        """The price now; nothing before the first."""
        market_id = self._wire.terms.market_id
        engine, state = self._api.sequencer, self._api.state
        price = int(engine.mark(market_id)) if self._kind == "mark" else int(state.markets[market_id].price)
        return [self._frame(price, int(engine.time_ms))] if price else []

    def _frame(self, price: int, time_ms: int) -> Frame:
        data = {"m": self._wire.terms.name, "p": self._wire.index_price(price), "ts": time_ms}
        return Frame(KINDS[self._kind], data, time_ms)


class FundingTopic(Topic):
    """The rate of each hour when it is paid. A newcomer hears the last one; in a venue's first hour, the rate that the
    premiums so far come to, at the hour's beginning."""

    def __init__(self, api: Api, wire: Wire) -> None:
        super().__init__()
        self._api = api
        self._wire = wire
        self._last: dict[str, Any] | None = None
        self._is_known = False  # whether there was a last one, when this was asked for the first time

    async def prepare(self) -> None:
        """Look the last rate up, once."""
        if self._is_known:
            return
        table = tables.funding_rates
        query = (
            select(table)
            .where(table.c.market_id == int(self._wire.terms.market_id))
            .order_by(table.c.rate_id.desc())
            .limit(1)
        )
        rows = await self._api.node.store.rows(query)
        if rows and self._last is None:
            self._last = self._shape(rows[0])
        self._is_known = True

    def greeting(self) -> list[Frame]:
        """The last rate."""
        return [Frame("", self._last or self._estimate(), int(self._api.sequencer.time_ms), rpc_kind="FUNDING_RATE")]

    def paid(self, row: Row) -> None:
        """An hour is over."""
        self._last = self._shape(row)
        self.publish(Frame("", self._last, row["time_ms"], rpc_kind="FUNDING_RATE"))

    def _shape(self, row: Row) -> dict[str, Any]:
        return {"m": self._wire.terms.name, "f": row["rate"], "T": row["time_ms"]}

    def _estimate(self) -> dict[str, Any]:
        terms = self._wire.terms
        samples = self._api.sequencer.samples(terms.market_id)
        rate = int(hourly_rate(samples, terms.funding_interest, terms.funding_cap)) if samples else 0
        return {"m": terms.name, "f": share(rate), "T": int(self._api.state.markets[terms.market_id].funding_ms)}
