"""Wide answers as they come: dictionaries with the wire's names. Decimals are texts (`Number`), times milliseconds.

`/docs` of an exchange describes the same fields with examples. A test holds each of these to what a node says.
Annotations are not put off in these two modules, since whether a field may be missing is read when a class is made.
"""

from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

Number = Annotated[str, Meta(pattern=r"\A-?[0-9]{1,40}(\.[0-9]{1,40})?\Z")]
"""A decimal as the exchange wrote it, and no text of another kind. It stays a text: what is told is evidence, which is
kept, compared and hashed letter for letter (solvency, receipts), and `Decimal` of it is exact whenever it is wanted."""

# -- an account's past ------------------------------------------------------


class Breakdown(TypedDict):
    """What a position's realised profit is made of; fees are negative."""

    tradePnl: Number
    fundingFees: Number
    openFees: Number
    closeFees: Number


class PastPosition(TypedDict):
    """A position from its first lot to its last, or to now."""

    id: int
    accountId: int
    market: str
    side: str
    size: Number
    maxPositionSize: Number
    leverage: Number
    openPrice: Number
    exitPrice: NotRequired[Number]
    realisedPnl: Number
    realisedPnlBreakdown: Breakdown
    createdTime: int
    exitType: NotRequired[str]
    closedTime: NotRequired[int]


class FundingPayment(TypedDict):
    """Funding received (above zero) or paid."""

    id: int
    accountId: int
    market: str
    positionId: int
    side: str
    size: Number
    value: Number
    markPrice: Number
    fundingFee: Number
    fundingRate: Number
    paidTime: int


class Profit(TypedDict):
    """Of an account or a strategy, since it began."""

    accountId: int
    tradePnl: Number
    fundingFees: Number
    fees: Number
    realisedPnl: Number
    unrealisedPnl: Number
    equity: Number


class Rank(TypedDict):
    """Place in a market's queue: 10 gives up lots first, 0 not at all."""

    market: str
    rank: int


# -- liquidations ------------------------------------------------------


class PublicStep(TypedDict):
    """One close of a liquidation. Slippage is from the mark, in basis points, against the account when positive."""

    id: int
    market: str
    takenBy: str
    size: Number
    price: Number
    zeroPrice: Number
    markPrice: Number
    slippageBp: int
    fee: Number
    penalty: Number
    coveredByFund: Number
    time: int


class Step(PublicStep):
    """The same of one's own."""

    accountId: int
    holderId: int


class ExplainedStep(Step):
    """With its story and the witness in hexadecimal; `faults` is empty where the rules agree."""

    story: str
    faults: list[str]
    witness: str


class CheckedStep(PublicStep):
    """Recomputed by the exchange; `digest` is the SHA-256 of the witness, which has so many bytes."""

    faults: list[str]
    digest: str
    bytes: int


# -- the journal, batches and L1 ------------------------------------------------------


class Stage(TypedDict):
    """How far a batch is on L1."""

    stage: str
    published: int
    parts: int


class Record(TypedDict):
    """A place in the journal: the hash chain after it, and how far its batch is."""

    sequence: int
    chain: str
    batch: int
    status: str
    l1: Stage | None


class Receipt(Record):
    """The sequencer's receipt of an order. `record` is what the journal has of it, `previous` the chain before."""

    orderId: int
    orderHash: str
    time: int
    previous: str
    record: str


class BatchStep(TypedDict):
    """What is behind a batch."""

    stage: str
    time: int
    block: NotRequired[int]
    hash: NotRequired[str]


class BatchProof(TypedDict):
    """A batch's proof; `bits` are proven ones."""

    profile: str
    time: int
    bytes: int
    bits: float | None
    fault: NotRequired[str]
    key: NotRequired[str]
    seconds: float | None


class BatchTransaction(TypedDict):
    """A transaction of a batch on L1."""

    step: str
    part: int
    hash: str
    block: int
    gasUsed: int
    succeeded: bool
    time: int


class Batch(TypedDict):
    """A sealed batch on its way to L1."""

    batch: int
    sealedTime: int
    firstSequence: int
    lastSequence: int
    commands: int
    status: str
    l1: Stage | None
    steps: list[BatchStep]
    proof: BatchProof | None
    transactions: list[BatchTransaction]
    gasUsed: int


class Proving(TypedDict):
    """The batch that is being proven."""

    batch: int
    step: str
    share: Number


class LastTransaction(TypedDict):
    """The last one that the settlement service sent."""

    step: str
    batch: int | None
    hash: str
    block: int
    gasUsed: int


class Contracts(TypedDict):
    """Addresses on L1."""

    rollup: str
    custody: str
    token: str


class Settlement(TypedDict):
    """Numbers of batches. What is below `settles` is there where it is true."""

    sealed: int
    proven: int
    final: int
    settles: bool
    settled: NotRequired[int]
    proving: NotRequired[Proving | None]
    waiting: NotRequired[str | None]
    halted: NotRequired[str | None]
    lastTransaction: NotRequired[LastTransaction | None]
    chain: NotRequired[int]
    contracts: NotRequired[Contracts]


class Proposal(TypedDict):
    """What L1's council has announced: a READER of batches, or a COUNCIL. Stages are WAITING, READY, ENACTED,
    WITHDRAWN, FORGOTTEN. `follows`: whether the exchange goes on under it; None where it does not know."""

    id: str
    kind: str
    stage: str
    address: str
    version: int | None
    shape: int | None
    fromBatch: int | None
    proposedTime: int
    readyTime: int
    untilTime: int
    leaveBefore: int
    configuration: str | None
    changes: list[str]
    follows: bool | None


class ForcedRequest(TypedDict):
    """A request of L1's queue: WAITING, DONE, or FAILED for a reason."""

    number: int
    kind: str
    accountId: int
    amount: Number | None
    market: str | None
    sender: str
    state: str
    reason: str | None
    block: int
    includedTime: int
    answeredTime: int | None
