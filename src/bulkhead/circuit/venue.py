"""What the circuit takes from a venue's configuration: constants of programs, and the table of terms.

It is part of the system: another configuration has another key. A venue that settles with proofs has one asset, and
switches off what has no circuit: scenario accounts, other collateral, top-ups, and what client libraries sign of
their own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from bulkhead.circuit.frame import ABOUT
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.words import MESSAGE, Field
from bulkhead.fixed import FRACTION_BITS, div_floor
from bulkhead.ledger.commitment import tiers_max
from bulkhead.ledger.config import AssetTerms, VenueConfig
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.limits import LEVERAGE_MAX, NOTIONAL_LIMIT, POSITIONS_MAX
from bulkhead.rules.margin import leverage_floor
from bulkhead.rules.terms import MarketTerms, risk_of
from bulkhead.signing import Domain, domain_hash
from bulkhead.signing.messages import MESSAGE_PREFIX
from bulkhead.units import Price
from stark.air.chip import Chip, Must, Row

OFF = ("scenario_accounts", "other_collateral", "top_up", "client_messages")  # what has no circuit
UNBOUNDED = 1 << 127  # the last tier has no end


class NotProvable(Exception):
    """What the circuits do not cover; the message says which part of it."""


class Venue(NamedTuple):
    """A configuration as programs see it."""

    config: VenueConfig
    domain_hash: int
    asset: AssetTerms

    @property
    def message_prefix(self) -> tuple[int, int]:
        """What every signed message begins with (`signing.messages`)."""
        return MESSAGE_PREFIX, self.domain_hash

    @property
    def market_words(self) -> int:
        """Words of a market in the markets' record."""
        return int(Field.TIERS) + 2 * tiers_max(self.config)

    @property
    def positions_max(self) -> int:
        """The most positions that an account can have."""
        return min(POSITIONS_MAX, len(self.config.markets))


@lru_cache(maxsize=16)
def venue_of(config: VenueConfig) -> Venue:
    """What the circuit takes from a configuration; NotProvable where it has what no circuit covers."""
    if [asset.asset_id for asset in config.assets] != [NUMERAIRE] or not config.assets[0].is_settlement:
        raise NotProvable("a venue that settles with proofs has one asset, which settles; this one has others")
    for name in OFF:
        if getattr(config, name):
            raise NotProvable(f"a venue that settles with proofs has {name} switched off: it has no circuit yet")
    if not config.simple_moves:
        raise NotProvable("a venue that settles with proofs takes simple moves only: others have no circuit yet")
    if len({len(terms.tiers) for terms in config.markets}) != 1:
        raise NotProvable("markets of a venue that settles with proofs have equally many tiers; some here have more")
    return Venue(config, domain_hash(Domain(chain_id=config.chain_id)), config.assets[0])


def provable(config: VenueConfig) -> VenueConfig:
    """The same configuration with all that has no circuit switched off."""
    off: dict[str, Any] = dict.fromkeys(OFF, False)
    return config._replace(**off, simple_moves=True)


class Terms(Chip):
    """Lends what the configuration says of markets, tiers and leverages, as often as it says."""

    name = "terms"
    columns = ("count",)
    fixed = MESSAGE.fields

    def __init__(self, venue: Venue):
        self.rows = terms_of(venue)

    def constrain(self, row: Row, must: Must) -> None:
        """`count` is free, for the bus says what it must be."""
        must.send(MESSAGE, [row.tag, row.about, row.value, row.second, row.third], row.count)

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        """The terms, then rows of a tag that nobody takes."""
        if len(self.rows) > 1 << log_height:
            raise ValueError(f"{len(self.rows)} terms; a table of 2**{log_height} holds {1 << log_height}")
        rows = [*self.rows, *[(0,) * len(MESSAGE.fields)] * ((1 << log_height) - len(self.rows))]
        return [list(column) for column in zip(*rows, strict=True)]


