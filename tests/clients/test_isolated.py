"""With a market isolated by a signature that they do not know of, both unmodified clients go on as before."""

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from bulkhead.signing import configuration_hash, sign
from tests.api.live import CHAIN, Live, Trader
from tests.clients.environments import session


def isolate(trader: Trader, market: str, market_id: int, leverage: int) -> None:
    """The owner's signature."""
    until, nonce = int(time.time()) + 600, trader.get("/user/configuration")["nextNonce"]
    message = configuration_hash(
        trader.domain, trader.key, account_id=trader.vault, market_id=market_id, mode=2, leverage=leverage,
        top_up_cap=0, expiration_s=until, nonce=nonce,
    )  # fmt: skip
    r, s = sign(trader.private, message)
    body = {
        "market": market, "marginMode": "isolated", "leverage": leverage, "topUpCap": "0", "expiration": until,
        "nonce": nonce, "signature": {"r": hex(r), "s": hex(s)},
    }  # fmt: skip
    answer = trader.http.post("/api/v1/user/configuration", json=body)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def crash(live: Live) -> Iterator[str]:
    """A URL which, when it is opened, lets the price of one market fall."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            live.source.now["ETH-USD"] = 2_880.0
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            return None

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()
    live.source.now["ETH-USD"] = 3_000.0


def test_ccxt_trades_an_isolated_market_and_is_liquidated_in_it(live: Live, maker: Trader, crash: str) -> None:
    trader = Trader(live, 405)
    trader.claim()
    isolate(trader, "ETH-USD", 2, 20)
    maker.placed("SELL", "3", "3010", market="ETH-USD")
    maker.placed("BUY", "20", "2860", market="ETH-USD")
    found = session(
        "ccxt", "ccxt_session.py", url=live.url, chain_id=CHAIN, api_key=trader.api_key,
        private_key=hex(trader.private), crash_url=crash,
    )  # fmt: skip
    assert (found["refused_leverage"], found["leverage"]) == ("InvalidOrder", 20)
    assert found["position"] == ["short", "0.4", "2990"]
    assert (found["after"], found["refused"]) == (0, "InvalidOrder")
    assert (found["long"], found["liquidated"]) == ("2", ["LIQUIDATION", "TRADE"])
    rest = float(trader.get("/user/balance")["equity"])
    assert 99_650 < rest < 99_800, "what lay beside the position is untouched"


def test_the_sdk_trades_protects_and_is_liquidated_in_an_isolated_market(
    live: Live, maker: Trader, crash: str
) -> None:
    trader = Trader(live, 406)
    trader.claim()
    isolate(trader, "ETH-USD", 2, 20)
    maker.placed("BUY", "20", "2860", market="ETH-USD")
    found = session(
        "x10", "x10_isolated_session.py", url=live.url, chain_id=CHAIN, api_key=trader.api_key, vault=trader.vault,
        private_key=hex(trader.private), public_key=hex(trader.key), crash_url=crash,
    )  # fmt: skip
    assert found["position"] == ["LONG", "2", "20"]
    assert found["waiting"] == ["TPSL", "TPSL"]
    assert found["reduced"] == "1.5"
    assert "1009" in found["refused"] and "/user/configuration" in found["refused"]
    assert "LIQUIDATION" in found["trades"]
    assert not found["lost_more_than_margin"]
    rest = float(trader.get("/user/balance")["equity"])
    assert rest > 99_650, "one bad position sank itself, and nothing else"
