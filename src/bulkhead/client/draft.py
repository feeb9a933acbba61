"""Drafts of other parameters: what an exchange's configuration is, what would change, and whether the rules allow it.

Nothing is applied. A configuration is part of what is proven: its digest is in every statement, and a verifier on L1 is
of one. A draft is the paper that `bulkhead l1 propose` makes other verifiers from, which wait behind the timelock. What
an exchange cannot do then, `node.succession` says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple

from bulkhead.client.signer import MONEY
from bulkhead.codec import CodecError
from bulkhead.fixed import FRACTION_BITS, ONE, fraction
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.records import GENESIS
from bulkhead.node.succession import digest_of as digest_of
from bulkhead.rules.grid import check_grid
from bulkhead.rules.terms import ConfigError, MarketTerms, check_terms
from bulkhead.units import Fraction, Quote

FORMAT = "bulkhead-parameter-draft-1"
SHARE_PLACES = Decimal("1e-6")  # of a percent: finer than any parameter, coarser than a Fraction
AMOUNT_LIMIT = Decimal(10**15)
Kind = Literal["USD", "%", "ms", "s", "count"]


class DraftError(Exception):
    """A draft that cannot be: the text names the parameter and what it must be."""


class Parameter(NamedTuple):
    """One number of a configuration. `value` is in `unit`, exact for amounts and counts, to 10^-6 % for shares."""

    path: str
    value: Decimal
    unit: Kind
    words: str


VENUE: tuple[tuple[str, Kind, str], ...] = (
    ("l1_charge", "USD", "of a trade's fees, set aside for settlement"),
    ("liquidation_fee", "%", "of what a liquidation closes, to the venue"),
    ("liquidation_penalty", "%", "of what a liquidation closes, to the insurance fund"),
    ("liquidation_target", "%", "of maintenance, to which a liquidation restores value"),
    ("liquidation_pause_ms", "ms", "between partial steps of one liquidation"),
    ("liquidation_dust", "USD", "a position that would leave less is closed whole"),
    ("top_up_target", "%", "of maintenance, to which a top-up restores value"),
    ("profit_lock", "%", "of notional that withdrawn profit must leave"),
    ("forced_close_charge", "%", "of the price, of a close forced through L1"),
    ("expiry_max_s", "s", "for which an order may be signed"),
    ("filled_orders_max", "count", "live entries of filled orders"),
)
MARKET: tuple[tuple[str, Kind, str], ...] = (
    ("order_value_max", "USD", "of one order"),
    ("open_interest_lower", "USD", "where initial margin begins to rise"),
    ("open_interest_upper", "USD", "where it reaches all of the value"),
    ("open_interest_cap", "USD", "of open interest"),
    ("band", "%", "that an order may be from the mark"),
    ("slippage", "%", "that a standard amount costs; orders the choice of liquidation"),
    ("price_step", "%", "that the index may move in a minute"),
    ("price_age_max_ms", "ms", "after which a price is stale"),
    ("loss_budget", "USD", "that insurance and backstop may lose here"),
    ("funding_cap", "%", "largest hourly rate"),
    ("funding_interest", "%", "for eight hours"),
)
TIER: tuple[tuple[str, Kind, str], ...] = (
    ("bound", "USD", "of a position, up to which the tier's shares hold"),
    ("initial", "%", "of notional, to take new risk"),
    ("maintenance", "%", "of notional, below which it is liquidated"),
    ("close_out", "%", "of notional, below which it is closed whole"),
)
TARGETS = ("liquidation_target", "top_up_target")


def config_of(genesis: bytes) -> VenueConfig:
    """The configuration in an exchange's genesis. DraftError where the bytes are none of this version."""
    try:
        return GENESIS.decode(genesis).config
    except CodecError as error:
        raise DraftError(f"the genesis cannot be read: {error}") from error


def parameters(config: VenueConfig) -> dict[str, Parameter]:
    """Everything that a draft may change, by path: the venue's, then each market's and its tiers'."""
    found = [_parameter(f"venue.{name}", config, name, unit, words) for name, unit, words in VENUE]
    for terms in config.markets:
        found += [_parameter(f"{terms.name}.{name}", terms, name, unit, words) for name, unit, words in MARKET]
        for number, tier in enumerate(terms.tiers, 1):
            place = f"{terms.name}.tier{number}"
            found += [_parameter(f"{place}.{name}", tier, name, unit, words) for name, unit, words in TIER]
    return {one.path: one for one in found}


def _parameter(path: str, record: Any, name: str, unit: Kind, words: str) -> Parameter:
    number = int(getattr(record, name))
    if unit == "USD":
        value = Decimal(number) / MONEY
    elif unit == "%":
        exact = Decimal(100 * number) / (1 << FRACTION_BITS)
        value = exact.quantize(SHARE_PLACES, ROUND_HALF_EVEN).normalize()
    else:
        value = Decimal(number)
    return Parameter(path, value, unit, words)


