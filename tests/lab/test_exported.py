"""Exports of ccxt: what its own parsers make of four exchanges' answers, and every kind of bad input by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ccxt
import pytest
from typer.testing import CliRunner

from bulkhead.cli.main import app
from bulkhead.lab.portfolio import Portfolio, PortfolioError, load_portfolio


def with_market(exchange: Any, name: str, symbol: str, contract: float) -> Any:
    """An exchange of ccxt that knows one linear market without having asked for it."""
    base, rest = symbol.split("/")
    quote, settle = rest.split(":")
    market = {
        "id": name, "symbol": symbol, "base": base, "quote": quote, "settle": settle, "baseId": base, "quoteId": quote,
        "settleId": settle, "type": "swap", "swap": True, "contract": True, "linear": True, "inverse": False,
        "contractSize": contract, "precision": {"amount": 0.001, "price": 0.1}, "limits": {},
    }  # fmt: skip
    exchange.set_markets([exchange.safe_market_structure(market)])
    return exchange


def binance() -> tuple[list[Any], Any]:
    one = with_market(ccxt.binanceusdm(), "BTCUSDT", "BTC/USDT:USDT", 1)
    position = {
        "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "-0.5", "entryPrice": "100000",
        "markPrice": "101000", "breakEvenPrice": "100000", "unRealizedProfit": "-500",
        "liquidationPrice": "110000", "isolatedMargin": "0",
        "notional": "-50500", "marginAsset": "USDT", "isolatedWallet": "0", "initialMargin": "2525",
        "maintMargin": "202", "positionInitialMargin": "2525", "openOrderInitialMargin": "0", "adl": 2,
        "bidNotional": "0", "askNotional": "0",
        "updateTime": 1_720_736_417_660,
    }  # fmt: skip
    assets = [
        {"asset": "USDT", "walletBalance": "10000", "marginBalance": "9500", "availableBalance": "6975"},
        {"asset": "BNB", "walletBalance": "3", "marginBalance": "3", "availableBalance": "3"},
    ]
    raw = {"totalMarginBalance": "9500", "assets": assets, "positions": []}
    return [one.parse_position_risk(position)], one.parse_balance_custom(raw, "linear")


def bybit() -> tuple[list[Any], Any]:
    one = with_market(ccxt.bybit(), "ETHUSDT", "ETH/USDT:USDT", 1)
    position = {
        "positionIdx": 0, "symbol": "ETHUSDT", "side": "Buy", "size": "5", "avgPrice": "4000", "positionValue": "20000",
        "tradeMode": 0, "positionStatus": "Normal", "leverage": "10", "markPrice": "4100", "liqPrice": "",
        "positionIM": "2000", "positionMM": "100", "unrealisedPnl": "500", "updatedTime": "1676538056258",
    }  # fmt: skip
    coin = {"coin": "USDT", "equity": "10500", "walletBalance": "10000", "unrealisedPnl": "500", "locked": "0"}
    account = {"totalEquity": "10500", "accountType": "UNIFIED", "totalWalletBalance": "10000", "coin": [coin]}
    return [one.parse_position(position)], one.parse_balance({"retCode": 0, "result": {"list": [account]}})


def okx() -> tuple[list[Any], Any]:
    one = with_market(ccxt.okx(), "BTC-USDT-SWAP", "BTC/USDT:USDT", 0.01)
    position = {
        "instId": "BTC-USDT-SWAP", "instType": "SWAP", "mgnMode": "cross", "posSide": "net", "pos": "-50",
        "avgPx": "100000", "markPx": "101000", "upl": "-500", "lever": "10", "notionalUsd": "50500", "imr": "5050",
        "mmr": "202", "mgnRatio": "47", "liqPx": "110000", "uTime": "1619507761462", "margin": "",
    }  # fmt: skip
    details = [{"ccy": "USDT", "eq": "9500", "cashBal": "10000", "availEq": "4450", "availBal": "4450", "upl": "-500"}]
    raw = {"code": "0", "data": [{"totalEq": "9500", "details": details, "uTime": "1614846244194"}]}
    return [one.parse_position(position)], one.parse_trading_balance(raw)


def hyperliquid() -> tuple[list[Any], Any]:
    one = with_market(ccxt.hyperliquid(), "BTC", "BTC/USDC:USDC", 1)
    held = {
        "coin": "BTC", "entryPx": "100000", "leverage": {"type": "cross", "value": "10"}, "liquidationPx": "110000",
        "marginUsed": "5050", "maxLeverage": "50", "positionValue": "50500", "szi": "-0.5", "unrealizedPnl": "-500",
    }  # fmt: skip
    summary = {"accountValue": "9500", "totalMarginUsed": "5050", "totalNtlPos": "50500", "totalRawUsd": "60000"}
    state = {
        "marginSummary": summary, "crossMarginSummary": summary, "withdrawable": "4450",
        "assetPositions": [{"position": held, "type": "oneWay"}], "time": 1_704_261_007_014,
    }  # fmt: skip
    one.publicPostInfo = lambda _request: state
    return [one.parse_position(state["assetPositions"][0])], one.fetch_balance({"user": "0x1"})


def loaded(folder: Path, positions: list[Any], balance: Any, **more: Any) -> Portfolio:
    path = folder / "held.json"
    path.write_text(json.dumps({"positions": positions, "balance": balance} | more))
    return load_portfolio(path)


@pytest.mark.parametrize(
    ("answer", "held", "worth"),
    [
        (binance, ("BTC", -0.5, 101_000.0), 9_500.0),
        (bybit, ("ETH", 5.0, 4_100.0), 10_500.0),
        (okx, ("BTC", -0.5, 101_000.0), 9_500.0),
        (hyperliquid, ("BTC", -0.5, 101_000.0), 9_500.0),
    ],
)
def test_collateral_is_what_the_account_is_worth(answer: Any, held: Any, worth: float, tmp_path: Path) -> None:
    """Open profit once, whether ccxt's total has it or not: each account is worth its wallet and its open profit."""
    found = loaded(tmp_path, *answer())
    assert [(one.symbol, one.size, one.price) for one in found.holdings] == [held]
    assert found.collateral == pytest.approx(worth)
    assert any("of open profit" in note for note in found.notes)
    assert any("BNB, 3, is not counted" in note for note in found.notes) == (answer is binance)
    assert any("no markPrice" in note for note in found.notes) == (answer is hyperliquid)


