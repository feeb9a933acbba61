"""One running venue for a module of tests of streams, with two traders who have money."""

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
