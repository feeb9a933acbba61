"""Makers and takers of a running node, so that there is a market to trade: each with a key of its own that signs.

They stand inside the process and use the writer as the interface does; nothing they send is trusted more than others'.
"""

from __future__ import annotations

import asyncio
import random
import time

from bulkhead.engine.command import MassCancel, PlaceOrder, Submit
from bulkhead.engine.order import OrderType, Terms, TimeInForce
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.defaults import USD
from bulkhead.ledger.state import Account, Kind, MarginRule
from bulkhead.ledger.tx import Deposit, FundDeposit, Order, Register
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.node.app import Node
from bulkhead.node.exchange import Answer
from bulkhead.node.keys import new_key
from bulkhead.node.writer import Busy, Make, Stopped
from bulkhead.reject import Reject
from bulkhead.rules.terms import MarketTerms
from bulkhead.signing import Signature, public_key, sign
from bulkhead.units import AccountId, Felt, Quote, Size, TimeMs, TimeS

UNSIGNED = Signature(0, 0)
ORDER_LIFE_S = 900
DOLLAR = 1_000_000
FEE_SHARE = 1_000  # a fee cap of one thousandth
MAKER_FUNDS, TAKER_FUNDS, INSURANCE = 5_000_000, 500_000, 250_000  # dollars
CREDITED_WITHIN_S = 120.0
NOTIONAL_MAX = 3_000_000.0  # of a maker's inventory in one market, in dollars


