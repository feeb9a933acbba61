"""The settlement service with real proofs on every chain: the whole way, and what can go wrong on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.proposals import Stage as Proposed
from bulkhead.bridge.record import Proposed as Later
from bulkhead.cli.main import app
from bulkhead.node.batches import batch_of
from bulkhead.node.journey import Journey
from bulkhead.node.proof_file import FOLDER, Proofs, read_proof, write_proof
from bulkhead.node.replay import read_genesis
from bulkhead.node.settling.events import (
    Cause,
    Event,
    Followed,
    Halted,
    Idle,
    Included,
    Reorganised,
    Sent,
    SettlementError,
    Stage,
    Waiting,
)
from bulkhead.node.succession import digest_of
from stark.split import Split, split
from tests.bridge.chains import DEPOSITOR, STRANGER
from tests.node.settling_world import (
    BATCHES,
    CALLS,
    DOLLAR,
    NOW_MS,
    PROFILE,
    RECIPIENT,
    SETTLER,
    TERMS,
    Killed,
    Killing,
    World,
    alone,
    calls,
    expected,
    run,
    world,
)
from tests.programs import L1_KINDS

pytestmark = pytest.mark.usefixtures("settling_profile")


@pytest.fixture(params=L1_KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Two proven batches, and a chain that makes a block for each transaction."""
    with world(tmp_path, request.param) as made:
        yield made


def test_from_a_deposit_to_a_claim(at: World) -> None:
    heard: list[Event] = []
    before = at.sent()
    with at.service(report=heard.append) as service:
        assert [each.stage for each in service.statuses()] == [Stage.PROVEN, Stage.PROVEN]
        stages = []
        while not isinstance(event := service.step(NOW_MS), Idle):
            if isinstance(event, Sent):
                status = service.status(event.batch)
                stages.append((status.number, status.stage, status.published, status.parts))
        part = Stage.PUBLISHED
        # Of head, three parts and a page: the first transaction has head, last part and page.
        assert stages[:CALLS] == [(1, part, 3, 5), (1, part, 4, 5), (1, part, 5, 5), (1, Stage.SETTLED, 0, 0)]
        assert [each.stage for each in service.statuses()] == [Stage.FINAL, Stage.FINAL]
        with pytest.raises(SettlementError, match="has 2 sealed batches: there is none of number 3"):
            service.status(3)
    assert calls(heard, Sent) == calls(heard, Included) == expected(1, 2)
    assert [number for each in heard if isinstance(each, Followed) for number in each.final] == [1, 2]
    assert at.sent() - before == BATCHES * CALLS
    token, custody = (at.deployment.contract(at.chain, name) for name in ("token", "custody"))
    for recipient, amount in ((RECIPIENT, 250 * DOLLAR), (str(DEPOSITOR.address), 3 * DOLLAR)):
        assert custody.call("claimable", recipient) == amount
        custody.transact(STRANGER, "claim", recipient)
        assert token.call("balanceOf", recipient) == amount
    assert token.call("balanceOf", custody.address) == (1000 + 5 + 50 - 250) * DOLLAR == custody.call("backing")
    with at.service() as service:  # nothing is left to do
        assert calls(run(service), Sent) == [] and at.sent() - before == BATCHES * CALLS


def test_killed_after_every_write_and_around_every_sending(at: World) -> None:
    before, deaths = at.sent(), 0
    provider = Killing(at)
    mortal = at._replace(chain=Chain(provider))
    while True:
        try:
            with mortal.service(after_commit=provider.written) as service:
                run(service)
                break
        except Killed:
            deaths += 1
    assert deaths >= 5 * BATCHES * CALLS  # written, before and after sending, booked, and its block read
    assert at.sent() - before == BATCHES * CALLS and at.batches() == BATCHES
    told = Journey(at.folder).transactions(range(1, BATCHES + 1))
    assert [len(told[number]) for number in told] == [CALLS] * BATCHES, "what L1 took is written down, each once"
    for one in (each for number in told for each in told[number]):
        receipt = at.chain.receipt(bytes.fromhex(one.hash[2:]))
        assert receipt is not None and (receipt.block, receipt.gas_used) == (one.block, one.gas_used) and one.succeeded
    assert set(Journey(at.folder).finals(range(1, BATCHES + 1))) == {1, 2}


def test_a_reorganisation_takes_back_what_was_sent(at: World) -> None:
    before = at.chain.ask("evm_snapshot")
    sent = at.sent()
    with at.service() as service:
        while at.batches() < 1:
            service.step(NOW_MS)
        middle = at.chain.ask("evm_snapshot")
        run(service)
        assert [each.stage for each in service.statuses()] == [Stage.FINAL, Stage.FINAL]
        for block, again in ((middle, (2,)), (before, (1, 2))):
            at.chain.ask("evm_revert", block)
            told = run(service)
            assert any(isinstance(each, Reorganised) for each in told)
            assert calls(told, Included)[-CALLS * len(again) :] == expected(*again)
            assert at.batches() == BATCHES and at.sent() - sent == BATCHES * CALLS
            assert [each.stage for each in service.statuses()] == [Stage.FINAL, Stage.FINAL]


