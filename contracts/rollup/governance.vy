# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Governance
@license Apache-2.0
@notice What a council may do, and how long everybody knows before it happens.
@dev It may stop new deposits and batches. It cannot stop claims, forced requests, the freeze, or what follows a freeze,
     and a stop does not stop the deadline: a rollup that is paused for too long can be frozen. It may propose other
     readers, or another council; that waits TIMELOCK, longer than FORCED_DEADLINE and EXIT_WINDOW together, and is not
     enacted while a request is overdue. It has no power over funds.

     What a pause costs others: a batch that was sealed before it and is older than SUBMISSION_WINDOW after it is never
     settled, so a council can undo what was traded and not settled, and nothing else.
"""
import terms
from rollup import forced
from rollup import progress

uses: progress
uses: forced


event Paused:
    deposits: bool
    batches: bool


event ReaderProposed:
    proposal: indexed(bytes32)
    version: uint256
    shape: uint256
    reader: address
    from_batch: uint256
    ready_s: uint256


event CouncilProposed:
    proposal: indexed(bytes32)
    council: address
    ready_s: uint256


event ProposalWithdrawn:
    proposal: indexed(bytes32)


event ReaderPinned:
    version: indexed(uint256)
    shape: indexed(uint256)
    reader: address
    from_batch: uint256


event CouncilNamed:
    council: address


# A version and shape, and the reader that is pinned for it from the first batch on.
struct Door:
    version: uint256
    shape: uint256
    reader: address


# The reader of a version and shape, and who follows it from which batch on.
struct Pin:
    reader: address
    successor: address
    from_batch: uint256


deposits_paused: public(bool)
batches_paused: public(bool)
council: public(address)
pins: public(HashMap[uint256, HashMap[uint256, Pin]])
# The second from which a proposal may be enacted.
ready_s: public(HashMap[bytes32, uint256])


@deploy
def __init__(council: address, doors: DynArray[Door, 8]):
    """
    @notice The first council, and the first readers.
    """
    assert council != empty(address), "rollup: council"
    self.council = council
    log CouncilNamed(council=council)
    for door: Door in doors:
        assert door.reader != empty(address), "rollup: reader"
        self.pins[door.version][door.shape] = Pin(reader=empty(address), successor=door.reader, from_batch=0)
        log ReaderPinned(version=door.version, shape=door.shape, reader=door.reader, from_batch=progress.batches + 1)


@external
def pause(deposits: bool, batches: bool):
    """
    @notice Stop new deposits, or batches, or let them go on. Nothing else can be stopped, and no deadline is.
    """
    assert msg.sender == self.council, "rollup: not the council"
    self.deposits_paused = deposits
    self.batches_paused = batches
    log Paused(deposits=deposits, batches=batches)


@external
def propose_reader(version: uint256, shape: uint256, reader: address, from_batch: uint256) -> bytes32:
    """
    @notice Announce another reader for a version and shape. Other versions and shapes keep theirs until retired.
    @param reader The zero address retires the pair.
    @param from_batch The first batch that it reads; at once when enacted later than that.
    @return What to withdraw the proposal by.
    """
    proposal: bytes32 = self._reader_proposal(version, shape, reader, from_batch)
    ready: uint256 = self._propose(proposal)
    log ReaderProposed(
        proposal=proposal, version=version, shape=shape, reader=reader, from_batch=from_batch, ready_s=ready
    )
    return proposal


@external
def propose_council(council: address) -> bytes32:
    """
    @notice Announce another council.
    @return What to withdraw the proposal by.
    """
    assert council != empty(address), "rollup: council"
    proposal: bytes32 = self._council_proposal(council)
    ready: uint256 = self._propose(proposal)
    log CouncilProposed(proposal=proposal, council=council, ready_s=ready)
    return proposal


@external
def withdraw_proposal(proposal: bytes32):
    """
    @notice Take back what was proposed.
    """
    assert msg.sender == self.council, "rollup: not the council"
    assert self.ready_s[proposal] > 0, "rollup: not proposed"
    self.ready_s[proposal] = 0
    log ProposalWithdrawn(proposal=proposal)


@external
def enact_reader(version: uint256, shape: uint256, reader: address, from_batch: uint256):
    """
    @notice Pin what was announced long enough ago. Anybody may. It replaces a pin whose first batch is yet to come.
    """
    self._enact(self._reader_proposal(version, shape, reader, from_batch))
    self.pins[version][shape] = Pin(
        reader=self._reader(version, shape, progress.batches + 1), successor=reader, from_batch=from_batch
    )
    log ReaderPinned(version=version, shape=shape, reader=reader, from_batch=max(from_batch, progress.batches + 1))


@external
def enact_council(council: address):
    """
    @notice Name the council that was announced long enough ago. Anybody may.
    """
    self._enact(self._council_proposal(council))
    self.council = council
    log CouncilNamed(council=council)


@external
@view
def takes_deposits() -> bool:
    """
    @notice Whether custody takes new deposits.
    """
    return not (progress.frozen or self.deposits_paused)


@external
@view
def reader_of(version: uint256, shape: uint256) -> address:
    """
    @notice Who reads the next batch, if it is of this version and shape.
    """
    return self._reader(version, shape, progress.batches + 1)


@internal
@view
def _reader(version: uint256, shape: uint256, number: uint256) -> address:
    """
    @dev Zero where none is pinned, and no caller is.
    """
    pin: Pin = self.pins[version][shape]
    if number >= pin.from_batch:
        return pin.successor
    return pin.reader


@internal
@pure
def _reader_proposal(version: uint256, shape: uint256, reader: address, from_batch: uint256) -> bytes32:
    return keccak256(abi_encode("reader", version, shape, reader, from_batch))


@internal
@pure
def _council_proposal(council: address) -> bytes32:
    return keccak256(abi_encode("council", council))


@internal
def _propose(proposal: bytes32) -> uint256:
    """
    @dev A second announcement of the same would begin the wait anew, or be a mistake: it is refused.
    """
    assert msg.sender == self.council, "rollup: not the council"
    known: uint256 = self.ready_s[proposal]
    assert known == 0 or block.timestamp >= known + terms.ENACTMENT_WINDOW, "rollup: proposed"
    ready: uint256 = block.timestamp + terms.TIMELOCK
    self.ready_s[proposal] = ready
    return ready


@internal
def _enact(proposal: bytes32):
    """
    @dev Not while a request is overdue: whoever asked to leave after the announcement must be able to.
    """
    ready: uint256 = self.ready_s[proposal]
    assert ready > 0, "rollup: not proposed"
    assert block.timestamp >= ready, "rollup: too early"
    assert block.timestamp < ready + terms.ENACTMENT_WINDOW, "rollup: too late"
    assert not progress.frozen, "rollup: frozen"
    assert not forced._is_overdue(), "rollup: a request is overdue"
    self.ready_s[proposal] = 0