class Signer:
    """An account with its key."""

    def __init__(self, node: Node, private_key: int) -> None:
        self.node = node
        self.private_key = private_key
        self.key = Felt(public_key(private_key))
        self.account_id = AccountId(0)
        self._authority = Authority(node.exchange.state.config, verify=False)
        self._salt = random.getrandbits(48)

    async def join(self, l1_owner: int, dollars: int) -> None:
        """Register, and be given money on this test venue. An account that the key has already is found again."""
        found = [one for one in self.node.exchange.state.accounts.values() if one.owner_key == self.key]
        if found:
            self.account_id = found[0].account_id
            return
        async with self.node.one_at_a_time:
            account_id = self.node.next_account_id()
            blank = Register(
                TimeMs(0), account_id, Kind.MAIN, MarginRule.LINEAR, self.key, l1_owner, AccountId(0), USD, UNSIGNED
            )
            signature = sign(self.private_key, self._authority.register_hash(blank))
            fields = (Kind.MAIN, MarginRule.LINEAR, self.key, l1_owner, AccountId(0), USD, signature)
            await self.send(lambda now: Submit(now, Register(now, account_id, *fields)))
            self.account_id = account_id
        await deposit(self.node, account_id, dollars * DOLLAR)

    async def send(self, make: Make) -> Answer:
        """Have a command handled; RuntimeError where the door refuses it."""
        answer = await self.node.writer.send(make)
        if isinstance(answer, Reject):
            raise RuntimeError(f"refused: {answer.name}")
        return answer

    def order(self, terms: MarketTerms, size: int, price: int) -> Order:
        """A signed limit order: signed lots, whole quote per lot."""
        self._salt += 1
        value = abs(size) * price
        order = Order(
            self.account_id,
            terms.market_id,
            Size(size),
            Quote(-value if size > 0 else value),
            Quote(value // FEE_SHARE + 1),
            TimeS(int(self.node.clock_ms()) // 1000 + EXPIRY_GRACE_S + ORDER_LIFE_S),
            self._salt & ((1 << 63) - 1),
            self.key,
            UNSIGNED,
        )
        return order._replace(signature=sign(self.private_key, self._authority.order_hash(order)))


async def deposit(node: Node, account_id: int, amount: int) -> None:
    """Play money; of account 0, into the insurance fund. By way of L1 where batches settle there."""
    if node.settles is not None:
        await _deposit_on_l1(node, account_id, amount)
        return
    async with node.one_at_a_time:

        def make(now: TimeMs) -> Submit:
            number = node.exchange.state.counters.deposits + 1
            if not account_id:
                return Submit(now, FundDeposit(now, number, USD, Quote(amount)))
            return Submit(now, Deposit(now, number, AccountId(account_id), USD, amount))

        answer = await node.writer.send(make)
    if isinstance(answer, Reject):
        raise RuntimeError(f"a deposit was refused: {answer.name}")


async def _deposit_on_l1(node: Node, account_id: int, amount: int) -> None:
    """The same from the faucet, through custody's queue. RuntimeError when it is not credited in time."""
    assert node.settles is not None and node.settles.faucet is not None, "a test venue has a faucet"
    state = node.exchange.state

    def held() -> int:
        return int(state.accounts[account_id].balance if account_id else state.funds[USD].insurance)

    before, end_s = held(), time.monotonic() + CREDITED_WITHIN_S
    await asyncio.to_thread(node.settles.faucet.deposit, account_id, amount)
    while held() == before:
        if time.monotonic() > end_s:
            raise RuntimeError(f"a deposit on L1 was not credited within {CREDITED_WITHIN_S:g} s: {node.failures}")
        await asyncio.sleep(0.2)


class Maker:
    """Quotes every market around the index, leaning against its inventory; anew when the index has moved."""

    def __init__(self, signer: Signer, half_spread: float, *, levels: int = 4, notional: float = 20_000.0) -> None:
        self._signer = signer
        self._half_spread = half_spread
        self._levels = levels
        self._notional = notional
        self._quoted: dict[int, tuple[float, float]] = {}

    async def act(self, now_s: float) -> None:
        """Look at every market, and quote those where it is time."""
        node = self._signer.node
        for terms in node.exchange.state.config.markets:
            index = int(node.exchange.state.markets[terms.market_id].price) >> FRACTION_BITS
            last, when = self._quoted.get(terms.market_id, (0.0, 0.0))
            is_old = now_s - when > ORDER_LIFE_S / 3
            if index and (is_old or abs(index / last - 1) > self._half_spread / 2):
                await self._quote(terms, index)
                self._quoted[terms.market_id] = (float(index), now_s)

    async def _quote(self, terms: MarketTerms, index: int) -> None:
        signer = self._signer
        account: Account = signer.node.exchange.state.accounts[signer.account_id]
        held = int(account.size(terms.market_id)) * index / DOLLAR
        lean = -held / NOTIONAL_MAX * 0.003
        markets = (terms.market_id,)
        await signer.send(lambda now: MassCancel(now, signer.account_id, market_ids=markets))
        wanted = []
        for level in range(self._levels):
            away = self._half_spread * (1 + 0.8 * level)
            lots = max(1, int(self._notional * (1 + level) * DOLLAR / index))
            if held < NOTIONAL_MAX:
                wanted.append(signer.order(terms, lots, max(1, int(index * (1 + lean - away)))))
            if held > -NOTIONAL_MAX:
                wanted.append(signer.order(terms, -lots, int(index * (1 + lean + away)) + 1))
        sends = [signer.send(_placing(order, Terms(post_only=True))) for order in wanted]
        await asyncio.gather(*sends)


class Taker:
    """Small market orders at random, leaning back toward a flat position."""

    def __init__(self, signer: Signer, seed: int, *, rate: float = 0.5, notional: float = 3_000.0) -> None:
        self._signer = signer
        self._random = random.Random(seed)
        self._rate = rate
        self._notional = notional

    async def act(self, now_s: float) -> None:
        """Trade, now and then."""
        draw, signer = self._random, self._signer
        state = signer.node.exchange.state
        if draw.random() > self._rate or len(state.filled) > state.config.filled_orders_max * 3 // 4:
            return  # what is left of the table is for others
        terms = draw.choice(signer.node.exchange.state.config.markets)
        index = int(signer.node.exchange.state.markets[terms.market_id].price) >> FRACTION_BITS
        if not index:
            return
        held = int(signer.node.exchange.state.accounts[signer.account_id].size(terms.market_id)) * index / DOLLAR
        is_buy = draw.random() < 0.5 - max(-0.4, min(0.4, held / (20 * self._notional)))
        lots = max(1, int(self._notional * draw.uniform(0.2, 2) * DOLLAR / index))
        worst = int(index * (1.02 if is_buy else 0.98)) + is_buy
        order = signer.order(terms, lots if is_buy else -lots, worst)
        await signer.send(_placing(order, Terms(kind=OrderType.MARKET, time_in_force=TimeInForce.IOC)))


def _placing(order: Order, terms: Terms) -> Make:
    return lambda now: PlaceOrder(now, order, terms)


async def populate(node: Node, keys: list[int], seed: int, levels: int = 4) -> list[Maker | Taker]:
    """Makers and a taker with their money, and an insurance fund; what is there already is found again."""
    agents: list[Maker | Taker] = []
    for place, key in enumerate(keys):
        signer, is_taker = Signer(node, key), place == len(keys) - 1
        await signer.join(0, TAKER_FUNDS if is_taker else MAKER_FUNDS)
        agents.append(Taker(signer, seed) if is_taker else Maker(signer, 0.0004 * (1 + place), levels=levels))
    if not int(node.exchange.state.funds[USD].insurance):
        await deposit(node, 64, 2 * MAKER_FUNDS * DOLLAR)
        await deposit(node, 0, INSURANCE * DOLLAR)
    return agents


async def keep_trading(node: Node, agents: list[Maker | Taker], pause_s: float = 0.5) -> None:
    """Let everybody act, again and again, until the node stops. A full queue costs an agent its turn."""
    loop = asyncio.get_running_loop()
    while True:
        for agent in agents:
            try:
                await agent.act(loop.time())
            except Busy:
                continue
            except Stopped:
                return
        await asyncio.sleep(pause_s)


def new_keys(count: int) -> list[int]:
    """Private keys at random."""
    return [new_key() for _ in range(count)]
