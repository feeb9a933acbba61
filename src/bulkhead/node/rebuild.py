"""The exchange's state from L1 alone: its genesis, and the calldata of every batch that was settled since."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.record import Deployment, check_record
from bulkhead.bridge.statements import events_of, statement_in
from bulkhead.circuit.batch import SHAPES, names_of
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
    readers = {door.reader.address: door.shape for door in deployment.doors}
    shapes = {shape.number: shape for shape in SHAPES}
    rebuilt = Rebuilt(genesis(config, time_ms), SHAPES[0])
    number = rebuilt.state.counters.batches
    for event in events_of(rollup, "Settled", deployment.block + 1, last):
        number = event.values["number"]
        shape = shapes.get(readers.get(event.values["reader"], 0))
        if shape is None:
            raise NotRebuilt(
                f"batch {number} was read by {event.values['reader']}, which is not in the record: "
                "the rollup was upgraded; take the record of that upgrade, and the program that goes with it"
            )
        begins = (rebuilt.root, event.values["state"])
        said = statement_in(chain, event.log.transaction, begins, len(names_of(shape)))
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
