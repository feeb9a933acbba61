"""Streams through the official SDK and ccxt.pro, both unmodified."""

from tests.api.live import CHAIN, Live, Trader
from tests.clients.environments import session


def test_the_unmodified_sdk_streams(live: Live, maker: Trader) -> None:
    trader = Trader(live, 611)
    trader.claim()
    found = session(
        "x10", "x10_streams.py", url=live.url, chain_id=CHAIN, vault=trader.vault, private=hex(trader.private),
        public=hex(trader.key), api_key=trader.api_key,
    )  # fmt: skip
    assert found["first"] == ["SNAPSHOT"] * 3
    assert found["account"] == ["ORDER", "POSITION", "BALANCE", "SPOT_BALANCE"]
    assert found["trade"] == ["BUY", "0.1", "60100"]
    assert found["delta"] == ["DELTA", "-0.1", 2]
    assert (found["rate"], found["candle"]) == ("BTC-USD", True)
    assert found["after"] == ["BALANCE", "ORDER", "POSITION", "SPOT_BALANCE", "TRADE"]
    assert found["book"]
    scopes = [
        f"account.{trader.vault}", "candles.index.BTC-USD.PT1M", "funding-rates.all", "orderbooks.1.BTC-USD",
        "orderbooks.BTC-USD", "prices.mark.BTC-USD", "trades.BTC-USD",
    ]  # fmt: skip
    assert found["scopes"] == found["subscriptions"] == scopes
    assert found["account_kinds"] == [
        "ACCOUNT.BALANCE", "ACCOUNT.ORDER", "ACCOUNT.POSITION", "ACCOUNT.SPOT_BALANCE", "ACCOUNT.TRADE",
    ]  # fmt: skip
    assert (found["left"], found["breaks"]) == (6, [])
    assert found["blocking"] == "NEW"


def test_unmodified_ccxt_pro_watches(live: Live, maker: Trader) -> None:
    trader = Trader(live, 612)
    trader.claim()
    found = session(
        "ccxt", "ccxt_streams.py", url=live.url, chain_id=CHAIN, private_key=hex(trader.private), api_key=trader.api_key
    )
    assert found["ask"][0] == 60_100
    assert found["trade"] == ["buy", 0.1, 60_100]
    assert found["order"] == ["closed", 0.1]
    assert found["mine"] == ["buy", 0.1]
    assert found["book"] and found["balance"] and found["mark"]
    assert found["positions"] == ["long"]
    assert (found["funding"], found["candle"]) == ("BTC/USDC:USDC", 1)
