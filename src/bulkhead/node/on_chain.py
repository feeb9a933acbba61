"""A proven batch on L1: the contracts of its key, and the transactions that make a rollup take it."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.artifacts import SystemArtifacts, compile_contracts
from bulkhead.bridge.chain import Chain, Receipt
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import NOBODY, Beginning
from bulkhead.bridge.record import Deployment, RecordError
from bulkhead.bridge.statements import prove_on_chain
from bulkhead.circuit.batch import CIRCUIT_VERSION, Shape, shape_named
from bulkhead.circuit.layout import statement_module
from bulkhead.circuit.packing import pack
from bulkhead.ledger.batch import Sealer
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import genesis
from bulkhead.node.proof_file import ProofFile, ProofFileError
from bulkhead.node.prove_batch import key_for
from bulkhead.units import TimeMs
from stark.split import split


def contracts_of(config: VenueConfig, shape: Shape, profile: str) -> SystemArtifacts:
    """The contracts that verify batches of a shape. Raises NotProvable, and ArtifactError without a compiler."""
    key = key_for(config, shape, profile).key
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
        cut, packed = split(key, record.statement, record.proof), pack(record.statement, shape)
    except ValueError as error:
        raise ProofFileError(f"the proof of batch {record.batch} does not hold: {error}") from error
    door = next((each for each in deployment.every_door if each.key == record.key.hex()), None)
    if door is None:
        raise RecordError(f"no verifier of the deployment has the key {record.key.hex()} of batch {record.batch}")
    prove_on_chain(chain, signer, door.verifier, record.statement, cut)
    reader = Contract(chain, door.reader.address, door.reader.abi)
    return reader.transact(signer, "settle", deployment.rollup.address, packed)
