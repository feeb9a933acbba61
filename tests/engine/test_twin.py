"""The engine and its naive twin say the same of 100,000 random commands."""

from collections import Counter

from bulkhead.codec import Codec
from bulkhead.engine.order import Cause
from bulkhead.engine.sequencer import Sequencer
from bulkhead.engine.snapshot import Snapshot
from bulkhead.ledger.invariants import violations
from bulkhead.limits import ORDERS_PER_ACCOUNT_MAX
from bulkhead.reject import Reject
from tests.engine.crowd import MARKETS, Crowd
from tests.reference.naive_engine import NaiveEngine, plain

COMMANDS = 100_000
CODEC = Codec([Snapshot], bytes_max=1 << 26)


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
    for count in range(COMMANDS):
        command = crowd.command()
        ours = [plain(event) for event in sequencer.handle(command)]
        assert ours == twin.handle(command), (count, command)
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
    assert len(reasons) > 15, reasons
    assert set(Cause) - set(causes) == {Cause.LIQUIDATED}, causes
