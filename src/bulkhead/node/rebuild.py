"""The exchange's state from L1 alone: its genesis, and the calldata of every batch that was settled since."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.record import Deployment, check_record
from bulkhead.bridge.statements import Unfindable, digest_of, events_of, places_in
from bulkhead.circuit.batch import SHAPES, Shape
from bulkhead.circuit.packing import PackingError, packed_number, unpack_at
from bulkhead.circuit.rebuild import RebuildError, Rebuilt
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import State, genesis
from bulkhead.units import TimeMs

Progress = Callable[[int], None]  # called with the number of each batch that was followed


class NotRebuilt(Exception):
    """L1 does not lead to the state it names, as far as this program can see; the text says where it ends."""


class FromL1(NamedTuple):
    """A state, and where L1 had it: S, the number of its last batch, and the block at which L1 was read."""

    state: State
    root: int
    batches: int
    block: int


def rebuild(
    chain: Chain,
    deployment: Deployment,
    config: VenueConfig,
    time_ms: TimeMs,
    progress: Progress = lambda number: None,
) -> FromL1:
    """The state whose S the rollup has now. The exchange began with `config` at `time_ms`, as its genesis says.

    Raises NotRebuilt, RecordError where the record is of another chain, Unfindable, and what `Chain` raises.
    """
    check_record(chain, deployment)
    last = chain.head().number
    rollup = deployment.contract(chain, "rollup")
    doors = {door.reader.address: door for door in deployment.every_door}
    shapes = {shape.number: shape for shape in SHAPES}
    rebuilt = Rebuilt(genesis(config, time_ms), SHAPES[0])
    number = rebuilt.state.counters.batches
    for event in events_of(rollup, "Settled", deployment.block + 1, last):
        number = event.values["number"]
        door = doors.get(event.values["reader"])
        shape = None if door is None else shapes.get(door.shape)
        if door is None or shape is None:
            raise NotRebuilt(
                f"batch {number} was read by {event.values['reader']}, which is not in the record: "
                "the rollup was upgraded; take the record of that upgrade, and the program that goes with it"
            )
        verifier = Contract(chain, door.verifier.address, door.verifier.abi)
        said = published(chain, verifier, event.log.transaction, (rebuilt.root, event.values["state"]), shape)
        rebuilt.shape = shape
        try:
            rebuilt.follow(said)
        except RebuildError as error:
            raise NotRebuilt(str(error)) from error
        progress(number)
    on_chain = rollup.call("state", at=last)
    if on_chain != rebuilt.root:
        raise NotRebuilt(
            f"after batch {number} the state is {rebuilt.root:#066x}, and on L1 {on_chain:#066x}: "
            "is this the genesis of another exchange?"
        )
    return FromL1(rebuilt.state, rebuilt.root, number, last)


def published(
    chain: Chain, verifier: Contract, transaction: bytes, states: tuple[int, int], shape: Shape
) -> list[int]:
    """The statement that moved S from the one state to the other, in the calldata of the transaction that did it.

    Whoever settles through a contract of his own hands it on, mostly as it is; so it is looked for at every place, and
    what is found must be proven, for he may have put there what only looks like it. Raises Unfindable where it is not
    there: then that contract has read or made it, which a node that traces shows.
    """
    data = chain.calldata(transaction)
    for at in places_in(data, b"".join(map(packed_number, states))):
        try:
            said, _ = unpack_at(data, at, shape)
        except PackingError:
            continue
        if verifier.call("is_proven", digest_of(said)):
            return said
    raise Unfindable(
        f"transaction 0x{transaction.hex()} settles a statement that is not in its calldata: a contract made it; "
        "a node that traces transactions shows it"
    )
