"""The contracts on every chain: deployed, recorded, used, proven to, and looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bulkhead.bridge import artifacts
from bulkhead.bridge.artifacts import (
    Artifact,
    ArtifactError,
    SystemArtifacts,
    compile_contracts,
    read_system,
    write_system,
)
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import Beginning, DeployError, as_code, deploy
from bulkhead.bridge.errors import Reverted
from bulkhead.bridge.gas import GAS_MAX, TRANSACTION_BYTES_MAX
from bulkhead.bridge.record import Deployment, RecordError, check_record, read_record, write_record
from bulkhead.bridge.status import status
from stark.keccak import keccak256
from tests.bridge.chains import DEPLOYER, DEPOSITOR, STRANGER, running
from tests.bridge.test_chain import signed
from tests.bridge.world import BATCHES, COUNTERS, FEE, STATE, compile_system, deployed, proven, system
from tests.contracts.statement import Layout


@pytest.fixture
def made() -> SystemArtifacts:
    """The contracts of a small key."""
    return system()


MUCH = 3_000_000  # gas


def prove(chain: Chain, verifier: Contract) -> list[int]:
    """Give the verifier the whole proof; gas of each transaction."""
    told = proven()
    words, head = told.public, told.split
    claim = verifier.call("open", words, head.hints, head.head)
    gas = [verifier.transact(STRANGER, "open", words, head.hints, head.head).gas_used]
    for number, part in enumerate(head.parts):
        gas.append(verifier.transact(STRANGER, "answer", claim, number, part.hint, part.data).gas_used)
    return gas


def test_a_deployment_is_used_and_looked_at(chain: Chain, made: SystemArtifacts, tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    write_record(path, deployed(chain, made))
    record = read_record(path)
    check_record(chain, record)
    token, custody, rollup = (record.contract(chain, name) for name in ("token", "custody", "rollup"))
    token.transact(DEPOSITOR, "mint", DEPOSITOR.address, 1000)
    token.transact(DEPOSITOR, "approve", custody.address, 1000)
    with pytest.raises(Reverted, match="custody: account"):
        custody.transact(DEPOSITOR, "deposit", 65, 300)
    receipt = custody.transact(DEPOSITOR, "deposit", 128, 300)
    [told] = custody.read(receipt.logs)
    assert told.name == "Deposited"
    assert told.values == {"number": 1, "account": 128, "amount": 300, "depositor": DEPOSITOR.address}
    found = custody.events(record.block + 1, chain.head().number, "Deposited")
    assert [(each.name, each.values) for each in found] == [(told.name, told.values)]

    seen = status(chain, record)
    assert seen.views["rollup"]["state"] == STATE and seen.views["rollup"]["batches"] == BATCHES
    assert {name: seen.views["rollup"][f"counters.{name}"] for name in COUNTERS} == COUNTERS
    assert seen.views["custody"]["queued"] == 1 and seen.custody_balance == 300
    assert seen.views["custody"]["rollup"] == rollup.address
    assert custody.call("deposit_of", 1) == (128, 300, DEPOSITOR.address)
    [pin] = seen.pins
    assert pin.is_pinned and pin.key == proven().key.digest.hex() and (pin.version, pin.shape) == (1, 7)
    assert not seen.changed and seen.deployer == DEPLOYER.address and seen.deployer_wei > 0


def test_a_proof_is_verified_on_chain(chain: Chain, made: SystemArtifacts) -> None:
    door = deployed(chain, made).door(1, 7)
    verifier = Contract(chain, door.verifier.address, door.verifier.abi)
    digest = keccak256(b"".join(value.to_bytes(32, "big") for value in proven().public))
    assert verifier.call("is_proven", digest) is False
    gas = prove(chain, verifier)
    assert verifier.call("is_proven", digest) is True
    assert all(each < GAS_MAX for each in gas)


def test_gas_is_the_same_on_every_chain_and_on_both_machines(made: SystemArtifacts) -> None:
    """Of every transaction of a proof: by the specification alone, and with the pure contracts run natively."""
    from tests.bridge.chains import KINDS

    spent = {}
    for kind in KINDS:
        with running(kind) as chain:
            door = deployed(chain, made).door(1, 7)
            spent[kind] = prove(chain, Contract(chain, door.verifier.address, door.verifier.abi))
    with running("embedded") as chain:
        door = deployed(chain, made).door(1, 7)
        natives = chain.provider.embedded.machine.natives  # type: ignore[attr-defined]
        pure = door.opening, door.queries, door.pages
        assert {bytes.fromhex(each.address[2:]) for each in pure} == set(natives.contracts)
        natives.contracts.clear()
        spent["specification"] = prove(chain, Contract(chain, door.verifier.address, door.verifier.abi))
    assert all(each == spent["specification"] for each in spent.values()), spent


def test_a_refused_proof_is_refused_natively_as_by_the_specification(made: SystemArtifacts) -> None:
    told = proven()
    reasons = []
    for is_native in (True, False):
        with running("embedded") as chain:
            door = deployed(chain, made).door(1, 7)
            verifier = Contract(chain, door.verifier.address, door.verifier.abi)
            if not is_native:
                chain.provider.embedded.machine.natives.contracts.clear()  # type: ignore[attr-defined]
            head = bytearray(told.split.head)
            head[40] ^= 1
            hints = list(told.split.hints)
            data = [verifier.data("open", told.public, hints, bytes(head))]
            hints[0] += 1
            data.append(verifier.data("open", told.public, hints, told.split.head))
            for each in data:
                receipt = chain.wait(chain.send(chain.prepare(STRANGER, verifier.address, each, gas=10_000_000)))
                with pytest.raises(Reverted, match="opening: ") as caught:
                    chain.call(verifier.address, each)
                reasons.append((is_native, str(caught.value), receipt.succeeded, receipt.gas_used))
    native, plain = ([each[1:] for each in reasons if each[0] is which] for which in (True, False))
    assert native == plain and not any(succeeded for _, succeeded, _ in plain)


def test_a_native_call_ends_as_by_the_specification_whatever_gas_it_has(
    made: SystemArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enough, just enough, less; and with code that is warm before it is read, which the machine cannot know."""
    told = proven()
    spent: dict[str, list[tuple[bool, int]]] = {}
    for kind in ("native", "specification", "not installed"):
        with monkeypatch.context() as patched, running("embedded") as chain:
            if kind == "not installed":
                patched.setattr("bulkhead.bridge.embedded.native.pyrevm", None)
            door = deployed(chain, made).door(1, 7)
            opening = Contract(chain, door.opening.address, door.opening.abi)
            if kind == "specification":
                chain.provider.embedded.machine.natives.contracts.clear()  # type: ignore[attr-defined]
            data = opening.data("open", told.public, told.split.hints, told.split.head)
            ends = spent.setdefault(kind, [])
            used = 0
            cases = [(MUCH, 0), (0, 0), (-1, 0), (-20_000, 0), (MUCH, 1), (0, 1)]
            for gas, warm in cases:
                access = [{"address": each, "storageKeys": []} for each in door.data[:warm]]
                limit = gas if gas == MUCH else used + gas
                fields = {"to": opening.address, "data": data, "value": 0, "gas": limit, "accessList": access}
                receipt = chain.wait(chain.send(signed(chain, STRANGER, **fields)))
                ends.append((receipt.succeeded, receipt.gas_used))
                used = receipt.gas_used if gas == MUCH else used
    first, enough, short, shorter, warmed, again = spent["specification"]
    assert first == enough and first[0] and not short[0] and not shorter[0]
    assert warmed == again == (True, first[1] + 2400 - 2500)
    assert all(each == spent["specification"] for each in spent.values()), spent


