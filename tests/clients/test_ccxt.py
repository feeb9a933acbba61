"""ccxt, unmodified, on our venue."""

from tests.api.live import CHAIN, Live, Trader
from tests.clients.environments import session


def test_unmodified_ccxt_trades_over_rest(live: Live, maker: Trader) -> None:
    trader = Trader(live, 404)
    trader.claim()
    other = Trader(live, 407)
    found = session(
        "ccxt", "ccxt_session.py", url=live.url, chain_id=CHAIN, api_key=trader.api_key,
        private_key=hex(trader.private), transfer=trader.transfer(other, 10_500_000),
        withdrawal=trader.withdrawal(25_000_000),
    )  # fmt: skip
    assert len(found["markets"]) == 5
    assert found["balance"] == 100_000
    assert found["book"] == [[2990, 5], [3010, 5]]
    assert found["leverage"] == 7
    assert found["open"] == [[2900, 0.5, "open"]]
    assert found["edited"] == [[2910, 0.6]]
    assert found["position"] == ["short", "0.4", "2990"]
    assert found["trades"] == [["sell", 0.4]]
    assert found["after"] == 0
    assert found["closed"] == ["closed"]
    assert found["refused"] == "InvalidOrder"
    assert found["account"] == [[str(trader.vault), "main"]]
    assert found["currencies"] == ["BTC", "EOS", "ETH", "LTC", "USDC", "XRP"] and found["candles"] == [1, 1]
    assert found["longest"] == [[[2990, 2990, 2990, 2990, 0.4]]] * 3
    assert found["l2"] == [2990, 4.6]
    assert found["order"] == ["open", True, 2900, 0.7]
    assert found["canceled"] == ["canceled", "canceled"] and found["all_orders"]
    assert found["own"] == "0.4" and found["lived"] == ["short", "0.4"]
    assert found["fees"] == [[0.0002, 0.0005]] * 5
    assert found["ledger"] == [["deposit", "in", 100_000]] and found["transactions"] == [["deposit", "ok"]]
    assert found["last_trade"] == [0.1]
    assert found["waiting"] == ["CONDITIONAL", "LIMIT"]
    assert found["not_there"] == ["InvalidOrder", "InvalidOrder"]
    assert found["too_much"] == "InsufficientFunds"
    assert (found["own_transfer"], found["own_withdrawal"]) == ("ok", 3)
    assert (found["transferred"], found["withdrawn"]) == ("ok", 25)
    assert other.get("/user/balance")["equity"] == "17.75"
    assert found["transfers"] == [[7.25, "ok"], [10.5, "ok"]]
    assert found["withdrawals"] == [[3, "pending"], [25, "pending"]]
    moved = [(one["type"], one["amount"]) for one in trader.get("/user/assetOperations")][:4]
    assert moved == [
        ("SLOW_WITHDRAWAL", "-25"), ("TRANSFER", "-10.5"), ("SLOW_WITHDRAWAL", "-3"), ("TRANSFER", "-7.25"),
    ]  # fmt: skip
