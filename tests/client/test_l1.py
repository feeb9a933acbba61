"""An owner on L1 through the SDK: deposits, forced requests, and what is said where there is nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bulkhead.bridge.errors import Unreachable
from bulkhead.bridge.record import RecordError, write_record
from bulkhead.client.l1 import L1
from bulkhead.ledger.defaults import default_config
from bulkhead.node.leave import NoExit
from bulkhead.node.replay import write_genesis
from bulkhead.signing import SigningError
from bulkhead.units import TimeMs
from tests.bridge.chains import DEPLOYER, DEPOSITOR, running
from tests.bridge.world import deployed, system

KEY = "0x" + "2" * 64  # the depositor's


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the owner was told of, and whether it took gas."""
    return []


@pytest.fixture(scope="module")
def owner(told: list[str]) -> Iterator[L1]:
    """A depositor with a thousand dollars, on an embedded chain."""
    with running("embedded") as chain:
        deployment = deployed(chain, system())
        found = L1(chain, deployment, DEPOSITOR, lambda done, gas: told.append(f"{done}: {gas > 0}"))
        deployment.contract(chain, "token").transact(DEPLOYER, "mint", str(DEPOSITOR.address), 1_000_000_000)
        yield found


def test_a_deposit_waits_in_the_queue(owner: L1, told: list[str]) -> None:
    assert owner.balance() == 1_000
    number = owner.deposit(128, Decimal("12.5"))
    assert owner.balance() == Decimal("987.5")
    custody = owner.deployment.contract(owner.chain, "custody")
    assert custody.call("deposit_of", number)[:2] == (128, 12_500_000)
    assert owner.deposit(128, Decimal(1)) == number + 1
    assert told == ["approved: True", "deposited 12.5: True", "approved: True", "deposited 1: True"]
    with pytest.raises(SigningError):
        owner.deposit(128, Decimal("0.0000001"))
    with pytest.raises(ValueError, match="986.50 USD are on L1 in this wallet, less than the deposit"):
        owner.deposit(128, Decimal(10_000))


def test_a_forced_request_is_queued_for_its_fee(owner: L1) -> None:
    first = owner.force_withdrawal(128, Decimal(5))
    second = owner.force_close(129, 1)
    assert second == first + 1
    rollup = owner.deployment.contract(owner.chain, "rollup")
    assert rollup.call("request_of", second) != rollup.call("request_of", second + 1)


def test_what_is_not_owed_is_not_claimed(owner: L1) -> None:
    assert owner.claimable() == 0 == owner.claim()


def test_nobody_leaves_by_force_while_the_operator_serves(owner: L1, tmp_path: Path) -> None:
    write_genesis(tmp_path, default_config((7,), 8), TimeMs(1))
    with pytest.raises(NoExit, match="is not frozen"):
        owner.exit(tmp_path)


def test_a_record_of_nothing_is_refused(owner: L1, tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        L1.connect("http://127.0.0.1:9", tmp_path / "nothing.json", KEY)
    write_record(tmp_path / "record.json", owner.deployment)
    with pytest.raises(ValueError, match="not a private key"):
        L1.connect("http://127.0.0.1:9", tmp_path / "record.json", "0x12")
    with pytest.raises(Unreachable):
        L1.connect("http://127.0.0.1:9", tmp_path / "record.json", KEY)


def test_what_l1_says_of_rollup_and_owner(owner: L1) -> None:
    standing = owner.standing()
    rollup = owner.deployment.contract(owner.chain, "rollup")
    assert (standing.requested, standing.processed) == (rollup.call("requested"), rollup.call("counters")[2])
    assert standing.fee_wei == rollup.call("FEE") and standing.batches == rollup.call("batches")
    assert not (standing.is_frozen or standing.is_overdue or standing.is_finished)
    assert standing.balance == owner.balance() and standing.custody == Decimal("13.5")
    assert 0 < standing.ether < 1_000 and standing.block == owner.chain.head().number
