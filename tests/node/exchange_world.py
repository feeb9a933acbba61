"""Random commands of a small venue: made from a seed alone, so that any process can make the same ones."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

from bulkhead.engine.command import (
    CancelAll,
    CancelOrder,
    Clock,
    Command,
    MassCancel,
    PlaceOrder,
    PlaceProtection,
    Prices,
    SealBatch,
    SetDeadMan,
    SetLeverageCap,
    SetStatus,
    Submit,
)
from bulkhead.engine.order import (
    Direction,
    Execution,
    Leg,
    OrderType,
    PriceSource,
    Protects,
    Terms,
    TimeInForce,
    Trigger,
)
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, VenueConfig
from bulkhead.ledger.defaults import default_config
from bulkhead.ledger.state import Choice, Kind, MarginRule, Mode, Status
from bulkhead.ledger.tx import (
    AssetLeg,
    Configure,
    Deposit,
    FundDeposit,
    Move,
    OracleReport,
    Order,
    PositionLeg,
    Register,
    Transfer,
    Withdrawal,
)
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.signing import Signature
from bulkhead.units import AccountId, AssetId, BookPrice, Felt, MarketId, Price, Quote, Size, TimeMs, TimeS

UNSIGNED = Signature(0, 0)
USD = AssetId(1)
START_MS = TimeMs(1_700_000_000_000)
TRADERS = (128, 192, 256, 320, 384)
SCENARIO, STRATEGY = 320, 384
DOLLAR = 1_000_000
OPENING = {1: 30_000, 2: 20_000, 3: 60_000}  # whole quote per lot


def small_config() -> VenueConfig:
    """The default venue, cut to three markets."""
    config = default_config((Felt(2), Felt(3), Felt(4)), Felt(5), chain_id="BH_0_test")
    return config._replace(markets=config.markets[:3])


class Scribe:
    """Writes commands; remembers only what a client would: time, prices, salts, numbers of queues."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.time_ms = int(START_MS)
        self.price = dict(OPENING)
        self.salt = self.ticks = self.deposits = self.names = 0
        self.nonces = dict.fromkeys(TRADERS, 0)
        self.recent: list[tuple[int, str]] = []  # (account, external id)

    # -- parts -----------------------------------------------------------------------------------------------------

    def now(self) -> TimeMs:
        return TimeMs(self.time_ms)

    def owner(self, account_id: int) -> Felt:
        return Felt(1_000 + (128 if account_id == STRATEGY else account_id))

    def name(self, account_id: int) -> str:
        self.names += 1
        self.recent = [*self.recent[-40:], (account_id, f"order {self.names}")]
        return f"order {self.names}"

    def order(self, account_id: int, market_id: int, size: int, price: int, life_s: int = 600) -> Order:
        self.salt += 1
        value = abs(size) * price
        return Order(
            AccountId(account_id),
            MarketId(market_id),
            Size(size),
            Quote(-value if size > 0 else value),
            Quote(value // 1_000 + 1),
            TimeS(self.time_ms // 1_000 + EXPIRY_GRACE_S + life_s),
            self.salt,
            self.owner(account_id),
            UNSIGNED,
        )

    def draw(self) -> tuple[int, int, int]:
        """Trader, market, signed size of a few hundred to a few thousand dollars."""
        market_id = self.random.choice(list(self.price))
        lots = self.random.randint(100, 30_000) * DOLLAR // self.price[market_id] // 10
        return self.random.choice(TRADERS), market_id, lots * self.random.choice((1, -1))

    def near(self, market_id: int, size: int) -> int:
        """A price around the index, as often through it as short of it."""
        shift = self.random.randint(-30, 20)
        price = self.price[market_id] * (10_000 + (shift if size > 0 else -shift)) // 10_000
        return max(1, price)

    def leg(self, account_id: int, market_id: int, size: int, direction: Direction) -> Leg:
        level = self.price[market_id] * (10_000 + (150 if direction is Direction.UP else -150)) // 10_000
        worst = level * (10_300 if size > 0 else 9_700) // 10_000
        source = self.random.choice(list(PriceSource))
        order = self.order(account_id, market_id, size, worst)
        return Leg(order, Trigger(source, direction, BookPrice(level), Execution.MARKET))

    # -- commands --------------------------------------------------------------------------------------------------

    def limit(self) -> Command:
        account_id, market_id, size = self.draw()
        order = self.order(account_id, market_id, size, self.near(market_id, size), self.random.choice((5, 600)))
        terms = Terms(
            self.name(account_id),
            post_only=self.random.random() < 0.2,
            reduce_only=self.random.random() < 0.1,
            time_in_force=TimeInForce.GTT,
        )
        mine = [external_id for other_id, external_id in self.recent[:-1] if other_id == account_id]
        replaced = mine[-1] if mine and self.random.random() < 0.1 else ""
        if self.random.random() < 0.8:
            return PlaceOrder(self.now(), order, terms, replaced)
        up, down = (self.leg(account_id, market_id, -size, direction) for direction in Direction)
        return PlaceOrder(self.now(), order, terms, replaced, up, down, self.random.choice(list(Protects)))

    def take(self) -> Command:
        account_id, market_id, size = self.draw()
        worst = self.price[market_id] * (10_200 if size > 0 else 9_800) // 10_000
        kind = self.random.choice((OrderType.LIMIT, OrderType.MARKET))
        force = self.random.choice((TimeInForce.IOC, TimeInForce.FOK))
        return PlaceOrder(self.now(), self.order(account_id, market_id, size, worst), Terms("", kind, force))

    def conditional(self) -> Command:
        account_id, market_id, size = self.draw()
        direction = self.random.choice(list(Direction))
        leg = self.leg(account_id, market_id, size, direction)
        terms = Terms(self.name(account_id), OrderType.CONDITIONAL, trigger=leg.trigger)
        return PlaceOrder(self.now(), leg.order, terms)

    def protect(self) -> Command:
        account_id, market_id, size = self.draw()
        up, down = (self.leg(account_id, market_id, size, direction) for direction in Direction)
        whole = self.random.random() < 0.5
        known = [external_id for other_id, external_id in self.recent if other_id == account_id]
        replaced = self.random.choice(known) if known and self.random.random() < 0.5 else ""
        return PlaceProtection(
            self.now(),
            AccountId(account_id),
            MarketId(market_id),
            self.name(account_id),
            Size(0 if whole else abs(size)),
            up,
            down,
            replaced,
        )

    def cancel(self) -> Command:
        account_id, external_id = self.random.choice(self.recent)
        return CancelOrder(self.now(), AccountId(account_id), external_id=external_id)

    def sweep(self) -> Command:
        account_id = AccountId(self.random.choice(TRADERS))
        names = tuple(external_id for _, external_id in self.recent[-3:])
        return self.random.choice(
            (
                CancelAll(self.now(), account_id),
                MassCancel(self.now(), account_id, external_ids=names),
                MassCancel(self.now(), account_id, market_ids=(MarketId(1), MarketId(9))),
                SetDeadMan(self.now(), account_id, self.random.choice((0, 3_000))),
                SetLeverageCap(self.now(), account_id, MarketId(2), self.random.choice((0, 5, 10))),
            )
        )

    def nonce(self, account_id: int) -> int:
        self.nonces[account_id] += 1
        return self.nonces[account_id]

    def configure(self) -> Command:
        account_id, market_id, _ = self.draw()
        mode = self.random.choice(list(Mode))
        choice = Choice(MarketId(market_id), mode, self.random.choice((0, 5, 20)), Quote(500 * DOLLAR))
        expiry = TimeS(self.time_ms // 1_000 + 60)
        nonce = self.nonce(account_id)
        return Submit(self.now(), Configure(self.now(), AccountId(account_id), choice, expiry, nonce, UNSIGNED))

    def money(self) -> Command:
        account_id, market_id, size = self.draw()
        amount = self.random.randint(1, 2_000) * DOLLAR
        expiry = TimeS(self.time_ms // 1_000 + 60)
        self.salt += 1
        own, other, main = AccountId(account_id), AccountId(192), AccountId(128)
        legs = (AssetLeg(main, AccountId(STRATEGY), USD, amount),)
        parts = (PositionLeg(main, AccountId(STRATEGY), MarketId(market_id), Size(size)),)
        kind = self.random.randrange(5)
        if kind == 0:
            return Submit(self.now(), Withdrawal(self.now(), own, USD, amount, 7, expiry, self.salt, UNSIGNED))
        if kind == 1:
            return Submit(self.now(), Transfer(self.now(), own, other, USD, amount, expiry, self.salt, UNSIGNED))
        if kind == 2:
            nonce = self.nonce(128)
            move = Move(self.now(), main, legs, parts if size > 0 else (), (), expiry, nonce, UNSIGNED)
            return Submit(self.now(), move)
        self.deposits += 1
        if kind == 3:
            return Submit(self.now(), FundDeposit(self.now(), self.deposits, USD, Quote(amount)))
        return Submit(self.now(), Deposit(self.now(), self.deposits, own, USD, amount))

    def status(self) -> Command:
        status = self.random.choice((*[Status.ACTIVE] * 6, *Status))
        return SetStatus(self.now(), MarketId(3), status)

    def clock(self) -> Command:
        self.time_ms += self.random.choice((500, 5_000, 70_000))
        return Clock(self.now())

    def tick(self) -> Command:
        """New prices; now and then one market jumps, and liquidates somebody or is refused."""
        self.ticks += 1
        self.time_ms += 1
        jumping = self.random.choice((1, 2)) if self.random.random() < 0.1 else 0
        for market_id, opening in OPENING.items():
            share = self.random.choice((-950, -600, 600, 950)) if market_id == jumping else self.random.randint(-30, 30)
            price = self.price[market_id] * (10_000 + share) // 10_000
            self.price[market_id] = min(max(price, opening // 2), opening * 2)
        prices = tuple((market_id, Price(price << 32)) for market_id, price in self.price.items())
        reports = tuple(OracleReport(signer, self.ticks, self.now(), prices, UNSIGNED) for signer in range(3))
        return Prices(self.now(), reports)

    # -- the whole -------------------------------------------------------------------------------------------------

    def opening(self) -> Iterator[Command]:
        """Accounts with money, first prices, and a first quote on each side."""
        everybody = [(int(BACKSTOP_ACCOUNT), Kind.BACKSTOP, Felt(5), 0)]
        for account_id in TRADERS:
            is_strategy = account_id == STRATEGY
            kind = Kind.STRATEGY if is_strategy else Kind.MAIN
            everybody.append((account_id, kind, self.owner(account_id), 128 if is_strategy else 0))
        for account_id, kind, key, parent_id in everybody:
            rule = MarginRule.SCENARIO if account_id == SCENARIO else MarginRule.LINEAR
            own, parent = AccountId(account_id), AccountId(parent_id)
            yield Submit(
                self.now(), Register(self.now(), own, kind, rule, key, 7 + account_id, parent, USD, UNSIGNED)
            )
            self.deposits += 1
            amount = self.random.choice((300, 3_000, 100_000)) * DOLLAR
            yield Submit(self.now(), Deposit(self.now(), self.deposits, own, USD, amount))
        self.time_ms += 1_000
        yield self.tick()
        yield self.limit()

    def commands(self) -> Iterator[Command]:
        """The opening, then anything at all, and a seal after every 30th, for ever."""
        yield from self.opening()
        makers: list[tuple[Callable[[], Command], int]] = [
            (self.limit, 45),
            (self.take, 15),
            (self.cancel, 12),
            (self.tick, 10),
            (self.clock, 4),
            (self.conditional, 3),
            (self.protect, 3),
            (self.sweep, 3),
            (self.configure, 2),
            (self.money, 3),
            (self.status, 2),
        ]
        kinds, weights = zip(*makers, strict=True)
        for count in itertools.count(1):
            self.time_ms += self.random.choice((0, 0, 1, 40, 700))
            if count % 30 == 0:
                yield SealBatch(self.now())
            yield self.random.choices(kinds, weights)[0]()
