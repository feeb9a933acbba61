"""What a tick costs with a thousand accounts of eight positions, and how many liquidations a second the keepers do.

The references are the slow twins: looking at every account at every tick, and the ledger's own liquidation step
without choosing, auction and witness.
"""

from __future__ import annotations

import random
import time

from bulkhead.engine.arrange import MarginMode
from bulkhead.engine.book import BUY
from bulkhead.engine.command import PlaceOrder, Prices, Submit
from bulkhead.engine.order import Terms
from bulkhead.engine.preview import preview, size_for
from bulkhead.engine.sequencer import Sequencer
from bulkhead.engine.what_if import what_if
from bulkhead.keepers.venue import Venue
from bulkhead.keepers.witness import Witness
from bulkhead.ledger import tx
from bulkhead.ledger.apply import apply
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.defaults import default_config, market
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.liquidate import liquidate as ledger_step
from bulkhead.ledger.state import Kind, MarginRule, State, genesis
from bulkhead.ledger.tx import Deposit, LiquidationFill, OracleReport, Order, Register, Trade
from bulkhead.signing import Signature
from bulkhead.units import AccountId, AssetId, BookPrice, Felt, MarketId, Price, Quote, Size, TimeMs, TimeS

ACCOUNTS = 1_000
MARKETS = 8
TICKS = 60
VICTIMS = 300
START = TimeMs(1_700_000_000_000)
PRICE = 1_000
NOBODY = Signature(0, 0)

Row = dict[str, str | float]


