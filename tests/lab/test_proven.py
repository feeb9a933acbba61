"""The demo's proven world: deterministic, complete, true to the circuit, and settled only where its money came in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bulkhead.bridge.errors import Reverted
from bulkhead.bridge.record import RecordError
from bulkhead.circuit.batch import MEDIUM, circuit_of
from bulkhead.circuit.programs import PROGRAMS_OF
from bulkhead.engine.command import PlaceOrder
from bulkhead.engine.event import Rejected
from bulkhead.keepers.event import VenueEvent
from bulkhead.lab.proven import EXILE, HEDGER, MINUTES, RETAIL, TICKING, Proven, config, play, prices
from bulkhead.lab.settled import Home, address_of, opened
from bulkhead.lab.signed import L1Call, SignedWorld
from bulkhead.ledger.tx import ForcedClose, ForcedWithdrawal, Trade
from bulkhead.node.batches import JournalledBatch, batch_of
from bulkhead.node.on_chain import contracts_of
from bulkhead.node.proof_file import ProofFile, ProofFileError
from bulkhead.node.prove_batch import fill
from bulkhead.node.proving import prove_here
from bulkhead.node.rebuild import rebuild
from bulkhead.node.replay import read_genesis
from bulkhead.reject import Reject
from stark.air.check import check

PROFILE = "test"  # anybody forges it; that what is proven surely holds is tested elsewhere
THREADS = 2


@pytest.fixture(scope="module")
def world() -> Iterator[Proven]:
    """The world with its owners' addresses."""
    with TemporaryDirectory() as folder:
        yield play(Path(folder) / "journal", address_of)


@pytest.fixture(scope="module")
def batch(world: Proven) -> JournalledBatch:
    """Its one batch, replayed from the journal."""
    return batch_of(world.folder, 1)


def test_the_world_is_the_same_every_time(world: Proven, batch: JournalledBatch, tmp_path: Path) -> None:
    again = play(tmp_path / "journal", address_of)
    assert again.calls == world.calls
    other = batch_of(again.folder, 1)
    assert other.transactions == batch.transactions and other.chain == batch.chain  # signatures included
    assert read_genesis(again.folder) == read_genesis(world.folder)


def test_a_journal_of_the_world_comes_to_its_state(world: Proven, batch: JournalledBatch) -> None:
    assert batch.after.accounts == world.state.accounts
    assert batch.after.counters == world.state.counters and batch.after.counters.batches == 1


def test_the_batch_has_every_kind_of_transaction_that_a_circuit_has(batch: JournalledBatch) -> None:
    assert {type(each) for each in batch.transactions} == set(PROGRAMS_OF)
    trades = [each for each in batch.transactions if isinstance(each, Trade)]
    assert len(trades) >= 64
    isolated = [each for each in trades if each.taker.account_id + each.market_id in batch.after.accounts]
    assert isolated and len(isolated) < len(trades)


def test_forced_requests_are_done_and_refused(world: Proven, batch: JournalledBatch) -> None:
    requests = [each for each in batch.transactions if isinstance(each, ForcedWithdrawal | ForcedClose)]
    assert [each.number for each in requests] == [1, 2, 3]
    left = batch.after.accounts[EXILE]
    assert not left.positions and int(left.balance) == 0
    paid = [each.amount for each in requests if isinstance(each, ForcedWithdrawal)]
    assert paid[0] > 5_000_000_000 > paid[1] > 0  # the first asked for more than there ever was
    asked = [call for call in world.calls if call.name.startswith("request")]
    assert [call.time_s * 1000 for call in asked] == [each.included_ms for each in requests]


def test_what_is_signed_wrongly_is_refused_before_anybody_proves_it() -> None:
    quiet = frozenset(range(MINUTES)) - frozenset(TICKING)
    world = SignedWorld(config(), prices()[1], quiet=quiet)
    world.register(HEDGER)
    world.deposit(HEDGER, 10**9)
    order = world.order(HEDGER, 1, 100, world.index[1])
    other = world.order(HEDGER, 1, 100, world.index[1])
    forged = world.send(PlaceOrder(world.time_ms, order._replace(signature=other.signature)))
    assert [reason(event) for event in forged] == [Reject.WRONG_SIGNATURE]
    assert Reject.WRONG_SIGNATURE not in [reason(event) for event in world.send(PlaceOrder(world.time_ms, order))]


