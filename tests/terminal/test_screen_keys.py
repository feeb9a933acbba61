"""The screen Keys in a real browser: a key is made, onboarded, given money; locked and unlocked; and nothing leaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bulkhead.client import Exchange
from bulkhead.terminal.keystore import KeyStore
from tests.api.live import Live
from tests.terminal.browser import Bench
from tests.terminal.venue import PASSPHRASE, Terminal, ask, rich


@pytest.fixture(scope="module")
def terminal(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal without any key."""
    running = Terminal(live.url, tmp_path_factory.mktemp("keys"))
    yield running
    assert running.stop() == 0
    assert not running.troubles, "".join(running.log)


def make(page: Page, name: str, first: str, second: str) -> None:
    """Fill the form and click."""
    form = page.locator('[data-mark="making"]')
    form.get_by_label("Name").fill(name)
    form.get_by_label("Passphrase", exact=True).fill(first)
    form.get_by_label("Passphrase again").fill(second)
    form.locator('[data-mark="make"]').click()


def test_from_nothing_to_money(bench: Bench, live: Live, terminal: Terminal) -> None:
    page, heard = bench.page, []
    expect(page.locator('[data-mark="locked"]')).to_have_text("Unlock an account")
    expect(page.locator('[data-mark="ticket"]')).to_contain_text("Unlock an account on the screen Keys to trade")
    expect(page.locator('[data-mark="submit"]')).to_be_disabled()
    page.wait_for_load_state("networkidle")
    page.goto(bench.at("/compare"))  # what is missing first is an account, and no entry
    expect(page.locator('[data-mark="problem"]')).to_contain_text("Unlock an account first")
    expect(page.locator('[data-mark="summary"]')).to_contain_text("Unlock an account first")
    page.wait_for_load_state("networkidle")
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: heard.append(str(data))))
    page.goto(bench.at("/keys"))
    make(page, "First Key", PASSPHRASE, PASSPHRASE)
    expect(page.locator('[data-mark="making-note"]')).to_contain_text("small letters")
    make(page, "first", PASSPHRASE, "another horse")
    expect(page.locator('[data-mark="making"]')).to_contain_text("not the same")
    make(page, "first", PASSPHRASE, PASSPHRASE)
    expect(page.locator('[data-mark="entry-state"]')).to_contain_text("first has no account here yet")
    bench.check()
    page.locator('[data-mark="onboard"]').click()
    expect(page.locator('[data-mark="entry-state"]')).to_contain_text("first trades as account")
    page.locator('[data-mark="claim"]').click()
    expect(page.locator('[data-mark="entry-money"]')).to_contain_text("Equity 100,000.00 USD")

    page.locator('[data-mark="lock-first"]').click()
    expect(page.locator('[data-mark="entry-state"]')).to_contain_text("Nothing is unlocked")
    page.get_by_label("Passphrase of first").fill("wrong horse")
    page.locator('[data-mark="unlock-first"]').click()
    expect(page.locator('[data-mark="accounts-note"]')).to_contain_text("does not open 'first'")
    page.get_by_label("Passphrase of first").fill(PASSPHRASE)
    page.keyboard.press("Enter")
    expect(page.locator('[data-mark="entry-state"]')).to_contain_text("first trades as account")
    expect(page.locator('[data-mark="account"]')).to_be_visible()

    kept = KeyStore(terminal.keys).unlock("first", PASSPHRASE).kept
    [access] = kept.exchanges.values()
    told = "".join(heard) + page.content() + "".join(terminal.log)
    assert len(heard) > 10, "frames were heard"
    for secret in (kept.ethereum_key[2:], access.api_key, access.stark_key[2:], PASSPHRASE):
        assert secret not in told, "the browser and the log are told no secret"


def test_keys_of_an_account_are_imported_when_they_fit(bench: Bench, live: Live, tmp_path: Path) -> None:
    async def keys(exchange: Exchange) -> tuple[str, str, int]:
        trader = await rich(exchange, 190)
        return trader.api_key, hex(trader.signer._private), trader.account_id

    api_key, stark_key, account_id = ask(live.url, keys)
    page = bench.page
    page.goto(bench.at("/keys"))
    form = page.locator('[data-mark="making"]')
    for given, said in ((api_key[:-2] + "00", "The API key is not valid"), (api_key, "")):
        form.locator("select").select_option("access")
        form.get_by_label("Private Stark key").fill(stark_key)
        form.get_by_label("API key", exact=True).fill(given)
        make(page, "imported", PASSPHRASE, PASSPHRASE)
        if said:
            expect(page.locator('[data-mark="making-note"]')).to_contain_text(said)
    expect(page.locator('[data-mark="entry-state"]')).to_contain_text(f"imported trades as account {account_id}")
