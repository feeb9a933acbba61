"""Worked examples that other venues published, with their rules configured here, and formulas on drawn accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from bulkhead.lab.validation.account import LAST_BOUND, Account, Bracket, Held
from bulkhead.rules.terms import risk_of
from bulkhead.units import Price

DYDX = "https://docs.dydx.xyz/concepts/trading/liquidations"
HYPERLIQUID = "https://hyperliquid.gitbook.io/hyperliquid-docs/trading/liquidations"
BINANCE = "https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93"
BINANCE_2021 = "https://gist.github.com/highfestiva/b71e76f51eed84d56c1be8ebbcc286b5"
NFTFN = "https://nftfn.notion.site/Liquidation-2cda358e78a942fcbd748361ccf201ba"
SQUARE = "https://www.binance.bh/es-AR/square/post/332652827451953"
EXTENDED = "https://docs.x10.exchange/x10-resources/trading/liquidation-logic"
LIGHTER = "https://docs.lighter.xyz (liquidations)"

BTC_2021 = (
    (50_000, 0.004, 0), (250_000, 0.005, 50), (1_000_000, 0.01, 1_300), (10_000_000, 0.025, 16_300),
    (20_000_000, 0.05, 266_300), (50_000_000, 0.10, 1_266_300), (100_000_000, 0.125, 2_516_300),
    (200_000_000, 0.15, 5_016_300), (300_000_000, 0.25, 25_016_300), (500_000_000, 0.50, 100_016_300),
)  # fmt: skip
"""Binance's BTCUSDT brackets of 2021: bound, maintenance rate, maintenance amount (what is deducted)."""
DRAWS = 200
TICK = 1 / 20_000
"""The largest tick of a book price, as a share: a zero price is a whole number of them."""


class Compared(NamedTuple):
    """One figure of theirs and ours. `difference` is relative, at most `within`; None: not expected to agree."""

    venue: str
    what: str
    theirs: float
    ours: float
    within: float | None
    address: str
    note: str = ""

    @property
    def difference(self) -> float:
        return abs(self.ours - self.theirs) / max(abs(self.theirs), 1e-12)

    @property
    def is_held(self) -> bool:
        """Within what is expected; figures that are not expected to agree hold by being reported."""
        return self.within is None or self.difference <= self.within


def flat(rate: float) -> tuple[Bracket, ...]:
    """One tier without an end."""
    return (Bracket(LAST_BOUND, rate),)


def _price(wallet: float, held: Held) -> float:
    found = Account(wallet, [held]).liquidation_price()
    assert found is not None  # every account here can be liquidated
    return found


def examples() -> list[Compared]:
    """Worked examples with numbers, each against the same account here."""
    found = [
        Compared(
            "dYdX v4", "short 3 ETH at 3,000, 1,000 USD, maintenance 5 %: liquidation price", 10_000 / 3.15,
            _price(1_000, Held(-3, 3_000, 3_000, flat(0.05))), 1e-6, DYDX,
        ),
        Compared(
            "NFTFN", "short 100 at 10, 100 of collateral, maintenance 6.25 %: liquidation price",
            1_100 / (1.0625 * 100),
            _price(100, Held(-100, 10, 10, flat(0.0625))), 1e-6, NFTFN,
        ),
        Compared(
            "Binance", "long 1,000 USD of BTC at 67,000, ten times, 0.4 %: the exact formula",
            (100 - 1_000) / (1_000 / 67_000 * (0.004 - 1)),
            _price(100, Held(1_000 / 67_000, 67_000, 67_000, flat(0.004))), 1e-4, BINANCE,
            "coins are whole lots here",
        ),
        Compared(
            "Binance Square", "the same by its rule of thumb, entry · (1 − 1/leverage + rate)", 60_568,
            _price(100, Held(1_000 / 67_000, 67_000, 67_000, flat(0.004))), None, SQUARE,
            "the rule of thumb takes maintenance at the entry price, the venue at the price of liquidation",
        ),
    ]  # fmt: skip
    brackets = tuple(Bracket(bound, rate) for bound, rate, _ in BTC_2021)
    risk = risk_of(Account(1.0, [Held(1, 1, 1, brackets)]).terms[0], Price(1 << 32))
    for (bound, rate, amount), row in zip(BTC_2021, risk.rows, strict=True):
        ours = int(row.maintenance_deduction) / 2**64 / 1e6
        what = f"BTCUSDT 2021, up to ${bound:,}, {100 * rate:g} %: maintenance amount"
        if amount:
            found.append(Compared("Binance", what, amount, ours, 1e-5, BINANCE_2021))
    return found


def binance_price(wallet: float, held: Held, deductions: list[float]) -> float:
    """Binance's published price of a position alone in a cross or isolated wallet: the tier is that of the answer.

    (wallet + amount − side · size · entry) / (size · (rate − side))
    """
    side = 1 if held.coins > 0 else -1
    size = abs(held.coins)
    for bracket, amount in zip(held.brackets, deductions, strict=True):
        price = (wallet + amount - side * size * held.entry) / (size * (bracket.maintenance - side))
        if price * size <= bracket.bound:
            return price
    return price