def test_a_record_of_another_chain_is_refused(made: SystemArtifacts, tmp_path: Path) -> None:
    with running("embedded") as chain:
        record = deployed(chain, made)
        with pytest.raises(RecordError, match="no verifier for version 1 and shape 8; there are 1/7"):
            record.door(1, 8)
    with running("embedded") as other:
        with pytest.raises(RecordError, match="token: nothing at"):
            check_record(other, record)
        assert set(status_or_none(other, record)) == {"unreadable"}
        with pytest.raises(RecordError, match="deployed on chain 5"):
            check_record(other, record._replace(chain_id=5))
    path = tmp_path / "record.json"
    with pytest.raises(RecordError, match="is not there: `bulkhead l1 deploy`"):
        read_record(path)
    write_record(path, record)
    assert read_record(path) == record
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**{name: fields[name] for name in fields if name != "state_version"}, "format": 2}))
    assert read_record(path) == record, "of one that was written before records named the state's version"
    for changed in (
        [], {}, {**fields, "format": 1}, {**fields, "doors": 5}, {**fields, "deployer": "0x12"},
        {**fields, "token": {**fields["token"], "address": record.token.address.lower()}},
        {**fields, "custody": {**fields["custody"], "abi": 5}},
    ):  # fmt: skip
        path.write_text(json.dumps(changed))
        with pytest.raises(RecordError, match="is no deployment record"):
            read_record(path)