def test_what_was_taken_for_what_is_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKHEAD_CACHE", str(tmp_path))
    loaded(tmp_path, *hyperliquid())
    for command, name in (("compare", "repairs"), ("checklist", "repairs"), ("stress", "repairs")):
        words = ["lab", command, str(tmp_path / "held.json"), "--paths", "100", "--days", "0.3", "--json"]
        page = tmp_path / f"{command}.html"
        done = CliRunner().invoke(app, [*words, "--html", str(page)])
        assert done.exit_code == 0, done.output
        assert "notional over size" in str(json.loads(done.stdout)[name])
        assert "notional over size is taken for it" in page.read_text()


GOOD = {"symbol": "BTC/USDT:USDT", "contracts": 5, "contractSize": 0.1, "side": "short", "markPrice": "100000"}
EMPTY = {"symbol": "ETH/USDT:USDT", "contracts": 0, "side": None, "markPrice": None}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"side": "sideways"}, r"held.json: position 2 \(BTC/USDT:USDT\): side is long or short"),
        ({"markPrice": None}, r"position 2 \(BTC/USDT:USDT\): markPrice is missing, and notional too"),
        ({"markPrice": "NaN"}, r"price is a finite number"),
        ({"markPrice": -1}, r"price is above zero"),
        ({"contracts": None}, r"contracts is a number, not None"),
        ({"contractSize": 0}, r"contractSize is above zero"),
        ({"symbol": None}, r"position 2: ccxt's position has a symbol"),
        ({"notional": "NaN"}, r"notional is a finite number"),
        ({"notional": 500_000}, r"position 2 .* are 50,000.00, notional 500,000.00: contracts of another unit"),
        ({"symbol": "BTC/USD:BTC"}, r"position 2 \(BTC/USD:BTC\): settled in BTC; positions here are linear"),
        ({"symbol": "BTC/EUR:EUR"}, r"quoted in EUR; positions here are linear"),
        ({"symbol": "BTC/USDT:USDT-261225"}, r"a dated contract or an option; positions here are perpetuals"),
        ({"unrealizedPnl": "NaN"}, r"unrealizedPnl is a finite number"),
        ({"unrealizedPnl": -25.5}, r"whether balance.total includes open profit cannot be told"),
    ],
)
def test_bad_exports_are_named(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(PortfolioError, match=problem):
        loaded(tmp_path, [EMPTY, GOOD | changes], {"total": {"USDT": 1_000}})


def test_balances_and_fields_that_cannot_be_are_named(tmp_path: Path) -> None:
    for balance, more, problem in (
        ({"total": {"USDT": None}}, {}, "balance.total holds an amount of USDT"),
        ({"total": {"USDT": "NaN"}}, {}, "balance of USDT is a finite number"),
        ({"total": {"USDT": 1_000}}, {"total_includes_profit": 1}, "total_includes_profit is true or false, not 1"),
        ({"total": {"USDT": 1_000}}, {"leverage": 3}, "'leverage' is none of its fields"),
        ({"total": {"USDT": 0}}, {}, "collateral is an amount of USD above zero"),
    ):
        with pytest.raises(PortfolioError, match=f"held.json: {problem}"):
            loaded(tmp_path, [GOOD], balance, **more)
    both = [GOOD, GOOD | {"side": "long", "hedged": True}]
    with pytest.raises(PortfolioError, match=r"position 2 \(BTC/USDT:USDT\): BTC is held already in position 1"):
        loaded(tmp_path, both, {"total": {"USDT": 1_000}})


def test_what_the_total_includes_can_be_said(tmp_path: Path) -> None:
    won = GOOD | {"unrealizedPnl": -25.5}
    for includes, worth in ((True, 1_000.0), (False, 974.5)):
        found = loaded(tmp_path, [EMPTY, won], {"total": {"USDT": 1_000}}, total_includes_profit=includes)
        assert found.collateral == worth and found.holdings[0].size == -0.5
