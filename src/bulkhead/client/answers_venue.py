"""What an exchange says of itself, as it comes: see `answers`."""

from typing import TypedDict

from bulkhead.client.answers import Number, Proving


class LiabilitiesRoot(TypedDict):
    """The root of the tree of what is owed: see `client.solvency`. Debts to the venue count as nothing in its total."""

    root: str
    total: Number
    accounts: int


class Solvency(TypedDict):
    """What custody holds, and what accounts and the venue's own funds are owed of it."""

    custody: Number
    accounts: Number
    funds: Number
    sequence: int
    batches: int
    liabilities: LiabilitiesRoot


class Sibling(TypedDict):
    """A node beside the way to the root."""

    digest: str
    total: Number


class OwnPart(TypedDict):
    """An account's leaf in that tree, and its way to the root."""

    accountId: int
    ownerKey: str
    owed: Number
    salt: str
    place: int
    path: list[Sibling]


class OwnSolvency(TypedDict):
    """An account and its isolated positions in that tree."""

    sequence: int
    root: str
    total: Number
    parts: list[OwnPart]


class SettledSolvency(TypedDict):
    """What S of a batch that is final on L1 is made of; words are elements of the field in hexadecimal. `liabilities`
    is the tree of sums over that state, the same for whoever makes it."""

    batch: int
    state: str
    parts: list[str]
    markets: list[str]
    money: list[str]
    counters: list[str]
    liabilities: LiabilitiesRoot


class CountedPart(TypedDict):
    """Where an account stands in that tree of sums."""

    amount: Number
    place: int
    path: list[Sibling]


class SettledAccount(TypedDict):
    """An account in that state: its words by number, none of one that is not there, and its path to the root."""

    accountId: int
    words: dict[str, str]
    path: list[str]
    owed: CountedPart | None


class OwnSettledSolvency(SettledSolvency):
    """The same with one's own account and its isolated position in every market."""

    accounts: list[SettledAccount]


class Fund(TypedDict):
    """The venue's money of one asset."""

    asset: str
    insurance: Number
    fees: Number
    l1: Number


class Budget(TypedDict):
    """What the insurance fund may still lose in a market."""

    market: str
    budget: Number
    lost: Number
    left: Number


class FundEntry(TypedDict):
    """What came into the insurance fund, or left it."""

    id: int
    reason: str
    amount: Number
    time: int


class Insurance(TypedDict):
    """Funds, budgets and the last entries."""

    funds: list[Fund]
    budgets: list[Budget]
    entries: list[FundEntry]
    cursor: int | None


class Signer(TypedDict):
    """A signer of the oracle."""

    signer: int
    key: str
    sequence: int | None
    time: int | None
    ageMs: int | None


class Feed(TypedDict):
    """A market's index price with its age."""

    market: str
    price: Number
    time: int
    ageMs: int
    ageMaxMs: int
    isFresh: bool


class Oracle(TypedDict):
    """The oracle as the exchange hears it."""

    sequence: int
    time: int
    ageMs: int
    quorum: int
    signers: list[Signer]
    feeds: list[Feed]
    source: str


class Failure(TypedDict):
    """A part of the node that does not work, and why."""

    part: str
    reason: str


class BrownOut(TypedDict):
    """Whether cancels and reduce-only orders alone are taken, and from when on."""

    isOn: bool
    depth: int
    batches: int | None


class Throughput(TypedDict):
    """A second, over the span."""

    commands: Number
    fills: Number
    spanSeconds: int


class Quantiles(TypedDict):
    """Seconds; None before the first answer."""

    p50: Number | None
    p95: Number | None
    p99: Number | None


class Unprovable(TypedDict):
    """A batch that no circuit proves."""

    batch: int
    reason: str


class Prover(TypedDict):
    """The prover beside the node."""

    runs: bool
    sealed: int
    unproven: int
    proving: Proving | None
    starts: int
    unprovable: list[Unprovable]


class Operator(TypedDict):
    """Load and health of the node."""

    time: int
    sequence: int
    failures: list[Failure]
    queue: int
    queueMax: int
    storeLag: int
    brownOut: BrownOut
    throughput: Throughput
    latency: Quantiles
    readLatency: Quantiles
    prover: Prover
    configuration: str
    accounts: int
    filledOrders: int
    filledOrdersMax: int


class OpenInterest(TypedDict):
    """Open interest at a moment `t`: its value `i`, and how many coins `I`."""

    i: Number
    I: Number  # noqa: E741 (the wire's name)
    t: int


class Asset(TypedDict):
    """Collateral, or what a market is of."""

    id: int
    name: str
    symbol: str
    precision: int
    isActive: bool
    isCollateral: bool
    starkexId: str
    starkexResolution: int
    l1Id: str
    l1Resolution: int
    version: int
    type: str
    canBeUsedAsCollateral: bool


class Health(TypedDict):
    """A node that works."""

    sequence: int
    queue: int
    storeLag: int
    batches: int
    chainId: str
    prices: str
    time: int
    brownOut: bool
    unproven: int
    final: int
