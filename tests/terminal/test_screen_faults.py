"""An exchange that is not who it should be, has forgotten everything, or lives in another hour: said on each screen."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, expect

from bulkhead.client import NewOrder
from bulkhead.node.settings import HttpSettings
from tests.api.live import Fixed, Live, settings_for
from tests.api.test_tls import certificate
from tests.client.hostile import says, server_of
from tests.client.test_restart import free_port
from tests.terminal.browser import Bench
from tests.terminal.venue import NAMED, PASSPHRASE, Terminal, ask, ethereum_key, key_file, rich

SEED = 91


@contextmanager
def impostor(folder: Path) -> Iterator[str]:
    """The address of a server whose certificate nobody vouches for."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate(folder))
    loop, done, urls = asyncio.new_event_loop(), asyncio.Event(), []
    is_ready = threading.Event()

    async def serve() -> None:
        async with server_of(says('{"status":"OK","data":[]}'), tls) as url:
            urls.append(url)
            is_ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    is_ready.wait(20)
    yield urls[0]
    loop.call_soon_threadsafe(done.set)
    thread.join(20)
    loop.close()


def test_a_venue_whose_certificate_nobody_vouches_for_is_not_entered(browser: Browser, tmp_path: Path) -> None:
    with impostor(tmp_path) as url, ExitStack() as ends:
        own = Terminal(url, tmp_path / "keys")
        ends.callback(own.stop)
        bench = Bench(browser, own, None)
        ends.callback(bench.close)
        banner = bench.page.locator('[data-mark="banner"]')
        expect(banner).to_contain_text("The certificate of 127.0.0.1 is not good: self-signed certificate")
        expect(banner).to_contain_text("Nothing was sent")
        bench.check()
    assert not own.troubles, "".join(own.log)


def test_an_exchange_that_began_anew_shows_nothing_old_as_if_it_were_of_now(browser: Browser, tmp_path: Path) -> None:
    http, seconds = HttpSettings(port=int(free_port()), signing_domain="ours.example"), []

    def start(name: str) -> Live:
        return Live(msgspec.structs.replace(settings_for(tmp_path / name), http=http), Fixed())

    first = start("first")
    key_file(tmp_path / "keys", NAMED, ethereum_key(SEED))

    async def stand(exchange: object) -> None:
        trader = await rich(exchange, SEED)  # type: ignore[arg-type]
        await trader.place(NewOrder(market="BTC-USD", side="BUY", quantity="0.01", price=59_000))

    ask(first.url, stand)
    with ExitStack() as ends:
        own = Terminal(first.url, tmp_path / "keys", "--unlock", NAMED, "--onboard", passphrase=PASSPHRASE)
        ends.callback(own.stop)
        bench = Bench(browser, own, None)
        ends.callback(bench.close)
        bench.ready()
        banner = bench.page.locator('[data-mark="account-banner"]')
        expect(bench.page.locator('[data-mark="tab-orders"]')).to_have_text("Open orders 1")
        expect(banner).to_be_hidden()
        first.stop()
        seconds.append(start("second"))
        ends.callback(seconds[0].stop)
        expect(bench.page.locator('[data-mark="light"]')).to_have_attribute("data-state", "live")
        expect(banner).to_contain_text("is old: nothing is heard of it. The API key is not valid any more")
        bench.check()
        true_ms = seconds[0].node.clock_ms
        seconds[0].node.clock_ms = lambda: true_ms() + 90 * 60_000
        expect(banner).to_contain_text("is old")
        bench.page.goto(bench.at("/keys"))
        bench.page.get_by_role("button", name="Lock").first.click()
        expect(banner).to_contain_text("This machine's clock is 90 min behind the exchange's: set it.")
    assert not own.troubles, "".join(own.log)
