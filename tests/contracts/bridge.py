"""The contracts between L1 and L2 with a verifier that answers yes, and a venue that seals batches for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.contracts.machine import SENDER, Chain, Machine, Reverted, compiled
from tests.contracts.statement import LISTS, PROOFS, Layout

LAYOUT = Layout()
VERSION, SHAPE = 1, 7
BELIEVER = bytes.fromhex("600a600c600039600a6000f3600160005260206000f3")  # answers every call with 1
COUNCIL, STRANGER, ESCAPE = ("0x" + digit * 40 for digit in "456")
DEPOSITORS = tuple("0x" + digit * 40 for digit in "abc")
OWNERS = tuple("0x" + digit * 40 for digit in "def")
ROLES = (SENDER, COUNCIL, STRANGER, ESCAPE, *DEPOSITORS, *OWNERS)
FEE = 10**15
START_S = 1_800_000_000
HOUR = 3600
DAY = 24 * HOUR
WITHDRAWAL, CLOSE = 1, 2
# The delays of `terms`, as the tests expect them.
AHEAD, SUBMISSION_WINDOW, CANCEL_DELAY = 900, 3 * DAY, 4 * DAY
FORCED_DEADLINE, TIMELOCK, ENACTMENT_WINDOW = 7 * DAY, 21 * DAY, 14 * DAY


class Request(NamedTuple):
    """A forced request, as a statement lists it."""

    kind: int
    account: int
    subject: int
    sender: int
    included_ms: int


class Head(NamedTuple):
    """What L2 knows of itself: a state, counters, batches."""

    state: int = 1000
    deposits: int = 5
    withdrawals: int = 6
    forced: int = 7
    transactions: int = 8
    fresh_after_ms: int = START_S * 1000 - 5
    time_ms: int = START_S * 1000
    batches: int = 9


Words = Sequence[tuple[int, int]]  # by key
CHANGED: Words = ((77, 0),)


class Batch(NamedTuple):
    """What a batch does that L1 hears of. Addresses are numbers here, as they are in a statement."""

    deposits: Sequence[tuple[int, int, int]] = ()
    paid: Sequence[tuple[int, int]] = ()
    forced: Sequence[Request] = ()
    time_s: int | None = None  # of its last transaction; else the block's
    transactions: int = 4
    changed: Words = CHANGED


def number_of(address: str) -> int:
    """An address as a word."""
    return int(address, 16)


class Bridge(Chain):
    """Token, custody, reader and rollup, and the head of an L2 that settles on them."""

    def __init__(
        self, token: str = "testing/Token", layout: Layout = LAYOUT, machine: Machine | None = None
    ) -> None:
        super().__init__(machine)
        self.layout = layout
        self.head = Head()
        self.doors: dict[str, tuple[int, int]] = {}  # what readers are for
        self.now_s = START_S
        for role in ROLES:
            self.machine.fund(role, 10**24)
        self.at(self.now_s)
        self.token = self.place(compiled(token), [])
        self.custody = self.place(compiled("Custody"), [number_of(self.token)])
        self.reader = self.reader_for(VERSION, SHAPE)
        self.rollup = self.place(compiled("Rollup"), self.terms_of_rollup())
        self.call(self.custody, "bind", [number_of(self.rollup)])
        for depositor in DEPOSITORS:
            self.call(self.token, "mint", [number_of(depositor), 10**9])
            self.call(self.token, "approve", [number_of(self.custody), 2**255], sender=depositor)

    def reader_for(self, version: int, shape: int, verifier: str = "") -> str:
        """A reader, with a verifier that believes everything unless another is named."""
        verifier = verifier or self.machine.deploy(BELIEVER)
        words = [number_of(verifier), version, shape]
        reader = self.place(compiled("Reader", PROOFS, self.layout.module), words)
        self.doors[reader] = version, shape
        return reader

    def terms_of_rollup(self) -> list[int]:
        """The words of its constructor."""
        addresses = [number_of(each) for each in (self.custody, self.escaping(), COUNCIL)]
        *numbers, batches = self.head[1:]
        words = [*addresses, FEE, self.head.state, *numbers, batches]
        doors = [1, VERSION, SHAPE, number_of(self.reader)]
        return [*words, 32 * (len(words) + 1), *doors]

    def escaping(self) -> str:
        """Who may release what accounts held, after a freeze."""
        return ESCAPE

    def later(self, seconds: int) -> None:
        """Time passes on L1."""
        self.now_s += seconds
        self.at(self.now_s)

    def deposit(self, account: int = 64, amount: int = 100, depositor: str = DEPOSITORS[0]) -> tuple[int, int, int]:
        """A deposit in the queue, as a statement lists it."""
        self.call(self.custody, "deposit", [account, amount], sender=depositor)
        return account, amount, number_of(depositor)

    def request(self, kind: int = WITHDRAWAL, account: int = 64, subject: int = 5, owner: str = OWNERS[0]) -> Request:
        """A forced request in the queue, as a statement lists it."""
        method = {WITHDRAWAL: "request_withdrawal", CLOSE: "request_close"}[kind]
        self.call(self.rollup, method, [account, subject], sender=owner, value=FEE)
        return Request(kind, account, subject, number_of(owner), self.now_s * 1000)

    def values(self, batch: Batch) -> dict[str, int]:
        """The named elements of the statement of L2's next batch."""
        before = self.head
        after = self.after(batch)
        values = {}
        for name in ("state", "deposits", "withdrawals", "forced", "transactions", "time_ms", "fresh_after_ms"):
            values[f"{name}_before"], values[f"{name}_after"] = getattr(before, name), getattr(after, name)
        values |= {"batches_before": before.batches, "now_s": after.time_ms // 1000}
        lists: dict[str, Sequence[Sequence[int]]] = {"deposit": batch.deposits, "paid": batch.paid}
        for name, entries in (lists | {"forced": batch.forced}).items():
            for place, entry in enumerate(entries):
                fields = zip(LISTS[name], (*entry, 1), strict=True)
                values |= {f"{name}_{field}_{place}": value for field, value in fields}
        return values

    def submit(
        self, values: dict[str, int], sender: str = SENDER, reader: str | None = None, changed: Words = CHANGED
    ) -> None:
        """Settle a statement of these values and changed words."""
        self.call(reader or self.reader, "settle", *self.settling(values, reader, changed), sender=sender)

    def settling(
        self, values: dict[str, int], reader: str | None = None, changed: Words = CHANGED
    ) -> tuple[list[int], bytes]:
        """The arguments that settle a statement of these values and changed words."""
        words = [number_of(self.rollup), *self.layout.digests(changed)]
        return words, self.layout.packed(self.statement_of(values, reader))

    def statement_of(self, values: dict[str, int], reader: str | None = None) -> list[int]:
        """A statement of these values, made for a reader."""
        version, shape = self.doors[reader or self.reader]
        return self.layout.elements({"version": version, "shape": shape} | values)

    def settle(self, batch: Batch = Batch(), sender: str = SENDER) -> None:  # noqa: B008 - a frozen value
        """Seal and settle a batch; L2 moves on when L1 accepted it."""
        values, after = self.values(batch), self.after(batch)
        self.submit(values, sender, changed=batch.changed)
        self.head = after

    def refusal(self, address: str, method: str, *arguments: int, **options: Any) -> str | None:
        """Why a call is refused; None when it is not."""
        try:
            self.call(address, method, list(arguments), **options)
        except Reverted as error:
            return str(error)
        return None

    def balance(self, holder: str) -> int:
        """Units of the token."""
        return self.number(self.token, "balanceOf", number_of(holder))

    def after(self, batch: Batch) -> Head:
        """L2's head when a batch is sealed."""
        head = self.head
        return head._replace(
            state=head.state + 1,
            deposits=head.deposits + len(batch.deposits),
            withdrawals=head.withdrawals + len(batch.paid),
            forced=head.forced + len(batch.forced),
            transactions=head.transactions + batch.transactions,
            time_ms=1000 * (self.now_s if batch.time_s is None else batch.time_s),
            batches=head.batches + 1,
        )
