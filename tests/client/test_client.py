"""The SDK against a live node: onboarding, orders, margin modes, strategies, money, and errors by their names."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from bulkhead.client import (
    AssetLeg,
    Exchange,
    Exit,
    NewOrder,
    Owner,
    RateLimited,
    Refused,
    Trader,
    Trigger,
    Unreachable,
    whole,
)
from bulkhead.client.transport import _opened
from tests.api.live import Live

MARKET = "BTC-USD"


def on(live: Live, work: Callable[[Exchange], Awaitable[None]]) -> None:
    """Run with an exchange that is closed in the end."""

    async def inside() -> None:
        async with Exchange(live.url) as exchange:
            await work(exchange)

    asyncio.run(inside())


async def rich(exchange: Exchange, seed: int) -> Trader:
    """A trader with money."""
    trader = await Owner(exchange, "0x" + f"{seed:02x}" * 32).trader()
    await trader.claim_test_money()
    return trader


def order(side: str, quantity: str, price: str, **changes: object) -> NewOrder:
    return NewOrder(market=MARKET, side=side, quantity=quantity, price=price, **changes)


def test_an_owner_onboards_and_finds_his_accounts_again(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        owner = Owner(exchange, "0x" + "2a" * 32)
        first, second = await owner.onboard(), await owner.onboard(1, "second")
        assert first.account_id != second.account_id
        assert (await owner.onboard(1)).account_id == second.account_id
        trader = await exchange.trader(first.api_key, first.private_key)
        assert trader.account_id == first.account_id
        with pytest.raises(ValueError, match="not the one of account"):
            await exchange.trader(first.api_key, second.private_key)
        with pytest.raises(Refused, match="1500"):
            await exchange.trader("0" * 64, first.private_key)

    on(live, work)


def test_orders_trade_protect_and_leave(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        maker, taker = await rich(exchange, 3), await rich(exchange, 4)
        resting = await maker.place(order("SELL", "0.5", "60100", post_only=True))
        assert (await maker.orders())[0].id == resting.id
        assert (await exchange.depth(MARKET)).ask[0].price == 60_100
        done = await taker.take(MARKET, "BUY", "0.2")
        assert (done.status, done.average_price, done.filled) == ("FILLED", 60_100, Decimal("0.2"))
        [position] = await taker.positions()
        assert (position.signed_size, position.open_price) == (Decimal("0.2"), 60_100)
        assert (await maker.order(resting.id)).filled == Decimal("0.2")
        moved = await maker.place(order("SELL", "0.3", "60200", replaces=resting.external_id))
        assert [one.id for one in await maker.orders()] == [moved.id]
        protected = order(
            "BUY", "0.1", "59500",
            take_profit=Exit(trigger=61_000, price=60_900), stop_loss=Exit(trigger=58_000, price=57_500),
        )  # fmt: skip
        await taker.place(protected)
        await taker.place(order("BUY", "0.1", "61000", kind="CONDITIONAL", trigger=Trigger(price=60_900)))
        assert sorted(one.status for one in await taker.orders()) == ["NEW", "UNTRIGGERED"]
        await taker.cancel_all(MARKET)
        await maker.cancel(moved.id)
        assert await taker.orders() == [] == await maker.orders()
        [fill] = await taker.trades()
        assert (fill.price, fill.is_taker) == (60_100, True)
        assert (await exchange.trades(MARKET))[0].quantity == Decimal("0.2")
        assert (await taker.fees(MARKET)).taker_fee_rate > 0
        await taker.dead_man(60)
        await taker.dead_man(0)
        assert (await taker.orders_named(done.external_id))[0].id == done.id

    on(live, work)


def test_a_position_is_protected_whatever_its_size(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        maker, trader = await rich(exchange, 16), await rich(exchange, 17)
        with pytest.raises(Refused, match="1137"):
            await trader.protect("XRP-USD", stop_loss=Exit(trigger="0.55", price="0.5"))
        await maker.place(NewOrder(market="XRP-USD", side="SELL", quantity=1_000, price="0.6"))
        await trader.place(NewOrder(market="XRP-USD", side="BUY", quantity=1_000, price="0.6"))
        levels = (("0.65", "0.63"), ("0.55", "0.54"))
        profit, loss = (Exit(trigger=trigger, price=price, source="INDEX") for trigger, price in levels)
        early = Exit(trigger="0.58", price="0.57", source="INDEX")
        first = await trader.protect("XRP-USD", take_profit=profit, stop_loss=early, external_id="exits-1")
        assert first.external_id == "exits-1"
        second = await trader.protect("XRP-USD", take_profit=profit, stop_loss=loss, replaces="exits-1")
        assert (await trader.order(first.id)).status_reason == "ORDER_REPLACED"
        assert [one.status for one in await trader.orders()] == ["UNTRIGGERED"] * 2
        assert second.id in {one.id for one in await trader.orders()}
        with pytest.raises(Refused, match="1142"):
            await trader.protect("XRP-USD", stop_loss=early, replaces="exits-1")
        part = await trader.protect("XRP-USD", stop_loss=early, size=250, external_id="part-1")
        other = await trader.protect("XRP-USD", stop_loss=loss, size=250, replaces="part-1")
        found = await trader.order(other.id)
        assert (found.tp_sl_type, found.quantity, found.reduce_only) == ("ORDER", 250, True)
        assert (await trader.order(part.id)).status_reason == "ORDER_REPLACED"
        await trader.cancel(other.id)
        await maker.place(NewOrder(market="XRP-USD", side="BUY", quantity=400, price="0.6"))
        await trader.place(NewOrder(market="XRP-USD", side="SELL", quantity=400, price="0.6", reduce_only=True))
        await maker.place(NewOrder(market="XRP-USD", side="BUY", quantity=5_000, price="0.57"))
        live.source.now["XRP-USD"] = 0.549
        for _ in range(100):
            if not await trader.positions():
                break
            await asyncio.sleep(0.05)
        live.source.now["XRP-USD"] = 0.6
        assert await trader.positions() == [] == await trader.orders()
        [ended] = await trader.positions_history("XRP-USD")
        assert Decimal(ended["realisedPnl"]) < 0
        assert {one.status for one in await trader.orders_history("XRP-USD")} == {"FILLED", "CANCELLED"}
        assert await trader.funding_paid() == []

    on(live, work)


def test_a_mode_is_previewed_chosen_and_its_margin_moved(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        maker, trader = await rich(exchange, 5), await rich(exchange, 6)
        shown = await trader.preview(order("BUY", "0.1", "60000"))
        assert {mode.margin_mode for mode in shown.modes} == {"cross", "isolated", "strategy", "scenario"}
        by_mode = {mode.margin_mode: mode for mode in shown.modes}
        assert by_mode["isolated"].at_stake < by_mode["cross"].at_stake
        await trader.choose_mode(MARKET, "isolated", leverage=10)
        assert (await trader.leverage(MARKET)).margin_mode == "ISOLATED"
        await maker.place(order("SELL", "0.1", "60000"))
        await trader.place(order("BUY", "0.1", "60000"))
        [position] = await trader.positions()
        assert position.margin_mode == "ISOLATED" and position.holder_id != trader.account_id
        before = position.margin
        await trader.add_margin(MARKET, 50)
        assert (await trader.positions())[0].margin == before + 50
        await trader.add_margin(MARKET, -30)
        assert (await trader.positions())[0].margin == before + 20
        assert (await trader.configuration()).choices[0].leverage == 10
        with pytest.raises(Refused, match="needs a signature"):
            await trader.lower_leverage(MARKET, 5)
        await trader.lower_leverage("ETH-USD", 5)
        assert int((await trader.leverage("ETH-USD")).leverage) == 5
        with pytest.raises(Refused) as refused:
            await trader.add_margin(MARKET, -10_000)
        assert refused.value.reject

    on(live, work)


def test_a_strategy_is_a_trader_of_its_own(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        owner, maker = await rich(exchange, 7), await rich(exchange, 8)
        strategy = await owner.add_strategy("carry")
        assert strategy.account_id in {one.id for one in (await owner.strategies()).strategies}
        await owner.move([AssetLeg(owner.account_id, strategy.account_id, Decimal(2_000))])
        assert (await strategy.balance()).equity == 2_000
        await maker.place(NewOrder(market="ETH-USD", side="SELL", quantity=1, price=3_000))
        await strategy.place(NewOrder(market="ETH-USD", side="BUY", quantity=1, price=3_000))
        assert [one.market for one in await strategy.positions()] == ["ETH-USD"]
        assert await owner.positions() == []

    on(live, work)


def test_money_moves_between_owners_and_leaves(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        owner = Owner(exchange, "0x" + "09" * 32)
        sender, receiver = await owner.trader(), await rich(exchange, 10)
        await sender.claim_test_money()
        before = (await receiver.balance()).balance
        await sender.transfer(receiver.account_id, receiver.signer.key, "12.5")
        assert (await receiver.balance()).balance == before + Decimal("12.5")
        number = await sender.withdraw(100, owner.wallet)
        found = (await sender.operations())[0]
        assert (found.id, found.amount, found.status) == (number, -100, "IN_PROGRESS")

    on(live, work)


def test_what_happened_can_be_checked(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        trader = await rich(exchange, 14)
        placed = await trader.place(order("BUY", "0.1", "59000"))
        receipt = await trader.evidence.receipt(placed.id)
        record = await exchange.books.record(receipt["sequence"])
        assert record["sequence"] == receipt["sequence"] == (await trader.order(placed.id)).sequence
        assert {receipt[name] == record[name] for name in record.keys() & receipt.keys()} == {True}
        assert await trader.evidence.margin_calls() == [] == await trader.evidence.liquidations()
        assert (await trader.evidence.profit())[0]["accountId"] == trader.account_id
        assert {one["rank"] for one in await trader.evidence.deleveraging()} <= {0}
        with pytest.raises(Refused, match="404"):
            await trader.evidence.explain(1)
        assert await exchange.books.solvency() and await exchange.books.insurance()
        assert await exchange.books.liquidations() == []
        assert isinstance(await exchange.books.batches(), list)
        small, large = [await trader.size_for(MARKET, "BUY", loss) for loss in (100, 1_000)]
        assert 0 < small < large
        assert len(await trader.call_webhook("https://example.org/calls")) == 64
        await trader.forget_webhook()
        with pytest.raises(Refused):
            await trader.forget_webhook()

    on(live, work)


def test_refusals_have_names(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        trader = await rich(exchange, 11)
        with pytest.raises(Refused) as far:
            await trader.place(order("BUY", "0.1", "90000"))
        assert far.value.reject == "OUTSIDE_PRICE_BAND" and far.value.code == 1141
        with pytest.raises(Refused) as poor:
            await trader.place(NewOrder(market=MARKET, side="BUY", quantity=100, price=60_000))
        assert poor.value.code in (1140, 1122)
        with pytest.raises(Refused, match="1142"):
            await trader.cancel(999_999)
        with pytest.raises(KeyError):
            await exchange.market("DOGE-USD")
        broken = trader.signer.of(trader.account_id)
        broken.account_id += 64
        stranger = Trader(exchange, trader.api_key, broken)
        with pytest.raises(Refused, match="1102"):
            await stranger.place(order("BUY", "0.1", "60000"))

    on(live, work)

    async def nobody() -> None:
        async with Exchange("http://127.0.0.1:9") as exchange:
            await exchange.markets()

    with pytest.raises(Unreachable):
        asyncio.run(nobody())


def test_a_limit_says_when_to_come_back() -> None:
    body = b'{"status":"ERROR","error":{"code":1006,"message":"too many requests"}}'
    with pytest.raises(RateLimited) as limited:
        _opened(body, 429, "7", dict)
    assert limited.value.retry_s == 7


def test_steps_are_kept_to_exactly() -> None:
    step = Decimal("0.5")
    assert [whole("10.74", step), whole("10.74", step, up=True), whole(11, step, up=True)] == [
        Decimal("10.5"), Decimal("11.0"), Decimal("11.0"),
    ]  # fmt: skip


@pytest.mark.parametrize("is_lost_before", [True, False])
def test_an_order_without_an_answer_is_placed_once(
    live: Live, monkeypatch: pytest.MonkeyPatch, is_lost_before: bool
) -> None:
    async def work(exchange: Exchange) -> None:
        trader, real, lost = await rich(exchange, 12 + is_lost_before), exchange.transport.ask, []

        async def lossy(method: str, path: str, kind: type, **given: object) -> object:
            if path.endswith("/user/order") and not lost:
                lost.append(path)
                if not is_lost_before:
                    await real(method, path, kind, **given)
                raise Unreachable("made by a test")
            return await real(method, path, kind, **given)

        monkeypatch.setattr(exchange.transport, "ask", lossy)
        placed = await trader.place(order("BUY", "0.1", "59000"))
        assert [one.id for one in await trader.orders()] == [placed.id] and lost
        await trader.cancel_all()

    on(live, work)


def test_a_replacement_that_comes_in_late_counts_once(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its second copy finds the order that it would replace gone, by its own first copy."""

    async def work(exchange: Exchange) -> None:
        trader, real, sent = await rich(exchange, 81), exchange.transport.ask, []
        old = await trader.place(order("BUY", "0.1", "59000"))

        async def late(method: str, path: str, kind: type, **given: object) -> object:
            if path.endswith("/user/order"):
                sent.append(given)
                if len(sent) == 1:
                    raise Unreachable("made by a test")
                if len(sent) == 2:
                    await real(method, path, kind, **sent[0])
            return await real(method, path, kind, **given)

        monkeypatch.setattr(exchange.transport, "ask", late)
        new = dataclasses.replace(order("BUY", "0.2", "58900"), replaces=old.external_id)
        placed = await trader.place(new)
        assert [(one.id, one.quantity) for one in await trader.orders()] == [(placed.id, Decimal("0.2"))]
        assert len(sent) == 2
        with pytest.raises(Refused, match="1142"):
            await trader.place(new)
        await trader.cancel_all()

    on(live, work)
