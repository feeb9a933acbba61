"""A world: a venue, recorded prices and agents, run tick by tick. Deterministic from its seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bulkhead.engine.command import Clock, Command, PlaceOrder, Prices, Submit
from bulkhead.engine.order import OrderType, Terms, TimeInForce
from bulkhead.engine.sequencer import Sequencer
from bulkhead.keepers.event import VenueEvent
from bulkhead.lab.prices import Ticks
from bulkhead.lab.venue import price_of
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, VenueConfig
from bulkhead.ledger.state import Kind, MarginRule, State
from bulkhead.ledger.tx import Configure, Deposit, FundDeposit, Move, OracleReport, Order, Register
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.node.records import RULES_VERSION, Genesis
from bulkhead.node.replay import Machine
from bulkhead.signing import Signature
from bulkhead.units import AccountId, AssetId, BookPrice, Felt, MarketId, Price, Quote, Size, TimeMs, TimeS

UNSIGNED = Signature(0, 0)
ORDER_LIFE_S = 7 * 86_400
FEE_CAP_SHARE = 1_000  # agents sign a fee cap of one thousandth, twice the first tier's taker fee
USD = AssetId(1)


def steps_per_hour(ticks: Ticks) -> int:
    """Ticks in an hour of a run: the unit in which plans are written."""
    return 3_600_000 // int(ticks.time_ms[1] - ticks.time_ms[0])


class Agent(Protocol):
    """Something that trades. `act` is called once a tick and sends its commands to the world."""

    def act(self, world: World) -> None:
        """Look at the world and send commands."""


class Listener(Protocol):
    """Something that watches: every command with its events, and the end of every tick."""

    def heard(self, world: World, command: Command, events: Sequence[VenueEvent]) -> None:
        """One command and what it caused."""

    def tick(self, world: World) -> None:
        """All agents have acted."""


@dataclass(slots=True)
class World:
    """A running venue with its clock and everybody in it."""

    config: VenueConfig
    ticks: Ticks
    agents: list[Agent] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    step: int = 0
    time_ms: TimeMs = TimeMs(0)
    index: dict[int, int] = field(default_factory=dict)  # whole quote per lot, for agents
    orders: int = 0
    commands: int = 0
    _deposits: int = 0
    _salt: int = 0
    machine: Machine = field(init=False)

    def __post_init__(self) -> None:
        self.time_ms = TimeMs(int(self.ticks.time_ms[0]))
        self.machine = Machine(Genesis(RULES_VERSION, self.config, self.time_ms))
        self.register(BACKSTOP_ACCOUNT, Kind.BACKSTOP)
        self._tick()

    @property
    def state(self) -> State:
        """The ledger's state."""
        return self.machine.state

    @property
    def sequencer(self) -> Sequencer:
        """The engine."""
        return self.machine.venue.sequencer

    @property
    def steps(self) -> int:
        """Ticks in the whole run."""
        return len(self.ticks.time_ms)

    @property
    def hour(self) -> int:
        """Ticks in an hour."""
        return steps_per_hour(self.ticks)

    def run(self) -> Iterator[int]:
        """Run to the end, yielding the step after each tick so that the caller can show progress."""
        while self.step < self.steps:
            self.time_ms = TimeMs(int(self.ticks.time_ms[self.step]))
            if self.step:
                self._tick()
            for agent in self.agents:
                agent.act(self)
            for listener in self.listeners:
                listener.tick(self)
            self.step += 1
            yield self.step

    def _tick(self) -> None:
        """Three simulated signers report the prices; a clock command follows."""
        prices = tuple(
            (int(terms.market_id), price_of(float(series[self.step]), terms.resolution))
            for terms, series in zip(self.config.markets, self.ticks.price.values(), strict=True)
        )
        self.index = {market_id: max(1, int(price) >> 32) for market_id, price in prices}
        sequence = self.state.oracle.sequence + 1
        reports = tuple(self.report(signer, sequence, prices) for signer in range(len(self.config.oracle_keys)))
        self.send(Prices(self.time_ms, reports))
        self.send(Clock(self.time_ms))

    def report(self, signer: int, sequence: int, prices: tuple[tuple[int, Price], ...]) -> OracleReport:
        """One signer's report, unsigned."""
        return OracleReport(signer, sequence, self.time_ms, prices, UNSIGNED)

    def send(self, command: Command) -> list[VenueEvent]:
        """Hand a command to the venue and tell the listeners what came of it."""
        events = self.machine.handle(command)
        self.commands += 1
        for listener in self.listeners:
            listener.heard(self, command, events)
        return events

    def register(
        self, account_id: int, kind: Kind = Kind.MAIN, rule: MarginRule = MarginRule.LINEAR, parent_id: int = 0
    ) -> None:
        """A new account; an owner's accounts share the key of his main account."""
        key = self.config.backstop_key if kind is Kind.BACKSTOP else Felt(1_000 + (parent_id or account_id))
        new, parent = AccountId(account_id), AccountId(parent_id)
        registration = Register(self.time_ms, new, kind, rule, key, 1 + account_id, parent, USD, UNSIGNED)
        self.send(Submit(self.time_ms, registration))

    def deposit(self, account_id: int, amount: int) -> None:
        """Money from outside, in micro-USD."""
        self._deposits += 1
        self.send(Submit(self.time_ms, Deposit(self.time_ms, self._deposits, AccountId(account_id), USD, amount)))

    def insure(self, amount: int) -> None:
        """Money into the insurance fund, in micro-USD."""
        self._deposits += 1
        self.send(Submit(self.time_ms, FundDeposit(self.time_ms, self._deposits, USD, Quote(amount))))

    def submit(self, transaction: Configure | Move) -> list[VenueEvent]:
        """A configuration or a move."""
        return self.send(Submit(self.time_ms, transaction))

    def order(self, account_id: int, market_id: int, size: int, price: int) -> Order:
        """A limit order as a client would sign it: signed lots, whole quote per lot."""
        self._salt += 1
        value = abs(size) * price
        account = self.state.accounts[account_id]
        return Order(
            AccountId(account_id),
            MarketId(market_id),
            Size(size),
            Quote(-value if size > 0 else value),
            Quote(value // FEE_CAP_SHARE + 1),
            TimeS(self.time_ms // 1000 + EXPIRY_GRACE_S + ORDER_LIFE_S),
            self._salt,
            account.owner_key,
            UNSIGNED,
        )

    def limit(
        self, account_id: int, market_id: int, size: int, price: int, *, post_only: bool = False
    ) -> list[VenueEvent]:
        """Send a limit order."""
        self.orders += 1
        order = self.order(account_id, market_id, size, max(1, price))
        return self.send(PlaceOrder(self.time_ms, order, Terms(post_only=post_only)))

    def market(
        self, account_id: int, market_id: int, size: int, *, slippage: float = 0.02, reduce_only: bool = False
    ) -> list[VenueEvent]:
        """Send a market order with its worst price `slippage` away from the index."""
        self.orders += 1
        index = self.index[market_id]
        worst = int(index * (1 + slippage)) + 1 if size > 0 else max(1, int(index * (1 - slippage)))
        terms = Terms(kind=OrderType.MARKET, time_in_force=TimeInForce.IOC, reduce_only=reduce_only)
        return self.send(PlaceOrder(self.time_ms, self.order(account_id, market_id, size, worst), terms))

    def lots(self, market_id: int, notional: float) -> int:
        """Lots worth about `notional` dollars at the index, at least one; signed like the notional."""
        size = int(abs(notional) * 1e6 / self.index[market_id])
        return max(1, size) if notional > 0 else -max(1, size)

    def best(self, market_id: int) -> tuple[BookPrice | None, BookPrice | None]:
        """Best bid and ask."""
        return self.sequencer.best_bid_ask(MarketId(market_id))
