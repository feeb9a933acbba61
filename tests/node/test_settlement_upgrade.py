"""An upgrade of the circuit from end to end, with real proofs: announced, waited for, enacted, and settled on after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkhead.bridge.errors import Reverted
from bulkhead.bridge.proposals import DAY_S, Kind, Proposals, Stage
from bulkhead.bridge.record import Deployment
from bulkhead.bridge.status import status
from bulkhead.bridge.upgrade import Aim, UpgradeError, enact, propose, unfollowed
from bulkhead.engine.command import SealBatch
from bulkhead.ledger.state import Kind as Account
from bulkhead.node.batches import batch_of
from bulkhead.node.exchange import Exchange
from bulkhead.node.proof_file import FOLDER, Proofs, read_proof, write_proof
from bulkhead.node.prove_batch import prove_batch
from bulkhead.node.rebuild import NotRebuilt, rebuild
from bulkhead.node.replay import read_genesis
from bulkhead.node.settling.events import Event, Halted, Idle
from bulkhead.node.settling.intake import ExchangeIntake
from bulkhead.node.succession import digest_of
from bulkhead.node.vouch import check
from bulkhead.units import TimeMs
from tests.bridge.chains import STRANGER
from tests.node.newer import VERSION, newer_contracts, newer_program
from tests.node.settling_world import BATCHES, DOLLAR, NOW_MS, PROFILE, SETTLER, World, fund, run, world
from tests.programs import L1_KINDS

pytestmark = pytest.mark.usefixtures("settling_profile")
ACTIVATION = BATCHES + 2


@pytest.fixture(params=L1_KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Two proven batches, and a chain that makes a block for each transaction."""
    with world(tmp_path, request.param) as made:
        yield made


def announced(at: World) -> Deployment:
    """By the newer program: its circuit, and that the one before is taken no more."""
    config = read_genesis(at.folder).config
    systems, aim = [newer_contracts(config, PROFILE)], Aim(digest_of(config), (), ACTIVATION, retires=True)
    return propose(at.chain, SETTLER, at.deployment, systems, aim, keep=lambda made: None)


def wait(at: World, seconds: int) -> None:
    at.chain.ask("evm_increaseTime", seconds)
    at.mine()


def sealed(at: World) -> None:
    """The exchange goes on for a batch: a deposit on L1 is credited."""

    def now() -> TimeMs:
        return TimeMs(1000 * at.chain.time_s())

    with Exchange.open(at.folder, read_genesis(at.folder).config, now()) as exchange:
        account = next(each for each, held in exchange.state.accounts.items() if held.kind is Account.MAIN)
        before, intake = exchange.state.accounts[account].balance, ExchangeIntake(exchange, now)
        fund(at.chain, at.deployment, [(int(account), 7 * DOLLAR)])
        with at.service(intake=intake) as service:
            while not isinstance(event := service.step(NOW_MS), Idle | Halted):
                pass
        assert exchange.state.accounts[account].balance == before + 7 * DOLLAR, event
        intake.submit(SealBatch)


def proven(at: World, number: int) -> Path:
    """By whatever program it is."""
    path = Proofs(at.folder / FOLDER).path(number, PROFILE)
    write_proof(path, prove_batch(batch_of(at.folder, number), PROFILE, 2, lambda step, share: None))
    return path


def ended(at: World) -> Event:
    """What the service ends with."""
    with at.service() as service:
        while not isinstance(event := service.step(NOW_MS), Idle | Halted):
            pass
    return event


def test_batches_settle_before_and_after_and_l1_alone_leads_through(at: World) -> None:
    config, begun = read_genesis(at.folder).config, read_genesis(at.folder).time_ms
    rollup = at.deployment.contract(at.chain, "rollup")
    with at.service() as service:
        run(service)
    upgraded = announced(at)
    both = Proposals(at.chain, upgraded).look()
    assert [(one.version, one.stage) for one in both] == [(VERSION, Stage.WAITING), (1, Stage.WAITING)]
    wait(at, 21 * DAY_S - 60)
    for one in both:
        with pytest.raises(UpgradeError, match="is waiting: only one that is ready"):
            enact(at.chain, STRANGER, upgraded, one)
        with pytest.raises(Reverted, match="rollup: too early"):
            rollup.transact(STRANGER, "enact_reader", one.version, one.shape, one.address, ACTIVATION)
    wait(at, 120)
    both = Proposals(at.chain, upgraded).look()
    assert [one.stage for one in both] == [Stage.READY, Stage.READY]
    assert [unfollowed(at.chain, upgraded, one, both) for one in both] == ["", ""]
    assert "it retires version 1, shape 1" in unfollowed(at.chain, upgraded, both[1], both[1:])
    for one in both:
        enact(at.chain, STRANGER, upgraded, one)

    # The program of before goes on up to the activation, and says that it cannot beyond.
    sealed(at)
    proven(at, ACTIVATION - 1)
    assert [(pin.version, pin.is_closed) for pin in status(at.chain, upgraded).pins] == [(1, False), (VERSION, True)]
    told = ended(at)
    assert isinstance(told, Halted) and told.is_cut_off and at.batches() == ACTIVATION - 1
    assert f"from batch {ACTIVATION} on L1 takes none of the readers" in told.reason
    assert "go on with their program and record" in told.reason
    assert [(pin.version, pin.is_closed) for pin in status(at.chain, upgraded).pins] == [(1, True), (VERSION, False)]
    for number in range(1, ACTIVATION):
        record = read_proof(Proofs(at.folder / FOLDER).path(number, PROFILE))
        assert check(record, config, 0).said.batch == number
    assert rebuild(at.chain, at.deployment, config, begun).batches == ACTIVATION - 1

    # The newer one settles on from there, and names a proof that is not its own.
    new, numbers = at._replace(deployment=upgraded), list[int]()
    with newer_program():
        sealed(new)
        chain = batch_of(at.folder, ACTIVATION).chain
        write_proof(Proofs(at.folder / FOLDER).path(ACTIVATION, PROFILE), record._replace(batch=4, history=chain))
        told = ended(new)
        assert isinstance(told, Halted) and "settle it with the program that made it, or remove the file" in told.reason
        record = read_proof(proven(new, ACTIVATION))
        assert check(record, config, 0).said.batch == ACTIVATION
        assert isinstance(ended(new), Idle) and at.batches() == ACTIVATION
        found = rebuild(at.chain, upgraded, config, begun, numbers.append)
        assert numbers == [1, 2, 3, 4] and found.root == rollup.call("state")
        with pytest.raises(NotRebuilt, match="which is not in the record: the rollup was upgraded"):
            rebuild(at.chain, at.deployment, config, begun)
    with pytest.raises(NotRebuilt, match=f"batch {ACTIVATION} is of version {VERSION} of the circuit, shape 1"):
        rebuild(at.chain, upgraded, config, begun)
    assert {one.stage for one in Proposals(at.chain, upgraded).look()} == {Stage.ENACTED}
    assert {one.kind for one in both} == {Kind.READER}
