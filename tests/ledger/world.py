"""Random worlds: seven accounts that trade, move, are liquidated and topped up, from a list of plain numbers.

`World.step((action, who, other, market, amount, spice))` makes a transaction that has a chance to be accepted, applies
it, and checks what must hold after any transaction at all. Every test of a rule looks at `before` and `state`.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import strategies

from bulkhead.fixed import ONE, percent
from bulkhead.ledger import tx
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.ledger.apply import apply
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import FEED_OF_ASSET, AssetTerms, VenueConfig
from bulkhead.ledger.defaults import default_config
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.invariants import violations
from bulkhead.ledger.liquidate import chosen_position, is_restored, linear_closing, slice_of, zero_price_of
from bulkhead.ledger.receipt import Receipt
from bulkhead.ledger.state import Account, Choice, Kind, MarginRule, Mode, State, Status, genesis
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.rules.liquidation import step_size
from bulkhead.rules.terms import Health
from bulkhead.signing import Signature
from tests.play import digest

START_MS = 1_700_000_000_000
UNSIGNED = Signature(1, 1)
MAKER, OWNER, STRATEGY, TAKER, SCENARIO = 128, 192, 256, 320, 384
ACCOUNTS = (MAKER, OWNER, STRATEGY, TAKER, SCENARIO)
MARKETS = (1, 2, 3)
PRICES = {1: 50_000, 2: 30_000, 3: 50_000}  # micro-dollars per lot
WBTC = 3

EDGES = [0, 1, 2, 3, *(2**power + off for power in (8, 16, 31, 32, 33, 50, 58, 62, 63, 64) for off in (-1, 0, 1))]
amounts = strategies.one_of(
    strategies.sampled_from(EDGES), strategies.integers(0, 10**6), strategies.integers(0, 10**10)
)
small = strategies.integers(0, 1000)
steps = strategies.tuples(strategies.integers(0, 99), small, small, small, amounts, small)


def numbers_of(seed: int) -> list[tuple[int, ...]]:
    """A long world from a seed: uniform where hypothesis would stay near its edges."""
    dice = Random(seed)
    found = []
    for _ in range(80):
        amount = dice.choice((dice.choice(EDGES), *(dice.randrange(10**power) for power in (6, 9, 10))))
        found.append((dice.randrange(100), *(dice.randrange(1001) for _ in range(3)), amount, dice.randrange(1001)))
    return found


worlds = strategies.one_of(
    strategies.lists(steps, min_size=5, max_size=40), strategies.integers(0, 2**32).map(numbers_of)
)


def venue() -> Any:
    """The default venue with one signer, a wide step and room for losses of every kind."""
    config = default_config((7,), 8)
    markets = tuple(
        terms._replace(price_step=ONE >> 1, loss_budget=20_000_000_000, open_interest_lower=10**11)
        for terms in config.markets[:3]
    )
    wbtc = AssetTerms(WBTC, "WBTC", WBTC, 10**8, False, percent(10), 1 << 62, ONE, 60_000)
    return config._replace(markets=markets, assets=(*config.assets, wbtc), filled_orders_max=400)


class World:
    """A venue in motion."""

    def __init__(self, *, richness: int = 2_000_000_000, config: VenueConfig | None = None) -> None:
        self.state: State = genesis(config or venue(), START_MS)
        self.authority = Authority(self.state.config, verify=False)
        self.salt = 0
        self.signed: dict[int, int] = {}  # total of every order, by key
        self.before: State = self.state
        self.transaction: tx.Transaction | None = None
        self.accepted = 0
        places = [(64, Kind.BACKSTOP, MarginRule.LINEAR, 0), (MAKER, Kind.MAIN, MarginRule.LINEAR, 0)]
        places += [(OWNER, Kind.MAIN, MarginRule.LINEAR, 0), (STRATEGY, Kind.STRATEGY, MarginRule.LINEAR, OWNER)]
        places += [(TAKER, Kind.MAIN, MarginRule.LINEAR, 0), (SCENARIO, Kind.MAIN, MarginRule.SCENARIO, 0)]
        for account_id, kind, rule, parent in places:
            if not self.state.config.scenario_accounts:
                rule = MarginRule.LINEAR
            key = 8 if account_id == 64 else self.key(account_id)
            self.must(tx.Register(self.now, account_id, kind, rule, key, 0xABC, parent, 1, UNSIGNED))
            amount = richness * (50 if account_id == MAKER else 1)
            self.must(tx.Deposit(self.now, self.state.counters.deposits + 1, account_id, 1, amount))
        self.must(tx.FundDeposit(self.now, self.state.counters.deposits + 1, 1, richness))
        self.must(self.tick(dict(PRICES)))

    @property
    def now(self) -> int:
        return max(self.state.time_ms, START_MS)

    @staticmethod
    def key(account_id: int) -> int:
        """One owner has two accounts."""
        return OWNER if account_id == STRATEGY else account_id

    # -- applying -----------------------------------------------------------------------------------------------------

    def must(self, transaction: tx.Transaction) -> Receipt:
        receipt = self.apply(transaction)
        assert receipt.is_ok, receipt
        return receipt

    def apply(self, transaction: tx.Transaction) -> Receipt:
        """Apply; the invariants hold after anything, and a rejected transaction changed nothing."""
        was = digest(self.state)
        self.before = copy_of(self.state)
        self.transaction = transaction
        receipt = apply(self.state, transaction, self.authority)
        assert violations(self.state) == []
        if receipt.is_ok:
            self.accepted += 1
        else:
            assert digest(self.state) == was
        for key, filled, _ in self.state.filled:
            assert filled <= self.signed.get(key, filled)
        return receipt

    # -- making transactions ------------------------------------------------------------------------------------------

    def order(self, account_id: int, market_id: int, size: int, price: int) -> tx.Order:
        """An order that is signed for this fill and half as much again."""
        self.salt += 1
        base = size + (size >> 1) if size > 0 else -(-size + (-size >> 1))
        expiry = self.now // 1000 + 3600 + EXPIRY_GRACE_S
        fee = abs(base * price) >> 10
        key = 8 if account_id == 64 else self.key(account_id)
        order = tx.Order(account_id, market_id, base, -base * price, fee, expiry, self.salt, key, UNSIGNED)
        if 0 < abs(base) < 1 << 63 and 0 < abs(base * price) < 1 << 58:
            self.signed[self.authority.order_hash(order) & ((1 << 128) - 1)] = abs(base)
        return order

    def tick(self, prices: dict[int, int]) -> tx.OracleTick:
        feeds = tuple((market_id, prices[market_id] << 32) for market_id in MARKETS)
        if self.state.config.asset(WBTC) is not None:
            feeds += ((FEED_OF_ASSET + WBTC, 500 << 32),)
        report = tx.OracleReport(0, self.state.oracle.sequence + 1, self.now + 1, feeds, UNSIGNED)
        return tx.OracleTick(self.now + 1, (report,))

    def price(self, market_id: int, spice: int = 500) -> int:
        """Near the index: within a hundredth of it."""
        index = self.state.markets[market_id].price >> 32
        return max(1, index + index * (spice - 500) // 50_000)

    def step(self, numbers: Sequence[int]) -> Receipt | None:
        """The transaction these numbers stand for; None when there is nothing to do."""
        action, who, other, market, amount, spice = numbers
        market_id = MARKETS[market % 3]
        names = (
            ("trade", 30), ("oracle", 20), ("liquidation", 10), ("takeover", 10), ("topup", 4), ("configure", 6),
            ("move", 6), ("cash", 6), ("funding", 2), ("forced", 3), ("sale", 2), ("status", 1),
        )  # fmt: skip
        for name, weight in names:
            action -= weight
            if action < 0:
                transaction = getattr(self, f"a_{name}")(who, other, market_id, amount, spice)
                return None if transaction is None else self.apply(transaction)
        raise AssertionError("weights add up to 100")

    def a_trade(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        traders = (*ACCOUNTS, 64) if spice % 7 == 0 else ACCOUNTS
        maker, taker = traders[who % len(traders)], traders[other % len(traders)]
        size = amount % 10_000_000 if spice % 5 else amount
        price = self.price(market_id, spice)
        way = 1 if spice % 2 else -1
        orders = self.order(maker, market_id, way * size, price), self.order(taker, market_id, -way * size, price)
        value = size * price
        return tx.Trade(self.now, market_id, *orders, size, price, value // 10_000 if spice % 3 else 0, value // 5_000)

    def a_oracle(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        prices = {one: self.price(one) for one in MARKETS}
        prices[market_id] = max(1, prices[market_id] * (1_000 + (spice % 300) - 150) // 1_000)
        prices[MARKETS[who % 3]] = max(1, prices[MARKETS[who % 3]] * (1_000 + (other % 100) - 50) // 1_000)
        return self.tick(prices)

    def sick(self, who: int) -> Account | None:
        """An account below maintenance, if there is any."""
        found = [account for account in self.state.accounts.values() if account.positions and account.kind != 4]
        found = [account for account in found if not health(self.state, account).is_maintained]
        return found[who % len(found)] if found else None

    def a_liquidation(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction | None:
        account = self.sick(who)
        if account is None:
            return None
        account, _ = settled(self.state, account)
        now = health(self.state, account)
        draft = Draft(self.state)
        maker = ACCOUNTS[other % len(ACCOUNTS)]
        if account.rule is MarginRule.LINEAR:
            position = chosen_position(draft, account)
            price = price_between(self.price(position.market_id), zero_price_of(draft, account, position, now), spice)
            size = min(step_size(linear_closing(draft, position, now, price)) + spice % 3 - 1, amount + 1)
            return self.liquidation(account, [(position.market_id, size, price)], maker, 0)
        prices = {held.market_id: self.price(held.market_id) for held in account.positions}
        wanted = [count for count in range(1, 65) if is_restored(draft, account, count, prices)]
        slices = wanted[0] + spice % 2 if wanted else 64
        fills = [(held.market_id, slice_of(held, slices), prices[held.market_id]) for held in account.positions]
        return self.liquidation(account, fills, maker, slices)

    def liquidation(
        self, account: Account, fills: list[tuple[int, int, int]], maker: int, slices: int
    ) -> tx.Liquidation:
        made = []
        for market_id, size, price in fills:
            way = 1 if account.size(market_id) > 0 else -1
            for part in (size // 2, size - size // 2) if slices and size > 1 else (size,):
                order = self.order(maker, market_id, way * part, price)
                made.append(tx.LiquidationFill(market_id, part, price, order, 0))
        return tx.Liquidation(self.now, account.account_id, tuple(made), slices)

    def a_takeover(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction | None:
        account = self.sick(who)
        if account is None:
            return None
        position = account.positions[other % len(account.positions)]
        size = abs(position.size) if spice % 3 else 1 + amount % abs(position.size)
        kind = tx.Backstop if spice % 2 else tx.Deleveraging
        return kind(self.now, account.account_id, position.market_id, size)

    def a_topup(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        places = [STRATEGY, *(account_id for account_id in self.state.accounts if account_id & 63)]
        return tx.TopUp(self.now, places[who % len(places)])

    def choice(self, market_id: int, spice: int) -> Choice:
        mode = Mode.ISOLATED if spice % 2 else Mode.CROSS
        return Choice(market_id, mode, (0, 2, 5, 10, 50)[spice % 5], (0, 50_000_000, 10**9)[spice % 3])

    def a_configure(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        account = self.state.accounts[ACCOUNTS[who % len(ACCOUNTS)]]
        choice = self.choice(market_id, spice)
        if account.kind is Kind.STRATEGY and spice % 4 == 0:
            choice = Choice(0, Mode.CROSS, 0, 10**9)
        return tx.Configure(
            self.now, account.account_id, choice, self.now // 1000 + 60, account.nonce + 1, UNSIGNED
        )

    def a_move(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        owned = [OWNER, STRATEGY, *(account_id for account_id in self.state.accounts if account_id & 63)]
        source, target = owned[who % len(owned)], owned[other % len(owned)]
        signer = OWNER if source in (OWNER, STRATEGY) else source & -64
        target = target if spice % 3 else (source & -64) + market_id
        assets: tuple[Any, ...] = (tx.AssetLeg(source, target, 1, amount % 10**9 if spice % 4 else amount),)
        positions: tuple[Any, ...] = ()
        choices: tuple[Any, ...] = ()
        account = self.state.accounts[source]
        if spice % 5 < 3 and account.positions:
            held = account.positions[amount % len(account.positions)]
            part = held.size if spice % 2 else held.size // 2
            positions = (tx.PositionLeg(source, target, held.market_id, part),)
            assets = assets if spice % 5 else ()
        if spice % 7 < 3:
            choices = ((signer, self.choice(market_id, spice)),)
        nonce = self.state.accounts[signer].nonce + 1
        return tx.Move(self.now, signer, assets, positions, choices, self.now // 1000 + 60, nonce, UNSIGNED)

    def a_cash(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        self.salt += 1
        account_id, target = ACCOUNTS[who % len(ACCOUNTS)], ACCOUNTS[other % len(ACCOUNTS)]
        asset_id = WBTC if spice % 4 == 0 and self.state.config.asset(WBTC) else 1
        size = amount if spice % 3 == 0 else amount % 10**9
        expiry = self.now // 1000 + 60
        if spice % 5 < 2:
            return tx.Deposit(self.now, self.state.counters.deposits + 1, account_id, asset_id, size)
        if spice % 5 < 4:
            return tx.Withdrawal(self.now, account_id, asset_id, size, 0xABC, expiry, self.salt, UNSIGNED)
        return tx.Transfer(self.now, account_id, target, asset_id, size, expiry, self.salt, UNSIGNED)

    def a_funding(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        hour = self.now + 3_600_000
        self.apply(self.tick({one: self.price(one) for one in MARKETS}).__class__(hour, self._reports(hour)))
        samples = tuple((one, ((spice - 500) << 22,) * (45 + who % 16)) for one in MARKETS)
        return tx.FundingTick(self.now, samples)

    def _reports(self, time_ms: int) -> tuple[tx.OracleReport, ...]:
        reports = self.tick({one: self.price(one) for one in MARKETS}).reports
        return tuple(report._replace(time_ms=time_ms) for report in reports)

    def a_forced(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        places = sorted(self.state.accounts)
        account_id = places[who % len(places)]
        number = self.state.counters.forced + 1
        if spice % 2:
            return tx.ForcedClose(self.now, number, 0, account_id, market_id, 0xABC)
        asset_id = WBTC if spice % 4 == 0 and self.state.config.asset(WBTC) else 1
        return tx.ForcedWithdrawal(self.now, number, 0, account_id, asset_id, amount % 10**9, 0xABC)

    def a_sale(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        debtors = [account_id for account_id, account in self.state.accounts.items() if account.balance < 0]
        places = debtors or sorted(self.state.accounts)
        return tx.CollateralSale(self.now, places[who % len(places)], WBTC if spice % 2 else 1)

    def a_status(self, who: int, other: int, market_id: int, amount: int, spice: int) -> tx.Transaction:
        if spice % 3 == 0:
            return tx.Restart(self.now)
        return tx.StatusChange(self.now, market_id, Status.REDUCE_ONLY if spice % 3 == 1 else Status.ACTIVE)


def price_between(index: int, zero: int, spice: int) -> int:
    """From the zero price to the index and a bit beyond."""
    return max(1, zero + (index - zero) * (spice % 5) // 3)


def health(state: State, account: Account) -> Health:
    """Health with funding paid."""
    return health_of(state, settled(state, account)[0])


def copy_of(state: State) -> State:
    """The state as it is now; records are immutable, so their containers are enough."""
    copy = genesis(state.config, state.time_ms)
    copy.accounts, copy.markets, copy.funds = dict(state.accounts), dict(state.markets), dict(state.funds)
    copy.custody, copy.oracle, copy.counters = dict(state.custody), state.oracle, state.counters
    copy.filled = state.filled.copy()
    copy.risks, copy.indices = dict(state.risks), dict(state.indices)
    copy.holders = {market_id: dict(held) for market_id, held in state.holders.items()}
    copy.changed = dict(state.changed)
    return copy
