"""A bot with ccxt, unmodified: markets, book, candles, orders, leverage, balance, positions, dead-man's switch.

Runs in the environment of ccxt. What it saw is printed as JSON in the last line.
"""

import json
import sys
import time
import urllib.request

import ccxt

GIVEN = json.loads(sys.argv[1])
MARKET = "ETH/USDC:USDC"


def main() -> None:
    found: dict = {}
    exchange = ccxt.extended(
        {
            "apiKey": GIVEN["api_key"],
            "privateKey": GIVEN["private_key"],
            "options": {"chainId": GIVEN["chain_id"], "builderFee": False},
            "urls": {"api": {"rest": GIVEN["url"], "ws": "ws://127.0.0.1:9"}},
        }
    )
    exchange.enableRateLimit = False
    markets = exchange.load_markets()
    found["markets"] = sorted(markets)
    found["balance"] = exchange.fetch_balance()["USDC"]["total"]
    book = exchange.fetch_order_book(MARKET)
    found["book"] = [book["bids"][0], book["asks"][0]]
    exchange.fetch_ticker(MARKET)
    exchange.fetch_tickers()
    exchange.fetch_ohlcv(MARKET, "1m")
    exchange.fetch_trades(MARKET)
    exchange.fetch_funding_rate_history(MARKET)
    exchange.fetch_open_interest_history(MARKET, "1h")
    try:
        exchange.set_leverage(7, MARKET)
    except ccxt.BaseError as error:
        found["refused_leverage"] = type(error).__name__
    found["leverage"] = exchange.fetch_leverage(MARKET)["longLeverage"]
    resting = exchange.create_order(MARKET, "limit", "buy", 0.5, 2900)
    found["open"] = [(order["price"], order["amount"], order["status"]) for order in exchange.fetch_open_orders(MARKET)]
    edited = exchange.edit_order(resting["id"], MARKET, "limit", "buy", 0.6, 2910)
    found["edited"] = [(order["price"], order["amount"]) for order in exchange.fetch_open_orders(MARKET)]
    exchange.cancel_order(edited["id"], MARKET)
    exchange.create_order(MARKET, "market", "sell", 0.4, 2990)
    position = exchange.fetch_positions([MARKET])[0]
    found["position"] = (position["side"], position["contracts"], position["entryPrice"])
    found["trades"] = [(trade["side"], trade["amount"]) for trade in exchange.fetch_my_trades(MARKET)]
    exchange.fetch_funding_history(MARKET)
    exchange.fetch_trading_fee(MARKET)
    exchange.create_order(
        MARKET, "limit", "buy", 0.1, 3200, {"triggerPrice": 3200, "triggerDirection": "up"}
    )
    exchange.cancel_all_orders_after(60_000)
    exchange.cancel_all_orders(MARKET)
    found["after"] = len(exchange.fetch_open_orders(MARKET))
    found["closed"] = sorted({order["status"] for order in exchange.fetch_closed_orders(MARKET)})
    exchange.fetch_deposits()
    try:
        exchange.create_order(MARKET, "limit", "buy", 0.5, 1)
    except ccxt.BaseError as error:
        found["refused"] = type(error).__name__
    try:
        exchange.create_order(MARKET, "limit", "buy", 3_000, 3000)
    except ccxt.BaseError as error:
        found["too_much"] = type(error).__name__
    see_the_rest(exchange, found)
    if "transfer" in GIVEN:
        move_money(exchange, found)
    if "crash_url" in GIVEN:
        be_liquidated(exchange, found)
    print(json.dumps(found))


