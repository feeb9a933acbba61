"""Batches found in a journal: their transactions alone lead from the state before to the state after."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from bulkhead.engine.command import Clock, SealBatch
from bulkhead.ledger.apply import apply
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.batch import close
from bulkhead.ledger.commitment import commitment, leaf_of
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import AccountTree
from bulkhead.node.batches import Batches, JournalledBatch, Seals, batch_of
from bulkhead.node.exchange import Exchange
from bulkhead.node.records import EXCHANGE, digest_of, ledger_record, ledger_state
from bulkhead.node.replay import ExchangeError, replay
from bulkhead.units import TimeMs
from tests.node.exchange_world import START_MS, Scribe, small_config

COMMANDS = 400


def root(state: State) -> int:
    return commitment(state, AccountTree({number: leaf_of(one) for number, one in state.accounts.items()}).root)


def opened(folder: Path, time_ms: int = START_MS) -> Exchange:
    return Exchange.open(folder, small_config(), TimeMs(time_ms), verify=False)


@pytest.mark.parametrize("seed", range(3))
def test_the_transactions_of_a_batch_lead_to_its_end(tmp_path: Path, seed: int) -> None:
    scribe = Scribe(seed)
    stream = scribe.commands()
    found, kinds = [], set()
    with opened(tmp_path) as exchange:
        batches, seals = Batches(tmp_path), Seals(tmp_path)
        for _ in range(COMMANDS // 40):  # the exchange goes on while its batches are read
            for command in islice(stream, 40):
                exchange.submit(command)
            exchange.commit()
            found += list(batches.new())
            assert len(found) == batches.sealed == seals.count() == exchange.state.counters.batches
    assert len(found) >= COMMANDS // 40
    for place, batch in enumerate(found, 1):
        assert batch.number == place
        assert place == 1 or batch.before is found[place - 2].after
        state = ledger_state(batch.before.config, ledger_record(batch.before))
        begin = root(state)
        authority = Authority(state.config, verify=False)
        for transaction in batch.transactions:
            kinds.add(type(transaction).__name__)
            assert apply(state, transaction, authority).reject is None
        close(state)
        assert ledger_record(state) == ledger_record(batch.after)
        assert root(state) == root(batch.after) != begin
    assert {"Trade", "OracleTick", "Deposit", "Register"} <= kinds


def test_a_journal_with_seals_replays_to_the_same_digest(tmp_path: Path) -> None:
    with opened(tmp_path) as exchange:
        for number, command in enumerate(islice(Scribe(8).commands(), 200)):
            exchange.submit(command)
            if number == 120:
                exchange.snapshot()
        exchange.commit()
        digest, sealed = exchange.digest(), exchange.state.counters.batches
        assert digest == digest_of(EXCHANGE.encode(exchange.machine.record()))
    assert sealed >= 6
    for use_snapshot in (False, True):
        again = replay(tmp_path, use_snapshot=use_snapshot).machine
        assert again.digest() == digest and again.state.counters.batches == sealed
    with opened(tmp_path, START_MS) as exchange:  # a restart is a transaction of the batch that was open
        exchange.submit(SealBatch(exchange.machine.venue.sequencer.time_ms))
        exchange.commit()
        assert exchange.state.counters.batches == sealed + 1
    batch = batch_of(tmp_path, sealed + 1)
    assert type(batch.transactions[-1]).__name__ == "Restart"


def told(batch: JournalledBatch) -> tuple[object, ...]:
    """All of a batch, by value."""
    return (*batch[:2], batch.transactions, ledger_record(batch.before), ledger_record(batch.after))


def test_from_a_snapshot_the_same_batches_are_found(tmp_path: Path) -> None:
    with opened(tmp_path) as exchange:
        for number, command in enumerate(islice(Scribe(8).commands(), 400)):
            exchange.submit(command)
            if number % 70 == 60:
                exchange.snapshot()
        exchange.commit()
        sealed = exchange.state.counters.batches
        paths = sorted(tmp_path.glob("snapshot-*.bin"))
        assert len(paths) == 3 and sealed > 10
        whole = {batch.number: told(batch) for batch in Batches(tmp_path).new()}
        begun = {}
        for first in range(1, sealed + 3):
            batches = Batches(tmp_path, first)
            begun[first] = batches.sealed
            found = {batch.number: told(batch) for batch in batches.new()}
            assert found == {number: one for number, one in whole.items() if number >= min(found, default=sealed + 1)}
            assert first >= min(found, default=sealed + 1) and batches.sealed == sealed
            assert first > sealed or told(batch_of(tmp_path, first)) == whole[first]
        assert begun[1] == 0 < begun[sealed] and len(set(begun.values())) == 4  # at each snapshot, and at the genesis
        assert Seals(tmp_path).count() == sealed
        for known in range(sealed + 1):  # every seal behind what is known has its chain, wherever reading began
            seals = Seals(tmp_path, known)
            assert seals.count() == sealed and set(seals.chains) >= set(range(known + 1, sealed + 1))
            assert all(chain == whole[number][1] for number, chain in seals.chains.items())
        for path in paths[1:]:  # what is damaged is passed over
            path.write_bytes(path.read_bytes()[:-1])
        assert Batches(tmp_path, sealed).sealed == min(value for value in begun.values() if value)
        assert Seals(tmp_path).count() == sealed


def test_a_snapshot_of_another_history_is_passed_over(tmp_path: Path) -> None:
    for name, seed in (("one", 8), ("other", 9)):
        with opened(tmp_path / name) as exchange:
            for number, command in enumerate(islice(Scribe(seed).commands(), 200)):
                exchange.submit(command)
                if number == 60:
                    exchange.snapshot()
            exchange.commit()
    (path,) = (tmp_path / "one").glob("snapshot-*.bin")
    assert Batches(tmp_path / "one", 6).sealed > 0
    path.write_bytes((tmp_path / "other" / path.name).read_bytes())
    assert Batches(tmp_path / "one", 6).sealed == 0
    assert told(batch_of(tmp_path / "one", 6))[0] == 6


def test_seals_that_the_sequencer_refuses_are_not_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as exchange:
        times = (START_MS + 5, START_MS, START_MS + 5, -1, 1 << 60)
        exchange.submit(Clock(TimeMs(START_MS + 3)))
        for time_ms in times:
            exchange.submit(SealBatch(TimeMs(time_ms)))
        exchange.commit()
        assert Seals(tmp_path).count() == exchange.state.counters.batches == len(list(Batches(tmp_path).new())) == 2


def test_a_batch_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="holds no exchange"):
        batch_of(tmp_path / "nowhere", 1)
    with opened(tmp_path) as exchange:
        exchange.submit(SealBatch(START_MS))
        exchange.commit()
        assert batch_of(tmp_path, 1).transactions == ()
        with pytest.raises(ExchangeError, match="has 1 sealed batches: there is none of number 2"):
            batch_of(tmp_path, 2)
        with pytest.raises(ExchangeError, match="counted from 1"):
            batch_of(tmp_path, 0)
