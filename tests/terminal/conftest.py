"""The test bench of the terminal's screens: a venue, a terminal beside it, and a real browser before it.

    def test_something(bench: Bench) -> None:
        bench.page.goto(bench.at("/risk"))
        bench.page.get_by_role("button", name="Add").click()
        expect(bench.page.locator('[data-mark="health"]')).to_have_text("12%")
        bench.check()           # accessibility, and nothing overlaps or is cut off
        bench.shoot("risk")     # docs/screens/risk-dark.png and -light.png, when BULKHEAD_SCREENS is set

`live` is the node (its price source is `live.source.now`), `terminal` the process of the terminal, whose key store has
the owner NAMED, unlocked, onboarded, with money. They and the browser are made once for a module of tests; the page is
each test's own. A test fails by itself when the console tells of an error, or the terminal's log of a traceback.
What a test looks at it finds by `data-mark`, role or text. Mark parts that must not be cut off with `data-mark`, too:
`check` compares them all. Without Chromium none of this is collected, and pytest's header says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import chromium

if chromium() is None:
    collect_ignore_glob = ["test_screen_*.py"]
else:
    from playwright.sync_api import Browser, sync_playwright

    from tests.api.live import Fixed, Live, settings_for
    from tests.terminal.browser import ARGUMENTS, Bench
    from tests.terminal.venue import NAMED, PASSPHRASE, Terminal, ask, ethereum_key, key_file, rich

    @pytest.fixture(scope="module")
    def browser() -> Iterator[Browser]:
        """One browser for a module of tests: while its driver is open, no other test of this process can run a loop."""
        with sync_playwright() as driver:
            made = driver.chromium.launch(executable_path=str(chromium()), args=list(ARGUMENTS))
            yield made
            made.close()

    @pytest.fixture(scope="module")
    def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
        """A node with a faucet and prices that tests set."""
        running = Live(settings_for(tmp_path_factory.mktemp("node")), Fixed())
        yield running
        running.stop()

    @pytest.fixture(scope="module")
    def terminal(
        live: Live, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
    ) -> Iterator[Terminal]:
        """A terminal whose owner is unlocked, onboarded and has money. The owner is the module's own."""
        keys: Path = tmp_path_factory.mktemp("keys")
        seed = 1 + sum(request.module.__name__.encode()) % 180
        key_file(keys, NAMED, ethereum_key(seed))
        ask(live.url, lambda exchange: rich(exchange, seed))
        running = Terminal(live.url, keys, "--unlock", NAMED, "--onboard", passphrase=PASSPHRASE)
        running.seed = seed
        yield running
        assert running.stop() == 0, "".join(running.log[-30:])
        assert not running.troubles, "".join(running.log)

    @pytest.fixture
    def bench(browser: Browser, terminal: Terminal, live: Live) -> Iterator[Bench]:
        """A tab of its own before a terminal that is ready: `ready`, or the test, opens a screen in it."""
        made = Bench(browser, terminal, live, is_open=terminal.is_fresh)
        yield made
        made.close()