def status_or_none(chain: Chain, record: Deployment) -> list[str]:
    """What a status says on a chain that knows nothing of the record."""
    try:
        return list(status(chain, record).changed)
    except Exception as error:
        assert "answers with something else" in str(error)
        return ["unreadable"]


def test_contracts_are_compiled_once_for_all_that_went_in(
    made: SystemArtifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, module = proven(), Layout().module
    kept = tmp_path / f"{made.digest}.json"
    write_system(kept, made)
    assert read_system(kept) == made
    # What is kept needs no compiler; anything else that goes in does, and says how to get one.
    monkeypatch.setenv("BULKHEAD_VYPER", str(tmp_path / "nothing"))
    assert compile_system(tmp_path) == made
    with pytest.raises(ArtifactError, match="no Vyper 0.4.3: run `make venv`"):
        compile_contracts(told.key, module, version=2, shape=7, cache=tmp_path)
    old = tmp_path / "vyper"
    old.write_text("#!/bin/sh\necho 0.4.2+commit.dd\n")
    old.chmod(0o755)
    monkeypatch.setenv("BULKHEAD_VYPER", str(old))
    with pytest.raises(ArtifactError, match=r"is 0.4.2\+commit.dd; no Vyper 0.4.3"):
        compile_contracts(told.key, module, version=2, shape=7, cache=tmp_path)
    monkeypatch.delenv("BULKHEAD_VYPER")
    with pytest.raises(ArtifactError, match="Vyper refuses .*Reader"):
        compile_contracts(told.key, "not: Vyper", cache=tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 1
    for text in ("", "[]", "{}", '{"format": 2}', kept.read_text().replace('"Queries"', '"Query"')):
        kept.write_text(text)
        with pytest.raises(ArtifactError, match="holds no compiled contracts"):
            read_system(kept)


def test_what_a_constructor_asks_for_must_be_named(
    made: SystemArtifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginning = Beginning(STATE, COUNTERS, BATCHES, str(DEPLOYER.address), FEE)
    with running("embedded") as chain:
        for systems in ([], [made, made]):
            with pytest.raises(DeployError, match="one alone for each version and shape"):
                deploy(chain, DEPLOYER, systems, beginning)
        short = {name: value for name, value in COUNTERS.items() if name != "forced"}
        with pytest.raises(DeployError, match="Rollup is deployed with counters.forced, which nobody named"):
            deploy(chain, DEPLOYER, [made], beginning._replace(counters=short))
        with pytest.raises(RecordError, match="there is no contract at"):
            deploy(chain, DEPLOYER, [made], beginning, token="0x" + "77" * 20)
        shared = artifacts.shared_artifacts()
        asks = [{"type": "constructor", "inputs": [{"name": "owner", "type": "address"}]}]
        monkeypatch.setattr(
            "bulkhead.bridge.deploy.shared_artifacts", lambda: {**shared, "Token": Artifact("Token", asks, b"\0")}
        )
        with pytest.raises(DeployError, match="Token is deployed with owner, which nobody named"):
            deploy(chain, DEPLOYER, [made], beginning)
    with pytest.raises(DeployError, match="24577 bytes of data"):
        as_code(bytes(24_576))
    monkeypatch.setattr(artifacts, "SHIPPED", tmp_path)
    with pytest.raises(ArtifactError, match=r"python tools/contracts.py"):
        artifacts.shared_artifacts()


def test_what_is_deployed_fits_transactions(made: SystemArtifacts) -> None:
    codes = [each.code for each in made.contracts.values()] + [as_code(each) for each in (*made.tapes, made.constants)]
    assert all(len(code) + 1000 < TRANSACTION_BYTES_MAX for code in codes)