def test_a_batch_is_final_when_so_many_blocks_hold_it(at: World) -> None:
    with at.service(terms=TERMS._replace(confirmations=3)) as service:
        while at.batches() < BATCHES:
            service.step(NOW_MS)
        run(service)
        assert [each.stage for each in service.statuses()] == [Stage.FINAL, Stage.SETTLED]
        at.mine()
        assert run(service) and service.status(2).stage is Stage.SETTLED
        at.mine()
        assert [each.final for each in run(service) if isinstance(each, Followed)] == [(2,)]
        assert service.status(2).stage is Stage.FINAL
    with pytest.raises(SettlementError, match="at least 1, not 0"):
        at.service(terms=TERMS._replace(confirmations=0))


def test_a_proof_that_l1_refuses_stops_the_service(at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(at)

    def spoiled(*arguments: Any) -> Split:
        made = split(*arguments)
        one = made.parts[1]
        false = one._replace(data=bytes([one.data[0] ^ 1]) + one.data[1:])
        return made._replace(parts=[made.parts[0], false, *made.parts[2:]])

    heard: list[Event] = []
    with monkeypatch.context() as patched, at.service(report=heard.append) as service:
        patched.setattr("bulkhead.node.settling.publish.split", spoiled)
        while not isinstance(event := service.step(NOW_MS), Halted):
            pass
        assert event.batch == 1 and event.reason.startswith("L1 refuses to answer part 2 of batch 1: queries: ")
        assert service.step(NOW_MS) is event and heard[-1] is event and service.follow(0) is event
        assert at.batches() == 0
    with at.service() as service:  # an operator has put a better proof there
        assert calls(run(service), Included) == expected(1)[2:]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"proof": b"\0"}, "its proof does not hold"),
        ({"history": bytes(32)}, "is of another history than this journal of 2 batches"),
        ({"key": bytes(32)}, "no verifier on L1 has its key 0000000000000000…"),
        ({"batch": 2}, "its file is of batch 2, profile 'quick'"),
        ({"shape": (1,)}, "of another version of the circuit than this program's"),
    ],
)
def test_a_file_that_proves_nothing_here_stops_the_service(at: World, changed: dict[str, Any], reason: str) -> None:
    path = Proofs(at.folder / FOLDER).path(1, PROFILE)
    write_proof(path, read_proof(path)._replace(**changed))
    sent = at.sent()
    with at.service() as service:
        told = [service.step(NOW_MS) for _ in range(2)][-1]
        assert isinstance(told, Halted) and told.batch == 1 and reason in told.reason
        assert service.status(1).stage is Stage.PROVEN
    path.write_bytes(b"\x05")
    with at.service() as service:
        told = service.step(NOW_MS)
        assert isinstance(told, Halted) and "is not the proof of a batch" in told.reason
    assert at.sent() == sent


def test_a_batch_of_another_state_than_l1s_stops_the_service(at: World) -> None:
    proofs = Proofs(at.folder / FOLDER)
    first, second = (proofs.path(number, PROFILE) for number in (1, 2))
    record = read_proof(second)
    write_proof(first, record._replace(batch=1, history=read_proof(first).history))
    with at.service() as service:
        told = [service.step(NOW_MS) for _ in range(3)][-1]
        assert isinstance(told, Halted) and "the batch begins at state 0x" in told.reason


def test_two_services_on_one_folder_refuse_each_other(at: World) -> None:
    with at.service(), pytest.raises(SettlementError, match="another settlement service is at work here"):
        at.service()
    with at.service() as service:
        service.store.put_meta("rollup", "0x12")
    with pytest.raises(SettlementError, match="is of rollup 0x12, not 0x"):
        at.service()
    (at.folder / "settlement" / "state.sqlite").write_bytes(b"something else, and long enough for a header" * 9)
    with pytest.raises(SettlementError, match="is damaged"):
        at.service()


def _time_of(at: World, number: int) -> int:
    """When a batch ended, in milliseconds."""
    return int(batch_of(at.folder, number).after.time_ms)


