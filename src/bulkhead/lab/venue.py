"""A venue for a price set: one market per symbol, with lots sized so that a tick is under a basis point."""

from __future__ import annotations

from bulkhead.lab.prices import DataSet
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.defaults import default_config, market
from bulkhead.rules.terms import MarketTerms
from bulkhead.units import Felt, Price

MAJORS = ("BTC", "ETH")
INITIAL = {"BTC": 200, "ETH": 200, "SOL": 400, "XRP": 500, "LTC": 500, "ADA": 500, "BCH": 500, "DOGE": 500}
INITIAL_OTHERS = 1_000  # of 10,000: ten times leverage where a coin has no entry of its own
TICKS_PER_PRICE = 20_000  # a book price has at least so many ticks, so one is at most half a basis point
MICRO = 1_000_000
ONE_PRICE = 1 << 32
SIMULATED_KEYS = (Felt(2), Felt(3), Felt(4))
"""Oracle keys of a simulation: its messages are not signed, and its authority says so (`verify=False`)."""


def resolution_of(price: float) -> int:
    """Lots in one coin: the largest power of ten at which a lot is still worth TICKS_PER_PRICE micro-USD."""
    resolution = 1
    while price * MICRO / (resolution * 10) >= TICKS_PER_PRICE:
        resolution *= 10
    return resolution


def markets_of(data: DataSet) -> tuple[MarketTerms, ...]:
    """Default terms for each symbol of a set, in its order."""
    return tuple(
        market(
            place,
            symbol,
            resolution_of(float(bars.open[0])),
            is_major=symbol in MAJORS,
            initial=INITIAL.get(symbol, INITIAL_OTHERS),
        )
        for place, (symbol, bars) in enumerate(data.bars.items(), start=1)
    )


def config_of(data: DataSet, tick_ms: int) -> VenueConfig:
    """The default venue over a price set.

    Index prices may be as old as two ticks of the replay; the table of filled orders is larger than a
    proven venue allows, because a replay never closes a batch.
    """
    config = default_config(SIMULATED_KEYS, Felt(5), chain_id="BH_0_simulation")
    markets = tuple(terms._replace(price_age_max_ms=max(60_000, 2 * tick_ms)) for terms in markets_of(data))
    return config._replace(markets=markets, filled_orders_max=1 << 24)


def price_of(coin_price: float, resolution: int) -> Price:
    """An index price from dollars per coin, to the nearest 2^-32: the one place where a float becomes a price."""
    return Price(max(1, round(coin_price * MICRO / resolution * ONE_PRICE)))
