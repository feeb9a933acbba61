"""A portfolio to be judged: from a TOML file, from the JSON that ccxt gives of any exchange, or from a live account.

Whatever is wrong with it is said with the file and the row; nothing is guessed, dropped or put in order silently.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkhead.lab.house import House, HouseError, house_in, house_of
from bulkhead.limits import POSITIONS_MAX

if TYPE_CHECKING:
    from bulkhead.client.trader import Trader

TOML_FIELDS = ("name", "collateral", "positions", "note", "venue")
POSITION_FIELDS = ("market", "size", "price", "strategy")


class PortfolioError(ValueError):
    """A portfolio that cannot be judged; the message names the file, the row and what it must be."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A position. `size` is in coins, negative when short; `price` is what one coin costs now, USD."""

    symbol: str
    size: float
    price: float
    strategy: str = ""  # which compartment its owner keeps it in, where he says so

    @property
    def notional(self) -> float:
        """USD, negative when short."""
        return self.size * self.price


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Positions and the money behind them. `collateral` is what the account is worth now, open profit included, USD."""

    name: str
    collateral: float
    holdings: tuple[Holding, ...]
    source: str  # the file, or the endpoint
    house: House | None = None  # whose terms count; None: the default venue's
    file: str = ""  # where `load_portfolio` finds exactly this; empty: nowhere
    notes: tuple[str, ...] = ()  # what was taken for what, or left out, for reports

    def __post_init__(self) -> None:
        if not math.isfinite(self.collateral) or self.collateral <= 0:
            raise PortfolioError(f"{self.source}: collateral is an amount of USD above zero, not {self.collateral}")
        if not 1 <= len(self.holdings) <= POSITIONS_MAX:
            raise PortfolioError(f"{self.source}: {len(self.holdings)} positions, not 1 to {POSITIONS_MAX}")

    @property
    def symbols(self) -> tuple[str, ...]:
        """Markets, in the order of the positions."""
        return tuple(one.symbol for one in self.holdings)

    @property
    def gross(self) -> float:
        """Notional of all positions, USD."""
        return sum(abs(one.notional) for one in self.holdings)

    @property
    def terms(self) -> str:
        """Whose terms count, in words."""
        return "default terms of this code (ledger/defaults.py)" if self.house is None else self.house.words

    def at(self, house: House) -> Portfolio:
        """The same positions at another exchange; PortfolioError naming the row whose market it does not have."""
        for row, one in enumerate(self.holdings, 1):
            if one.symbol not in house.markets:
                known = f"{house.source}; there are {', '.join(sorted(house.markets))}"
                raise PortfolioError(f"{self.source}: position {row}: unknown market {one.symbol!r} at {known}")
        return replace(self, house=house, file="")

    def known_in(self, symbols: Collection[str]) -> Portfolio:
        """Itself, if each market is among these; PortfolioError naming the row of the first that is not."""
        for row, one in enumerate(self.holdings, 1):
            if one.symbol not in symbols:
                known = ", ".join(sorted(symbols))
                raise PortfolioError(
                    f"{self.source}: position {row}: unknown market {one.symbol!r}; there are {known} in this world "
                    "(`bulkhead lab fit` makes numbers of others, --world regimes:FILE takes them)"
                )
        return self


def number_of(value: Any, place: str, name: str) -> float:
    """A finite number; texts are taken, for exchanges send numbers as texts."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise PortfolioError(f"{place}: {name} is a number, not {value!r}") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise PortfolioError(f"{place}: {name} is a finite number, not {value!r}")
    return number


def holding_of(place: str, symbol: str, size: Any, price: Any, strategy: str = "") -> Holding:
    found = Holding(symbol, number_of(size, place, "size"), number_of(price, place, "price"), strategy)
    if found.size == 0:
        raise PortfolioError(f"{place}: size is above zero for a long and below for a short, not 0")
    if found.price <= 0:
        raise PortfolioError(f"{place}: price is above zero, not {price}")
    return found


def distinct(places: Sequence[str], holdings: Sequence[Holding]) -> tuple[Holding, ...]:
    """The holdings, if no market is there twice: one account nets them, so two rows would be a size nobody holds."""
    seen: dict[str, str] = {}
    for place, one in zip(places, holdings, strict=True):
        if one.symbol in seen:
            raise PortfolioError(f"{place}: {one.symbol} is held already in {seen[one.symbol]}; write one position")
        seen[one.symbol] = place.rpartition(": ")[2]
    return tuple(holdings)


def symbol_in(market: str) -> str:
    """BTC of BTC, BTC-USD, BTC/USDT:USDT."""
    return market.replace("/", "-").split("-")[0].upper()


# -- files -------------------------------------------------------------------------------------------------------------


