"""The official SDK, unmodified, on our venue."""

from tests.api.live import CHAIN, Live, Trader
from tests.clients.environments import session


def test_the_unmodified_sdk_onboards_trades_protects_and_withdraws(live: Live, maker: Trader) -> None:
    found = session("x10", "x10_session.py", url=live.url, chain_id=CHAIN)
    assert found["second_onboarding"] == "Subaccount already exists"
    assert found["claimed"] == "100000"
    assert found["markets"] == ["BTC-USD", "EOS-USD", "ETH-USD", "LTC-USD", "XRP-USD"]
    assert "USD" in found["assets"]
    assert found["accounts"] == 2 and found["candles"] in (1, 2)  # two where a minute ended meanwhile
    assert found["open"] == [["59600", "0.02", "NEW"]]
    assert found["replaced"] == ["ORDER_REPLACED"]
    assert (found["by_name"], found["after_cancels"]) == (1, 0)
    assert found["taken"] == ["FILLED", "0.1", "60100"]
    assert found["position"] == ["LONG", "0.1", "60100"]
    assert found["trades"] == [["BUY", "0.1", True]]
    assert found["waiting"] == [
        ["CONDITIONAL", "UNTRIGGERED"],
        ["LIMIT", "NEW"],
        ["TPSL", "UNTRIGGERED"],
        ["TPSL", "UNTRIGGERED"],
    ]
    assert found["exits_replaced"] == ["CANCELLED", "ORDER_REPLACED"]
    assert found["stops"] == ["57000", "58000"]
    assert found["protecting"] == [["ORDER", "0.01"], ["POSITION", "0"], ["POSITION", "0"]]
    assert found["price"] == "1" and found["spans"] == [1] * 24 and found["named"] == ["BTC-USD", "ETH-USD"]
    assert (found["open_buys"], found["left_open"]) == (2, 0)
    assert found["pages"] == ["first-of-two", "second-of-two"]
    assert (found["own_trades"], found["lived"], found["longs"], found["deposits"]) == (1, ["LONG"], 1, 1)
    assert found["shares"] == "0"
    assert found["not_offered"] == [1132, 1009, 1009, 1009, 1000]
    assert found["leverage"] == "10"
    assert found["transfer"] and found["withdrawal"]
    assert found["operations"] == [
        ["DEPOSIT", "COMPLETED", "100000"],
        ["SLOW_WITHDRAWAL", "IN_PROGRESS", "-25"],
        ["TRANSFER", "COMPLETED", "-1000.5"],
    ]
    assert found["second_balance"] == "1000.5"
    assert "1128" in found["refused"]
