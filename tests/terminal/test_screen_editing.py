"""Editing open orders in a real browser: another takes its place in the same step, or it stands as it was."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from bulkhead.client import Exit, NewOrder, Order, Trader, Trigger
from bulkhead.client.orders import Side
from tests.api.live import Live
from tests.terminal.browser import Bench
from tests.terminal.line import Line
from tests.terminal.owner import by_owner
from tests.terminal.venue import ask, quote, rich

MARKET = "BTC-USD"
HELD_MS = 300


def placed(bench: Bench, **entries: object) -> int:
    """An order of the owner's, sent by a program of his: its id."""

    async def work(trader: Trader) -> int:
        return (await trader.place(NewOrder(**{"market": MARKET, **entries}))).id  # type: ignore[arg-type]

    return by_owner(bench, work)


def mine(bench: Bench) -> list[Order]:
    """His open orders, as the exchange has them, oldest first."""
    return by_owner(bench, lambda trader: trader.orders(MARKET))


def past(bench: Bench, order_id: int) -> Order:
    """One order of his, open or not."""
    return by_owner(bench, lambda trader: trader.order(order_id))


def take(live: Live, size: str, price: int, market: str = MARKET, side: Side = "BUY") -> None:
    """Somebody else takes what the owner has in the book."""

    async def inside(exchange: object) -> None:
        trader = await rich(exchange, 212)  # type: ignore[arg-type]
        await trader.place(NewOrder(market=market, side=side, quantity=size, price=price, time_in_force="IOC"))

    ask(live.url, inside)


class Hands:
    """At the ticket while an order is edited."""

    def __init__(self, bench: Bench, path: str = "/") -> None:
        self.page = bench.page
        self.page.goto(bench.at(f"{path}{'&' if '?' in path else '?'}market={MARKET}"))
        bench.ready()
        self.banner = self.page.locator('[data-mark="editing"]')
        self.outcome = self.page.locator('[data-mark="outcome"]')

    def edit(self, order_id: int) -> None:
        self.page.locator('[data-mark="tab-orders"]').click()
        self.page.get_by_role("button", name=f"Edit the order {order_id}", exact=True).click()
        expect(self.banner).to_contain_text(f"Order {order_id}:")

    def fill(self, **entries: str) -> None:
        for name, text in entries.items():
            self.page.locator(f'[data-mark="ticket-{name}"] input').fill(text)

    def shows(self, **entries: str) -> None:
        for name, text in entries.items():
            expect(self.page.locator(f'[data-mark="ticket-{name}"] input')).to_have_value(text)

    def send(self, said: str) -> None:
        self.page.locator('[data-mark="submit"]').click()
        expect(self.outcome).to_contain_text(said)