def see_the_rest(exchange: ccxt.extended, found: dict) -> None:
    """What a bot asks for less often: other candles, lists by their ends, several cancels, a position as it was.

    No two orders of a session are of one size at one price: the library's nonce is the second.
    """
    found["account"] = [(one["id"], one["type"]) for one in exchange.fetch_accounts()]
    found["currencies"] = sorted(exchange.fetch_currencies())
    index, marks = exchange.fetch_index_ohlcv(MARKET, "1m", None, 1), exchange.fetch_mark_ohlcv(MARKET, "1h")
    found["candles"] = [len(index), len(marks)]
    longest = [exchange.fetch_ohlcv(MARKET, span, None, 2) for span in ("1d", "1w", "1M")]
    found["longest"] = [[row[1:] for row in rows] for rows in longest]
    found["l2"] = exchange.fetch_l2_order_book(MARKET)["bids"][0]
    pair = [exchange.create_limit_order(MARKET, "buy", 0.7, price, {"postOnly": True})["id"] for price in (2900, 2910)]
    order = exchange.fetch_order(pair[0], MARKET)
    found["order"] = [order["status"], order["postOnly"], order["price"], order["remaining"]]
    exchange.cancel_orders(pair, MARKET)
    canceled = {one["id"]: one["status"] for one in exchange.fetch_canceled_orders(MARKET)}
    found["canceled"] = [canceled[one] for one in pair]
    found["all_orders"] = set(pair) <= {one["id"] for one in exchange.fetch_orders(MARKET)}
    found["own"] = exchange.fetch_position(MARKET)["contracts"]
    exchange.create_market_order(MARKET, "buy", 0.1, 3050, {"reduceOnly": True})
    exchange.create_market_order(MARKET, "sell", 0.1, 2950)
    lived = exchange.fetch_positions_history([MARKET])[0]
    found["lived"] = [lived["side"], lived["info"]["maxPositionSize"]]
    found["fees"] = [(one["maker"], one["taker"]) for one in exchange.fetch_trading_fees().values()]
    found["ledger"] = [(one["type"], one["direction"], one["amount"]) for one in exchange.fetch_ledger("USDC", None, 5)]
    found["transactions"] = [(one["type"], one["status"]) for one in exchange.fetch_transactions("USDC")]
    found["last_trade"] = [one["amount"] for one in exchange.fetch_my_trades(MARKET, 0, 1)]
    brought = {"stopLoss": {"triggerPrice": 3300, "price": 3350}, "takeProfit": {"triggerPrice": 2800, "price": 2850}}
    exchange.create_order(MARKET, "limit", "sell", 0.1, 3090, brought)
    exchange.create_order(MARKET, "market", "buy", 0.2, 3200, {"stopLossPrice": 3190})
    found["waiting"] = sorted(one["info"]["type"] for one in exchange.fetch_open_orders(MARKET))
    exchange.cancel_all_orders()
    exchange.cancel_all_orders_after(0)
    refused = []
    for name in ("cancel_order", "fetch_order"):
        try:
            getattr(exchange, name)("999999", MARKET)
        except ccxt.BaseError as error:
            refused.append(type(error).__name__)
    found["not_there"] = refused


def move_money(exchange: ccxt.extended, found: dict) -> None:
    """By what ccxt signs itself, and by a settlement that is signed as the wire has it."""
    signed, out, target = GIVEN["transfer"], GIVEN["withdrawal"], str(GIVEN["transfer"]["toVault"])
    named = {"toVault": target, "toL2Key": signed["settlement"]["receiverPublicKey"]}
    address = f"0x{int(out['settlement']['recipient'], 16):064x}"  # ccxt takes no shorter one
    found["own_transfer"] = exchange.transfer("USDC", 7.25, None, target, named)["status"]
    found["own_withdrawal"] = exchange.withdraw("USDC", 3, address)["amount"]
    given = {**named, "settlement": signed["settlement"]}
    found["transferred"] = exchange.transfer("USDC", 10.5, None, target, given)["status"]
    found["withdrawn"] = exchange.withdraw("USDC", 25, address, {"settlement": out["settlement"]})["amount"]
    found["transfers"] = [(one["amount"], one["status"]) for one in exchange.fetch_transfers("USDC")]
    found["withdrawals"] = [(one["amount"], one["status"]) for one in exchange.fetch_withdrawals("USDC")]


def be_liquidated(exchange: ccxt.extended, found: dict) -> None:
    """From short to long, and the price falls further than the position can bear."""
    exchange.create_order(MARKET, "market", "buy", 2.4, 3050)
    found["long"] = exchange.fetch_positions([MARKET])[0]["contracts"]
    urllib.request.urlopen(GIVEN["crash_url"]).close()
    kinds: set = set()
    for _ in range(100):
        kinds = {trade["info"]["tradeType"] for trade in exchange.fetch_my_trades(MARKET)}
        if "LIQUIDATION" in kinds:
            break
        time.sleep(0.1)
    found["liquidated"] = sorted(kinds)


main()
