"""A venue for unmodified clients, with somebody on the other side of the book."""

from collections.abc import Iterator

import pytest

from tests.api.live import Fixed, Live, Trader, settings_for


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    running = Live(settings_for(tmp_path_factory.mktemp("node")), Fixed())
    yield running
    running.stop()


@pytest.fixture(scope="module")
def maker(live: Live) -> Trader:
    """Quotes both sides of two markets."""
    trader = Trader(live, 303)
    for _ in range(5):
        trader.claim()
    for side, prices in (("BUY", ("59900", "59800", "59000")), ("SELL", ("60100", "60200", "61000"))):
        for price in prices:
            trader.placed(side, "0.5", price)
    for side, price in (("BUY", "2990"), ("SELL", "3010")):
        trader.placed(side, "5", price, market="ETH-USD")
    return trader