class Floor:
    """A venue with one rich maker, who trades with everybody."""

    def __init__(self) -> None:
        base = default_config((Felt(2), Felt(3), Felt(4)), Felt(5))
        markets = tuple(market(place, f"M{place}", 1_000_000, is_major=True, initial=500) for place in range(1, 9))
        self.config: VenueConfig = base._replace(markets=markets)
        self.authority = Authority(self.config, verify=False)
        self.state: State = genesis(self.config, START)
        self.venue = Venue(Sequencer(self.state, self.authority))
        self.now, self.salt, self.deposits = START, 0, 0
        self.prices = dict.fromkeys(range(1, MARKETS + 1), PRICE << 32)
        self.open(128, 10**15)
        self.tick()

    def open(self, account_id: int, amount: int) -> None:
        key, account = Felt(account_id), AccountId(account_id)
        register = Register(self.now, account, Kind.MAIN, MarginRule.LINEAR, key, 0, AccountId(0), AssetId(1), NOBODY)
        self.venue.handle(Submit(self.now, register))
        self.deposits += 1
        self.venue.handle(Submit(self.now, Deposit(self.now, self.deposits, account, AssetId(1), amount)))

    def tick(self) -> float:
        """Milliseconds that new prices took."""
        self.now = TimeMs(self.now + 1_000)
        sequence = self.state.oracle.sequence + 1
        vector = tuple((feed, Price(price)) for feed, price in self.prices.items())
        reports = tuple(OracleReport(signer, sequence, self.now, vector, NOBODY) for signer in range(3))
        start = time.perf_counter()
        self.events = self.venue.handle(Prices(self.now, reports))
        return (time.perf_counter() - start) * 1e3

    def order(self, account_id: int, market_id: int, size: int, price: int) -> Order:
        self.salt += 1
        quote, expiry = -size * price, TimeS(self.now // 1000 + 40 * 86_400)
        fee = Quote(-(-abs(quote) // 1_000))
        return Order(
            AccountId(account_id),
            MarketId(market_id),
            Size(size),
            Quote(quote),
            fee,
            expiry,
            self.salt,
            Felt(account_id),
            NOBODY,
        )

    def trade(self, account_id: int, market_id: int, size: int) -> None:
        """The account takes `size` signed lots from the maker at the index, past the book."""
        pair = (self.order(128, market_id, -size, PRICE), self.order(account_id, market_id, size, PRICE))
        trade = Trade(self.now, MarketId(market_id), *pair, Size(abs(size)), BookPrice(PRICE), Quote(0), Quote(0))
        receipt = apply(self.state, trade, self.authority)
        if receipt.reject is not None:
            raise RuntimeError(f"the benchmark's own trade was refused: {receipt.reject.name}")


def ticks(*, is_thorough: bool) -> list[float]:
    """Milliseconds of each tick in which every price moves a little and nobody is liquidated."""
    generator = random.Random(1)
    floor = Floor()
    for number in range(ACCOUNTS):
        account_id = 192 + 64 * number
        floor.open(account_id, 40 * 10**6)  # leverage of three to eight
        for market_id in range(1, MARKETS + 1):
            floor.trade(account_id, market_id, generator.choice((1, -1)) * generator.randrange(15_000, 40_000))
    floor.venue.liquidator.is_thorough = is_thorough
    floor.tick()
    spent = []
    for _ in range(TICKS):
        for feed in floor.prices:
            floor.prices[feed] += floor.prices[feed] * generator.randrange(-5, 6) // 10_000
        spent.append(floor.tick())
    if any(isinstance(event, Witness) for event in floor.events):
        raise RuntimeError("the benchmark was not to liquidate anybody")
    return sorted(spent)


def liquidations() -> tuple[float, float]:
    """Steps a second through the book, witnesses included; and of the ledger alone."""
    floor = Floor()
    for number in range(VICTIMS):
        account_id = 192 + 64 * number
        floor.open(account_id, 8_000 * 10**6)
        for market_id in range(1, MARKETS + 1):
            floor.trade(account_id, market_id, 15_000_000)
    for feed in floor.prices:
        floor.prices[feed] = 961 << 32
        order = floor.order(128, feed, 10**10, 960)
        floor.venue.handle(PlaceOrder(floor.now, order, Terms()))
    floor.prices = dict.fromkeys(floor.prices, 960 << 32)
    spent = floor.tick() / 1e3
    steps = [event for event in floor.events if isinstance(event, Witness)]
    if len(steps) < VICTIMS:
        raise RuntimeError(f"only {len(steps)} of {VICTIMS} accounts were liquidated")
    return len(steps) / spent, _ledger_alone(floor, steps)


def _ledger_alone(floor: Floor, steps: list[Witness]) -> float:
    """The same first fills again, in drafts that nobody commits, over accounts put back as they were."""
    order = floor.order(128, 1, 10**10, 960)
    jobs = []
    for step in steps:
        part = step.parts[0]
        order = floor.order(128, part.market_id, 10**10, 960)
        fill = LiquidationFill(part.market_id, part.size, part.price, order, Quote(0))
        jobs.append((step, tx.Liquidation(floor.now, step.account.account_id, (fill,), 0)))
    start = time.perf_counter()
    for step, job in jobs:
        draft = Draft(floor.state)
        draft.time_ms = floor.now
        before = floor.state.accounts[step.account.account_id]
        draft.put(
            before._replace(balance=step.account.balance, positions=step.account.positions, liquidated_ms=TimeMs(0))
        )
        outcome = ledger_step(draft, job, floor.authority)
        if isinstance(outcome, int):
            raise RuntimeError(f"the ledger refused a step again: {outcome!r}")
    return len(jobs) / (time.perf_counter() - start)


def previews() -> tuple[float, float, float]:
    """Milliseconds to preview an order in four modes, to ask for all of them at 101 prices, and to size an order; for
    an account of eight positions."""
    floor = Floor()
    floor.open(192, 20_000 * 10**6)
    for market_id in range(1, MARKETS + 1):
        floor.trade(192, market_id, 15_000_000)
    sequencer, order = floor.venue.sequencer, floor.order(192, 1, 1_000_000, PRICE)
    start = time.perf_counter()
    for _ in range(20):
        preview(sequencer, order)
    shown = (time.perf_counter() - start) / 20
    index = int(sequencer.state.markets[1].price)
    prices = [{MarketId(1): Price(index * (50 + place) // 100)} for place in range(101)]
    start = time.perf_counter()
    what_if(sequencer, order, prices)
    asked = time.perf_counter() - start
    start = time.perf_counter()
    size_for(sequencer, AccountId(192), MarketId(1), BUY, MarginMode.ISOLATED, loss=Quote(500 * 10**6))
    return shown * 1e3, asked * 1e3, (time.perf_counter() - start) * 1e3


def run() -> list[Row]:
    """Every figure of this file."""
    quick, thorough = ticks(is_thorough=False), ticks(is_thorough=True)
    middle, last = TICKS // 2, TICKS - 1
    done, alone = liquidations()
    name = f"tick, {ACCOUNTS:,} accounts x {MARKETS} positions"
    rows: list[Row] = []
    for label, place in (("median", middle), ("slowest", last)):
        value, reference = quick[place], thorough[place]
        rows.append(
            {
                "figure": f"{name}, {label} (everybody looked at)",
                "value": value,
                "unit": "ms",
                "reference": reference,
                "ratio": reference / value,
            }
        )
    rows.append(
        {
            "figure": "liquidation steps through the book (ledger alone)",
            "value": done,
            "unit": "1/s",
            "reference": alone,
            "ratio": done / alone,
        }
    )
    shown, asked, sized = previews()
    # Screens ask for these while a person types: the reference is a tenth of a second, which feels immediate.
    for label, value in (
        ("preview of an order in four modes", shown),
        ("what-if of it at 101 prices", asked),
        ("size for a given loss", sized),
    ):
        rows.append(
            {
                "figure": f"{label}, {MARKETS} positions (100 ms)",
                "value": value,
                "unit": "ms",
                "reference": 100.0,
                "ratio": 100 / value,
            }
        )
    return rows


if __name__ == "__main__":
    for line in run():
        print("{figure:68} {value:10.2f} {unit:4} reference {reference:10.2f}  {ratio:6.2f}x".format(**line))
