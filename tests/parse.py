"""How a script's words are read: names, amounts in dollars and whole assets, options, and the venue they play on."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from typing import Any

from bulkhead import signing
from bulkhead.fixed import ONE, percent
from bulkhead.ledger import tx
from bulkhead.ledger.config import FEED_OF_ASSET, AssetTerms, VenueConfig
from bulkhead.ledger.defaults import default_config, market
from bulkhead.ledger.state import Choice, Mode

START_MS = 1_700_000_000_000
DOLLAR = 1_000_000
ROLES = (
    "operator", "owner", "maker", "taker", "depositor", "attacker", "other", "hedger", "strategy", "strategy2",
    "scenario", "stranger",
)  # fmt: skip
KEYS = {name: 7_000 + place for place, name in enumerate((*ROLES, "oracle1", "oracle2", "oracle3", "oracle4"))}
KEYS["backstop"] = KEYS["operator"]
ACCOUNTS = {"backstop": 64} | {name: 128 + 64 * place for place, name in enumerate(ROLES)}
MORE_ASSETS = {
    "EUR": AssetTerms(2, "EUR", 2, 1_000_000, True, 0, 1 << 62, ONE, 0),
    "WBTC": AssetTerms(3, "WBTC", 3, 100_000_000, False, percent(10), 1 << 62, percent(10), 60_000),
    "WETH": AssetTerms(4, "WETH", 4, 100_000_000, False, percent(10), 1 << 62, percent(10), 60_000),
}

MORE_ASSETS |= {
    f"C{place}": AssetTerms(place, f"C{place}", place, 1_000_000, False, percent(10), 1 << 62, percent(10), 60_000)
    for place in (5, 6, 7)
}


def micro(amount: str) -> int:
    """Dollars as quote."""
    scaled = Decimal(amount) * DOLLAR
    assert scaled == int(scaled), f"{amount} is not a whole number of millionths"
    return int(scaled)


def value_of(word: str) -> Any:
    """A raw number: 2^63 and hexadecimal too."""
    base, _, power = word.partition("^")
    sign = -1 if base.startswith("-") else 1
    return sign * abs(int(base)) ** int(power) if power else int(word, 0)


def venue(options: dict[str, str], signers: list[int]) -> VenueConfig:
    """The default venue, smaller or larger as the script's first lines say."""
    options = dict(options)
    config = default_config(tuple(signing.public_key(key) for key in signers), signing.public_key(KEYS["operator"]))
    markets = list(config.markets)
    for place in range(len(markets) + 1, int(options.pop("markets", "0")) + 1):
        markets.append(market(place, f"M{place}", 1_000_000, is_major=False, initial=500))
    assets = [*config.assets]
    for name in filter(None, options.pop("assets", "").split(",")):
        assets.append(MORE_ASSETS[name])
        if name == "EUR":
            terms = market(len(markets) + 1, "BTCEUR", 1_000_000, is_major=True, initial=200)
            markets.append(terms._replace(asset_id=2))
    for name, word in options.items():
        kind, _, field = name.partition(".")
        if not field:
            config = config._replace(**{name: word == "on" if word in ("on", "off") else value_of(word)})
        else:
            what, _, field = field.partition(".")
            owned: list[Any] = markets if kind == "market" else assets
            for place, terms in enumerate(owned):
                if terms.name.removesuffix("-USD") == what:
                    owned[place] = terms._replace(**{field: value_of(word)})
    return config._replace(markets=tuple(markets), assets=tuple(assets))


class Names:
    """Ids by name and units by market."""

    def __init__(self, config: VenueConfig) -> None:
        self.markets = {terms.name.removesuffix("-USD"): terms.market_id for terms in config.markets}
        self.resolutions = {terms.market_id: terms.resolution for terms in config.markets}
        self.assets = {asset.name: asset.asset_id for asset in config.assets}
        self.units = {asset.asset_id: asset.resolution for asset in config.assets}
        others = [FEED_OF_ASSET + asset.asset_id for asset in config.assets if not asset.is_settlement]
        self.feeds = [*sorted(self.markets.values()), *sorted(others)]

    def account(self, name: str) -> int:
        """`taker`, its child `taker/BTC`, or a bare number."""
        owner, _, child = name.partition("/")
        account_id = ACCOUNTS[owner] if owner in ACCOUNTS else int(owner)
        return account_id + (self.markets[child] if child else 0)

    def market(self, name: str) -> int:
        return self.markets[name] if name in self.markets else int(name)

    def asset(self, name: str) -> int:
        return self.assets[name] if name in self.assets else int(name)

    def dollar(self, amount: int) -> Decimal:
        return Decimal(amount) / DOLLAR

    def whole(self, market_name: str, lots: int) -> Decimal:
        return Decimal(lots) / self.resolutions[self.markets[market_name]]

    def coins(self, asset_name: str, amount: int) -> Decimal:
        return Decimal(amount) / self.units[self.assets[asset_name]]

    def asset_price(self, name: str, dollars: str) -> int:
        """Quote per smallest unit with 32 fraction bits."""
        return int(Decimal(dollars) * DOLLAR * (1 << 32) / self.units[self.assets[name]])


