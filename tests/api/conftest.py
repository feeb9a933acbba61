"""One running venue for a module of tests, with traders who have money."""

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
    trader = Trader(live, 101)
    trader.claim()
    return trader


@pytest.fixture(scope="module")
def taker(live: Live) -> Trader:
    trader = Trader(live, 202)
    trader.claim()
    return trader
