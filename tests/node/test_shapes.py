"""Batches of several shapes: which may be chosen, how far they are filled, which is proven, and that L1 takes each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import patch

import pytest

import stark.estimate
from bulkhead.bridge.deploy import deploy
from bulkhead.bridge.record import Deployment
from bulkhead.bridge.upgrade import Aim, propose
from bulkhead.circuit import batch
from bulkhead.circuit.batch import CIRCUIT_VERSION, LARGE, MEDIUM, SHAPES, SMALL, Shape, name_of, shapes_of
from bulkhead.circuit.venue import provable
from bulkhead.engine.command import Submit
from bulkhead.ledger.tx import Deposit
from bulkhead.node import kept_keys, prove_batch, rebuild, settings
from bulkhead.node.batches import batch_of
from bulkhead.node.exchange import Exchange
from bulkhead.node.gate import BatchGate
from bulkhead.node.on_chain import beginning_of
from bulkhead.node.proof_file import FOLDER, Proofs, read_proof, write_proof
from bulkhead.node.prove_batch import NotEnoughMemory, Unprovable, check_room, key_for, pinned_key, system_for
from bulkhead.node.replay import read_genesis
from bulkhead.node.settings import SettlementSettings
from bulkhead.node.settles import _shapes
from bulkhead.node.settling.events import Idle, SettlementError
from bulkhead.node.statement import read_statement
from bulkhead.node.succession import digest_of
from bulkhead.node.writer import Entry
from bulkhead.units import AccountId
from stark.parameters import PROFILES
from tests.bridge.chains import DEPLOYER
from tests.node.exchange_world import START_MS, USD, small_config
from tests.node.newer import contracts_like
from tests.node.settling_world import BATCHES, PROFILE, World, fund, run, world

FEW, MORE = SMALL._replace(number=1, changes=12), SMALL._replace(number=2)
KIB = 1 << 10


def test_shapes_have_names() -> None:
    assert settings.SHAPE_NAMES == tuple(batch.SHAPE_NAMES)
    assert shapes_of(()) == SHAPES == (SMALL, MEDIUM), "the largest is only for who asks for it"
    assert shapes_of(("large", "small")) == (SMALL, LARGE)
    assert [name_of(shape) for shape in (LARGE, SMALL._replace(number=9))] == ["large", "9"]
    with pytest.raises(ValueError, match="'huge' is no shape of a batch; there are small, middle, large"):
        shapes_of(("small", "huge"))


def test_the_gate_goes_by_every_bound_of_every_shape(tmp_path: Path) -> None:
    """Of two with as many rows of rules, one holds more deposits and the other more words: each is found for what it
    holds, in whatever order they are named."""
    long, wide = SMALL._replace(number=8, queue=20), SMALL._replace(number=9, changes=256)

    def deposits(shapes: list[Shape], name: str) -> int:
        """How many an empty batch takes."""
        with Exchange.open(tmp_path / name, provable(small_config()), START_MS, verify=False) as exchange:
            gate = BatchGate(exchange, shapes)
            deposit = Deposit(START_MS, 1, AccountId(128), USD, 1)
            count = 0
            while gate.ask(Submit(START_MS, deposit)) is Entry.TAKE:
                count += 1
            return count

    assert deposits([SMALL], "small") == SMALL.queue
    assert deposits([long, wide], "one") == deposits([wide, SMALL, long], "other") == long.queue
    with Exchange.open(tmp_path / "large", provable(small_config()), START_MS, verify=False) as exchange:
        assert BatchGate(exchange, [MEDIUM, LARGE, SMALL]).shapes == [LARGE, MEDIUM, SMALL]


def test_too_little_memory_is_told_before_anything_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    config = provable(small_config())
    check_room(config, (SMALL, LARGE), "onchain", 1, 16 << 30)
    with pytest.raises(NotEnoughMemory, match=r"proofs of shape large needs 14\.\d GiB and there are 8.0 GiB"):
        check_room(config, (SMALL, LARGE), "onchain", 1, 8 << 30)
    with pytest.raises(NotEnoughMemory, match="2 at once .* choose smaller shapes, fewer workers"):
        check_room(config, (SMALL, LARGE), "onchain", 2, 16 << 30)
    begun: list[object] = []
    monkeypatch.setattr(prove_batch, "prepare", lambda *given: begun.append(given))
    monkeypatch.setattr(stark.estimate, "memory_bytes", lambda: 4 << 30)
    with pytest.raises(NotEnoughMemory, match=r"the key of shape large needs 5\.\d GiB and there are 4.0 GiB"):
        key_for(config, LARGE, "onchain")
    assert not begun


def test_a_key_tells_how_far_it_is_and_is_kept_for_whoever_compares_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config, shares = provable(small_config()), list[float]()
    asked = (config, MORE, "test")
    made = key_for(*asked, 2, shares.append)
    assert shares == sorted(shares) and shares[0] == 0.0 and 0.9 < shares[-1] <= 1.0
    [kept] = (tmp_path / "bulkhead" / "keys").iterdir()
    prove_batch.forget_keys()
    digest = made.key.digest.hex()
    system, parameters = system_for(config, MORE), PROFILES["test"]
    monkeypatch.setattr(prove_batch, "prepare", lambda *given: 1 / 0)  # it would be made anew
    found = pinned_key(*asked, {digest})
    assert found.digest.hex() == digest and pinned_key(*asked, {digest}) is found
    for text, pinned in ((kept.read_text(), {"ab" * 32}), ("00" * 32, {digest}), ("nothing", {digest}), ("", {digest})):
        kept.write_text(text)
        assert kept_keys.kept_key(config, MORE, system, parameters, pinned) is None
    kept_keys.keep(config, MORE, made.key)
    assert kept_keys.kept_key(config, FEW, system, parameters, {digest}) is None, "of another shape"
    monkeypatch.setattr(kept_keys, "_program", lambda: b"another")
    assert kept_keys.kept_key(config, MORE, system, parameters, {digest}) is None


def test_settings_and_the_test_exchange_name_shapes(tmp_path: Path) -> None:
    from bulkhead.cli import up_settled

    named = dict.fromkeys(("L1", "RECORD"), "x")
    environment = {f"BULKHEAD_SETTLEMENT__{name}": value for name, value in named.items()}
    environment["BULKHEAD_VENUE__SETTLES"] = "true"
    with pytest.raises(settings.SettingsError, match="settlement.shapes: 'huge' is none of small, middle, large"):
        settings.load_settings(None, environment | {"BULKHEAD_SETTLEMENT__SHAPES": '["small", "huge"]'})
    assert up_settled.tables(tmp_path, ("small", "large"))[1].shapes == ("small", "large")
    assert up_settled.tables(tmp_path)[1].shapes == ()
    assert up_settled.pace(15.0).batch_transactions == up_settled.BATCH_TRANSACTIONS
    assert up_settled.pace(15.0, ("small", "large")).batch_transactions == up_settled.LARGE_TRANSACTIONS


# --- on L1 ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def at(settling_profile: None, tmp_path: Path) -> Iterator[World]:
    """Two sealed batches, and L1 with a verifier for each of two tiny shapes, which are all that this program has."""
    with world(tmp_path) as made, ExitStack() as stack:
        begun = read_genesis(made.folder)
        systems = [
            contracts_like(begun.config, PROFILE, shape, key_for(begun.config, shape, PROFILE).key)
            for shape in (FEW, MORE)
        ]
        beginning = beginning_of(begun.config, begun.time_ms, council=str(DEPLOYER.address), fee=1000)
        deployment = deploy(made.chain, DEPLOYER, systems, beginning)
        for module in (batch, rebuild, prove_batch):
            stack.enter_context(patch.object(module, "ALL_SHAPES", (FEW, MORE)))
        stack.enter_context(patch.dict(batch.LAYOUTS, {CIRCUIT_VERSION: (FEW, MORE)}))
        stack.enter_context(patch.dict(batch.SHAPE_NAMES, {"small": FEW, "middle": MORE}))
        stack.enter_context(patch.object(batch, "SHAPES", (FEW, MORE)))
        yield made._replace(deployment=deployment)


def test_each_batch_settles_in_the_smallest_shape_that_holds_it(at: World) -> None:
    """The first has too many words for the one, the second was sealed with few and does not pay for the other."""
    proofs, taken = Proofs(at.folder / FOLDER), {}
    for number in range(1, BATCHES + 1):
        path = proofs.path(number, PROFILE)
        path.unlink()
        sealed = batch_of(at.folder, number)
        made = prove_batch.prove_batch(sealed, PROFILE, 2, lambda step, share: None, None, (MORE, FEW))
        write_proof(path, made)
        names = system_for(read_genesis(at.folder).config, FEW).public
        taken[number] = batch.shape_named(made.shape), (len(made.statement) - len(names)) // 2
    assert {number: shape for number, (shape, _) in taken.items()} == {1: MORE, 2: FEW}
    assert taken[1][1] > FEW.changes >= taken[2][1] > 0
    lists = read_statement(names, read_proof(proofs.path(1, PROFILE)).statement).lists
    fund(at.chain, at.deployment, [(each["account"], each["amount"]) for each in lists["deposit"]])
    with at.service() as service:
        run(service)
        assert isinstance(service.step(0), Idle)
    assert at.batches() == BATCHES
    rollup = at.deployment.contract(at.chain, "rollup")
    settled = rollup.events(at.deployment.block + 1, at.chain.head().number, "Settled")
    readers = {event.values["number"]: event.values["reader"] for event in settled}
    assert readers == {1: at.deployment.door(1, 2).reader.address, 2: at.deployment.door(1, 1).reader.address}
    begun = read_genesis(at.folder)
    found = rebuild.rebuild(at.chain, at.deployment, begun.config, begun.time_ms)
    assert (found.batches, found.root) == (BATCHES, rollup.call("state"))
    with pytest.raises(Unprovable, match="changed words: a batch of this shape publishes 12"):
        prove_batch.fill(batch_of(at.folder, 1), PROFILE, 1, (FEW,))


def chosen(at: World, deployment: Deployment, *names: str) -> tuple[Shape, ...]:
    """What a node with these settings would take."""
    exchange = cast(Exchange, SimpleNamespace(state=SimpleNamespace(config=read_genesis(at.folder).config)))
    return _shapes(exchange, at.chain, deployment, SettlementSettings(profile=PROFILE, shapes=names))


def test_a_node_takes_what_was_chosen_of_what_l1_takes(at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    both = at.deployment
    first = both._replace(doors=both.doors[:1])
    assert chosen(at, both) == chosen(at, both, "middle", "small") == (FEW, MORE)
    assert chosen(at, both, "middle") == (MORE,) and chosen(at, first) == (FEW,)
    with pytest.raises(SettlementError, match="names middle, of which L1 takes no batch .* --shape middle"):
        chosen(at, first, "small", "middle")
    with pytest.raises(SettlementError, match="no verifier of the deployment is of this venue's batches"):
        chosen(at, both._replace(doors=()))
    # One that was only announced is not filled for: L1 would refuse the batch.
    config = read_genesis(at.folder).config
    shape = SMALL._replace(number=3)
    monkeypatch.setitem(batch.SHAPE_NAMES, "large", shape)
    newer = contracts_like(config, PROFILE, shape, key_for(config, shape, PROFILE).key)
    later = propose(at.chain, DEPLOYER, both, [newer], Aim(digest_of(config), (), 0), keep=lambda made: None)
    with pytest.raises(SettlementError, match="names large, of which L1 takes no batch from this venue"):
        chosen(at, later, "small", "large")
    assert chosen(at, later) == (FEW, MORE)
    monkeypatch.setattr(stark.estimate, "memory_bytes", lambda: 64 * KIB)
    with pytest.raises(SettlementError, match="settlement.shapes: 1 at once of proofs of shape small needs"):
        chosen(at, both)
