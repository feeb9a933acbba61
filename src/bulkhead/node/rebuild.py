"""The exchange's state from L1 alone: its genesis, and the calldata of every batch that was settled since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.record import Deployment, Door, check_record
from bulkhead.bridge.statements import Pages, Unfindable, digest_of, events_of, places_in
from bulkhead.circuit.batch import ALL_SHAPES, Shape, layout_of
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
    first = deployment.block + 1
    doors = {door.reader.address: Published(chain, door, first) for door in deployment.every_door}
    rebuilt = Rebuilt(genesis(config, time_ms), ALL_SHAPES[0])
    number = rebuilt.state.counters.batches
    for event in events_of(rollup, "Settled", deployment.block + 1, last):
        number = event.values["number"]
        door = doors.get(event.values["reader"])
        if door is None:
            raise NotRebuilt(
                f"batch {number} was read by {event.values['reader']}, which is not in the record: "
                "the rollup was upgraded; take the record of that upgrade, and the program that goes with it"
            )
        shape = layout_of(*door.pair)
        if shape is None:
            raise NotRebuilt(
                f"batch {number} is of version {door.pair[0]} of the circuit, shape {door.pair[1]}, which this program "
                "does not know: the rollup was upgraded; take the program of that upgrade"
            )
        settled = Settled(event.log.block, event.log.transaction, (rebuilt.root, event.values["state"]))
        said = door.statement(settled, shape)
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


class Settled(NamedTuple):
    """Where L1 settled a batch, and S before and after it."""

    block: int
    transaction: bytes
    states: tuple[int, int]


class Published:
    """What went through one door: statements in the calldata of whoever settled, pages in that of whoever published."""

    def __init__(self, chain: Chain, door: Door, first: int) -> None:
        self.chain, self.pair = chain, (door.version, door.shape)
        self.verifier, self.reader = (Contract(chain, each.address, each.abi) for each in (door.verifier, door.reader))
        self._pages = Pages(self.verifier, first)

    def statement(self, settled: Settled, shape: Shape) -> list[int]:
        """The statement that moved S from the one state to the other: its elements, and the words that changed.

        Whoever settles or publishes through a contract of his own hands bytes on, mostly as they are; so they are
        looked for at every place, and what is found must be proven, for he may have put there what only looks like
        it. Raises Unfindable where it is not there: then that contract has read or made it, which a node that traces
        shows.
        """
        data = self.chain.calldata(settled.transaction)
        for digests in self._digests(settled):
            for at in places_in(data, b"".join(map(packed_number, settled.states))):
                try:
                    elements, _ = unpack_at(data, at, shape)
                except PackingError:
                    continue
                if self.verifier.call("is_proven", digest_of([*elements, *digests])):
                    pages = (self._pages.find(digest, settled.block) for digest in digests if digest)
                    return [*elements, *(value for page in pages for value in shape.listing.unpack(page))]
        raise Unfindable(
            f"transaction 0x{settled.transaction.hex()} settles a statement that is not in its calldata: a contract "
            "made it; a node that traces transactions shows it"
        )

    def _digests(self, settled: Settled) -> Iterator[list[int]]:
        """Of the pages, as the reader told them in this transaction; it may have settled several batches."""
        for event in events_of(self.reader, "Listed", settled.block, settled.block):
            if event.log.transaction == settled.transaction:
                yield list(event.values["pages"])
