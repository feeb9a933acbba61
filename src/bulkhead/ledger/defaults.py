"""A complete default configuration: five markets, one dollar, as tests, the demo and a fresh venue use it."""

from __future__ import annotations

from bulkhead.fixed import BASIS_POINT, ONE, fraction
from bulkhead.ledger.config import AssetTerms, VenueConfig
from bulkhead.limits import QUOTE_LIMIT
from bulkhead.rules.fees import FeeTier, rate
from bulkhead.rules.grid import default_grid
from bulkhead.rules.terms import MarketTerms, Tier
from bulkhead.units import AssetId, BookPrice, Felt, Fraction, MarketId, Quote, Size

USD = AssetId(1)
MILLION = 1_000_000_000_000  # of 10^-6 USD
MAJORS, OTHERS = 1, 2

DOLLAR = AssetTerms(USD, "USD", Felt(1), 1_000_000, True, Fraction(0), QUOTE_LIMIT >> 1, ONE, 0)


def tiers(initial: int, scale: int) -> tuple[Tier, ...]:
    """Continuous tiers from an initial requirement in 1/10,000: maintenance 60 %, close-out 40 % of it.

    Brackets at 1, 5 and 20 million dollars times `scale`; the marginal initial fraction rises 1, 2, 4 times.
    """
    bounds = ((1, 1), (5, 2), (20, 4))
    return tuple(
        Tier(
            Quote(bound * scale * MILLION),
            fraction(initial * factor, 10_000),
            fraction(initial * factor * 6, 100_000),
            fraction(initial * factor * 4, 100_000),
        )
        for bound, factor in bounds
    )


def market(place: int, asset: str, resolution: int, *, is_major: bool, initial: int) -> MarketTerms:
    """One market's default terms. `resolution` is lots per unit of the base asset."""
    scale = 10 if is_major else 1
    return MarketTerms(
        market_id=MarketId(place),
        name=f"{asset}-USD",
        synthetic_id=Felt(int.from_bytes(f"{asset}-6".encode().ljust(15, b"\0"), "big")),
        asset_id=USD,
        resolution=resolution,
        group=MAJORS if is_major else OTHERS,
        tiers=tiers(initial, scale),
        open_interest_lower=Quote(100 * scale * MILLION),
        open_interest_upper=Quote(400 * scale * MILLION),
        open_interest_cap=Quote(300 * scale * MILLION),
        tick=BookPrice(1),
        size_min=Size(1),
        order_value_max=Quote(10 * scale * MILLION),
        band=fraction(5 if is_major else 10, 100),
        slippage=fraction(5 if is_major else 15, 10_000),
        price_step=fraction(10 if is_major else 20, 100),
        price_age_max_ms=60_000,
        loss_budget=Quote(scale * MILLION >> 1),
        funding_cap=fraction(4, 100),
        funding_interest=BASIS_POINT,
    )


MARKETS = (
    market(1, "BTC", 1_000_000, is_major=True, initial=200),
    market(2, "ETH", 100_000, is_major=True, initial=200),
    market(3, "XRP", 10, is_major=False, initial=500),
    market(4, "LTC", 10_000, is_major=False, initial=500),
    market(5, "EOS", 1_000, is_major=False, initial=1_000),
)

FEES = (
    FeeTier(Quote(0), rate(2, 10_000), rate(5, 10_000)),
    FeeTier(Quote(5 * MILLION), rate(1, 10_000), rate(4, 10_000)),
    FeeTier(Quote(25 * MILLION), rate(0, 1), rate(35, 100_000)),
    FeeTier(Quote(100 * MILLION), rate(-5, 100_000), rate(25, 100_000)),
)


def default_config(
    oracle_keys: tuple[Felt, ...], backstop_key: Felt, chain_id: str = "BH_1337_local"
) -> VenueConfig:
    """The default venue, with the keys of its own oracle signers and backstop."""
    return VenueConfig(
        chain_id=chain_id,
        assets=(DOLLAR,),
        markets=MARKETS,
        oracle_keys=oracle_keys,
        grid=default_grid(MAJORS, OTHERS),
        fees=FEES,
        backstop_key=backstop_key,
    )