class Line:
    """The words of a line without its comment, options (`name=value`) apart."""

    def __init__(self, text: str, names: Names) -> None:
        words = text.partition("#")[0].split()
        self.names = names
        self.options = dict(word.split("=", 1) for word in words if "=" in word)
        self.words = [word for word in words if "=" not in word]
        self.read: tuple[Decimal, int, Decimal] | None = None

    def word(self) -> str:
        return self.words.pop(0)

    def take(self, word: str) -> bool:
        """Skip a word if it is next."""
        if self.words[:1] == [word]:
            self.words.pop(0)
            return True
        return False

    def option(self, name: str, otherwise: str) -> str:
        return self.options.get(name, otherwise)

    def changed(self, record: Any, prefix: str) -> Any:
        """The record with every field that an option `prefix field=value` names."""
        changes = {
            name.removeprefix(prefix): value_of(word) for name, word in self.options.items() if name.startswith(prefix)
        }
        values = {name: getattr(record, name) for name in fields_of(record)}
        for name, value in changes.items():
            values[name] = type(values[name])(value) if isinstance(values[name], IntEnum) else value
        return type(record)(**values)

    def amount(self) -> tuple[int, int]:
        """`100` dollars or `0.5 WBTC`, in smallest units, and the asset's id."""
        number = Decimal(self.word())
        asset_id = self.names.asset(self.word()) if self.words else 1
        return int(number * self.names.units.get(asset_id, DOLLAR)), asset_id

    def lots(self, size: str, market_id: int) -> int:
        scaled = Decimal(size) * self.names.resolutions.get(market_id, 1)
        assert scaled == int(scaled), f"{size} is not a whole number of lots"
        return int(scaled)

    def book_price(self, dollars: str, market_id: int) -> int:
        scaled = Decimal(dollars) * DOLLAR / self.names.resolutions.get(market_id, 1)
        assert scaled == int(scaled), f"{dollars} is not a whole price per lot"
        return int(scaled)

    def size(self) -> tuple[int, int]:
        """`0.5 BTC` in lots, and the market's id."""
        number, market_id = self.word(), self.names.market(self.word())
        return self.lots(number, market_id), market_id

    @property
    def fill(self) -> tuple[Decimal, int, Decimal]:
        """`0.5 BTC @ 50000`, read once."""
        if self.read is None:
            size, market_id = Decimal(self.word()), self.names.market(self.word())
            assert self.word() == "@"
            self.read = (size, market_id, Decimal(self.word()))
        return self.read

    def choice(self) -> Choice:
        """`BTC isolated 10x cap 100`; `self cross cap 100` is a strategy's own top-up."""
        name = self.word()
        market_id = 0 if name == "self" else self.names.market(name)
        mode = Mode[self.word().upper()]
        leverage = int(self.word().removesuffix("x")) if self.words and self.words[0].endswith("x") else 0
        cap = micro(self.word()) if self.take("cap") else 0
        return Choice(market_id, mode, leverage, cap)

    def split(self) -> list[Line]:
        """Legs between semicolons."""
        found = []
        for part in " ".join(self.words).split(";"):
            if part.strip():
                found.append(Line(part, self.names))
        self.words = []
        return found

    def legs(self) -> tuple[Any, Any, Any]:
        """The legs of a move: assets, positions, choices."""
        assets, positions, choices = [], [], []
        for leg in self.split():
            source = self.names.account(leg.word())
            if leg.take("choose"):
                choices.append((source, leg.choice()))
                continue
            target = self.names.account(leg.word())
            name = leg.words[1] if len(leg.words) > 1 else "USD"
            if name in self.names.markets or name.isdigit():
                size, market_id = leg.size()
                positions.append(tx.PositionLeg(source, target, market_id, size))
            else:
                amount, asset_id = leg.amount()
                assets.append(tx.AssetLeg(source, target, asset_id, amount))
        return tuple(assets), tuple(positions), tuple(choices)


def fields_of(record: Any) -> tuple[str, ...]:
    """Names of a record's fields, whichever kind of record it is."""
    return record._fields if hasattr(record, "_fields") else tuple(record.__dataclass_fields__)
