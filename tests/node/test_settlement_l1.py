"""The settlement service and L1's weather: dropped, stuck, displaced, outrun, too poor, unanswered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3.types import RPCEndpoint

from bulkhead.bridge.chain import Chain, Fees, signer_of
from bulkhead.bridge.embedded.provider import serving
from bulkhead.node.settlement import Settlement
from bulkhead.node.settling.events import (
    Cause,
    Displaced,
    Event,
    Halted,
    Idle,
    Included,
    OutOfFunds,
    Sent,
    Step,
    Waiting,
)
from tests.bridge.chains import ETHER, STRANGER
from tests.node.settling_world import (
    BATCHES,
    CALLS,
    NOW_MS,
    RECIPIENT,
    SETTLER,
    TERMS,
    Relaying,
    World,
    alone,
    calls,
    expected,
    opened,
    run,
    until_waiting,
    world,
)
from tests.programs import L1_KINDS

STUCK_MS = TERMS.stuck_ms


pytestmark = pytest.mark.usefixtures("settling_profile")


@pytest.fixture(params=L1_KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Two proven batches, and a chain that makes a block for each transaction."""
    with world(tmp_path, request.param) as made:
        yield made


@pytest.fixture(params=L1_KINDS)
def slow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The same, and blocks are made when a test says so."""
    with world(tmp_path, request.param, automine=False) as made:
        yield made


def test_a_dropped_transaction_is_given_again(slow: World) -> None:
    with slow.service() as service:
        [sent] = [each for each in until_waiting(service) if isinstance(each, Sent)]
        slow.chain.ask("anvil_dropTransaction", "0x" + sent.hash.hex())
        again = service.step(NOW_MS)
        assert again == sent._replace(is_repeated=True) and slow.chain.is_known(sent.hash)
    slow.embedded.close()  # what waits in a node's memory is lost when it stops
    with opened(slow.folder.parent, automine=False) as later, later.service() as service:
        assert not later.chain.is_known(sent.hash)
        assert until_waiting(service)[-1] == again
        later.embedded.mine()
        assert [each.hash for each in until_waiting(service) if isinstance(each, Included)] == [sent.hash]


def test_a_stuck_transaction_is_replaced_at_a_higher_fee(slow: World) -> None:
    with slow.service() as service:
        [sent] = [each for each in until_waiting(service) if isinstance(each, Sent)]
        assert isinstance(service.step(NOW_MS + STUCK_MS - 1), Waiting)
        replaced = service.step(NOW_MS + STUCK_MS)
        assert isinstance(replaced, Sent) and replaced.attempt == 2 and replaced.nonce == sent.nonce
        assert not slow.chain.is_known(sent.hash) and slow.chain.is_known(replaced.hash)
        first, second = service.store.attempts(str(SETTLER.address), sent.nonce)
        assert all(8 * now >= 9 * was for was, now in zip(first.fees, second.fees, strict=True))
        assert isinstance(service.step(NOW_MS + STUCK_MS), Waiting)  # counted from the newest
        slow.mine()
        [included] = [each for each in until_waiting(service, NOW_MS + STUCK_MS) if isinstance(each, Included)]
        assert included.hash == replaced.hash
        [waiting] = service.store.attempts(str(SETTLER.address), sent.nonce + 1)
    capped = TERMS._replace(fee_max=waiting.fees.most * 5 // 4)  # once an eighth more, not twice
    with slow.service(terms=capped) as service:
        told = service.step(NOW_MS + 2 * STUCK_MS)
        assert isinstance(told, Sent) and told.attempt == 2
        told = service.step(NOW_MS + 3 * STUCK_MS)
        assert isinstance(told, Waiting) and told.cause is Cause.FEE and str(capped.fee_max) in told.detail


def test_a_node_that_takes_no_replacement_keeps_the_first(slow: World) -> None:
    """The first is included after all, while the second was refused: the receipt says which it was."""
    with slow.service() as service:
        [sent] = [each for each in until_waiting(service) if isinstance(each, Sent)]
        [made] = service.store.attempts(str(SETTLER.address), sent.nonce)
        service.store.put_attempt(str(SETTLER.address), made._replace(place=2, hash=bytes(32), raw=b"\x02"))
        slow.mine()
        included = [each for each in until_waiting(service) if isinstance(each, Included)]
        assert [each.hash for each in included] == [sent.hash]


def test_an_empty_account_is_waited_for(at: World) -> None:
    alone(at)
    poor = signer_of("0x" + "7" * 64)
    with at.service(signer=poor) as service:
        told = [service.step(NOW_MS) for _ in range(3)][-1]
        assert isinstance(told, OutOfFunds) and told.address == poor.address and told.held == 0 < told.needed
        assert service.step(NOW_MS) == told and service.halted is None
        at.chain.ask("anvil_setBalance", poor.address, hex(ETHER))
        assert calls(run(service), Included) == expected(1)


def test_what_others_publish_is_not_published_again(at: World, tmp_path: Path) -> None:
    """Two operators, each with a copy of the folder, by turns: no part is sent twice, and both see the end."""
    other = at._replace(folder=tmp_path / "other")
    shutil.copytree(at.folder, other.folder)
    before = at.sent() + at.sent(STRANGER)
    with at.service() as one, other.service(signer=STRANGER) as two:
        told: list[Event] = []
        while told[-2:] != [Idle(), Idle()]:
            told += [one.step(NOW_MS), two.step(NOW_MS)]
    assert sorted(calls(told, Included)) == sorted(expected(1, 2))
    assert at.sent() + at.sent(STRANGER) - before == BATCHES * CALLS
    assert at.sent(STRANGER) > 0


def test_a_nonce_that_somebody_else_used_is_given_up(slow: World) -> None:
    with slow.service() as service:
        [sent] = [each for each in until_waiting(service) if isinstance(each, Sent)]
        slow.chain.ask("anvil_dropTransaction", "0x" + sent.hash.hex())
        foreign = slow.chain.send(slow.chain.prepare(SETTLER, RECIPIENT, value=1))
        told = service.step(NOW_MS)
        assert isinstance(told, Waiting) and "replacement" in told.detail  # it pays no more than the other one
        slow.mine()
        assert slow.chain.receipt(foreign) is not None
        assert Waiting(Cause.INCLUSION, f"no receipt yet for nonce {sent.nonce}") in [
            service.step(NOW_MS) for _ in range(2)
        ]
        told_later = [service.step(NOW_MS + STUCK_MS) for _ in range(3)]
        assert Displaced(sent.nonce) in told_later
        again = [each for each in told_later if isinstance(each, Sent)]
        assert [each.nonce for each in again] == [sent.nonce + 1]


def test_transactions_of_the_account_that_are_not_ours_are_let_through(slow: World) -> None:
    slow.chain.send(slow.chain.prepare(SETTLER, RECIPIENT, value=1))
    with slow.service() as service:
        service.step(NOW_MS)
        told = service.step(NOW_MS)
        assert isinstance(told, Waiting) and told.cause is Cause.UNKNOWN_NONCE
        slow.mine()
        assert until_waiting(service)


def test_a_node_that_does_not_answer_is_waited_for(at: World) -> None:
    class Silent(Relaying):
        is_silent = False

        def make_request(self, method: RPCEndpoint, params: Any) -> Any:
            if self.is_silent:
                raise OSError("connection refused")
            return super().make_request(method, params)

    provider = Silent(at)
    with at._replace(chain=Chain(provider)).service() as service:
        provider.is_silent = True
        told = service.step(NOW_MS)
        assert isinstance(told, Waiting) and told.cause is Cause.UNREACHABLE and "connection refused" in told.detail
        provider.is_silent = False
        pauses: list[float] = []
        assert service.follow(7.0, lambda: len(pauses) == 2, clock=lambda: NOW_MS / 1000, sleep=pauses.append) is None
        assert pauses == [7.0, 7.0] and at.batches() == BATCHES


def test_the_embedded_chain_by_url(tmp_path: Path) -> None:
    with world(tmp_path) as at, serving(at.embedded) as url:
        alone(at)
        chain = Chain.connect(url)
        with at._replace(chain=chain).service() as service:
            assert calls(run(service), Included) == expected(1)


class Moody(Relaying):
    """A node that answers sendings with errors, as long as there are some."""

    def __init__(self, made: World) -> None:
        super().__init__(made)
        self.errors: list[str] = []

    def make_request(self, method: RPCEndpoint, params: Any) -> Any:
        """As the node, or the next error."""
        if method == "eth_sendRawTransaction" and self.errors:
            return {"error": {"code": -32000, "message": self.errors.pop(0)}}
        return super().make_request(method, params)


def test_what_a_node_says_to_a_transaction(slow: World) -> None:
    provider = Moody(slow)
    moody = slow._replace(chain=Chain(provider))
    with moody.service() as service:
        service.step(NOW_MS)
        provider.errors = ["nonce too low", "replacement transaction underpriced", "insufficient funds for gas"]
        for kind in (Waiting, Waiting, OutOfFunds):
            assert isinstance(service.step(NOW_MS), kind) and service.halted is None
        [made] = service.store.attempts(str(SETTLER.address), slow.sent())  # one, given again each time
        provider.errors = ["transaction underpriced"]  # fees have risen since it was signed
        raised = service.step(NOW_MS)
        assert isinstance(raised, Sent) and raised.attempt == 2 and slow.chain.is_known(raised.hash)
        slow.chain.ask("anvil_dropTransaction", "0x" + raised.hash.hex())
        provider.errors = ["already known"]
        assert isinstance(service.step(NOW_MS), Sent) and not slow.chain.is_known(raised.hash)
        provider.errors = ["oversized data: transaction size 140000, limit 131072"]
        told = service.step(NOW_MS)
        assert isinstance(told, Halted) and "the node does not take the transaction" in told.reason


def outrun(made: World, service: Settlement) -> bytes:
    """The service sends; somebody else sends the same for a better price, and both are in one block. Ours, by hash."""
    until_waiting(service)
    [ours] = service.store.attempts(str(SETTLER.address), made.sent())
    fees = Fees(3 * ours.fees.most, 3 * ours.fees.most)
    made.chain.send(made.chain.prepare(STRANGER, ours.call.to, ours.call.data, gas=ours.gas, fees=fees))
    made.mine()
    return ours.hash


def test_somebody_is_faster_in_the_same_block(slow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow.service() as service:
        outrun(slow, service)  # opening twice harms nobody
        ours = outrun(slow, service)
        told = until_waiting(service)
        [failed] = [each for each in told if isinstance(each, Included)]
        assert failed.hash == ours and not failed.succeeded
        [following] = [each for each in told if isinstance(each, Sent)]
        assert (following.step, following.part) == (Step.ANSWER, 1)  # the other's answer counts
        monkeypatch.setattr("bulkhead.node.settlement.FAILURES_MAX", 1)
        ours = outrun(slow, service)
        end = [service.step(NOW_MS) for _ in range(3)][-1]
        assert isinstance(end, Halted) and "answer part 2 of batch 1 failed 1 times in blocks" in end.reason
        assert ours.hex() in end.reason
