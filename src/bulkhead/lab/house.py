"""The exchange that a portfolio is held at: its own markets and terms, where the default venue's would be others.

Read once from a running exchange, or from the file that keeps what was read, so that a finding can be made again after
the exchange has gone.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bulkhead.codec import CodecError
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.records import GENESIS, digest_of
from bulkhead.rules.terms import MarketTerms

if TYPE_CHECKING:
    from bulkhead.client import Exchange

FORMAT = "bulkhead-house-1"


class HouseError(ValueError):
    """An exchange's terms that cannot be read; the message names the file or the address, and what it must be."""


@dataclass(frozen=True, slots=True)
class House:
    """An exchange's terms. `genesis` is hexadecimal, as it publishes it; `interest` coins open in each market."""

    source: str  # its address
    genesis: str
    interest: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        _config(self.genesis, self.source)
        for symbol, coins in self.interest:
            if not math.isfinite(coins) or coins < 0:
                raise HouseError(f"{self.source}: open interest of {symbol} is a number of coins, not {coins}")

    @property
    def config(self) -> VenueConfig:
        """Every number that decides validity there."""
        return _config(self.genesis, self.source)

    @property
    def markets(self) -> dict[str, MarketTerms]:
        """Its markets by the name that paths use: BTC of BTC-USD."""
        return {terms.name.split("-")[0]: terms for terms in self.config.markets}

    @property
    def words(self) -> str:
        """What a report says of it."""
        digest = digest_of(bytes.fromhex(self.genesis)).hex()
        return f"terms of {self.source}, chain {self.config.chain_id}, genesis {digest[:16]}"

    def open_lots(self, symbol: str) -> int:
        """Lots open in a market when it was read, at least one."""
        return max(1, round(dict(self.interest).get(symbol, 0.0) * self.markets[symbol].resolution))

    def as_text(self) -> str:
        """The file that keeps it."""
        kept = {"format": FORMAT, "source": self.source, "genesis": self.genesis, "interest": dict(self.interest)}
        return json.dumps(kept, indent=1) + "\n"


@cache
def _config(genesis: str, source: str) -> VenueConfig:
    try:
        return GENESIS.decode(bytes.fromhex(genesis)).config
    except (CodecError, ValueError) as error:
        raise HouseError(f"{source}: the genesis is none of this version: {error}") from error


async def house_of(exchange: Exchange) -> House:
    """The terms of a running exchange, and what is open there now. Raises as the client does, and HouseError."""
    genesis = await exchange.books.genesis()
    markets = await exchange.markets()
    interest = tuple(
        (name.split("-")[0], float(market.market_stats.open_interest_base)) for name, market in markets.items()
    )
    return House(exchange.transport.url, genesis.hex(), interest)


def house_in(path: Path) -> House:
    """The terms that a file keeps. HouseError says what is wrong with it."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["format"] != FORMAT:
            raise HouseError(f"{path}: a file of {kept['format']!r}, not of {FORMAT}")
        interest = tuple((str(symbol), float(coins)) for symbol, coins in kept["interest"].items())
        return House(str(kept["source"]), str(kept["genesis"]), interest)
    except OSError as error:
        raise HouseError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise HouseError(f"{path}: does not keep an exchange's terms: {error!r}") from error
