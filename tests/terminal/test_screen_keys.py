"""The screen Keys in a real browser: a key is made, onboarded, given money; locked and unlocked; and nothing leaks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page, expect

from bulkhead.client import Exchange
from bulkhead.terminal.keystore import Access, KeyStore
from tests.api.live import Live
from tests.terminal.browser import Bench
from tests.terminal.venue import PASSPHRASE, WORK_FACTOR, Terminal, ask, rich


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


def unlock(page: Page, name: str) -> None:
    page.get_by_label(f"Passphrase of {name}", exact=True).fill(PASSPHRASE)
    page.locator(f'[data-mark="unlock-{name}"]').click()


def test_keys_that_cannot_be_used_say_why_and_hinder_no_other(bench: Bench, terminal: Terminal) -> None:
    page, store = bench.page, KeyStore(terminal.keys, work_factor=WORK_FACTOR)
    store.add_access("elsewhere", PASSPHRASE, "http://other:1", Access(128, "ab" * 16, "0x1"))
    store.create("sound", PASSPHRASE)
    broken, exposed = terminal.keys / "broken.json", terminal.keys / "exposed.json"
    exposed.write_text((terminal.keys / "sound.json").read_text())
    broken.write_text("{")
    broken.chmod(0o600)
    exposed.chmod(0o644)
    try:
        page.goto(bench.at("/keys"))
        expect(page.locator('[data-mark="account-broken"]')).to_contain_text("Damaged, or not a key file")
        expect(page.locator('[data-mark="account-exposed"]')).to_contain_text("chmod 600")
        unlock(page, "elsewhere")
        state = page.locator('[data-mark="entry-state"]')
        expect(state).to_have_text("elsewhere opens http://other:1, not this exchange.")
        expect(page.locator('[data-mark="onboard"]')).to_be_hidden()
        expect(page.locator('[data-mark="locked"]')).to_have_text("elsewhere: not of here")
        unlock(page, "sound")
        expect(state).to_contain_text("sound has no account here yet")
        bench.check()
    finally:
        for path in (broken, exposed):
            path.unlink()


def test_another_owner_s_money_never_goes_to_the_wallet_of_the_one_before(bench: Bench, terminal: Terminal) -> None:
    store = KeyStore(terminal.keys, work_factor=WORK_FACTOR)
    wallets = [store.create(name, PASSPHRASE).wallet for name in ("one", "two")]
    page, other = bench.page, bench.tab()
    page.goto(bench.at("/keys"))
    other.goto(bench.at("/settlement"))
    recipient = other.locator('[data-mark="money"]').get_by_label("Withdraw to")
    for name, wallet in zip(("one", "two"), wallets, strict=True):
        unlock(page, name)
        expect(recipient).to_have_value(wallet)


def test_what_was_sent_before_the_lock_is_told_and_is_not_sent_again(bench: Bench, live: Live) -> None:
    page, other = bench.page, bench.tab()
    page.goto(bench.at("/keys"))
    unlock(page, "first")
    expect(page.locator('[data-mark="entry-state"]')).to_contain_text("first trades as account")
    other.goto(bench.at("/settlement"))
    form, last = other.locator('[data-mark="money"]'), other.locator('[data-mark="last-action"]')
    expect(form.locator('[data-mark="money-free"]')).to_contain_text("Free to leave: 100,000.00 USD")
    form.get_by_label("Amount").fill("5")
    late = Thread(target=lambda: live.on_loop(lambda: time.sleep(3.0)))
    late.start()
    form.locator('[data-mark="withdraw"]').click()
    expect(last).to_contain_text("sent")
    page.locator('[data-mark="lock-first"]').click()
    expect(page.locator('[data-mark="entry-state"]')).to_contain_text("Nothing is unlocked")
    late.join()
    expect(last).to_contain_text("Withdraw 5.00 USD from")
    expect(last).to_contain_text("acknowledged")
    form.get_by_label("Amount").fill("5")
    form.locator('[data-mark="withdraw"]').click()
    expect(form.locator('[data-mark="money-note"]')).to_have_text("Unlock an account first.")
    unlock(page, "first")
    expect(form.locator('[data-mark="money-free"]')).to_contain_text("Free to leave: 99,995.00 USD")
    bench.check_layout()
