"""The SDK that a trader imports: async, typed, signing by itself.

    async with Exchange("http://127.0.0.1:8080") as exchange:
        trader = await exchange.trader(api_key, stark_key)
        await trader.place(NewOrder(market="BTC-USD", side="BUY", quantity="0.01", price=60_000))

`Owner` onboards with an Ethereum key, `Exchange.feeds` follows books, trades and the account, `client.l1.L1` deposits
and exits.
"""

from bulkhead.client.account import AccountFeed, Update
from bulkhead.client.compartments import Compartment, Compartments, MovePlan
from bulkhead.client.errors import (
    ClientError,
    OtherExchange,
    OtherVersion,
    RateLimited,
    Refused,
    TooSlow,
    Unreachable,
    Unreadable,
    Untrusted,
)
from bulkhead.client.exchange import Exchange
from bulkhead.client.feeds import BookFeed, Feeds, TradeFeed
from bulkhead.client.models import Balance, Market, Order, Position, Preview, PublicTrade, Trade
from bulkhead.client.onboarding import Access, Owner
from bulkhead.client.orders import Exit, NewOrder, Trigger, whole
from bulkhead.client.signer import AssetLeg, ModeChoice, PositionLeg
from bulkhead.client.trader import Trader
from bulkhead.client.what_if import WhatIf

__all__ = [
    "Access",
    "AccountFeed",
    "AssetLeg",
    "Balance",
    "BookFeed",
    "ClientError",
    "Compartment",
    "Compartments",
    "Exchange",
    "Exit",
    "Feeds",
    "Market",
    "ModeChoice",
    "MovePlan",
    "NewOrder",
    "Order",
    "OtherExchange",
    "OtherVersion",
    "Owner",
    "Position",
    "PositionLeg",
    "Preview",
    "PublicTrade",
    "RateLimited",
    "Refused",
    "TooSlow",
    "Trade",
    "TradeFeed",
    "Trader",
    "Trigger",
    "Unreachable",
    "Unreadable",
    "Untrusted",
    "Update",
    "WhatIf",
    "whole",
]