Term = tuple[int, int, int, int, int]
Said = tuple[int, int, int]  # tag, about, value
# Terms that one message lends, by the first of their tags. That of a tier is about a market, and says which tier.
TOGETHER = {
    tags[0]: tags
    for tags in (
        (Tag.TIER, Tag.TIER_LOWER, Tag.TIER_UPPER),
        (Tag.MAINTENANCE, Tag.MAINTENANCE_DEDUCTION, Tag.PRICE_AGE_MAX_MS),
        (Tag.CLOSE_OUT, Tag.CLOSE_OUT_DEDUCTION),
        (Tag.INITIAL_FRACTION, Tag.TIER_UPPER),
        (Tag.OPEN_INTEREST_LOWER, Tag.OPEN_INTEREST_SPAN, Tag.OPEN_INTEREST_CAP),
    )
}
ALONE = (Tag.SYNTHETIC, Tag.PRICE_AGE_MAX_MS, Tag.POSITION_BOUND, Tag.LOSS_BUDGET, Tag.LEVERAGE_FLOOR, Tag.ORACLE_KEY)


@lru_cache(maxsize=16)
def terms_of(venue: Venue) -> tuple[Term, ...]:
    """Rows (tag, about, values); about a tier is its market times 2**32, and its place."""
    values = values_of(venue)
    rows: list[Term] = []
    for (tag, about), value in values.items():
        tags = TOGETHER.get(Tag(tag), ())
        if tags and tag != Tag.TIER:
            second, third = ([values[other, about] for other in tags[1:]] + [0])[:2]
            rows.append((tag, about, value, second, third))
        elif tag == Tag.TIER:
            lower, upper = (values[other, about] for other in tags[1:])
            rows.append((tag, div_floor(about, ABOUT), value, lower, upper))
        if tag in ALONE and about < ABOUT:
            rows.append((tag, about, value, 0, 0))
    return tuple(rows)


def _said(venue: Venue) -> list[Said]:
    """Every term by itself."""
    rows: list[Said] = []
    for terms in venue.config.markets:
        rows += _tiers(terms)
        span = terms.open_interest_upper - terms.open_interest_lower
        rows += [
            (tag, terms.market_id, int(value))
            for tag, value in (
                (Tag.SYNTHETIC, terms.synthetic_id),
                (Tag.PRICE_AGE_MAX_MS, terms.price_age_max_ms),
                (Tag.POSITION_BOUND, terms.tiers[-1].bound),
                (Tag.OPEN_INTEREST_LOWER, terms.open_interest_lower),
                (Tag.OPEN_INTEREST_SPAN, span),
                (Tag.OPEN_INTEREST_CAP, min(int(terms.open_interest_cap), NOTIONAL_LIMIT - 1)),
                (Tag.LOSS_BUDGET, terms.loss_budget),
            )
        ]
    floors = [0, *(int(leverage_floor(leverage)) for leverage in range(1, LEVERAGE_MAX + 1))]
    rows += [(Tag.LEVERAGE_FLOOR, leverage, floor) for leverage, floor in enumerate(floors)]
    rows += [(Tag.ORACLE_KEY, signer, int(key)) for signer, key in enumerate(venue.config.oracle_keys)]
    return rows


@lru_cache(maxsize=16)
def values_of(venue: Venue) -> dict[tuple[int, int], int]:
    """What the configuration says by tag and what it is about; a tier is about its market and its place.

    The key of the cache is the whole configuration: who asks often keeps the answer.
    """
    return {(tag, about): value for tag, about, value in _said(venue)}


def _tiers(terms: MarketTerms) -> list[Said]:
    """Brackets of a market, tier by tier; their initial fractions before open interest moved them."""
    found = []
    lower = 0
    rows = risk_of(terms, Price(1)).rows
    for tier, row in enumerate(rows):
        upper = int(row.bound) if tier < len(rows) - 1 else UNBOUNDED
        for tag, value in (
            (Tag.TIER, tier),
            (Tag.PRICE_AGE_MAX_MS, int(terms.price_age_max_ms)),
            (Tag.TIER_LOWER, lower),
            (Tag.TIER_UPPER, upper),
            (Tag.INITIAL_FRACTION, int(row.initial)),
            (Tag.MAINTENANCE, int(row.maintenance)),
            (Tag.MAINTENANCE_DEDUCTION, int(row.maintenance_deduction)),
            (Tag.CLOSE_OUT, int(row.close_out)),
            (Tag.CLOSE_OUT_DEDUCTION, int(row.close_out_deduction)),
        ):
            found.append((int(tag), int(terms.market_id) * ABOUT + tier, value))
        lower = upper + 1
    return found


assert FRACTION_BITS == 32  # the shifts of `arithmetic` lean on it
