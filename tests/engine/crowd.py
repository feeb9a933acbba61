"""A crowd of random traders: most of what it asks is sound, some is not, and every kind of command occurs."""

import random
from hashlib import blake2b

from bulkhead.engine import command as ask
from bulkhead.engine.order import (
    Direction,
    Execution,
    Leg,
    OrderType,
    PriceSource,
    Protects,
    SelfTrade,
    Terms,
    TimeInForce,
    Trigger,
)
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.state import Status
from bulkhead.ledger.tx import OracleReport, Order, Signature
from tests.engine.floor import NO_SIGNATURE, Floor, config

ACCOUNTS = 6
MARKETS = (1, 2)


class QuickAuthority(Authority):
    """Hashes an order in 2 µs instead of 150: which hash it is does not matter here, tests/signing has the real one."""

    def order_hash(self, order: Order) -> int:
        return int.from_bytes(blake2b(repr(order[:-1]).encode(), digest_size=31).digest(), "big")


class Crowd:
    """Random commands of a few accounts in two markets: most sound, some not, every kind."""

    def __init__(self, seed: int, dollars: float = 1_000_000) -> None:
        self.random = random.Random(seed)
        self.floor = Floor("", venue=config()._replace(filled_orders_max=1 << 20))
        self.floor.sequencer.desk.authority = QuickAuthority(self.floor.config, verify=False)
        for place in range(ACCOUNTS):
            self.floor.open_account(f"trader {place}", dollars, l1_owner=1 + place // 3, owner_key=1 + place // 2)
        self.accounts = list(self.floor.ids.values())
        self.sent: list[Order] = []
        self.external: list[str] = ["x"]
        self.price = 1000
        self.salt = 0

    def order(self, account_id: int, market_id: int, *, side: int = 0, price: int = 0) -> Order:
        draw = self.random.random()
        if draw < 0.01 and self.sent:  # a copy, perhaps with the signature's twin
            return self.random.choice(self.sent)._replace(signature=Signature(1, 2))
        self.salt += 1
        side = side or self.random.choice((1, -1))
        size = self.random.randint(1, 20)
        price = price or self.price + self.random.randint(-4, 8) * -side
        now_s = self.floor.time_ms // 1000
        life = self.random.choice((30, 120, 3_600, 86_400))
        account = self.floor.state.accounts.get(account_id)
        key = 0 if account is None else account.owner_key
        order = Order(
            account_id, market_id, side * size, -side * size * price, size * price, now_s + life + 14 * 86_400,
            self.salt, key, NO_SIGNATURE,
        )  # fmt: skip
        if draw < 0.03:
            order = self.spoil(order)
        if draw > 0.5:
            self.sent = [*self.sent[-50:], order]
        return order

    def spoil(self, order: Order) -> Order:
        changes: dict[str, object] = self.random.choice(
            [
                {"base_amount": 0},
                {"quote_amount": 0},
                {"quote_amount": -order.quote_amount},
                {"quote_amount": order.quote_amount * 1_000},
                {"quote_amount": 1 << 60},
                {"quote_amount": order.quote_amount - (1 if order.quote_amount < 0 else -1)},
                {name: getattr(order, name) * 10**12 for name in ("base_amount", "quote_amount", "fee_amount")},
                {"market_id": 9},
                {"account_id": 6400},
                {"public_key": 5},
                {"expiration_s": 14 * 86_400},
                {"expiration_s": order.expiration_s + 91 * 86_400},
            ]
        )
        return order._replace(**changes)

    def trigger(self) -> Trigger:
        return Trigger(
            self.random.choice(list(PriceSource)),
            self.random.choice(list(Direction)),
            self.price + self.random.randint(-12, 12),
            self.random.choice(list(Execution)),
        )

    def leg(self, account_id: int, market_id: int, side: int) -> Leg | None:
        if self.random.random() < 0.3:
            return None
        price = self.price - side * self.random.randint(-3, 30)
        return Leg(self.order(account_id, market_id, side=side, price=max(1, price)), self.trigger())

    def external_id(self) -> str:
        if self.random.random() < 0.5:
            return ""
        name = f"x{self.random.randint(0, 400)}"
        self.external = [*self.external[-30:], name]
        return name

    def place(self) -> ask.PlaceOrder:
        chance = self.random.random
        account_id, market_id = self.random.choice(self.accounts), self.random.choice(MARKETS)
        order = self.order(account_id, market_id)
        kind = self.random.choices((OrderType.LIMIT, OrderType.MARKET, OrderType.CONDITIONAL), (8, 1, 2))[0]
        terms = Terms(
            self.external_id(),
            kind,
            self.random.choices(list(TimeInForce), (8, 1, 1))[0],
            chance() < 0.1,
            chance() < 0.2,
            self.random.choice(list(SelfTrade)),
            self.trigger() if kind is OrderType.CONDITIONAL or chance() < 0.01 else None,
        )
        legs: list[Leg | None] = [None, None]
        if chance() < 0.15:
            side = -1 if order.base_amount > 0 else 1
            legs = [self.leg(order.account_id, order.market_id, side) for _ in range(2)]
        replaced = self.random.choice(self.external) if chance() < 0.1 else ""
        if chance() < 0.01:
            replaced = self.exits(account_id, market_id)[2]
        protects = self.random.choice(list(Protects))
        return ask.PlaceOrder(self.floor.time_ms, order, terms, replaced, *legs, protects)

    def protect(self) -> ask.PlaceProtection:
        account_id, market_id = self.random.choice(self.accounts), self.random.choice(MARKETS)
        side = -1 if self.floor.sequencer.desk.held(account_id, market_id) > 0 else 1
        size = self.random.choice((0, self.random.randint(1, 10)))
        legs = [self.leg(account_id, market_id, side) for _ in range(2)]
        replaced = ""
        if self.random.random() < 0.4:
            account_id, market_id, replaced = self.exits(account_id, market_id)
            legs = [self.leg(account_id, market_id, side) for _ in range(2)]
        name = self.external_id()
        return ask.PlaceProtection(self.floor.time_ms, account_id, market_id, name, size, *legs, replaced)

    def exits(self, account_id: int, market_id: int) -> tuple[int, int, str]:
        """The account, market and name of an open take-profit or stop-loss; now and then of anything else."""
        orders = list(self.floor.sequencer.desk.orders.values())
        exits = [order for order in orders if order.terms.kind is OrderType.TPSL] or orders
        if not exits or self.random.random() < 0.1:
            return account_id, market_id, self.random.choice(self.external)
        order = self.random.choice(orders if self.random.random() < 0.1 else exits)
        name = order.terms.external_id or str(order.order_id)
        return order.signed.account_id, order.signed.market_id, name

    def cancel(self) -> ask.Command:
        account_id = self.random.choice(self.accounts)
        last = self.floor.sequencer.desk.last_order_id
        some_id = self.random.randint(max(1, last - 60), last + 1)
        draw, now = self.random.random(), self.floor.time_ms
        if draw < 0.02:
            return ask.CancelAll(now, account_id)
        if draw < 0.03:
            ids = tuple(sorted({some_id, some_id + 3}))
            return ask.MassCancel(now, account_id, ids, (self.random.choice(self.external),), (1,), draw < 0.022)
        if draw < 0.4:
            name = self.random.choice(self.external) if self.random.random() < 0.9 else str(some_id)
            return ask.CancelOrder(now, account_id, external_id=name)
        order = self.floor.sequencer.order(some_id)
        return ask.CancelOrder(now, account_id if order is None else order.signed.account_id, some_id)

    def command(self) -> ask.Command:
        draw = self.random.random()
        if draw < 0.55:
            return self.place()
        if draw < 0.60:
            return self.protect()
        if draw < 0.88:
            return self.cancel()
        if draw < 0.93:
            self.floor.time_ms += self.random.choice((0, 100, 1_000, 5_000, 20_000))
            return ask.Clock(self.floor.time_ms - (self.random.random() < 0.02))
        if draw < 0.98:
            self.floor.time_ms += 1_000
            self.floor.ticks += 1
            self.price = max(900, min(1100, self.price + self.random.randint(-3, 3)))
            prices = tuple((terms.market_id, self.price << 32) for terms in self.floor.config.markets)
            return ask.Prices(
                self.floor.time_ms, (OracleReport(0, self.floor.ticks, self.floor.time_ms, prices, NO_SIGNATURE),)
            )
        if draw < 0.985:
            statuses = self.random.choices(list(Status), (9, 2, 1, 1, 1))
            return ask.SetStatus(self.floor.time_ms, self.random.choice(MARKETS), statuses[0])
        if draw < 0.99:
            return ask.SetStatus(self.floor.time_ms, self.random.choice(MARKETS), Status.ACTIVE)
        if draw < 0.992:
            return ask.SealBatch(self.floor.time_ms)
        return ask.SetDeadMan(
            self.floor.time_ms, self.random.choice(self.accounts), self.random.choice((0, 1_000, 60_000))
        )
