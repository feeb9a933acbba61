"""A bot with ccxt alone, to which this exchange is one like any other: reads a book, rests an order, takes one, closes.

    python examples/ccxt_bot.py URL API_KEY STARK_KEY        as `bulkhead up` prints them; needs ccxt 4.5.90 or newer
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

import ccxt

SYMBOL, QUANTITY = "BTC/USDC:USDC", 0.01


def connected(url: str, api_key: str, stark_key: str) -> Any:
    """ccxt's own client of this wire, told where we are and in which domain orders are signed."""
    if not hasattr(ccxt, "extended"):
        sys.exit(f"ccxt {ccxt.__version__} does not know this wire; install 4.5.90 or newer")
    with urllib.request.urlopen(f"{url}/api/v1/info/starknet", timeout=10) as answer:
        chain_id = json.load(answer)["data"]["chainId"]
    return ccxt.extended(
        {
            "apiKey": api_key,
            "privateKey": stark_key,
            "options": {"chainId": chain_id, "builderFee": False},
            "urls": {"api": {"rest": url, "ws": url.replace("http", "ws", 1) + "/stream.extended.exchange/v1"}},
        }
    )


def main(url: str, api_key: str, stark_key: str) -> None:
    """A round trip."""
    exchange = connected(url.rstrip("/"), api_key, stark_key)
    exchange.load_markets()
    book = exchange.fetch_order_book(SYMBOL)
    if not book["bids"] or not book["asks"]:
        sys.exit(f"the book of {SYMBOL} is empty on one side")
    bid, ask = book["bids"][0][0], book["asks"][0][0]
    print(f"{SYMBOL}: {bid:,} / {ask:,}; balance {exchange.fetch_balance()['USDC']['total']:,} USDC")

    resting = exchange.create_order(SYMBOL, "limit", "buy", QUANTITY, round(bid * 0.99))
    print(f"rests: {exchange.fetch_order(resting['id'])['status']}")
    exchange.cancel_order(resting["id"])

    taken = exchange.create_order(SYMBOL, "market", "buy", QUANTITY, ask * 1.005)
    done = exchange.fetch_order(taken["id"])
    print(f"bought {done['filled']} at {done['average']:,}")
    [position] = [one for one in exchange.fetch_positions([SYMBOL]) if one["contracts"]]
    print(f"{position['side']} {position['contracts']} from {position['entryPrice']}")
    closed = exchange.create_order(SYMBOL, "market", "sell", QUANTITY, bid * 0.995, {"reduceOnly": True})
    print(f"closed: {exchange.fetch_order(closed['id'])['status']}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (ccxt.BaseError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
