"""What the ledger costs: health of an account of eight positions, a trade between two of them, sealing, filled orders.

The references are the plain forms: health in exact fractions, the signature library alone, an indexed tree of orders.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from fractions import Fraction

import fast_stark_crypto

from bulkhead import signing
from bulkhead.fixed import ONE
from bulkhead.ledger import tx
from bulkhead.ledger.accounts import health_of
from bulkhead.ledger.apply import apply
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.batch import Sealer
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.defaults import default_config, market
from bulkhead.ledger.orders import FilledOrders, packed
from bulkhead.ledger.state import Account, Kind, MarginRule, State, genesis
from bulkhead.ledger.tree import AccountTree
from bulkhead.limits import EXPIRY_GRACE_S
from stark.poseidon import hash_many

START_MS = 1_700_000_000_000
MARKETS = 8
TRADES = 300  # a run: short, so that the fastest of many is undisturbed
RUNS = 30
SIGNED_TRADES = 400
NEW_ORDERS = 3_000  # of a full batch: 1,500 trades between new orders
KEYS = {128: 11, 192: 12}
NOBODY = signing.Signature(1, 1)

Row = dict[str, str | float]


def row(figure: str, value: float, unit: str, reference: float, *, more_is_better: bool = False) -> Row:
    """One line of the table; a ratio above one says by how much ours is the better."""
    ratio = value / reference if more_is_better else reference / value
    return {"figure": figure, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Of the fastest of several runs: the others measured what else the machine was doing."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


class Floor:
    """Two accounts that hold eight positions each, and orders between them."""

    def __init__(self, *, verify: bool) -> None:
        base = default_config((signing.public_key(7),), signing.public_key(8))
        markets = tuple(market(place, f"M{place}", 10**6, is_major=place < 5, initial=200) for place in range(1, 9))
        self.config: VenueConfig = base._replace(markets=markets)
        self.state: State = genesis(self.config, START_MS)
        self.authority = Authority(self.config, verify=verify)
        self.quiet = Authority(self.config, verify=False)
        self.salt = 0
        for number, account_id in enumerate(KEYS, 1):
            key = signing.public_key(KEYS[account_id])
            self.must(tx.Register(START_MS, account_id, Kind.MAIN, MarginRule.LINEAR, key, 9, 0, 1, NOBODY))
            self.must(tx.Deposit(START_MS, number, account_id, 1, 10**12))
        prices = tuple((place, (1_000 * place) << 32) for place in range(1, 9))
        self.must(tx.OracleTick(START_MS, (tx.OracleReport(0, 1, START_MS, prices, NOBODY),)))
        for place in range(1, 9):
            self.must(self.trade(place, self.order(128, place, 10_000), self.order(192, place, -10_000), 10_000))

    def must(self, transaction: tx.Transaction) -> None:
        receipt = apply(self.state, transaction, self.quiet)
        assert receipt.is_ok, receipt

    def order(self, account_id: int, market_id: int, size: int) -> tx.Order:
        """A signed order at the index."""
        self.salt += 1
        key, price = KEYS[account_id], 1_000 * market_id
        expiry = START_MS // 1000 + 3600 + EXPIRY_GRACE_S
        fee = abs(size * price) // 1_000
        public = signing.public_key(key)
        order = tx.Order(account_id, market_id, size, -size * price, fee, expiry, self.salt, public, NOBODY)
        return order._replace(signature=signing.sign(key, self.authority.order_hash(order)))

    def trade(self, market_id: int, buy: tx.Order, sell: tx.Order, size: int) -> tx.Trade:
        """The taker pays 5 bp, the maker 2."""
        value = size * 1_000 * market_id
        return tx.Trade(START_MS, market_id, buy, sell, size, 1_000 * market_id, value // 5_000, value // 2_000)

    def play(self, trades: list[tx.Trade], authority: Authority) -> None:
        for trade in trades:
            receipt = apply(self.state, trade, authority)
            assert receipt.reject is None, receipt


def plain_health(account: Account, state: State) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """The same four numbers, bracket by bracket in exact fractions, as the rule is told."""
    value = Fraction(int(account.balance))
    asked = [Fraction(0)] * 3
    for position in account.positions:
        terms = state.terms[position.market_id]
        worth = Fraction(int(position.size) * int(state.markets[position.market_id].price), 1 << 32)
        value += worth
        below = Fraction(0)
        for tier in terms.tiers:
            part = max(Fraction(0), min(abs(worth), Fraction(int(tier.bound))) - below)
            for place, share in enumerate((tier.initial, tier.maintenance, tier.close_out)):
                asked[place] += part * Fraction(int(share), int(ONE))
            below = Fraction(int(tier.bound))
    return value, asked[0], asked[1], asked[2]


def health_rows(floor: Floor) -> list[Row]:
    """One health of a linear account."""
    account, state = floor.state.accounts[128], floor.state
    ours, plain = health_of(state, account), plain_health(account, state)
    assert [Fraction(int(ours.value), 1 << 32), *(Fraction(int(asked), 1 << 64) for asked in ours[1:])] == list(plain)
    one = seconds(lambda: [health_of(state, account) for _ in range(500)], RUNS) / 500 * 1e6
    reference = seconds(lambda: [plain_health(account, state) for _ in range(100)]) / 100 * 1e6
    return [row(f"health of an account of {MARKETS} positions (exact fractions)", one, "us", reference)]


def trade_rows() -> list[Row]:
    """Trades a second: hashes known, then with signatures checked for the first time, then with the tree."""
    floor = Floor(verify=True)
    big = [(floor.order(128, 1, way * 10**9), floor.order(192, 1, -way * 10**9)) for way in (1, -1)]
    trades = [floor.trade(1, *big[place & 1], 10) for place in range(TRADES)]
    floor.play(trades[:50], floor.quiet)
    apart = TRADES / seconds(lambda: floor.play(trades, floor.quiet), RUNS)
    known = TRADES / seconds(lambda: floor.play(trades, floor.authority), RUNS)
    fresh = [
        floor.trade(1 + place % 8, floor.order(128, 1 + place % 8, way), floor.order(192, 1 + place % 8, -way), 1)
        for place, way in ((place, 1 if place & 8 else -1) for place in range(SIGNED_TRADES))
    ]
    asked = [(order, floor.quiet.order_hash(order)) for trade in fresh for order in (trade.maker, trade.taker)]

    def alone() -> None:
        for order, message in asked:
            assert fast_stark_crypto.verify(order.public_key, message, order.signature.r, order.signature.s)

    limit = SIGNED_TRADES / seconds(alone, 2)
    sealer = Sealer(floor.state)
    start = time.perf_counter()
    floor.play(fresh, floor.authority)
    signed = SIGNED_TRADES / (time.perf_counter() - start)
    sealing = seconds(lambda: sealer.seal([]), 1)
    both = SIGNED_TRADES / (SIGNED_TRADES / signed + sealing)
    state = floor.state

    def healths() -> None:  # what any ledger must do for a trade: judge two accounts
        for _ in range(500):
            plain_health(state.accounts[128], state)
            plain_health(state.accounts[192], state)

    plain = 500 / seconds(healths, 2)
    name = f"ledger.apply of a trade between two accounts of {MARKETS} positions"
    return [
        row(f"{name}, signatures and tree apart (two healths in exact fractions)", apart, "per s", plain,
            more_is_better=True),
        row("the same with signatures seen before (the same)", known, "per s", plain, more_is_better=True),
        row("the same with two new signatures (verify alone)", signed, "per s", limit, more_is_better=True),
        row("the same with two new signatures and sealed (the same)", both, "per s", limit, more_is_better=True),
    ]  # fmt: skip


def order_rows() -> list[Row]:
    """Committing to filled orders after a batch of new ones, beside an indexed tree that takes as many.

    Lists are hashed where something was entered, and the tree above them; an indexed tree writes two leaves for each
    new order, its own and its predecessor's link, and each is hashed. The first root of all is what a start costs,
    beside one list of everything.
    """
    dice = random.Random(1)
    rows = []
    hash_many([1, 2, 3])
    for live in (10_000, 300_000):
        table = FilledOrders(entries(dice, live))
        start = time.perf_counter()
        assert table.root
        first = time.perf_counter() - start

        def enter(table: FilledOrders = table) -> None:
            for entry in entries(dice, NEW_ORDERS):
                table.put(*entry)
            assert table.root

        ours = seconds(enter, 3)
        tree = AccountTree({place: place + 1 for place in range(live)})

        def insert(tree: AccountTree = tree, live: int = live) -> None:
            leaves = {live + place: hash_many([live, place, 3]) for place in range(NEW_ORDERS)}
            leaves |= {dice.randrange(live): hash_many([live, place, 4]) for place in range(NEW_ORDERS)}
            tree.update(leaves)

        theirs = seconds(insert, 2)
        rows.append(row(f"filled orders, {live:,} live: {NEW_ORDERS:,} new (indexed tree)", ours, "s", theirs))
        whole = seconds(lambda table=table: hash_many([packed(entry) for entry in table]), 2)  # type: ignore[misc]
        rows.append(row(f"filled orders, {live:,} live: the first root (one list hashed whole)", first, "s", whole))
    return rows


def entries(dice: random.Random, count: int) -> list[tuple[int, int, int]]:
    """So many filled orders with keys like hashes."""
    return [
        (dice.getrandbits(128), dice.getrandbits(40), START_MS // 1000 + dice.getrandbits(20)) for _ in range(count)
    ]


def run() -> list[Row]:
    """Every figure of this module."""
    floor = Floor(verify=False)
    return [*health_rows(floor), *trade_rows(), *order_rows()]


if __name__ == "__main__":
    for line in run():
        print(f"{line['figure']}: {line['value']:.4f} {line['unit']}, {line['reference']:.4f}, x{line['ratio']:.2f}")
