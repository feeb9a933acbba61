"""Leaving in a real browser, on a real L1: a deposit, a forced request, and with the exchange gone, everything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from bulkhead.bridge.proposals import Proposals
from bulkhead.bridge.record import Proposed
from bulkhead.fixed import quote_floor
from bulkhead.ledger.accounts import health_of
from bulkhead.ledger.accounts import settled as funded
from bulkhead.terminal import numbers
from tests.api.live import Fixed, Live, settings_for
from tests.bridge.chains import DEPLOYER, DEPOSITOR
from tests.node.escape_world import WEEK, story
from tests.terminal import venue
from tests.terminal.browser import Bench
from tests.terminal.settled import OWNER_SEED, PROVING_S, TERMINAL, Settled, at_batch, settled
from tests.terminal.venue import NAMED, PASSPHRASE, Terminal, ask, ethereum_key, key_file, rich


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """The node with its L1."""
    settings = settings_for(tmp_path_factory.mktemp("node"))
    provable = msgspec.structs.replace(settings.venue, settles=True)
    seldom = msgspec.structs.replace(settings.clock, batch_s=5.0)
    live = Live(msgspec.structs.replace(settings, venue=provable, clock=seldom), Fixed())
    try:
        ask(live.url, lambda exchange: rich(exchange, OWNER_SEED))
        with settled(live, tmp_path_factory.mktemp("l1")) as made:
            yield made
    finally:
        if live._thread.is_alive():
            live.stop()


@pytest.fixture(scope="module")
def terminal(found: Settled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal of the depositor."""
    keys: Path = tmp_path_factory.mktemp("own") / "keys"
    key_file(keys, NAMED, ethereum_key(OWNER_SEED))
    before, venue.COMMAND = venue.COMMAND, TERMINAL
    try:
        running = Terminal(found.live.url, keys, "--unlock", NAMED, "--onboard", passphrase=PASSPHRASE)
    finally:
        venue.COMMAND = before
    running.seed = OWNER_SEED
    yield running
    assert running.stop() == 0, "".join(running.log[-30:])


@pytest.fixture
def bench(browser: Browser, terminal: Terminal, found: Settled) -> Iterator[Bench]:
    """A tab before it."""
    made = Bench(browser, terminal, found.live, is_open=terminal.is_fresh)
    yield made
    made.close()


def sealed(found: Settled, at_least: int) -> int:
    """How many batches there are, once there are so many: one is sealed a second."""
    end_s = time.monotonic() + 30
    while (count := len(ask(found.live.url, lambda exchange: exchange.books.batches()))) < at_least:
        assert time.monotonic() < end_s, f"{count} batches are sealed after half a minute"
        time.sleep(0.2)
    return count


def test_money_goes_to_l1s_queue_and_a_request_cannot_be_refused(bench: Bench, found: Settled) -> None:
    final = sealed(found, at_least=4) - 2
    at_batch(found, final)
    bench.page.goto(bench.at("/settlement"))
    bench.ready()
    l1 = bench.page.locator('[data-mark="l1"]')
    l1.get_by_label("L1").fill("http://127.0.0.1:9")
    l1.locator('[data-mark="l1-use"]').click()
    problem = l1.locator('[data-mark="l1-problem"]')
    expect(problem).to_have_text("No answer to eth_chainId: nobody listens at http://127.0.0.1:9.")
    l1.get_by_label("L1").fill(found.url)
    l1.locator('[data-mark="l1-use"]').click()
    token, custody = (found.here.contract(name) for name in ("token", "custody"))
    balance = token.call("balanceOf", str(DEPOSITOR.address))
    expect(l1).to_contain_text(numbers.dollars(Decimal(balance) / 1_000_000), timeout=15_000)
    queued = custody.call("queued")
    money = bench.page.locator('[data-mark="money"]')
    money.get_by_label("Amount").fill(f"{Decimal(balance) / 1_000_000 + 1:f}")
    money.locator('[data-mark="deposit"]').click()
    expect(money.locator('[data-mark="money-note"]')).to_contain_text("less than the deposit", timeout=20_000)
    assert token.call("balanceOf", str(DEPOSITOR.address)) == balance, "nothing was sent, as it says"
    money.get_by_label("Amount").fill("12.5")
    money.locator('[data-mark="deposit"]').click()
    expect(money.locator('[data-mark="money-note"]')).to_contain_text("is in L1's queue", timeout=20_000)
    assert custody.call("queued") == queued + 1
    assert token.call("balanceOf", str(DEPOSITOR.address)) == balance - 12_500_000
    expect(money.get_by_label("Amount")).to_have_value("")  # another click is no other deposit
    leaving = bench.page.locator('[data-mark="leaving"]')
    expect(leaving.locator('[data-mark="leaving-state"]')).to_contain_text("The operator serves")
    expect(leaving.locator('[data-mark="leave"]')).to_be_disabled()
    expect(leaving.locator('[data-mark="leaving-command"]')).to_contain_text("bulkhead exit --exchange")
    expect(leaving).not_to_contain_text("None of your accounts here")
    force, note = leaving.locator('[data-mark="force"]'), leaving.locator('[data-mark="leaving-note"]')
    for account, amount in (("1" * 5_000, "1"), ("129", "1"), (str(1 << 32), "1"), ("256", "9" * 15)):
        leaving.get_by_label("From account").fill(account)
        leaving.get_by_label("Amount").fill(amount)
        force.click()
        expect(note).to_have_text("Nothing was sent.")
    expect(leaving).to_contain_text("More than there can be.")
    leaving.get_by_label("From account").fill(str(own_account()))
    expect(leaving).to_contain_text("None of your accounts here")  # but the contracts are of another exchange
    leaving.get_by_label("Amount").fill("0.000005")
    force.dblclick()
    expect(note).to_contain_text("Request 1 is in L1's queue", timeout=20_000)
    expect(leaving.get_by_label("Amount")).to_have_value("")
    force.click()
    expect(note).to_have_text("Nothing was sent.")
    assert found.here.contract("rollup").call("requested") == 1
    expect(bench.page.locator('[data-mark="figure-final"]')).to_contain_text(f"{final}")
    rebuilt = bench.page.locator('[data-mark="rebuilt"]')
    rebuilt.locator('[data-mark="rebuild"]').click()
    expect(rebuilt.locator('[data-mark="rebuilt-note"]')).to_contain_text("2 batches up to block", timeout=20_000)
    expect(rebuilt.locator('[data-cell="worth"]').first).to_have_text(numbers.dollars(worth()[0]))
    shown = bench.page.locator(f'[data-mark="batches"] tr[data-id="{final}"] [data-cell="seconds"]')
    expect(shown).to_have_text(f"{PROVING_S + final:.1f}")
    bits = bench.page.locator('[data-mark="batches"] [data-cell="bits"]')
    expect(bits.filter(has_text="1")).to_have_count(final)
    bench.check()


