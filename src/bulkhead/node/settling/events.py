"""What the settlement service tells: one event for each step that it takes. All are values; none is an exception."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class SettlementError(Exception):
    """The service cannot be started or kept as asked; the text says what to do."""


class ExchangeBusy(Exception):
    """The exchange takes nothing now; it may have taken what it has not answered, which its counters will say."""


class Unpublishable(Exception):
    """Nothing that is tried again will settle this batch; the text says why."""

    def __init__(self, batch: int, reason: str) -> None:
        super().__init__(reason)
        self.batch, self.reason = batch, reason


class CutOff(Unpublishable):
    """L1 takes no further batch of this exchange: it was given other readers."""


class Step(StrEnum):
    """What a transaction of the service does."""

    OPEN = "open"  # a proof, at the verifier
    ANSWER = "answer"  # one part of it
    PUBLISH = "publish"  # one page of what its statement lists
    SETTLE = "settle"  # the batch, through the reader of its shape
    STEP_OVER = "step over"  # cancelled deposits at the head of custody's queue
    FINISH_CANCEL = "finish cancel"  # of a deposit whose depositor announced it and left it at that


class Call(NamedTuple):
    """A transaction that is wanted. `batch` is 0 where it serves none; `part` is what `Step` is about, from 0."""

    step: Step
    batch: int
    part: int
    to: str
    data: bytes


class Refused(Exception):
    """L1 refuses a call, in its own words. It may be a race with others, so it is tried once more before it counts."""

    def __init__(self, call: Call, reason: str) -> None:
        super().__init__(f"{call.step} of batch {call.batch}: {reason}")
        self.call, self.reason = call, reason


class Cause(StrEnum):
    """Why the service waits; each ends by itself, or by somebody else's doing."""

    INCLUSION = "a transaction is in no block yet"
    FUNDS = "the account that settles is empty"
    FEE = "L1 asks for a higher fee than may be paid"
    PAUSED = "the council has paused batches"
    AHEAD = "the batch is ahead of L1's clock"
    UNREACHABLE = "L1 does not answer"
    EXCHANGE = "the exchange takes nothing now"
    REFUSED = "L1 refused, which is tried once more"
    UNKNOWN_NONCE = "other transactions of this account wait"


class Idle(NamedTuple):
    """Nothing to do: no proof waits, and all of L1 that is confirmed was read."""


class Waiting(NamedTuple):
    """Nothing can be done now."""

    cause: Cause
    detail: str = ""


class OutOfFunds(NamedTuple):
    """The account cannot pay for the next transaction. In wei: what must be there, and what is."""

    address: str
    needed: int
    held: int


class Sent(NamedTuple):
    """A transaction was given to L1. `attempt` counts from 1; beyond the first, at a higher fee or anew."""

    step: Step
    batch: int
    part: int
    nonce: int
    hash: bytes
    attempt: int
    is_repeated: bool  # the same bytes as before: L1 had dropped them


class Included(NamedTuple):
    """A transaction is in a block, and did what it was to do where `succeeded`."""

    step: Step
    batch: int
    part: int
    nonce: int
    hash: bytes
    block: int
    gas_used: int
    succeeded: bool


class Displaced(NamedTuple):
    """Another transaction of the account took this nonce: what ours was to do is looked up on L1 again."""

    nonce: int


class Followed(NamedTuple):
    """Confirmed blocks were read up to `block`. `final` are batches that settled in them."""

    block: int
    deposits: int
    cancelled: int
    requests: int
    final: tuple[int, ...]


class Reorganised(NamedTuple):
    """L1 went back behind `block`: what was told of later blocks counts no more."""

    block: int


class Queue(StrEnum):
    """L1's queues."""

    DEPOSITS = "deposit"
    REQUESTS = "forced request"


class Fed(NamedTuple):
    """The exchange has processed an entry of a queue: its numbers on L1 and L2, and the transaction's name."""

    queue: Queue
    l1_number: int
    l2_number: int
    transaction: str
    failed: str = ""  # of a forced request: the rule that it fails


class Held(NamedTuple):
    """The next entry of a queue cannot be processed now, and those behind it wait."""

    queue: Queue
    l1_number: int
    reason: str


class Halted(NamedTuple):
    """The service has stopped; only an operator can help. `batch` is 0 where it is about none. `is_cut_off` where L1
    takes no further batch at all."""

    batch: int
    reason: str
    is_cut_off: bool = False


Event = (
    Idle | Waiting | OutOfFunds | Sent | Included | Displaced | Followed | Reorganised | Fed | Held | Halted
)  # fmt: skip
Report = Callable[[Event], None]


class Stage(StrEnum):
    """How far a batch has come."""

    SEALED = "sealed"
    PROVEN = "proven"  # the proof is on the disk
    PUBLISHED = "published"  # some of its parts or pages are accepted by the verifier on L1
    SETTLED = "settled"  # in a block that may still be lost
    FINAL = "final"  # as deep as was asked for


class BatchStatus(NamedTuple):
    """Of one batch. Parts count the opening and pages: a proof of two parts whose statement has a page counts four."""

    number: int
    stage: Stage
    published: int = 0
    parts: int = 0
