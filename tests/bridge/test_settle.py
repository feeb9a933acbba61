"""From a deposit to a claim through the client, on every chain, with a verifier that believes whatever it is told.

What is proven is tested elsewhere; here it is that calldata, events, times and fees arrive as the contracts mean them.
"""

from __future__ import annotations

import pytest

from bulkhead.bridge.artifacts import Artifact, SystemArtifacts
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import Beginning, deploy
from bulkhead.bridge.errors import Reverted
from bulkhead.bridge.record import Deployment
from tests.bridge.chains import DEPLOYER, DEPOSITOR, STRANGER
from tests.bridge.world import BATCHES, COUNTERS, FEE, STATE, deployed, system
from tests.contracts.statement import Layout

BELIEVER = bytes.fromhex("600a600c600039600a6000f3600160005260206000f3")  # answers every call with 1
ACCOUNT = 128
PAGES = Layout().digests([(5, 7)])


@pytest.fixture
def deployment(chain: Chain) -> Deployment:
    """Everything, with the believer in the verifier's place."""
    made = system()
    believer = {**made.contracts, "Verifier": Artifact("Verifier", made.contracts["Verifier"].abi, BELIEVER)}
    return deployed(chain, SystemArtifacts(**{**made._asdict(), "contracts": believer}))


def statement(time_ms: int, included_ms: int) -> bytes:
    """One deposit credited, one amount paid, one forced request done."""
    values = {f"{name}_before": value for name, value in COUNTERS.items()}
    values |= {f"{name}_after": value for name, value in COUNTERS.items()}
    values |= {f"{name}_after": COUNTERS[name] + 1 for name in ("deposits", "withdrawals", "forced")}
    values |= {"state_before": STATE, "state_after": STATE + 1, "batches_before": BATCHES}
    values |= {"transactions_after": COUNTERS["transactions"] + 3, "time_ms_after": time_ms, "now_s": time_ms // 1000}
    depositor = int(DEPOSITOR.address, 16)
    values |= {"deposit_account_0": ACCOUNT, "deposit_amount_0": 300, "deposit_depositor_0": depositor}
    values |= {"paid_recipient_0": int(STRANGER.address, 16), "paid_amount_0": 120}
    values |= {"forced_kind_0": 1, "forced_account_0": ACCOUNT, "forced_subject_0": 120, "forced_sender_0": depositor}
    values |= {"forced_included_ms_0": included_ms}
    values |= {"version": 1, "shape": 7}
    values |= {f"{name}_used_0": 1 for name in ("deposit", "paid", "forced")}
    return Layout().packed(Layout().elements(values))


def test_from_a_deposit_to_a_claim(chain: Chain, deployment: Deployment) -> None:
    token, custody, rollup = (deployment.contract(chain, name) for name in ("token", "custody", "rollup"))
    door = deployment.door(1, 7)
    reader = Contract(chain, door.reader.address, door.reader.abi)
    token.transact(DEPOSITOR, "mint", DEPOSITOR.address, 1000)
    token.transact(DEPOSITOR, "approve", custody.address, 1000)
    custody.transact(DEPOSITOR, "deposit", ACCOUNT, 300)
    with pytest.raises(Reverted, match="rollup: fee"):
        rollup.transact(DEPOSITOR, "request_withdrawal", ACCOUNT, 120)
    asked = rollup.transact(DEPOSITOR, "request_withdrawal", ACCOUNT, 120, value=FEE)
    block = chain.block(asked.block)
    assert block is not None and chain.balance(rollup.address) == FEE
    included_ms = block.time_s * 1000

    false = statement(included_ms + 5, included_ms + 1)
    with pytest.raises(Reverted, match="rollup: ") as caught:
        reader.transact(DEPLOYER, "settle", rollup.address, PAGES, false)
    refused = chain.wait(chain.send(chain.prepare(
        DEPLOYER, reader.address, reader.data("settle", rollup.address, PAGES, false), gas=1_000_000
    )))  # fmt: skip
    assert not refused.succeeded and not refused.logs
    with pytest.raises(Reverted) as again:  # the reason of a transaction that is in a block
        reader.transact(DEPLOYER, "settle", rollup.address, PAGES, false, gas=1_000_000)
    assert again.value.reason == caught.value.reason

    receipt = reader.transact(DEPLOYER, "settle", rollup.address, PAGES, statement(included_ms + 5, included_ms))
    [settled] = [event for event in rollup.read(receipt.logs) if event.name == "Settled"]
    assert settled.values["number"] == BATCHES + 1 and settled.values["state"] == STATE + 1
    assert settled.values["reader"] == reader.address
    told = [event.name for event in custody.events(deployment.block + 1, receipt.block)]
    assert told == ["Deposited", "Taken", "Owed"]
    assert rollup.call("state") == STATE + 1 and rollup.call("batches") == BATCHES + 1
    assert rollup.call("state", at=receipt.block - 1) == STATE
    with pytest.raises(Reverted, match="rollup: another state"):
        reader.transact(DEPLOYER, "settle", rollup.address, PAGES, statement(included_ms + 5, included_ms))

    before = chain.balance(str(DEPLOYER.address))
    collected = rollup.transact(DEPLOYER, "collect")
    assert chain.balance(str(DEPLOYER.address)) == before + FEE - collected.gas_used * collected.price
    custody.transact(DEPLOYER, "claim", STRANGER.address)
    assert token.call("balanceOf", STRANGER.address) == 120 and token.call("balanceOf", custody.address) == 180
    with pytest.raises(Reverted, match="custody: nothing to claim"):
        custody.transact(DEPLOYER, "claim", STRANGER.address)


FORCED_GAS_MAX = 90_000  # of a forced request, on cold storage


def test_the_first_forced_request_of_all_costs_what_any_costs(chain: Chain) -> None:
    """On a rollup that begins with none, no slot of a counter is written for the first time."""
    beginning = Beginning(STATE, {**COUNTERS, "forced": 0}, BATCHES, str(DEPLOYER.address), FEE)
    rollup = deploy(chain, DEPLOYER, [system()], beginning).contract(chain, "rollup")
    asked = [rollup.transact(DEPOSITOR, "request_withdrawal", ACCOUNT, 120, value=FEE) for _ in range(2)]
    assert asked[0].gas_used == asked[1].gas_used <= FORCED_GAS_MAX
    assert rollup.call("requested") == 2
