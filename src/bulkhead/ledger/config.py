"""The venue's configuration: every number that decides validity and is not state. Changed only behind a timelock."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.fixed import BASIS_POINT, fraction, percent
from bulkhead.limits import FILLED_ORDERS_MAX
from bulkhead.rules.fees import FeeTier
from bulkhead.rules.scenario import Grid
from bulkhead.rules.terms import MarketTerms
from bulkhead.units import AccountId, AssetId, Felt, Fraction, Quote

BACKSTOP_ACCOUNT = AccountId(64)
"""The first signable id belongs to the venue's backstop, whose owner key signs its unwinding orders."""
FEED_OF_ASSET = 64
"""Oracle feeds: a market's id for its index, FEED_OF_ASSET + asset id for the price of other collateral."""


class AssetTerms(NamedTuple):
    """A collateral asset. `resolution` is its smallest units in one whole; prices are per smallest unit."""

    asset_id: AssetId
    name: str
    collateral_id: Felt
    resolution: int
    is_settlement: bool
    haircut: Fraction  # of other collateral; zero for a settlement asset
    cap: int  # most the venue accepts in total, smallest units
    price_step: Fraction  # largest move per minute of its oracle feed
    price_age_max_ms: int


class VenueConfig(NamedTuple):
    """Defaults are those of the design; a test or a lab run replaces single fields."""

    chain_id: str  # the last part of the signing domain, at most 31 characters
    assets: tuple[AssetTerms, ...]
    markets: tuple[MarketTerms, ...]
    oracle_keys: tuple[Felt, ...]
    grid: Grid
    fees: tuple[FeeTier, ...]
    backstop_key: Felt
    l1_charge: Quote = Quote(20_000)  # 0.02 USD of a trade's fees are set aside for settlement
    liquidation_fee: Fraction = 5 * BASIS_POINT  # type: ignore[assignment, operator]
    liquidation_penalty: Fraction = percent(1)
    liquidation_target: Fraction = fraction(125, 100)  # value restored, as a multiple of maintenance
    liquidation_pause_ms: int = 10_000
    liquidation_dust: Quote = Quote(1_000_000_000)  # what leaves less than 1,000 USD closes whole
    top_up_target: Fraction = fraction(125, 100)
    profit_lock: Fraction = percent(10)  # share of notional that withdrawn profit must leave
    forced_close_charge: Fraction = 10 * BASIS_POINT  # type: ignore[assignment, operator]
    expiry_max_s: int = 104 * 86_400  # 90 days, and the 14 days after which the book forgets an order
    filled_orders_max: int = FILLED_ORDERS_MAX
    scenario_accounts: bool = True
    other_collateral: bool = True
    top_up: bool = True
    simple_moves: bool = False  # see `ledger.move.is_simple`
    client_messages: bool = True  # what client libraries sign and no circuit knows is taken as well, see `Authority`

    def market(self, market_id: int) -> MarketTerms | None:
        """Terms by id, None when there is no such market."""
        for terms in self.markets:
            if terms.market_id == market_id:
                return terms
        return None

    def asset(self, asset_id: int) -> AssetTerms | None:
        """Terms by id, None when there is no such asset."""
        for terms in self.assets:
            if terms.asset_id == asset_id:
                return terms
        return None