def test_a_limit_order_takes_the_place_of_the_edited_one(bench: Bench, live: Live) -> None:
    profit, loss = Exit(trigger=59_500, price=59_400, execution="LIMIT"), Exit(trigger=55_000, price=54_000)
    old = placed(
        bench, side="BUY", quantity="0.2", price=57_000, lifetime_s=9_000, take_profit=profit, stop_loss=loss,
        protects="POSITION",
    )  # fmt: skip
    before = past(bench, old)
    hands = Hands(bench)
    hands.fill(price="51000")
    hands.edit(old)
    hands.shows(price="57000", size="0.2", take_profit="59500", stop_loss="55000")
    expect(hands.banner).to_contain_text("What fills of the old one until then comes on top of the new one's size")
    expect(hands.page.locator('[data-mark="ticket-price"] input')).to_be_focused()
    for hidden in ("ticket-kind", "ticket-force", "ticket-lifetime", "side-buy"):
        expect(hands.page.locator(f'[data-mark="{hidden}"]')).to_be_hidden()
    expect(hands.page.locator('[data-mark="submit"]')).to_have_text(f"Replace order {old}")
    hands.page.locator('[data-mark="submit"]').click()
    expect(hands.outcome).to_contain_text("nothing is different yet")
    expect(hands.page.locator('[data-mark="preview"]')).not_to_contain_text("Margin\u2013")
    bench.check()
    hands.fill(price="57100", size="0.3", take_profit="59,600")
    hands.send("acknowledged")
    [new] = mine(bench)
    assert (new.price, new.quantity, new.tp_sl_type) == (57_100, Decimal("0.3"), "POSITION")
    assert abs(new.expiry_time - before.expiry_time) <= 2_000, "for as long as the one before"
    assert new.take_profit is not None and new.stop_loss is not None
    assert new.take_profit.trigger_price == 59_600
    assert (new.stop_loss.trigger_price, new.stop_loss.price) == (55_000, 54_000), "an exit that was not touched"
    assert past(bench, old).status_reason == "ORDER_REPLACED"
    expect(hands.banner).to_be_hidden()
    hands.shows(price="51000")
    rows = hands.page.locator('[data-mark="table-orders"] tbody tr[data-id]')
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("57,100")
    expect(hands.page.locator('[data-mark="last-action"]')).to_contain_text(f"Replace order {old} by: Buy 0.3")
    hands.page.locator('[data-mark="tab-orders-past"]').click()
    gone = hands.page.locator(f'[data-mark="table-orders-past"] tr[data-id="{old}"]')
    expect(gone).to_contain_text("Another order took its place")


def test_a_conditional_order_gets_another_trigger_by_keys_alone(bench: Bench) -> None:
    trigger = Trigger(price=62_000, source="INDEX", direction="UP", execution="MARKET")
    old = placed(bench, side="BUY", quantity="0.1", price=62_500, kind="CONDITIONAL", trigger=trigger)
    hands = Hands(bench)
    hands.page.locator('[data-mark="tab-orders"]').click()
    expect(hands.page.get_by_role("button", name=f"Edit the order {old}", exact=True)).to_be_visible()
    keys = hands.page.keyboard
    hands.page.locator("h1").click()
    keys.press("e")
    hands.shows(trigger="62000", price="62500", size="0.1")
    keys.press("Escape")
    expect(hands.banner).to_be_hidden()
    hands.shows(price="")
    hands.page.locator("h1").click()
    keys.press("e")
    expect(hands.banner).to_contain_text("once index 62,000")
    hands.fill(trigger="61900")
    hands.edit(old)  # from the beginning, though the browser was told the same trigger before
    hands.shows(trigger="62000")
    hands.fill(trigger="61800")
    keys.press("Enter")
    expect(hands.outcome).to_contain_text("acknowledged")
    [new] = [order for order in mine(bench) if order.type == "CONDITIONAL"]
    assert new.trigger is not None and new.trigger.trigger_price == 61_800
    assert (new.trigger.trigger_price_type, new.trigger.execution_price_type) == ("INDEX", "MARKET")
    assert past(bench, old).status_reason == "ORDER_REPLACED"


def test_what_is_refused_leaves_the_order_as_it_was_and_says_so(bench: Bench, live: Live) -> None:
    quote(live.url, MARKET, "59900", "60100", seed=211)
    old = placed(bench, side="BUY", quantity="0.1", price=57_500, post_only=True)
    hands = Hands(bench, f"/?replaces={past(bench, old).external_id}")
    expect(hands.banner).to_contain_text(f"Order {old}:")
    hands.fill(price="60200")
    ticket = hands.page.locator('[data-mark="ticket"]')
    expect(ticket).to_contain_text("Would be rejected: It would have traded at once")
    hands.page.wait_for_timeout(1_500)  # the connection is told of each second
    expect(ticket).to_contain_text("Would be rejected: It would have traded at once", timeout=100)
    hands.send(f"untick post-only. Order {old} stands as it was")
    assert past(bench, old).is_open
    hands.fill(price="57600", size="2000")
    hands.send(f"Order {old} stands as it was")
    expect(hands.outcome).to_contain_text("rejected")
    assert (past(bench, old).is_open, past(bench, old).price) == (True, 57_500)
    expect(hands.banner).to_be_visible()