def reason(event: VenueEvent) -> Reject | None:
    """Why an event says that something was refused."""
    return event.reason if isinstance(event, Rejected) else None


def test_tables_of_the_batch_satisfy_the_circuit(batch: JournalledBatch) -> None:
    shape, tables = fill(batch, "standard")
    assert shape == MEDIUM
    assert list(check(circuit_of(config(), shape), tables.public, tables.traces)) == []


@pytest.fixture(scope="module")
def record(world: Proven) -> ProofFile:
    """A proof of the batch, made as the demo makes it."""
    steps: list[float] = []
    path, made = prove_here(world.folder, 1, PROFILE, THREADS, lambda step, share: steps.append(share))
    assert path.parent == world.folder / "proofs" and path.is_file()
    assert steps == sorted(steps) and len(steps) > 5
    return made


@pytest.fixture
def home(world: Proven, tmp_path: Path) -> Iterator[Home]:
    """An L1 with everything deployed, and nothing asked for."""
    owners = sorted({call.owner for call in world.calls})
    contracts = contracts_of(config(), MEDIUM, PROFILE)
    with opened(tmp_path / "l1", [contracts], config(), world.begin_ms, owners) as made:
        yield made


def test_the_proof_settles_and_everybody_is_paid(world: Proven, record: ProofFile, home: Home) -> None:
    home.ask(world.calls)
    home.settle(record, config(), world.end_ms)
    found = rebuild(home.chain, home.deployment, config(), world.begin_ms)
    assert home.state() == found.root and found.state.accounts == world.state.accounts
    balances = home.claim([HEDGER, EXILE, RETAIL])
    assert balances[HEDGER] == 1_000_000_000 and balances[RETAIL] == 75_000_000
    assert balances[EXILE] == world.calls[-1].words[-1] > 4_000_000_000
    custody, token = (home.deployment.contract(home.chain, name) for name in ("custody", "token"))
    assert token.call("balanceOf", custody.address) == custody.call("backing") == world.state.custody[1]
    names = [sent.what.partition(":")[0] for sent in home.verifying()]
    assert names == ["verifier", "reader"]  # the only part and page go with the head


def other_deposit(calls: tuple[L1Call, ...]) -> list[L1Call]:
    """One unit less for the first who deposits."""
    first = calls[0]
    return [first._replace(words=(first.words[0], first.words[1] - 1)), *calls[1:]]


def later_request(calls: tuple[L1Call, ...]) -> list[L1Call]:
    """The last request a second later."""
    return [*calls[:-1], calls[-1]._replace(time_s=calls[-1].time_s + 1)]


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (other_deposit, "custody: another amount"),
        (later_request, "rollup: another time of inclusion"),
        (lambda calls: calls[:-1], "rollup: no such request"),
    ],
)
def test_it_settles_nowhere_else(world: Proven, record: ProofFile, home: Home, lie, said: str) -> None:
    before = home.state()
    home.ask(lie(world.calls))
    with pytest.raises(Reverted, match=said):
        home.settle(record, config(), world.end_ms)
    assert home.state() == before


def test_a_record_that_no_verifier_here_takes_sends_nothing(world: Proven, record: ProofFile, home: Home) -> None:
    sent = len(home.chain.sent)
    with pytest.raises(ProofFileError, match="a shape that this program does not have"):
        home.settle(record._replace(shape=(9,)), config(), world.end_ms)
    with pytest.raises(ProofFileError, match="does not hold"):
        home.settle(record._replace(proof=record.proof[:-32]), config(), world.end_ms)
    home.deployment = home.deployment._replace(doors=())
    with pytest.raises(RecordError, match="no verifier of the deployment has the key"):
        home.settle(record, config(), world.end_ms)
    assert len(home.chain.sent) == sent
