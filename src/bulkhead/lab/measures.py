"""What is recorded of a run: equity by the hour, margin calls, liquidations with their reasons, slippage, funds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkhead.engine.command import Command
from bulkhead.engine.event import Cancelled, Rejected, Traded
from bulkhead.keepers.event import MarginCalled, VenueEvent
from bulkhead.keepers.witness import Step, Witness
from bulkhead.lab.traders import Featured, MarginMode
from bulkhead.lab.world import World
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.ledger.state import Account, State

TAKERS = {Step.BOOK: "book", Step.BACKSTOP: "backstop", Step.DELEVERAGING: "deleveraging"}


class LiquidationRow(NamedTuple):
    """One liquidation step, for tables and plots. Dollars, and dollars per coin."""

    identity: str  # what `bulkhead explain` takes
    mode: MarginMode
    time_ms: int
    owner: str  # a featured trader, or "crowd"
    compartment: str  # the account of his that was liquidated
    market: str
    notional: float
    price: float  # average
    mark: float
    zero: float
    slippage_bp: float  # worse than the mark, for the account
    taken_by: str  # book, backstop or deleveraging
    penalty: float
    covered: float  # paid by the insurance fund


def value_of(state: State, account: Account) -> float:
    """Account value in dollars at the index, funding settled."""
    after, _ = settled(state, account)
    return int(health_of(state, after).value) / 2**32 / 1e6


@dataclass(slots=True)
class Recorder:
    """Listens to one world. Everything here is plain numbers and words, for tables and plots."""

    mode: MarginMode
    featured: list[Featured]
    times: list[int] = field(default_factory=list)
    equity: dict[str, list[float]] = field(default_factory=dict)
    parts: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # trader → compartment → path
    index: dict[int, list[float]] = field(default_factory=dict)
    insurance: list[float] = field(default_factory=list)
    refused: dict[str, Counter[str]] = field(default_factory=dict)
    traded: dict[str, set[int]] = field(default_factory=dict)  # order ids of a trader that traded at all
    fees: dict[str, float] = field(default_factory=dict)
    trades: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    rows: list[LiquidationRow] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    margin_calls: dict[str, int] = field(default_factory=dict)
    deleveraged: dict[str, int] = field(default_factory=dict)

    def heard(self, world: World, command: Command, events: Sequence[VenueEvent]) -> None:
        for event in events:
            if isinstance(event, Traded):
                self._traded(event)
            elif isinstance(event, Rejected):
                self._refused(event.account_id, event.reason.name)
            elif isinstance(event, Cancelled):
                if event.reject is not None:
                    self._refused(event.account_id, event.reject.name)
            elif isinstance(event, MarginCalled):
                owner = self._owner(event.account_id)
                self.margin_calls[owner] = self.margin_calls.get(owner, 0) + 1
            elif isinstance(event, Witness):
                self._witnessed(world, event)

    def _owner(self, account_id: int) -> str:
        for trader in self.featured:
            if trader.owns(account_id):
                return trader.trader.name
        return "crowd"

    def _witnessed(self, world: World, event: Witness) -> None:
        """A row for the tables, and the witness itself for `bulkhead explain`."""
        self.witnesses.append(event)
        account_id = event.account.account_id
        for part in event.parts if event.step is Step.DELEVERAGING else ():
            name = self._owner(part.taker_id)
            self.deleveraged[name] = self.deleveraged.get(name, 0) + 1
        part = max(event.parts, key=lambda one: int(one.price * one.size))
        mine = [one for one in event.parts if one.market_id == part.market_id]
        terms = world.state.terms[part.market_id]
        coin = terms.resolution / 1e6
        price = sum(int(one.price * one.size) for one in mine) / sum(int(one.size) for one in mine)
        mark = int(world.sequencer.mark(part.market_id)) / 2**32
        held = next(one for one in event.account.positions if one.market_id == part.market_id)
        side = 1 if int(held.size) > 0 else -1
        owner = next((one for one in self.featured if one.owns(account_id)), None)
        self.rows.append(
            LiquidationRow(
                f"{self.mode.value}-{len(self.witnesses)}",
                self.mode,
                event.time_ms,
                self._owner(account_id),
                "account" if owner is None else self._label(world, owner, account_id),
                terms.name if event.market_id else "all positions",
                sum(int(one.price * one.size) for one in event.parts) / 1e6,
                price * coin,
                mark * coin,
                int(part.zero) * coin,
                side * (mark - price) / mark * 1e4,
                TAKERS[event.step],
                sum(int(one.charges.penalty) for one in event.parts) / 1e6,
                int(event.covered) / 1e6,
            )
        )

    def _traded(self, event: Traded) -> None:
        self.trades += 1
        for trader in self.featured:
            for account_id, order_id, fee in (
                (event.maker_account_id, event.maker_order_id, event.fees.maker),
                (event.taker_account_id, event.taker_order_id, event.fees.taker),
            ):
                if trader.owns(account_id) and event.taker_order_id:
                    name = trader.trader.name
                    self.traded.setdefault(name, set()).add(order_id)
                    self.fees[name] = self.fees.get(name, 0.0) + int(fee) / 1e6

    def _refused(self, account_id: int, reason: str) -> None:
        self.rejects[reason] += 1
        for trader in self.featured:
            if trader.owns(account_id):
                self.refused.setdefault(trader.trader.name, Counter())[reason] += 1

    def tick(self, world: World) -> None:
        if world.step % world.hour and world.step != world.steps - 1:
            return
        self.times.append(int(world.time_ms))
        for market_id, price in world.index.items():
            self.index.setdefault(market_id, []).append(price / 1e6 * world.state.terms[market_id].resolution)
        self.insurance.append(sum(int(fund.insurance) for fund in world.state.funds.values()) / 1e6)
        for trader in self.featured:
            values = {
                self._label(world, trader, account_id): value_of(world.state, world.state.accounts[account_id])
                for account_id in trader.market_accounts(world)
            }
            name = trader.trader.name
            self.equity.setdefault(name, []).append(sum(values.values()))
            paths = self.parts.setdefault(name, {})
            for label, value in values.items():
                path = paths.setdefault(label, [])
                path.extend([0.0] * (len(self.times) - 1 - len(path)))
                path.append(value)

    @staticmethod
    def _label(world: World, trader: Featured, account_id: int) -> str:
        market_id = account_id & 63
        if market_id:
            return world.state.terms[market_id].name
        for strategy, place in trader.accounts.items():
            if place == account_id and account_id != trader.account_id:
                return strategy
        return "account"
