"""Upgrades on the embedded chain and on anvil: deployed beside, announced, waited for, enacted or taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkhead.bridge import proposals
from bulkhead.bridge.artifacts import SystemArtifacts
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.errors import Reverted
from bulkhead.bridge.proposals import Kind, Proposal, Proposals, Stage
from bulkhead.bridge.record import Deployment, check_record, read_record, write_record
from bulkhead.bridge.status import status
from bulkhead.bridge.upgrade import Aim, UpgradeError, enact, propose, withdraw
from tests.bridge.chains import DEPLOYER, STRANGER, running
from tests.bridge.world import BATCHES, FEE, deployed, system
from tests.contracts.machine import CONTRACTS
from tests.programs import L1_KINDS


@pytest.fixture
def chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    with running(getattr(request, "param", "embedded")) as made:
        yield made


on_both = pytest.mark.parametrize("chain", L1_KINDS, indirect=True)


SAME = Aim("0xa", (), 0)
DAY_S = proposals.DAY_S


def other(number: int = 1) -> SystemArtifacts:
    """As if of another key: the rollup does not look into it."""
    return system()._replace(key=f"{number:064x}")


def later(chain: Chain, seconds: int) -> None:
    chain.ask("evm_setNextBlockTimestamp", hex(chain.head().time_s + seconds))
    chain.ask("evm_mine")


def proposed(chain: Chain, known: Deployment, number: int = 1, aim: Aim = SAME) -> Deployment:
    return propose(chain, DEPLOYER, known, [other(number)], aim, keep=lambda made: None)


def only(chain: Chain, known: Deployment) -> Proposal:
    [found] = Proposals(chain, known).look()
    return found


def test_the_delays_are_those_of_the_contracts() -> None:
    found: dict[str, int] = {}
    for line in (CONTRACTS / "terms.vy").read_text().splitlines():
        name, is_there, value = line.split("#")[0].partition(": constant(uint256) = ")
        if is_there:
            found[name] = int(eval(value, {}, found))
    for name in ("TIMELOCK", "ENACTMENT_WINDOW", "FORCED_DEADLINE"):
        assert getattr(proposals, f"{name}_S") == found[name]


@on_both
def test_a_verifier_is_announced_waits_and_is_taken_from_its_batch(chain: Chain, tmp_path: Path) -> None:
    path, known = tmp_path / "record.json", deployed(chain, system())
    before = known.doors[0]
    kept: list[Deployment] = []
    made = propose(chain, DEPLOYER, known, [other()], Aim("0xb", ("a: 1 to 2 %",), 9), keep=kept.append)
    write_record(path, made)
    assert read_record(path) == made == kept[-1]
    check_record(chain, made)
    door = made.proposed[0].door
    assert made.every_door == (before, door) and made.doors_of("0xb") == (before, door)
    assert made.doors_of("0xa") == (before,), "what verifies other batches is none of this configuration's"
    one, now_s = only(chain, made), chain.head().time_s
    assert (one.kind, one.address, one.version, one.shape) == (Kind.READER, door.reader.address, 1, 7)
    assert (one.from_batch, one.stage, one.proposed_s) == (9, Stage.WAITING, now_s)
    assert (one.ready_s, one.until_s) == (now_s + 21 * DAY_S, now_s + 35 * DAY_S)
    assert one.leave_before_s == now_s + 14 * DAY_S
    with pytest.raises(UpgradeError, match="is waiting: only one that is ready"):
        enact(chain, STRANGER, made, one)
    with pytest.raises(Reverted, match="rollup: proposed"):
        proposed(chain, made, aim=Aim("0xb", (), 9))
    later(chain, 21 * DAY_S)
    one = only(chain, made)
    assert one.stage is Stage.READY
    assert enact(chain, STRANGER, made, one) > 0, "anybody may"
    one = only(chain, made)
    assert (one.stage, one.from_batch) == (Stage.ENACTED, 9)
    rollup = made.contract(chain, "rollup")
    assert rollup.call("batches") == BATCHES and rollup.call("reader_of", 1, 7) == before.reader.address
    [pin] = status(chain, made).pins
    assert (pin.key, pin.is_pinned) == (before.key, True), "not before its batch"
    with pytest.raises(UpgradeError, match="is enacted: there is nothing to withdraw"):
        withdraw(chain, DEPLOYER, made, one)


def test_one_that_begins_at_once_is_taken_at_once(chain: Chain) -> None:
    made = proposed(chain, deployed(chain, system()))
    later(chain, 21 * DAY_S)
    enact(chain, STRANGER, made, only(chain, made))
    seen, door = status(chain, made), made.proposed[0].door
    assert [(one.stage, one.from_batch) for one in seen.proposals] == [(Stage.ENACTED, BATCHES + 1)]
    [pin] = seen.pins
    assert (pin.pinned, pin.key, pin.is_pinned) == (door.reader.address, door.key, True)
    with pytest.raises(UpgradeError, match="takes all these verifiers already"):
        proposed(chain, made)
    mixed = [other(), other(2)._replace(shape=8)]
    more = propose(chain, DEPLOYER, made, mixed, SAME, keep=lambda made: None)
    assert [each.door.key for each in more.proposed] == [each.key for each in mixed], "the second alone is new"
    assert [one.shape for one in Proposals(chain, more).look()] == [7, 8]


def test_what_is_taken_back_or_forgotten_is_told_and_may_be_announced_anew(chain: Chain) -> None:
    first = proposed(chain, deployed(chain, system()))
    follower = Proposals(chain, first)  # the same all the while: what it has read it reads no more
    with pytest.raises(UpgradeError, match=f"only the council may: that is {DEPLOYER.address}"):
        withdraw(chain, STRANGER, first, only(chain, first))
    withdraw(chain, DEPLOYER, first, only(chain, first))
    assert [one.stage for one in follower.look()] == [Stage.WITHDRAWN]
    again = proposed(chain, first)
    assert again.proposed[0].door == first.proposed[0].door, "the verifier that is there is used"
    later(chain, 35 * DAY_S)
    assert [one.stage for one in follower.look()] == [Stage.WITHDRAWN, Stage.FORGOTTEN]
    proposed(chain, again)
    assert [one.stage for one in follower.look()] == [Stage.WITHDRAWN, Stage.FORGOTTEN, Stage.WAITING]
    rollup = again.contract(chain, "rollup")
    rollup.transact(DEPLOYER, "propose_council", STRANGER.address)
    later(chain, 21 * DAY_S)
    reader, council = follower.look()[2:]
    assert (council.kind, council.address, council.stage) == (Kind.COUNCIL, STRANGER.address, Stage.READY)
    enact(chain, STRANGER, again, council)
    enact(chain, STRANGER, again, reader)
    assert [one.stage for one in follower.look()[2:]] == [Stage.ENACTED, Stage.ENACTED]
    assert rollup.call("council") == STRANGER.address
    follower.forget()
    assert follower.look() == Proposals(chain, again, confirmations=1_000).look(), "read at once, or bit by bit"


def test_two_that_differ_in_their_batch_alone_are_not_mistaken_for_each_other(chain: Chain) -> None:
    known = proposed(chain, deployed(chain, system()))
    known = proposed(chain, known, aim=Aim("0xa", (), 3))
    assert [one.from_batch for one in Proposals(chain, known).look()] == [0, 3]
    later(chain, 21 * DAY_S)
    enact(chain, STRANGER, known, Proposals(chain, known).look()[1])
    assert [one.stage for one in Proposals(chain, known).look()] == [Stage.READY, Stage.ENACTED]


@on_both
def test_nothing_is_deployed_for_what_cannot_be_announced(chain: Chain) -> None:
    known = deployed(chain, system())
    before = chain.nonce(str(DEPLOYER.address)), chain.nonce(str(STRANGER.address))
    kept: list[Deployment] = []
    for signer, systems, problem in (
        (STRANGER, [other()], "only the council may"),
        (DEPLOYER, [], "at least one verifier"),
        (DEPLOYER, [other(1), other(2)], "one alone for each version and shape"),
        (DEPLOYER, [system()], "takes all these verifiers already: nothing would change"),
    ):
        with pytest.raises(UpgradeError, match=problem):
            propose(chain, signer, known, systems, SAME, keep=kept.append)
    assert (chain.nonce(str(DEPLOYER.address)), chain.nonce(str(STRANGER.address))) == before and not kept
    rollup = known.contract(chain, "rollup")
    rollup.transact(STRANGER, "request_withdrawal", 128, 5, value=FEE)
    later(chain, 7 * DAY_S + 1)
    rollup.transact(STRANGER, "freeze")
    with pytest.raises(UpgradeError, match="is frozen"):
        proposed(chain, known)


def test_what_broke_off_before_it_was_announced_is_taken_up(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    known, kept = deployed(chain, system()), list[Deployment]()

    def die(made: Deployment) -> None:
        kept.append(made)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        propose(chain, DEPLOYER, known, [other()], SAME, keep=die)
    assert Proposals(chain, kept[0]).look() == ()
    nonce = chain.nonce(str(DEPLOYER.address))
    assert proposed(chain, kept[0]) == kept[0]
    assert chain.nonce(str(DEPLOYER.address)) == nonce + 1, "the announcement alone"
    assert only(chain, kept[0]).address == kept[0].proposed[0].door.reader.address


@on_both
def test_a_request_that_is_made_in_time_stops_what_it_flees(chain: Chain) -> None:
    made = proposed(chain, deployed(chain, system()))
    one = only(chain, made)
    later(chain, one.leave_before_s - chain.head().time_s - 2)
    made.contract(chain, "rollup").transact(STRANGER, "request_withdrawal", 128, 5, value=FEE)
    assert chain.head().time_s < one.leave_before_s
    later(chain, one.ready_s - chain.head().time_s)
    with pytest.raises(Reverted, match="a request is overdue"):
        enact(chain, STRANGER, made, only(chain, made))