def drawn(seed: int) -> list[Compared]:
    """The largest relative difference on `DRAWS` drawn accounts, for each published formula."""
    makers: tuple[tuple[str, str, str, Callable[[np.random.Generator], tuple[float, float]]], ...] = (
        ("Binance", "liquidation price over the brackets of 2021, long and short", BINANCE, _binance),
        ("dYdX v4", "(e − s·p) / (|s|·MMF − s)", DYDX, _dydx),
        (
            "Hyperliquid",
            "price − side · margin available / size / (1 − l · side), tiers at the answer",
            HYPERLIQUID,
            _hyper,
        ),
        ("Lighter, dYdX v3", "zero price P·(1 − side·M·V/W), two markets", LIGHTER, _zero),
        ("Extended", "margin ratio: Σ maintenance over equity, two markets", EXTENDED, _ratio),
    )
    found = []
    for place, (venue, what, address, make) in enumerate(makers):
        draw = np.random.Generator(np.random.Philox(key=[seed, place]))
        pairs = [make(draw) for _ in range(DRAWS)]
        theirs, ours = max(pairs, key=lambda pair: abs(pair[0] - pair[1]) / abs(pair[0]))
        within = TICK if make is _zero else 2e-5
        found.append(
            Compared(venue, f"{what}: worst of {DRAWS} drawn accounts", theirs, ours, within, address,
                     "prices here are whole 10^-6 USD a lot, rates whole 2^-32")
        )  # fmt: skip
    return found


def _draw(draw: np.random.Generator, brackets: tuple[Bracket, ...], most: float) -> tuple[float, Held]:
    """A wallet and a position of up to `most` USD at 5 to 40 % of equity, alone in it."""
    price = float(np.exp(draw.uniform(np.log(1.0), np.log(80_000.0))))
    notional = float(np.exp(draw.uniform(np.log(5_000.0), np.log(most))))
    side = 1 if draw.random() < 0.5 else -1
    coins = side * round(notional / price * 1_000) / 1_000 or side * 1.0
    wallet = abs(coins) * price * float(draw.uniform(0.3, 0.6))
    return round(wallet, 6), Held(coins, price, price, brackets)


def _binance(draw: np.random.Generator) -> tuple[float, float]:
    brackets = tuple(Bracket(bound, rate) for bound, rate, _ in BTC_2021)
    wallet, held = _draw(draw, brackets, 5e6)
    return binance_price(wallet, held, [amount for _, _, amount in BTC_2021]), _price(wallet, held)


def _dydx(draw: np.random.Generator) -> tuple[float, float]:
    rate = float(draw.choice([0.012, 0.03, 0.05, 0.1]))
    wallet, held = _draw(draw, flat(rate), 1e6)
    equity, size = wallet, held.coins
    return (equity - size * held.price) / (abs(size) * rate - size), _price(wallet, held)


def _hyper(draw: np.random.Generator) -> tuple[float, float]:
    """BTC's tiers: 40 times to 150 million USD, then 20 times; maintenance is half of initial."""
    brackets = (Bracket(150e6, 0.0125), Bracket(LAST_BOUND, 0.025))
    wallet, held = _draw(draw, brackets, 600e6)
    side, size = (1 if held.coins > 0 else -1), abs(held.coins)
    for rate, deduction, bound in ((0.0125, 0.0, 150e6), (0.025, 150e6 * 0.0125, np.inf)):
        available = wallet - (size * held.price * rate - deduction)
        price = held.price - side * available / size / (1 - rate * side)
        if price * size <= bound:
            break
    return float(price), _price(wallet, held)


def _pair(draw: np.random.Generator) -> tuple[float, list[Held]]:
    found: list[Held] = []
    wallet = 0.0
    for rate in (0.012, 0.05):
        money, held = _draw(draw, flat(rate), 1e6)
        wallet += 0.2 * money
        found.append(held)
    return round(wallet, 6), found


def _zero(draw: np.random.Generator) -> tuple[float, float]:
    wallet, held = _pair(draw)
    weights = [abs(one.coins) * one.price * one.brackets[0].maintenance for one in held]
    one = held[0]
    side = 1 if one.coins > 0 else -1
    theirs = one.price * (1 - side * one.brackets[0].maintenance * wallet / sum(weights))
    return theirs, Account(wallet, held).zero_price(0)


def _ratio(draw: np.random.Generator) -> tuple[float, float]:
    wallet, held = _pair(draw)
    account = Account(wallet, held)
    theirs = sum(abs(one.coins) * one.price * one.brackets[0].maintenance for one in held) / wallet
    return theirs, account.maintenance() / account.value()


def everything(seed: int) -> Iterator[Compared]:
    """Worked examples, then formulas."""
    yield from examples()
    yield from drawn(seed)
