"""Candles of one minute, of trades, marks and index prices. Longer ones are put together when they are asked for."""

from __future__ import annotations

from decimal import Decimal

from bulkhead.engine.event import MarkChanged, PricesAccepted
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.store.staging import Row, Staging

MINUTE_MS = 60_000
TRADES, MARKS, INDICES = "trades", "mark-prices", "index-prices"
PLACES = 10


def dollars_of(price: int, resolution: int, bits: int = 0) -> str:
    """A price per lot in dollars for one whole coin, rounded down at ten places where it has fraction bits."""
    scaled = price * resolution * 10**PLACES // (1_000_000 << bits)
    text = format(Decimal(scaled).scaleb(-PLACES), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class Candles:
    """The current minute of every market and kind."""

    def __init__(self, config: VenueConfig, staging: Staging) -> None:
        self._resolutions = {int(terms.market_id): terms.resolution for terms in config.markets}
        self._staging = staging
        self._now: dict[tuple[int, str], Row] = {}

    def load(self, rows: list[Row]) -> None:
        """Go on from the newest candle of each market and kind."""
        self._now = {(row["market_id"], row["kind"]): row for row in rows}

    def traded(self, market_id: int, time_ms: int, price: int, size: int) -> None:
        """A fill."""
        self._seen(market_id, TRADES, time_ms, dollars_of(price, self._resolutions[market_id]), size)

    def marked(self, event: MarkChanged) -> None:
        """A new mark."""
        text = dollars_of(int(event.mark_price), self._resolutions[event.market_id], 32)
        self._seen(event.market_id, MARKS, int(event.time_ms), text)

    def indexed(self, event: PricesAccepted) -> None:
        """New index prices. Feeds of other collateral have no candles."""
        for market_id, price in event.prices:
            if market_id in self._resolutions:
                text = dollars_of(int(price), self._resolutions[market_id], 32)
                self._seen(market_id, INDICES, int(event.time_ms), text)

    def _seen(self, market_id: int, kind: str, time_ms: int, price: str, size: int = 0) -> None:
        minute_ms = time_ms - time_ms % MINUTE_MS
        row = self._now.get((market_id, kind))
        if row is None or row["minute_ms"] != minute_ms:
            row = {
                "market_id": int(market_id),
                "kind": kind,
                "minute_ms": minute_ms,
                "open": price,
                "high": price,
                "low": price,
                "close": price,
                "lots": 0,
            }
            self._now[market_id, kind] = row
        else:
            number = Decimal(price)
            if number > Decimal(row["high"]):
                row["high"] = price
            if number < Decimal(row["low"]):
                row["low"] = price
            row["close"] = price
        row["lots"] += size
        self._staging.put("candles", (market_id, kind, minute_ms), row)  # last: a stream may tell it at once