def test_a_stop_of_a_position_is_moved_and_it_is_never_without_one(bench: Bench, live: Live) -> None:
    quote(live.url, "XRP-USD", "0.599", "0.601", size="2000", seed=213)

    async def protected(trader: Trader) -> None:
        await trader.take("XRP-USD", "BUY", 1_000)
        profit = Exit(trigger="0.7", price="0.69", execution="LIMIT")
        await trader.protect("XRP-USD", take_profit=profit, stop_loss=Exit(trigger="0.55", price="0.54"))

    by_owner(bench, protected)
    olds = by_owner(bench, lambda trader: trader.orders("XRP-USD"))
    hands = Hands(bench, "/?market=XRP-USD")
    hands.page.goto(bench.at("/?market=XRP-USD"))
    bench.ready()
    hands.page.locator('[data-mark="tab-orders"]').click()
    hands.page.get_by_role("button", name=f"Edit the order {olds[1].id}", exact=True).click()
    expect(hands.banner).to_contain_text("Exits of the position in XRP-USD")
    hands.shows(take_profit="0.7", stop_loss="0.55")
    hands.fill(stop_loss="0.57")
    expect(hands.page.locator('[data-mark="submit"]')).to_have_text("Replace the exits")
    bench.check()
    hands.send("Other exits of XRP-USD: acknowledged")
    expect(hands.banner).to_be_hidden()
    news = by_owner(bench, lambda trader: trader.orders("XRP-USD"))
    assert len(news) == 2 and not {one.id for one in news} & {one.id for one in olds}
    [profit] = [one.take_profit for one in news if one.take_profit is not None]
    [loss] = [one.stop_loss for one in news if one.stop_loss is not None]
    assert (profit.trigger_price, profit.price, profit.price_type) == (Decimal("0.7"), Decimal("0.69"), "LIMIT")
    assert loss.trigger_price == Decimal("0.57")
    gone = [past(bench, one.id) for one in olds]
    assert {one.status_reason for one in gone} == {"ORDER_REPLACED"}
    assert {one.updated_time for one in gone} == {one.created_time for one in news}, "in one step"


def test_exits_of_an_order_are_moved_and_close_what_it_filled(bench: Bench, live: Live) -> None:
    exits = {"take_profit": Exit(trigger=3_300, price=3_290), "stop_loss": Exit(trigger=2_800, price=2_790)}
    parent = placed(bench, market="ETH-USD", side="BUY", quantity="2", price=3_010, **exits)
    take(live, "0.5", 3_010, "ETH-USD", "SELL")
    there = by_owner(bench, lambda trader: trader.orders("ETH-USD"))
    [loss] = [one for one in there if one.type == "TPSL" and one.stop_loss is not None]
    hands = Hands(bench, "/?market=ETH-USD")
    hands.page.goto(bench.at("/?market=ETH-USD"))
    bench.ready()
    hands.page.locator('[data-mark="tab-orders"]').click()
    edit = hands.page.get_by_role("button", name=f"Edit the order {loss.id}", exact=True)
    edit.click()
    expect(hands.outcome).to_contain_text(f"These exits follow what order {parent} fills")
    by_owner(bench, lambda trader: trader.cancel(parent))
    expect(hands.page.locator(f'[data-mark="table-orders"] tr[data-id="{parent}"]')).to_have_count(0)
    edit.click()
    expect(hands.banner).to_contain_text("Exits of 0.500 of the position in ETH-USD")
    hands.shows(take_profit="3300", stop_loss="2800")
    expect(hands.page.locator('[data-mark="compare"]')).to_be_hidden()
    hands.fill(stop_loss="2850")
    hands.send("Other exits of ETH-USD: acknowledged")
    news = [one for one in by_owner(bench, lambda trader: trader.orders("ETH-USD")) if one.type == "TPSL"]
    assert [(one.tp_sl_type, one.quantity) for one in news] == [("ORDER", Decimal("0.5"))] * 2
    [stopped] = [one.stop_loss for one in news if one.stop_loss is not None]
    [kept] = [one.take_profit for one in news if one.take_profit is not None]
    assert (stopped.trigger_price, kept.trigger_price, kept.price) == (2_850, 3_300, 3_290)
    assert past(bench, loss.id).status_reason == "ORDER_REPLACED"
    hands.page.get_by_role("button", name=f"Edit the order {news[0].id}", exact=True).click()  # under its own name now
    expect(hands.banner).to_contain_text("Exits of 0.500 of the position in ETH-USD")


