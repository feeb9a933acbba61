"""A what-if through the SDK is what balances say once the order has traded and the index has moved."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from bulkhead.client import Exchange, NewOrder, Refused, Trader
from tests.api.live import Live
from tests.client.test_client import on, order, rich

ETH = "ETH-USD"


def eth(side: str, quantity: str, price: str) -> NewOrder:
    return NewOrder(market=ETH, side=side, quantity=quantity, price=price)  # type: ignore[arg-type]


async def index_is(exchange: Exchange, market: str, price: str) -> None:
    for _ in range(100):
        if (await exchange.statistics(market)).index_price == Decimal(price):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"the index of {market} did not come to {price}")


async def equity_of(trader: Trader) -> Decimal:
    return (await trader.balance()).equity


def test_a_what_if_is_what_balances_then_say(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        maker, trader, quoter = [await rich(exchange, seed) for seed in (31, 32, 33)]
        await maker.place(eth("SELL", "20", "3010"))
        await trader.take(ETH, "BUY", "2")
        wanted = eth("BUY", "10", "3010")
        moves = [{ETH: share} for share in ("-0.99", "-0.09", "0.05")]
        found = await trader.what_if(wanted, moves, leverage=25)
        assert [mode.margin_mode for mode in found.modes] == ["cross", "isolated", "strategy", "scenario"]
        assert [at[ETH] for at in found.prices] == [30, 2730, 3150]
        isolated = found.modes[1]
        assert isolated.container_id == trader.account_id + 2 and isolated.reject is None
        assert isolated.points[1].down == isolated.points[1].closed == [isolated.container_id]
        assert isolated.points[0].owner_left == isolated.points[1].owner_left < isolated.points[2].owner_left
        # At once in the account as it is, without a leverage of its own: then it is traded and moved for good.
        cross = (await trader.what_if(wanted, moves, modes=["cross"])).modes
        assert [one.margin_mode for one in cross] == ["cross"] and cross[0].is_current
        await trader.place(wanted)
        assert await equity_of(trader) == cross[0].now.equity == cross[0].now.owner_equity
        live.source.now[ETH] = 2_730.0
        await index_is(exchange, ETH, "2730")
        assert await equity_of(trader) == cross[0].points[1].equity
        assert (await trader.balance()).maintenance_margin == cross[0].points[1].maintenance
        live.source.now[ETH] = 3_000.0
        await index_is(exchange, ETH, "3000")
        assert await equity_of(quoter) == 100_000

    on(live, work)


def test_a_preview_names_the_price_of_close_out_and_the_worst_stress(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        trader = await rich(exchange, 34)
        shown = await trader.preview(order("BUY", "0.5", "59000"), leverage=10)
        isolated = {mode.margin_mode: mode for mode in shown.modes}["isolated"]
        assert isolated.close_out_price is not None and isolated.liquidation_price is not None
        assert isolated.close_out_price < isolated.liquidation_price < 59_000
        assert isolated.margin == 2_950 and isolated.shared_with == ["BTC-USD"]
        assert isolated.worst[0].loss >= isolated.worst[-1].loss > 0 and isolated.worst[0].name
        assert isolated.liquidation_distance is not None and 0 < isolated.liquidation_distance < Decimal("0.2")
        small = await trader.size_for("BTC-USD", "BUY", 1_000, mode="isolated", leverage=2)
        assert 0 < small < await trader.size_for("BTC-USD", "BUY", 1_000, mode="isolated")

    on(live, work)


@pytest.mark.parametrize(
    ("moves", "words"),
    [
        ([{"BTC-USD": "-1"}], r"moves\[0\]: BTC-USD: a price falls by less than 1"),
        ([{}, {"BTC-USD": "9.1"}], r"moves\[1\]: BTC-USD: a price falls by less than 1 and rises by at most 9"),
        ([{"DOGE-USD": "0.1"}], r"moves\[0\]: there is no market 'DOGE-USD'"),
        ([{}] * 202, "length <= 201"),
    ],
)
def test_moves_that_cannot_be_are_refused_by_name(live: Live, moves: list[dict[str, str]], words: str) -> None:
    async def work(exchange: Exchange) -> None:
        trader = await rich(exchange, 35)
        with pytest.raises(Refused, match=words):
            await trader.what_if(order("BUY", "0.1", "60000"), moves)

    on(live, work)


def test_numbers_of_moves_that_are_none_are_refused(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        trader = await rich(exchange, 36)
        headers = {"X-Api-Key": trader.api_key}
        for share in ("--0.1", "NaN", "-", "", "1e999", "+0.1", "-1e-400000", 0.1, None):
            body = {"market": "BTC-USD", "side": "BUY", "qty": "0.1", "price": "60000", "moves": [{"BTC-USD": share}]}
            with pytest.raises(Refused) as refused:
                await exchange.transport.ask("POST", "/api/v1/user/order/whatIf", dict, body=body, headers=headers)
            assert refused.value.status == 400 and "moves" in refused.value.message, share
        for changed in ({"leverage": 101}, {"leverage": -1}, {"modes": ["portfolio"]}, {"moves": {}}):
            body = {"market": "BTC-USD", "side": "BUY", "qty": "0.1", "price": "60000", "moves": [], **changed}
            with pytest.raises(Refused, match="body"):
                await exchange.transport.ask("POST", "/api/v1/user/order/whatIf", dict, body=body, headers=headers)
        outside = await trader.what_if(order("BUY", "0.1", "90000"), [{"BTC-USD": "-0.1"}])
        assert (outside.reject, outside.modes) == ("OUTSIDE_PRICE_BAND", [])

    on(live, work)


def test_it_counts_for_five_requests(live: Live) -> None:
    async def work(exchange: Exchange) -> None:
        trader = await rich(exchange, 37)
        url, headers = live.url + "/api/v1/user/order/whatIf", {"X-Api-Key": trader.api_key}
        body = {"market": "BTC-USD", "side": "BUY", "qty": "0.1", "price": "60000", "moves": []}
        left = []
        for _ in range(2):
            async with exchange.transport.session.post(url, json=body, headers=headers) as answer:
                assert answer.status == 200
                left.append(int(answer.headers["X-RateLimit-Remaining"]))
        # The bucket of this venue fills by 16,667 a second; it is full at a million.
        assert left == [1_000_000 - 5] * 2

    on(live, work)