def load_portfolio(path: Path) -> Portfolio:
    """The portfolio of a file: `.toml`, or `.json` as ccxt has it. PortfolioError says what is wrong and where."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PortfolioError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise PortfolioError(f"{path}: is no text: {error.reason} at byte {error.start}") from error
    if path.suffix == ".json":
        from bulkhead.lab.exported import from_text

        return from_text(text, path)
    if path.suffix != ".toml":
        raise PortfolioError(f"{path}: a portfolio is a .toml file, or a .json file as ccxt gives it")
    return _from_toml(text, path)


def _from_toml(text: str, path: Path) -> Portfolio:
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PortfolioError(f"{path}: {error}") from error
    _refuse_unknown(given, TOML_FIELDS, str(path))
    positions = given.get("positions")
    if not isinstance(positions, list) or not all(isinstance(one, dict) for one in positions):
        raise PortfolioError(f"{path}: positions are tables under [[positions]]")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip() == "[[positions]]"]
    places, found = [], []
    for row, one in enumerate(positions, 1):
        line = f", line {lines[row - 1]}" if row <= len(lines) else ""
        place = f"{path}{line}: position {row}"
        _refuse_unknown(one, POSITION_FIELDS, place)
        for name in POSITION_FIELDS[:3]:
            if name not in one:
                raise PortfolioError(f"{place}: {name} is missing")
        market = str(one["market"])
        places.append(f"{place} ({market})")
        found.append(
            holding_of(places[-1], symbol_in(market), one["size"], one["price"], str(one.get("strategy", "")))
        )
    collateral = number_of(given.get("collateral"), str(path), "collateral")
    held = Portfolio(str(given.get("name", path.stem)), collateral, distinct(places, found), str(path), file=str(path))
    if "venue" not in given:
        return held
    try:
        return replace(held.at(house_in(path.parent / str(given["venue"]))), file=str(path))
    except HouseError as error:
        raise PortfolioError(f"{path}: venue: {error}") from error


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for name in given:
        if name not in known:
            raise PortfolioError(f"{place}: {name!r} is none of its fields; they are {', '.join(known)}")


async def from_account(trader: Trader) -> Portfolio:
    """The portfolio of a live account and its isolated children, whose worth its equity counts, at its own exchange.

    Raises as `Trader`, and HouseError.
    """
    account, positions, balance = await trader.account(), await trader.positions(), await trader.balance()
    source, house = f"account {account.l2_vault}", await house_of(trader.exchange)
    # Margin is reckoned at index prices, and so is the equity that is told.
    index = {one.market: (await trader.exchange.market(one.market)).market_stats.index_price for one in positions}
    places = [f"{source}: position {row} ({one.market})" for row, one in enumerate(positions, 1)]
    found = [
        holding_of(place, symbol_in(one.market), one.signed_size, index[one.market],
                 one.market if one.margin_mode == "ISOLATED" else "")
        for place, one in zip(places, positions, strict=True)
    ]
    return Portfolio(source, float(balance.equity), distinct(places, found), source).at(house)


def with_collateral(portfolio: Portfolio, collateral: float) -> Portfolio:
    """The same positions with another amount of money behind them."""
    return replace(portfolio, collateral=collateral, file="")


def with_strategies(portfolio: Portfolio, partition: str) -> Portfolio:
    """The same positions in these strategies: `BTC+LTC|ETH`, each market once."""
    groups = [[symbol.strip() for symbol in group.split("+")] for group in partition.split("|")]
    named = [symbol for group in groups for symbol in group]
    if sorted(named) != sorted(portfolio.symbols):
        raise PortfolioError(f"strategies are {', '.join(portfolio.symbols)}, each in one, not {partition!r}")
    label = {symbol: "+".join(group) for group in groups for symbol in group}
    holdings = tuple(replace(one, strategy=label[one.symbol]) for one in portfolio.holdings)
    return replace(portfolio, holdings=holdings, file="")


def kept(portfolio: Portfolio, folder: Path) -> Portfolio:
    """The same with a file that has exactly this in it, so that what was found with it can be found again.

    Written under a name by content: TOML, and beside it the exchange's terms where there are any.
    """
    if portfolio.file:
        return portfolio
    lines = [f"name = {_quoted(portfolio.name)}", f"collateral = {portfolio.collateral!r}"]
    lines += [f"note = {_quoted('kept of ' + portfolio.source)}"]
    folder.mkdir(parents=True, exist_ok=True)
    if portfolio.house is not None:
        terms = portfolio.house.as_text()
        name = f"terms-{_digest(terms)}.json"
        (folder / name).write_text(terms, encoding="utf-8")
        lines.append(f"venue = {_quoted(name)}")
    for one in portfolio.holdings:
        lines += ["", "[[positions]]", f"market = {_quoted(one.symbol)}", f"size = {one.size!r}"]
        lines += [f"price = {one.price!r}", f"strategy = {_quoted(one.strategy)}"]
    text = "\n".join(lines) + "\n"
    path = folder / f"portfolio-{_digest(text)}.toml"
    path.write_text(text, encoding="utf-8")
    return replace(portfolio, file=str(path))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
