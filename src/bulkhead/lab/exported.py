"""A portfolio from what ccxt gives of an account anywhere: `fetch_positions` and `fetch_balance`, as JSON.

    {"positions": [...], "balance": {...}, "name": "...", "total_includes_profit": true}

Exchanges differ in what ccxt's total is: with Binance, OKX and Hyperliquid it includes open profit, with Bybit it does
not. Which one it is, is read off the raw answer that ccxt passes on (`balance.info`) or said by
`total_includes_profit`; where neither tells and there is open profit, the export is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bulkhead.lab.portfolio import Holding, Portfolio, PortfolioError, distinct, holding_of, number_of, symbol_in

QUOTES = ("USDT", "USDC", "USD")
"""What balances of other exchanges are held in; each counts as one dollar."""
FIELDS = ("positions", "balance", "name", "total_includes_profit")
INCLUDES = {
    ("assets",): True,  # Binance: marginBalance
    ("marginSummary",): True,  # Hyperliquid: accountValue
    ("data", 0, "totalEq"): True,  # OKX: eq
    ("result", "list", 0, "totalWalletBalance"): False,  # Bybit: walletBalance
}
"""By what an exchange's raw answer has in it: whether ccxt's total includes open profit."""
UNLIKE = 2.0
"""A notional is at the mark or at the entry price; one further from size times mark is of other units."""


def from_text(text: str, path: Path) -> Portfolio:
    """The portfolio of an export. PortfolioError says what is wrong and where."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise PortfolioError(f"{path}: {error}") from error
    if not isinstance(given, dict) or not isinstance(given.get("positions"), list) or "balance" not in given:
        raise PortfolioError(
            f"{path}: an export is an object of `positions` (fetch_positions) and `balance` (fetch_balance)"
        )
    for name in given:
        if name not in FIELDS:
            raise PortfolioError(f"{path}: {name!r} is none of its fields; they are {', '.join(FIELDS)}")
    includes = given.get("total_includes_profit")
    if includes is not None and not isinstance(includes, bool):
        raise PortfolioError(f"{path}: total_includes_profit is true or false, not {includes!r}")
    return from_ccxt(given["positions"], given["balance"], str(path), str(given.get("name", path.stem)), includes)


def from_ccxt(
    positions: Sequence[Mapping[str, Any]],
    balance: Mapping[str, Any],
    source: str,
    name: str,
    total_includes_profit: bool | None = None,
) -> Portfolio:
    """A portfolio from ccxt's unified structures; positions of no contracts are markets in which nothing is held."""
    places, found, notes, profit = [], [], [], 0.0
    for row, one in enumerate(positions, 1):
        if not isinstance(one, dict) or not isinstance(one.get("symbol"), str):
            raise PortfolioError(f"{source}: position {row}: ccxt's position has a symbol")
        place = f"{source}: position {row} ({one['symbol']})"
        if number_of(one.get("contracts"), place, "contracts") == 0:
            continue
        holding, won, note = _position(one, place)
        profit += won
        places.append(place)
        found.append(holding)
        notes += [f"{place}: {note}"] if note else []
    money = _money(balance, source, notes)
    if profit:
        includes = _includes(balance, total_includes_profit, source)
        notes.append(f"{source}: balance.total {'includes' if includes else 'leaves out'} {profit:,.2f} of open profit")
        money += 0.0 if includes else profit
    file = source if Path(source).is_file() else ""
    return Portfolio(name, money, distinct(places, found), source, file=file, notes=tuple(notes))


def _position(one: Mapping[str, Any], place: str) -> tuple[Holding, float, str]:
    """A position, its open profit, and what is to be said of it."""
    _linear(one["symbol"], place)
    contracts, side = number_of(one.get("contracts"), place, "contracts"), one.get("side")
    if side not in ("long", "short") or contracts < 0:
        raise PortfolioError(f"{place}: side is long or short and contracts above zero, not {side!r}, {contracts}")
    unit = number_of(1.0 if one.get("contractSize") is None else one["contractSize"], place, "contractSize")
    if unit <= 0:
        raise PortfolioError(f"{place}: contractSize is above zero, not {unit}")
    size, price, note = contracts * unit, one.get("markPrice"), ""
    notional = None if one.get("notional") is None else abs(number_of(one["notional"], place, "notional"))
    if price is None and notional:
        price, note = notional / size, "no markPrice; notional over size is taken for it"
    if price is None:
        raise PortfolioError(f"{place}: markPrice is missing, and notional too; ask the exchange for one")
    holding = holding_of(place, symbol_in(one["symbol"]), size if side == "long" else -size, price)
    if notional and not 1 / UNLIKE < abs(holding.notional) / notional < UNLIKE:
        told = f"contracts · contractSize · markPrice are {abs(holding.notional):,.2f}, notional {notional:,.2f}"
        raise PortfolioError(f"{place}: {told}: contracts of another unit")
    won = one.get("unrealizedPnl")
    return holding, 0.0 if won is None else number_of(won, place, "unrealizedPnl"), note


def _linear(symbol: str, place: str) -> None:
    """Refuse what is no linear perpetual in dollars: BASE/QUOTE:SETTLE, dated ones with -DATE behind it."""
    pair, _, settle = symbol.partition(":")
    quote = pair.partition("/")[2]
    if "-" in settle:
        raise PortfolioError(f"{place}: a dated contract or an option; positions here are perpetuals")
    for word, currency in (("quoted", quote), ("settled", settle)):
        if currency and currency not in QUOTES:
            raise PortfolioError(f"{place}: {word} in {currency}; positions here are linear, in {', '.join(QUOTES)}")


def _money(balance: Any, source: str, notes: list[str]) -> float:
    """The total in dollars and stablecoins; what else there is, is noted."""
    total = balance.get("total") if isinstance(balance, dict) else None
    if not isinstance(total, dict) or not any(total.get(quote) is not None for quote in QUOTES):
        raise PortfolioError(f"{source}: balance.total holds an amount of {', '.join(QUOTES)}")
    money = 0.0
    for coin, amount in total.items():
        held = 0.0 if amount is None else number_of(amount, source, f"balance of {coin}")
        if coin in QUOTES:
            money += held
        elif held:
            notes.append(f"{source}: balance of {coin}, {held:g}, is not counted: collateral here is dollars")
    return money


def _includes(balance: Mapping[str, Any], said: bool | None, source: str) -> bool:
    """Whether the total has open profit in it already."""
    if said is not None:
        return said
    for path, includes in INCLUDES.items():
        here: Any = balance.get("info")
        for step in path:
            is_there = step in here if isinstance(here, dict) else isinstance(here, list) and step == 0 and here
            here = here[step] if is_there else None
        if here is not None:
            return includes
    raise PortfolioError(
        f"{source}: whether balance.total includes open profit cannot be told from balance.info; "
        'say "total_includes_profit": true or false'
    )
