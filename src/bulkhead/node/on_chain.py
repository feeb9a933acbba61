"""A proven batch on L1: the contracts of its key, and the transactions that make a rollup take it."""

from __future__ import annotations

import os

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.artifacts import SystemArtifacts, compile_contracts
from bulkhead.bridge.chain import Chain, Receipt
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import NOBODY, Beginning
from bulkhead.bridge.record import Deployment, RecordError
from bulkhead.bridge.statements import Proving, give_proof
from bulkhead.circuit.batch import CIRCUIT_VERSION, Shape, shape_named
from bulkhead.circuit.layout import statement_module
from bulkhead.circuit.packing import pack
from bulkhead.ledger.batch import Sealer
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import genesis
from bulkhead.node.proof_file import ProofFile, ProofFileError
from bulkhead.node.prove_batch import key_for
from bulkhead.units import TimeMs
from stark.progress import Report, unheard
from stark.split import split


def contracts_of(
    config: VenueConfig, shape: Shape, profile: str, report: Report = unheard
) -> SystemArtifacts:
    """The contracts that verify batches of a shape; `report` hears how far its key is made.

    Raises NotProvable, NotEnoughMemory before a key is begun that the machine cannot hold, and ArtifactError without a
    compiler.
    """
    key = key_for(config, shape, profile, os.cpu_count() or 1, report).key
    return compile_contracts(key, statement_module(shape), version=CIRCUIT_VERSION, shape=shape.number)


def beginning_of(config: VenueConfig, time_ms: TimeMs, *, council: str = NOBODY, fee: int = 0) -> Beginning:
    """An exchange's first state, as a rollup begins with it; `fee` in wei, of a forced request."""
    state = genesis(config, time_ms)
    counters = {name: int(value) for name, value in state.counters._asdict().items()} | {"time_ms": int(state.time_ms)}
    return Beginning(Sealer(state).root, counters, state.counters.batches, council, fee)


def settle(
    chain: Chain, deployment: Deployment, signer: LocalAccount, record: ProofFile, config: VenueConfig
) -> Receipt:
    """Give L1 a batch: its proof in several transactions, then its statement, which moves S. The last receipt.

    Raises ProofFileError where the proof holds under no key of the deployment, Reverted with a contract's reason.
    """
    shape = shape_named(record.shape)
    if shape is None:
        raise ProofFileError(f"batch {record.batch} was proven in a shape that this program does not have")
    key = key_for(config, shape, record.profile).key
    try:
        cut = split(key, record.statement, record.proof)
        packed = pack(record.statement[: len(key.system.public)], shape)
    except ValueError as error:
        raise ProofFileError(f"the proof of batch {record.batch} does not hold: {error}") from error
    door = next((each for each in deployment.every_door if each.key == record.key.hex()), None)
    if door is None:
        raise RecordError(f"no verifier of the deployment has the key {record.key.hex()} of batch {record.batch}")
    verifier, reader = (Contract(chain, each.address, each.abi) for each in (door.verifier, door.reader))
    proving, rollup = Proving(verifier, cut), deployment.rollup.address
    missing, claim = give_proof(signer, proving, but_last=True)
    asked = proving.settling(reader, rollup, packed, missing, claim)
    if asked is None:  # the last page is too long to go with it
        give_proof(signer, proving)
        asked = proving.settling(reader, rollup, packed, 0, claim)
    assert asked is not None, "what is proven can be settled"
    return reader.transact(signer, asked.name, *asked.arguments)
