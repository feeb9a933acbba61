"""The engine and its naive twin say the same of 100,000 random commands."""

from collections import Counter
from itertools import product

from bulkhead.codec import Codec
from bulkhead.engine.command import Command, PlaceOrder, PlaceProtection
from bulkhead.engine.order import (
    Cause,
    Direction,
    Execution,
    OrderType,
    PriceSource,
    Protects,
    SelfTrade,
    TimeInForce,
    Trigger,
)
from bulkhead.engine.sequencer import Sequencer
from bulkhead.engine.snapshot import Snapshot
from bulkhead.ledger.invariants import violations
from bulkhead.limits import ORDERS_PER_ACCOUNT_MAX
from bulkhead.reject import Reject
from tests.engine.crowd import MARKETS, Crowd
from tests.reference.naive_engine import NaiveEngine, plain
from tests.reference.naive_market import Event

COMMANDS = 100_000
CODEC = Codec([Snapshot], bytes_max=1 << 26)


class Reached:
    """What the commands led to, feature by feature: that a twin agrees says nothing of what never happened."""

    def __init__(self) -> None:
        self.found: Counter[object] = Counter()
        self.triggers: dict[object, Trigger | None] = {}

    def see(self, command: Command, events: list[Event]) -> None:
        """Count what one command asked and got."""
        accepted = [event[3] for event in events if event[0] == "Accepted"]
        if isinstance(command, PlaceOrder | PlaceProtection):
            given = [leg.trigger for leg in (command.take_profit, command.stop_loss) if leg is not None]
            first = [command.terms.trigger] if isinstance(command, PlaceOrder) else []
            self.triggers.update(zip(accepted, [*first, *given], strict=False))
        if isinstance(command, PlaceOrder) and accepted:
            self._placed(command, events)
        elif isinstance(command, PlaceProtection) and accepted:
            self.found["position protected", bool(command.size)] += 1
            self.found["protection replaced", sum(event[0] == "Replaced" for event in events)] += 1
        for event in events:
            if event[0] == "Triggered":
                trigger = self.triggers[event[3]]
                assert trigger is not None
                self.found[trigger.source, trigger.direction, trigger.execution] += 1

    def _placed(self, command: PlaceOrder, events: list[Event]) -> None:
        terms = command.terms
        self.found[terms.kind, terms.time_in_force] += 1
        for name in ("post_only", "reduce_only"):
            self.found[name] += getattr(terms, name)
        if command.take_profit is not None or command.stop_loss is not None:
            self.found[command.protects] += 1
        if not terms.trigger:  # what a trigger sets off in turn may be another order's doing
            for event in events:
                if event[0] == "Cancelled" and event[8] is Cause.SELF_TRADE:
                    self.found[terms.self_trade, "makers give way"] += 1
                elif event[0] == "Cancelled" and event[9] is Reject.SELF_TRADE:
                    self.found[terms.self_trade, "the taker stops"] += 1

    def missing(self) -> list[object]:
        """Features that were reached fewer than five times."""
        wanted: list[object] = [
            *product((OrderType.LIMIT, OrderType.MARKET, OrderType.CONDITIONAL), TimeInForce),
            *product(PriceSource, Direction, Execution),
            *product(SelfTrade, ["makers give way"]),
            (SelfTrade.CLIENT, "the taker stops"),
            *product(["position protected"], (False, True)),
            *product(["protection replaced"], (1, 2)),
            *Protects,
            "post_only",
            "reduce_only",
        ]
        return [one for one in wanted if self.found[one] < 5]


def test_the_engine_and_its_naive_twin_publish_the_same_events() -> None:
    crowd = Crowd(seed=7)
    sequencer, state = crowd.floor.sequencer, crowd.floor.state
    owners = {
        account_id: (state.accounts[account_id].owner_key, state.accounts[account_id].l1_owner)
        for account_id in crowd.accounts
    }
    twin = NaiveEngine(crowd.floor.config, owners, sequencer.time_ms, ORDERS_PER_ACCOUNT_MAX)
    twin.number = sequencer.desk.number
    twin.index = {market_id: int(market.price) for market_id, market in state.markets.items()}
    twin.marks = {market_id: int(sequencer.mark(market_id)) for market_id in state.markets}
    kinds: Counter[str] = Counter()
    reasons: Counter[Reject | None] = Counter()
    causes: Counter[Cause] = Counter()
    reached = Reached()
    for count in range(COMMANDS):
        command = crowd.command()
        ours = [plain(event) for event in sequencer.handle(command)]
        assert ours == twin.handle(command), (count, command)
        reached.see(command, ours)
        for event in ours:
            kinds[str(event[0])] += 1
            if event[0] == "Rejected":
                reasons[event[3]] += 1
            elif event[0] == "Cancelled":
                causes[event[8]] += 1
        if count % 2_500 == 0:
            assert sequencer.faults() == []
            assert violations(state) == []
        if count % 10_000 == 5_000:  # a restart from a snapshot changes nothing that anybody can see
            snapshot = CODEC.decode(CODEC.encode(sequencer.dump()))
            sequencer = crowd.floor.sequencer = Sequencer.load(state, sequencer.desk.authority, snapshot)
            assert sequencer.dump() == snapshot
    crowd.floor.check()
    held = {place: size for place, size in twin.positions.items() if size}
    assert held == {
        (account_id, market_id): int(sequencer.desk.held(account_id, market_id))
        for account_id in crowd.accounts
        for market_id in MARKETS
        if sequencer.desk.held(account_id, market_id)
    }
    # The commands reached what they were made to reach.
    assert kinds["Traded"] > COMMANDS // 20
    assert min(kinds[kind] for kind in ("Triggered", "Reduced", "Replaced", "Expired", "Rested")) > 50
    assert kinds["BatchSealed"] == state.counters.batches > 50
    assert reached.missing() == []
    wanted = {Reject.MARKET_OFF, Reject.MARKET_CANCEL_ONLY, Reject.MARKET_POST_ONLY, Reject.MARKET_REDUCE_ONLY}
    assert reasons.keys() >= wanted | {Reject.OUTSIDE_PRICE_BAND, Reject.FILL_OR_KILL_UNFILLED, Reject.DUPLICATE}
    assert len(reasons) > 15, reasons
    assert set(Cause) - set(causes) == {Cause.LIQUIDATED}, causes