def test_another_markets_order_is_edited_there_and_compared_in_all_modes(bench: Bench) -> None:
    old = placed(bench, market="ETH-USD", side="BUY", quantity="300", price=2_900)
    hands = Hands(bench)
    hands.edit(old)
    expect(hands.page.locator("h1")).to_have_text("ETH-USD")
    hands.shows(size="300", price="2900")
    hands.fill(size="310", price="2890")
    hands.page.locator('[data-mark="compare"]').click()
    panel = hands.page.locator('[data-mark="comparison"]')
    expect(hands.page.locator('[data-mark="ticket"]')).to_contain_text("In the place of an open order")
    cross = panel.locator('[data-mark="status-cross"]')
    expect(cross).to_contain_text("Your mode here now")
    panel.get_by_role("button", name="Trade cross").click()
    expect(hands.banner).to_contain_text(f"Order {old}:")
    hands.shows(size="310", price="2890")
    hands.send("acknowledged")
    assert past(bench, old).status_reason == "ORDER_REPLACED"
    hands.page.goto(bench.at(f"/?market=ETH-USD&replaces={past(bench, old).external_id}"))
    expect(hands.outcome).to_contain_text("is open no more")


def test_an_order_that_fills_or_leaves_while_it_is_edited_is_followed(bench: Bench, live: Live) -> None:
    old = placed(bench, side="SELL", quantity="0.4", price=60_050)
    hands = Hands(bench)
    hands.edit(old)
    hands.shows(size="0.4")

    take(live, "0.1", 60_050)
    expect(hands.banner).to_contain_text("0.1000 have filled")
    hands.shows(size="0.3")
    hands.fill(price="60080")
    hands.send("acknowledged")
    [new] = [order for order in mine(bench) if order.side == "SELL"]
    assert (new.quantity, new.price) == (Decimal("0.3"), 60_080)
    hands.edit(new.id)

    async def cancel(trader: Trader) -> None:
        await trader.cancel(new.id)

    by_owner(bench, cancel)
    expect(hands.banner).to_contain_text(f"Order {new.id} has left: cancelled")
    expect(hands.page.locator('[data-mark="submit"]')).to_be_disabled()
    hands.page.get_by_role("button", name="Enter a new order").click()
    expect(hands.banner).to_be_hidden()


@pytest.fixture
def line(bench: Bench) -> Line:
    """The wire of what the page loads next. A browser says it where something is sent on a wire that was just lost."""
    bench.expected.append("WebSocket is already in CLOSING or CLOSED state")
    return Line(bench.page)


@pytest.fixture
def hands(bench: Bench, line: Line) -> Iterator[Hands]:
    """At the ticket, over the wire; whatever is open at the end is cancelled."""
    yield Hands(bench)
    by_owner(bench, lambda trader: trader.cancel_all())