def test_a_pause_is_waited_for_and_a_freeze_is_the_end(at: World) -> None:
    rollup = at.deployment.contract(at.chain, "rollup")
    rollup.transact(SETTLER, "pause", True, True)
    with at.service() as service:
        told = [service.step(NOW_MS) for _ in range(3)][-1]
        assert isinstance(told, Waiting) and told.cause is Cause.PAUSED
        ends_s = _time_of(at, 1) // 1000 + 3 * 86_400
        assert service.expires_s == ends_s
        assert told.detail == f"batch 1 can settle until {datetime.fromtimestamp(ends_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
        rollup.transact(SETTLER, "pause", False, False)
        rollup.transact(DEPOSITOR, "request_withdrawal", 64, 5, value=1000)
        at.chain.ask("evm_increaseTime", 8 * 86_400)
        at.mine()
        rollup.transact(STRANGER, "freeze")
        told = [service.step(NOW_MS) for _ in range(3)][-1]
        assert told == Halted(0, "the rollup is frozen: no batch settles again")


def test_other_readers_are_told_while_they_wait_and_are_the_end_when_enacted(at: World) -> None:
    rollup, door = at.deployment.contract(at.chain, "rollup"), at.deployment.doors[0]
    words = (door.version, door.shape, at.deployment.custody.address)  # any contract that is no reader of these batches
    for from_batch in (2, 0):
        rollup.transact(SETTLER, "propose_reader", *words, from_batch)
    with at.service() as service:
        assert [each.stage for each in service.proposals(0)] == [Proposed.WAITING, Proposed.WAITING]
        at.chain.ask("evm_increaseTime", 22 * 86_400)
        at.mine()
        assert [each.stage for each in service.proposals(0)] == [Proposed.READY, Proposed.READY]
        rollup.transact(STRANGER, "enact_reader", *words, 2)
        told = [service.step(NOW_MS) for _ in range(3)]
        assert not any(isinstance(each, Halted) and each.is_cut_off for each in told), "the first batch is still ours"
    with at.service() as service:
        rollup.transact(STRANGER, "enact_reader", *words, 0)
        told = [service.step(NOW_MS) for _ in range(3)][-1]
        assert isinstance(told, Halted) and told.is_cut_off
        assert "from batch 1 on L1 takes none of the readers" in told.reason
        assert [each.stage for each in service.proposals(0)] == [Proposed.ENACTED, Proposed.ENACTED]


def test_a_proof_for_circuits_of_before_is_named_and_the_new_ones_are_this_exchanges(at: World) -> None:
    rollup, door = at.deployment.contract(at.chain, "rollup"), at.deployment.doors[0]
    config = read_genesis(at.folder).config
    newer = Later(door._replace(reader=at.deployment.custody, key="0b"), 0, digest_of(config), ())
    words = (door.version, door.shape, newer.door.reader.address, 0)
    rollup.transact(SETTLER, "propose_reader", *words)
    at.chain.ask("evm_increaseTime", 22 * 86_400)
    rollup.transact(STRANGER, "enact_reader", *words)
    upgraded = at._replace(deployment=at.deployment._replace(proposed=(newer,)))
    with upgraded.service() as service:
        told = [service.step(NOW_MS) for _ in range(3)][-1]
        assert isinstance(told, Halted) and not told.is_cut_off and told.batch == 1
        assert f"is for the reader {door.reader.address}, which L1 takes no more" in told.reason


def test_a_batch_that_is_too_old_stops_the_service(at: World) -> None:
    at.chain.ask("evm_increaseTime", 4 * 86_400)
    at.mine()
    with at.service() as service:
        for _ in range(40):
            told = service.step(NOW_MS)
        assert isinstance(told, Halted) and told.batch == 1
        assert told.reason.startswith("L1 refuses to settle batch 1: rollup: too old: a batch is refused for ever")
        assert told.is_cut_off, "no batch follows, so the exchange must take no new risk"


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path) as made:
        alone(made)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BULKHEAD_L1_KEY", SETTLER.key.hex())
    monkeypatch.setattr("bulkhead.cli.settle.time", lambda: NOW_MS / 1000)
    monkeypatch.setattr("bulkhead.cli.settle.clock", lambda: NOW_MS // 1000)
    command = ["settle", "--journal", "exchange", "--l1", "chain.sqlite", "--record", "deployment.json", "--once"]
    told = CliRunner().invoke(app, [*command, "--profile", PROFILE])
    assert told.exit_code == 0
    for line in ("sent opening of batch 1: nonce ", "part 2 of batch 1 is in block ", "batch 1 is final", "2: sealed"):
        assert line in told.output
    assert "'none' is no profile; there are" in CliRunner().invoke(app, [*command, "--profile", "none"]).output
    told = CliRunner().invoke(app, [*command, "--profile", PROFILE, "--feed"])
    assert told.exit_code == 0 and "batch 1: final" in told.output  # the deposits were credited before
    monkeypatch.setenv("BULKHEAD_L1_KEY", "0x12")
    assert "not a private key" in CliRunner().invoke(app, command).output