@dataclass
class Draft:
    """Changes to one configuration, by path, in each parameter's unit. `base` is the digest of that configuration."""

    chain_id: str
    base: str
    note: str = ""
    changes: dict[str, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, config: VenueConfig) -> Draft:
        """An empty one."""
        return cls(config.chain_id, digest_of(config))

    def change(self, config: VenueConfig, path: str, text: str) -> None:
        """Have a parameter become what a text says; its own value again takes the change back. Raises DraftError."""
        known = parameters(config).get(path)
        if known is None:
            raise DraftError(f"{path}: there is no such parameter")
        value = _read(known, text)
        if value == known.value:
            self.changes.pop(path, None)
        else:
            self.changes[path] = value

    def applied(self, config: VenueConfig) -> VenueConfig:
        """The configuration that the draft describes, held to every check that a venue's is. Raises DraftError."""
        if digest_of(config) != self.base:
            raise DraftError(
                f"the draft is of configuration {self.base}, and the exchange has {digest_of(config)}: draft it anew"
            )
        known = parameters(config)
        for path in self.changes:
            if path not in known:
                raise DraftError(f"{path}: there is no such parameter")
        venue: VenueConfig = _changed(config, "venue", VENUE, self.changes)
        made = venue._replace(markets=tuple(self._terms(terms) for terms in config.markets))
        return _checked(made)

    def _terms(self, terms: MarketTerms) -> MarketTerms:
        tiers = tuple(
            _changed(tier, f"{terms.name}.tier{number}", TIER, self.changes)
            for number, tier in enumerate(terms.tiers, 1)
        )
        changed: MarketTerms = _changed(terms, terms.name, MARKET, self.changes)
        return changed._replace(tiers=tiers)

    def difference(self, config: VenueConfig) -> list[tuple[Parameter, Decimal]]:
        """What is, and what it would be."""
        known = parameters(config)
        return [(known[path], value) for path, value in sorted(self.changes.items()) if path in known]

    def words(self, config: VenueConfig) -> tuple[str, ...]:
        """Each change in a line."""
        return tuple(f"{one.path}: {one.value:,f} to {value:,f} {one.unit}" for one, value in self.difference(config))

    def to_json(self, config: VenueConfig) -> str:
        """The file: what is drafted, on what, and the digest that L1 would pin. Raises DraftError."""
        body = {
            "format": FORMAT,
            "chainId": self.chain_id,
            "base": self.base,
            "result": digest_of(self.applied(config)),
            "note": self.note,
            "changes": [
                {"path": one.path, "unit": one.unit, "from": format(one.value, "f"), "to": format(value, "f")}
                for one, value in self.difference(config)
            ],
        }
        return json.dumps(body, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Draft:
        """A draft from its file. Raises DraftError where it is none."""
        try:
            body = json.loads(text)
            if body["format"] != FORMAT:
                raise DraftError(f"the file has format {body['format']!r:.60}; this program reads {FORMAT}")
            changes = {str(one["path"]): _finite(str(one["to"])) for one in body["changes"]}
            return cls(str(body["chainId"]), str(body["base"]), str(body["note"]), changes)
        except (ValueError, KeyError, TypeError, InvalidOperation) as error:
            raise DraftError(f"the file is no draft of parameters: {error!r}") from error


def _finite(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(f"{text} is no number")
    return value


def _read(known: Parameter, text: str) -> Decimal:
    try:
        value = _finite(text.strip().replace(",", ""))
    except (ValueError, InvalidOperation) as error:
        raise DraftError(f"{known.path}: {text.strip()[:30]!r} is no number") from error
    if abs(value) >= AMOUNT_LIMIT:
        raise DraftError(f"{known.path}: {text.strip()[:30]} is too large")
    if known.unit == "USD" and value * MONEY % 1:
        raise DraftError(f"{known.path}: an amount has at most six places")
    if known.unit == "%" and value != value.quantize(SHARE_PLACES):
        raise DraftError(f"{known.path}: a share has at most six places")
    if known.unit not in ("USD", "%") and value % 1:
        raise DraftError(f"{known.path}: a whole number is expected")
    return value


def _changed(
    record: Any, place: str, names: tuple[tuple[str, Kind, str], ...], changes: Mapping[str, Decimal]
) -> Any:
    """A record with the changes to its own fields."""
    made: dict[str, Any] = {}
    for name, unit, _ in names:
        value = changes.get(f"{place}.{name}")
        if value is not None:
            made[name] = _WRITE[unit](value)
    return record._replace(**made)


def _share(value: Decimal) -> Fraction:
    numerator, denominator = (value / 100).as_integer_ratio()
    return fraction(numerator, denominator)


_WRITE: dict[str, Callable[[Decimal], Any]] = {
    "USD": lambda value: Quote(int(value * MONEY)), "%": _share, "ms": int, "s": int, "count": int,
}  # fmt: skip


def _checked(config: VenueConfig) -> VenueConfig:
    """Every check of the rules, and the venue's own bounds."""
    for name, unit, _ in VENUE:
        number = int(getattr(config, name))
        if name in TARGETS and number <= int(ONE):
            raise DraftError(f"venue.{name}: it must be above 100 %, or what is restored is liquidated again at once")
        if name not in TARGETS and unit == "%" and not 0 <= number <= int(ONE):
            raise DraftError(f"venue.{name}: it must be 0 to 100 %")
        if unit != "%" and number < (0 if unit in ("USD", "ms") else 1):
            raise DraftError(f"venue.{name}: it must not be below {0 if unit in ('USD', 'ms') else 1}")
    try:
        check_grid(config.grid, [terms.group for terms in config.markets])
        for terms in config.markets:
            check_terms(terms)
    except ConfigError as error:
        text = str(error)
        for terms in config.markets:
            text = text.replace(f"market {terms.market_id}:", f"{terms.name}:")
        raise DraftError(text) from error
    return config

