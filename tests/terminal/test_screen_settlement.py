"""The screen Settlement in a real browser: every way to final with its times, receipts, a withdrawal, solvency."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from playwright.sync_api import expect

from bulkhead.client import NewOrder, Trader
from bulkhead.client.signer import AssetLeg
from bulkhead.terminal import numbers
from tests.terminal.browser import Bench
from tests.terminal.owner import by_owner
from tests.terminal.settled import PROOF_BYTES, first_block, gas_of, note_claimed, note_settled
from tests.terminal.venue import ask

MARKET = "BTC-USD"


def batches(bench: Bench) -> list[dict[str, Any]]:
    return ask(bench.live.url, lambda exchange: exchange.books.batches())


def sealed(bench: Bench, sequence: int) -> dict[str, Any]:
    """The batch that has a record, when it is sealed."""
    for _ in range(100):
        for one in batches(bench):
            if one["firstSequence"] <= sequence <= one["lastSequence"]:
                return one
        time.sleep(0.1)
    raise AssertionError(f"record {sequence} is in no batch")


def test_an_order_goes_from_accepted_to_final_and_its_receipt_is_checked(bench: Bench) -> None:
    order = NewOrder(market=MARKET, side="BUY", quantity="0.01", price="57000", post_only=True)
    placed = by_owner(bench, lambda trader: trader.place(order))
    sequence = by_owner(bench, lambda trader: trader.order(placed.id)).sequence
    bench.page.goto(bench.at("/settlement"))
    bench.ready()
    way = bench.page.locator(f'tr[data-id="order-{placed.id}"]')
    number = sealed(bench, sequence)["batch"]
    expect(way.locator('[data-cell="batch"]')).to_have_text(f"{number:,}")
    expect(way.locator('[data-cell="final"]')).to_have_text(numbers.NONE)
    note_settled(bench.live.settings.place, number)
    expect(way.locator('[data-cell="final"]')).to_contain_text("+", timeout=15_000)
    told = ask(bench.live.url, lambda exchange: exchange.books.batch(number))
    assert [step["stage"] for step in told["steps"]] == ["SEALED", "PROVEN", "SETTLED", "FINAL"]
    assert told["gasUsed"] == sum(gas_of(number)) and told["proof"]["bytes"] == PROOF_BYTES
    shown = bench.page.locator('[data-mark="batches"]').locator(f'tr[data-id="{number}"]')
    expect(shown.locator('[data-cell="gas"]')).to_have_text(f"{sum(gas_of(number)):,}")
    expect(shown.locator('[data-cell="size"]')).to_have_text("384")
    expect(shown.locator('[data-cell="block"]')).to_have_text(f"{first_block(number) + len(gas_of(number)) - 1:,}")
    expect(shown.locator('[data-cell="status"]')).to_have_text("final")
    shown.get_by_role("button", name=f"Transactions of batch {number}").click()
    expect(bench.page.locator('[data-mark="transactions"] [data-cell="gas"]')).to_have_text(
        [f"{gas:,}" for gas in gas_of(number)]
    )
    request = bench.page.locator('[data-mark="forced"] [data-cell="state"]')
    expect(request).to_have_text("waiting")
    way.get_by_role("button", name="Check the receipt").click()
    ways = bench.page.locator('[data-mark="ways"]')
    expect(ways).to_contain_text("has the order that your key signed")
    way.get_by_role("button", name="Check the receipt").click()
    expect(ways).to_contain_text("told before, and the same now")
    bench.check()


def test_a_withdrawal_is_asked_for_and_seen_on_its_way(bench: Bench) -> None:
    bench.page.goto(bench.at("/settlement"))
    bench.ready()
    before = by_owner(bench, lambda trader: trader.balance()).balance
    form = bench.page.locator('[data-mark="money"]')
    form.get_by_label("Amount").fill("-5")
    form.locator('[data-mark="withdraw"]').click()
    expect(form).to_contain_text("Above zero.")
    form.get_by_label("Amount").fill("1,250.5")
    form.get_by_label("Withdraw to").fill("0x12")
    form.locator('[data-mark="withdraw"]').click()
    expect(form).to_contain_text("An address on L1")
    form.get_by_label("Withdraw to").fill("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2b")  # the last letter is another
    form.locator('[data-mark="withdraw"]').click()
    expect(form).to_contain_text("its checksum does not fit")
    expect(form.locator('[data-mark="money-note"]')).to_have_text("Nothing was sent.")
    form.get_by_label("Withdraw to").fill("0x" + "ab" * 20)
    form.locator('[data-mark="withdraw"]').click()
    expect(form.locator('[data-mark="money-note"]')).to_contain_text("1,250.50 USD are on their way")
    expect(bench.page.locator('[data-mark="ways"]')).to_contain_text("withdrawal 1,250.50 USD, on its way")
    assert by_owner(bench, lambda trader: trader.balance()).balance == before - Decimal("1250.5")
    form.locator('[data-mark="claim"]').click()
    expect(form.locator('[data-mark="money-note"]')).to_contain_text("settles nothing")
    [gone] = by_owner(bench, lambda trader: trader.operations(1))
    way = bench.page.locator(f'tr[data-id="money-{gone.id}"]')
    expect(way.locator('[data-cell="claimed"]')).to_have_text("")
    number = sealed(bench, gone.sequence)["batch"]
    note_settled(bench.live.settings.place, number, is_asked=False)
    expect(way.locator('[data-cell="claimed"]')).to_have_text("ready", timeout=15_000)
    note_claimed(bench.live.settings.place, number, "0x" + "ab" * 20)
    expect(way.locator('[data-cell="claimed"]')).to_contain_text("+", timeout=15_000)
    expect(bench.page.locator('[data-mark="ways"]')).to_contain_text("withdrawal 1,250.50 USD, completed")
    bench.check()


def test_a_strategys_money_leaves_by_itself(bench: Bench) -> None:
    async def work(trader: Trader) -> tuple[int, Decimal]:
        [made] = (await trader.strategies()).strategies
        await trader.move([AssetLeg(trader.account_id, made.l2_vault, Decimal(2_000))])
        return made.l2_vault, (await trader.balance()).balance

    bench.page.goto(bench.at("/risk"))
    bench.ready()
    made = bench.page.locator('[data-mark="new-strategy"]')
    made.get_by_label("Name").fill("basis")
    made.get_by_role("button").click()
    expect(bench.page.locator('[data-mark="account"]')).to_contain_text("basis")
    strategy, main_before = by_owner(bench, work)
    bench.page.goto(bench.at("/settlement"))
    bench.ready()
    form = bench.page.locator('[data-mark="money"]')
    form.locator('[data-mark="money-account"] select').select_option(str(strategy))
    expect(form.locator('[data-mark="money-free"]')).to_contain_text("Free to leave: 2,000.00 USD")
    expect(form.locator('[data-mark="money-free"]')).to_contain_text("not through the main account")
    form.get_by_label("Amount").fill("2,000.01")
    form.locator('[data-mark="withdraw"]').click()
    expect(form.locator('[data-mark="money-note"]')).to_contain_text("rejected")
    form.get_by_label("Amount").fill("750")
    form.locator('[data-mark="withdraw"]').click()
    expect(form.locator('[data-mark="money-note"]')).to_contain_text("750.00 USD are on their way")
    expect(form.locator('[data-mark="money-free"]')).to_contain_text("Free to leave: 1,250.00 USD")
    way = bench.page.locator('[data-mark="ways"]')
    expect(way).to_contain_text(f"withdrawal 750.00 USD, on its way · basis · {strategy}")

    async def after(trader: Trader) -> tuple[Decimal, Decimal]:
        own = await trader.strategy(strategy)
        return (await trader.balance()).balance, (await own.balance()).balance

    assert by_owner(bench, after) == (main_before, 1_250)
    bench.check()


def test_solvency_is_computed_here_from_both_sides(bench: Bench) -> None:
    bench.page.goto(bench.at("/settlement"))
    bench.ready()
    panel = bench.page.locator('[data-mark="solvency"]')
    expect(panel.locator('[data-mark="solvency-verdict"]')).to_contain_text("Everything that is owed is held")
    told = ask(bench.live.url, lambda exchange: exchange.books.solvency())
    for name in ("custody", "accounts", "funds"):
        expect(panel.locator(f'[data-cell="{name}"]')).to_have_text(f"{numbers.dollars(Decimal(told[name]))} USD")
    gap = Decimal(told["custody"]) - Decimal(told["accounts"]) - Decimal(told["funds"])
    assert 0 <= gap < Decimal("0.001")
    expect(panel.locator('[data-cell="gap"]')).to_have_text(f"{numbers.fixed(gap, 6, sign=True)} USD")
    held = bench.page.locator('[data-mark="settled"]')
    held.locator('[data-mark="hold"]').click()
    expect(held.locator('[data-mark="settled-note"]')).to_contain_text("this exchange settles nothing")


def test_how_old_everything_is_stays_in_sight_while_one_scrolls(bench: Bench) -> None:
    page = bench.page
    page.goto(bench.at("/settlement"))
    bench.ready()
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    assert page.evaluate("window.scrollY") > 40
    box = page.locator(".bh-header .bh-light").bounding_box()
    assert box is not None and 0 <= box["y"] < 40
    bench.check()
