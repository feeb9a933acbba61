"""The way of each order and each operation with money: accepted, sealed, proven, on L1, final; a withdrawal's on to its
claim; an order's receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from typing import Any, NamedTuple

from bulkhead.client import ClientError, Order
from bulkhead.client.draft import DraftError, config_of
from bulkhead.client.models import Operation, Paid
from bulkhead.client.receipts import ReceiptError, Receipts
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.grid import Cell, Column, Grid, Line
from bulkhead.terminal.live.venue import Rows, own_of, venue_of
from bulkhead.terminal.settlement.kit import kit_of
from bulkhead.terminal.shell import Page
from bulkhead.terminal.trade.lists import STATUSES

STAGES = ("SEALED", "PROVEN", "SETTLED", "FINAL")
WAYS = (
    Column("What"), Column("Accepted"), Column("Record", True, "its place in the exchange's journal"),
    Column("Batch", True), Column("Sealed", True, "after it was accepted"), Column("Proven", True),
    Column("On L1", True), Column("Final", True), Column("Claimed", True, "a withdrawal that L1's custody has paid"),
    Column("Receipt"),
)  # fmt: skip
ROWS = 40
RECEIPTS = "receipts.json"
CLAIMABLE = "READY_FOR_CLAIM"
HOLDS = "The receipt holds"


class Way(NamedTuple):
    """Something with a place in the journal. `order_id` 0: it is no order, so it has no receipt of its own."""

    id: str
    what: str
    sequence: int
    time_ms: int
    order_id: int
    account_id: int = 0
    claim: Paid | None = None
    is_claimable: bool = False


MONEY = {"SLOW_WITHDRAWAL": "withdrawal", "FAST_WITHDRAWAL": "withdrawal at once", "CLAIM": "test money"}
"""What the wire calls otherwise."""
STATES = {CLAIMABLE: "ready to be claimed", "IN_PROGRESS": "on its way"}


def ways_of(orders: Sequence[Order], operations: Sequence[Operation]) -> list[Way]:
    """Newest first."""
    found = [
        Way(
            f"order-{one.id}",
            f"{_exit(one)}{one.side.lower()} {_much(one)} {one.market}, "
            f"{'asleep' if one.is_asleep else STATUSES.get(one.status) or _words(one.status)}",
            one.sequence, one.created_time, one.id, one.account_id,
        )
        for one in orders
    ]  # fmt: skip
    found += [
        Way(
            f"money-{one.id}",
            f"{MONEY.get(one.type) or _words(one.type)} {numbers.dollars(abs(one.amount))} USD, "
            f"{STATES.get(one.status) or _words(one.status)}",
            one.sequence, one.time, 0, one.account_id, one.claim, one.status == CLAIMABLE,
        )
        for one in operations
    ]  # fmt: skip
    return sorted(found, key=lambda one: -one.sequence)[:ROWS]


def _much(order: Order) -> str:
    """Its size; one that closes a position knows it when it fires."""
    return "all held in" if not order.quantity and order.tp_sl_type == "POSITION" else f"{order.quantity:f}"


def _exit(order: Order) -> str:
    """Which of a pair of exits it is: both sell, or buy, the same."""
    return "" if order.type != "TPSL" else "take profit: " if order.take_profit is not None else "stop loss: "


def batch_of(sequence: int, batches: Rows) -> dict[str, Any] | None:
    """The sealed batch that has a record; None while it is open, or where it is older than the list."""
    return next((one for one in batches if one["firstSequence"] <= sequence <= one["lastSequence"]), None)


def way_cells(way: Way, batches: Rows) -> list[Cell]:
    """Record, batch, and each stage: how long after it was accepted, or that it is not there yet."""
    batch = batch_of(way.sequence, batches)
    if batch is None:
        newest = max((one["lastSequence"] for one in batches), default=0)
        said = "open" if way.sequence > newest else "older"
        return [Cell(f"{way.sequence:,}"), Cell(said, "bh-muted", mark="batch"), *(Cell(numbers.NONE),) * 4]
    times = {step["stage"]: step for step in batch["steps"]}
    is_final = batch["status"] == "FINAL"
    cells = [Cell(f"{way.sequence:,}"), Cell(f"{batch['batch']:,}", mark="batch")]
    for stage in STAGES:
        step = times.get(stage)
        if step is None or not step["time"]:
            cells.append(Cell("yes" if is_final and step is None else numbers.NONE, mark=stage.lower()))
            continue
        title = f"block {step['block']:,}, {step['hash']}" if "hash" in step else ""
        cells.append(Cell(f"+{after(step['time'] - way.time_ms)}", title=title, mark=stage.lower()))
    return cells


def claim_cell(way: Way) -> Cell:
    """When custody paid a withdrawal, or that it can be claimed now; nothing of what is none."""
    if way.claim is not None:
        title = f"block {way.claim.block:,}, {way.claim.transaction}"
        return Cell(f"+{after(way.claim.time - way.time_ms)}", title=title, mark="claimed")
    return Cell("ready" if way.is_claimable else "", "bh-up" if way.is_claimable else "", mark="claimed")


def after(duration_ms: int) -> str:
    """A span; L1's clock may be behind the exchange's by some seconds, which counts as none."""
    return numbers.age(max(0, duration_ms))


class Ways:
    """The panel."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.session
        self._own, self._venue = own_of(page.session), venue_of(page.session)
        self._notes: dict[str, str] = {}
        self._accounts: dict[int, int] = {}  # of each order that is shown
        with parts.panel("From accepted to final", mark="ways") as made:
            self._grid = Grid(
                "From accepted to final", WAYS, rows=self._lines, on_act=self._check,
                empty="No order and no money yet.",
            )  # fmt: skip
            with made.default_slot.children[0]:
                self._age = parts.Age(old_ms=15_000)
        for topic in (self._own.orders, self._own.operations, self._venue.batches):
            page.painter.on(topic, self._paint)
        for account in page.session.accounts.values():
            page.painter.on(account.orders_changed, self._paint)

    def _paint(self) -> None:
        self._grid.paint()
        self._age.told(self._venue.batches.changed_ms)

    def _lines(self) -> list[Line]:
        still_open = [one for account in self._session.accounts.values() for one in account.orders.values()]
        orders = [*nlargest(ROWS, still_open, key=lambda one: one.id), *(self._own.orders.value or [])]
        unique = {one.id: one for one in orders}
        ways = ways_of(list(unique.values()), self._own.operations.value or [])
        self._accounts = {way.order_id: way.account_id for way in ways}
        batches = self._venue.batches.value or []
        return [self._line(way, batches) for way in ways]

    def _line(self, way: Way, batches: Rows) -> Line:
        check = Cell("Check", action="check", title=f"Check the receipt of {way.what}") if way.order_id else Cell("")
        account = self._session.accounts.get(way.account_id)
        is_main = account is None or account is self._session.main
        whose, short = ("", "") if is_main or account is None else (f" · {account.label}", f" · {account.short_label}")
        what = Cell(way.what + short, "bh-name bh-wide-name", title=way.what + whose)
        cells = [what, Cell(at_ms=way.time_ms), *way_cells(way, batches), claim_cell(way), check]
        note = self._notes.get(way.id, "")
        return Line(way.id, cells, note=note, note_style="bh-up" if note.startswith(HOLDS) else "bh-danger")

    async def _check(self, row: str, _: str) -> None:
        order_id = int(row.removeprefix("order-"))
        account = self._session.accounts.get(self._accounts.get(order_id, self._session.active_id))
        if account is None:
            return
        try:
            receipt = await account.trader.evidence.receipt(order_id)
            config = config_of(await self._session.exchange.books.genesis())
            book = Receipts(kit_of(self._session).folder / RECEIPTS)
            checked = book.check(receipt, config, account.trader.signer.key)
        except ClientError as error:
            self._notes[row] = str(words.of_error(error))
        except (ReceiptError, DraftError) as error:
            self._notes[row] = f"The receipt does not hold: {error}"
        else:
            known = "told before, and the same now" if checked.was_known else "kept from now on"
            self._notes[row] = (
                f"{HOLDS}: record {checked.sequence:,} has the order that your key signed, and its chain "
                f"{checked.chain[:16]}… follows from it ({known})"
            )
        self._grid.paint()


def _words(name: str) -> str:
    return name.lower().replace("_", " ")