def test_what_the_council_announces_is_told_with_the_time_to_leave(bench: Bench, found: Settled) -> None:
    here, settles = found.here, found.settles
    door, follower = here.deployment.doors[0], Proposals(here.chain, here.deployment)
    words = (door.version, door.shape, here.deployment.custody.address)  # any contract that is no reader of batches
    here.contract("rollup").transact(DEPLOYER, "propose_reader", *words, 12)
    here.contract("rollup").transact(DEPLOYER, "propose_council", str(DEPOSITOR.address))
    change = "BTC-USD.tier1.maintenance: 1.2 to 1.1 %"
    settles.proposed = (Proposed(door._replace(reader=here.deployment.custody), 12, "0x" + "b" * 60, (change,)),)
    settles.standing = settles.standing._replace(proposals=follower.look())
    [council, reader] = ask(found.live.url, lambda exchange: exchange.books.proposals())
    assert (council["kind"], reader["follows"], reader["changes"]) == ("COUNCIL", False, [change])
    bench.page.goto(bench.at("/operator"))
    bench.ready()
    panel = bench.page.locator('[data-mark="proposals"]')
    expect(panel).to_contain_text(f"Verifiers, version 1, shape {door.shape}, from batch 12")
    expect(panel).to_contain_text(f"{change}. Configuration 0xbbbbbbbb…bbbbbb: no proof leads there")
    for name, field in (("ready", "readyTime"), ("until", "untilTime"), ("leave-before", "leaveBefore")):
        cells = panel.locator(f'[data-cell="{name}"]')
        expect(cells).to_have_text([numbers.moment(one[field]) for one in (council, reader)])
    bench.check()
    bench.page.goto(bench.at("/settlement"))
    told = bench.page.locator('[data-mark="leaving-announced"]')
    expect(told).to_contain_text("other verifiers for batches of version 1")
    expect(told).to_contain_text("another council")
    expect(told).to_contain_text(f"who asks to leave by force before {numbers.moment(reader['leaveBefore'])}")
    bench.check()


def test_the_exchange_is_gone_and_the_owner_leaves_with_everything(bench: Bench, found: Settled) -> None:
    found.live.stop()
    found.here.wait(WEEK + 60)
    bench.page.goto(bench.at("/settlement"))
    leaving = bench.page.locator('[data-mark="leaving"]')
    state, note = leaving.locator('[data-mark="leaving-state"]'), leaving.locator('[data-mark="leaving-note"]')
    expect(state).to_contain_text("A forced request is overdue", timeout=15_000)
    expect(bench.page.locator('[data-mark="light"]')).to_have_attribute("data-state", "down")
    token = found.here.contract("token")
    before = token.call("balanceOf", str(DEPOSITOR.address))
    leaving.locator('[data-mark="leave"]').click()
    expect(note).to_contain_text("Custody sent", timeout=90_000)
    sent = token.call("balanceOf", str(DEPOSITOR.address)) - before
    returned = 12_500_000  # the deposit that no batch took
    assert sent == sum(worth()) * 1_000_000 + returned > returned
    expect(note).to_contain_text(numbers.dollars(Decimal(sent - returned) / 1_000_000))
    expect(state).to_contain_text("every account's worth is proven")
    expect(leaving.locator('[data-mark="leaving-announced"]')).to_have_text("")  # it changes nothing of a frozen rollup
    expect(leaving.locator('[data-mark="leaving-told"]')).to_contain_text("froze the rollup")
    bench.check()
    leaving.scroll_into_view_if_needed()
    bench.shoot("leaving")
    leaving.locator('[data-mark="leave"]').click()
    expect(note).to_contain_text("Nothing is left here", timeout=60_000)
    assert token.call("balanceOf", str(DEPOSITOR.address)) - before == sent, "nothing comes twice"


def own_account() -> int:
    """The depositor's account in the contracts' exchange."""
    last = story().last
    return min(one.account_id for one in last.accounts.values() if one.l1_owner == int(str(DEPOSITOR.address), 16))


def worth() -> list[Decimal]:
    """What each of his accounts is worth there, in dollars."""
    last, owner = story().last, int(str(DEPOSITOR.address), 16)
    mine = sorted((one for one in last.accounts.values() if one.l1_owner == owner), key=lambda one: one.account_id)
    values = [int(quote_floor(health_of(last, funded(last, one)[0]).value)) for one in mine]
    return [Decimal(value) / 1_000_000 for value in values]
