"""Two traders of the running venue (`live`, of the folder above) who have more money."""

import pytest

from tests.api.live import Live, Trader


@pytest.fixture(scope="module")
def maker(live: Live) -> Trader:
    trader = Trader(live, 404)
    for _ in range(20):
        trader.claim()
    return trader


@pytest.fixture(scope="module")
def taker(live: Live) -> Trader:
    trader = Trader(live, 505)
    for _ in range(20):
        trader.claim()
    return trader