def test_a_page_that_is_not_heard_yet_takes_no_entries(bench: Bench) -> None:
    """Else the click could overtake what was typed for it: the library tries each event again by a clock of its own."""
    page = bench.context.new_page()
    line = Line(page, holds_down=True)
    page.goto(bench.at(f"/?market={MARKET}"))
    size = page.locator('[data-mark="ticket-size"] input')
    expect(size).to_be_visible()
    expect(size).not_to_be_editable()
    expect(page.locator('[data-mark="ticket-kind"] select')).to_be_disabled()
    assert page.locator("#app").evaluate("one => one.inert")
    line.let_go()
    expect(size).to_be_editable()
    assert not page.locator("#app").evaluate("one => one.inert")
    size.press_sequentially("0.31")
    page.locator('[data-mark="ticket-price"] input').fill("50000")
    page.locator('[data-mark="compare"]').click()
    page.wait_for_url("**/compare**size=0.31**")


def test_a_typed_size_is_not_overwritten_by_a_fill(bench: Bench, live: Live, line: Line, hands: Hands) -> None:
    old = placed(bench, side="SELL", quantity="0.4", price=60_070)
    hands.edit(old)
    hands.shows(size="0.4")
    line.holds_up = True
    hands.fill(size="0.35")
    take(live, "0.1", 60_070)
    expect(hands.banner).to_contain_text("0.1000 have filled")  # told before the terminal has heard of the size
    hands.shows(size="0.35")
    line.let_go()
    hands.send("acknowledged")
    [new] = [order for order in mine(bench) if order.side == "SELL"]
    assert new.quantity == Decimal("0.35"), "as it was typed, and shown"


def test_an_entry_that_was_lost_on_its_way_comes_with_the_click(bench: Bench, line: Line, hands: Hands) -> None:
    hands.fill(price="57000", size="0.2")
    bench.page.wait_for_timeout(HELD_MS)
    line.holds_up = True
    hands.fill(size="0.1")
    line.lose()
    expect(bench.page.locator('[data-mark="ticket-size"] input')).to_be_editable()
    hands.shows(size="0.1")
    hands.send("acknowledged")
    assert [order.quantity for order in mine(bench)] == [Decimal("0.1")]


def test_an_order_that_leaves_under_the_click_is_not_sent_as_a_new_one(
    bench: Bench, line: Line, hands: Hands
) -> None:
    old = placed(bench, side="BUY", quantity="0.2", price=57_000)
    hands.fill(price="57100", size="0.5")
    hands.edit(old)
    hands.fill(size="0.3")
    bench.page.wait_for_timeout(HELD_MS)
    line.holds_down = True

    async def cancel(trader: Trader) -> None:
        await trader.cancel(old)

    by_owner(bench, cancel)
    bench.page.wait_for_timeout(HELD_MS)
    expect(bench.page.locator('[data-mark="submit"]')).to_have_text(f"Replace order {old}")
    bench.page.locator('[data-mark="ticket-size"] input').press("Enter")
    bench.page.wait_for_timeout(HELD_MS)
    line.let_go()
    expect(hands.outcome).to_contain_text(f"Nothing was sent. Order {old} has left: cancelled")
    expect(hands.banner).to_contain_text(f"Order {old} has left: cancelled")
    expect(bench.page.locator('[data-mark="submit"]')).to_be_disabled()
    assert mine(bench) == [] and past(bench, old).status == "CANCELLED"
    bench.page.get_by_role("button", name="Enter a new order").click()
    hands.shows(price="57100", size="0.5")
    expect(hands.banner).to_be_hidden()


def test_a_page_without_its_terminal_does_not_say_that_it_is_live(bench: Bench, line: Line, hands: Hands) -> None:
    lost = bench.page.locator('[data-mark="lost"]')
    expect(lost).to_be_hidden()
    line.holds_down = True
    expect(lost).to_have_text("The terminal says nothing: everything here may be old.")
    line.let_go()
    expect(lost).to_be_hidden()
    line.is_cut = True
    line.lose()
    expect(lost).to_contain_text("No connection to the terminal: everything here is old")
    expect(bench.page.locator('[data-mark="ticket-size"] input')).not_to_be_editable()
    line.is_cut = False
    expect(lost).to_be_hidden()
    bench.check()
