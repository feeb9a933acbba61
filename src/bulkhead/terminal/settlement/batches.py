"""Sealed batches with their proofs, the transactions of one of them, and forced requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nicegui import ui

from bulkhead.terminal import numbers, parts
from bulkhead.terminal.grid import Cell, Column, Grid, Line
from bulkhead.terminal.live.venue import venue_of
from bulkhead.terminal.shell import Page

BATCHES = (
    Column("Batch", True), Column("Is"), Column("Sealed"), Column("Commands", True), Column("Proof, kB", True),
    Column("Proven bits", True, "of the proof's parameters, conjectures left out"), Column("Proving, s", True),
    Column("L1 transactions", True), Column("Gas", True), Column("Block", True), Column(""),
)  # fmt: skip
TRANSACTIONS = (
    Column("Step"), Column("Block", True), Column("Gas", True), Column("When"), Column("Hash"), Column("Did")
)  # fmt: skip
FORCED = (
    Column("Request", True), Column("What"), Column("Account", True), Column("On L1"), Column("Is"), Column("Sender")
)  # fmt: skip
STATUS = {"SEALED": "sealed", "PROVEN": "proven", "FINAL": "final"}
FORCED_STATE = {"WAITING": "waiting", "DONE": "done", "FAILED": "refused by a rule"}


def summary(page: Page) -> None:
    """How far everything is, as figures."""
    asked = venue_of(page.session).settlement
    names = {"sealed": "Sealed", "proven": "Proven", "settled": "On L1", "final": "Final"}
    texts = {}
    with ui.element("div").classes("bh-figures").props('data-mark="settlement-figures"'):
        for name, label in names.items():
            with ui.element("div").classes("bh-figure").props(f'data-figure="{name}" data-mark="figure-{name}"'):
                parts.Text(label, "small")
                texts[name] = parts.Text(numbers.NONE, "strong")
        with ui.element("div").classes("bh-figure bh-wide-figure").props('data-mark="figure-doing"'):
            parts.Text("Now", "small")
            doing = parts.Text(numbers.NONE, "strong")
            detail = parts.Text("", "span", "bh-note")

    def paint() -> None:
        told = asked.value
        if told is None:
            doing.show(asked.problem or "asking…")
            return
        for name, text in texts.items():
            text.show(f"{told[name]:,}" if name in told else numbers.NONE)
        doing.show(*now_doing(told))
        last = told.get("lastTransaction")
        detail.show("" if last is None else f"last: {last['step']} of batch {last['batch']} in block {last['block']:,}")

    page.painter.on(asked, paint)


def now_doing(told: dict[str, Any]) -> tuple[str, str]:
    """What the prover and the settlement service are at, and how it looks."""
    if not told["settles"]:
        return "settles nothing on L1", "bh-warning"
    if told.get("halted"):
        return f"halted: {told['halted']}", "bh-danger"
    if told.get("waiting"):
        return str(told["waiting"]), "bh-warning"
    proving = told.get("proving")
    if proving is not None:
        return f"proves batch {proving['batch']}: {numbers.percent(Decimal(proving['share']), places=0)}", "bh-plain"
    return "nothing waits", "bh-plain"


class Batches:
    """Batches, and below them the transactions of the one that was chosen."""

    def __init__(self, page: Page) -> None:
        self._asked = venue_of(page.session).batches
        self._chosen = 0
        with parts.panel("Batches and proofs", classes="bh-short", mark="batches") as made:
            self._grid = Grid(
                "Batches and proofs", BATCHES, rows=self._lines, on_act=self._choose, empty="No batch is sealed yet."
            )
            with made.default_slot.children[0]:
                age = parts.Age(old_ms=15_000)
        with parts.panel("Transactions on L1", mark="transactions"):
            self._transactions = Grid(
                "Transactions on L1", TRANSACTIONS, rows=self._steps,
                empty="Choose a batch that is on its way to L1.",
            )  # fmt: skip

        def paint() -> None:
            self._grid.paint()
            self._transactions.paint()
            age.told(self._asked.changed_ms)

        page.painter.on(self._asked, paint)

    def _lines(self) -> list[Line]:
        return [_batch(one) for one in self._asked.value or []]

    async def _choose(self, row: str, _: str) -> None:
        self._chosen = int(row)
        self._transactions.paint()

    def _steps(self) -> list[Line]:
        found = [one for one in self._asked.value or [] if one["transactions"]]
        chosen = next((one for one in found if one["batch"] == self._chosen), found[0] if found else None)
        return [] if chosen is None else [_transaction(chosen["batch"], one) for one in chosen["transactions"]]


def _batch(one: dict[str, Any]) -> Line:
    proof = one["proof"]
    block = next((step["block"] for step in one["steps"] if step["stage"] == "SETTLED"), None)
    status, show = _stage(one), Cell("Show", action="show", title=f"Transactions of batch {one['batch']}")
    return Line(
        str(one["batch"]),
        (
            Cell(f"{one['batch']:,}"), Cell(status, mark="status"), Cell(at_ms=int(one["sealedTime"])),
            Cell(f"{one['commands']:,}"),
            Cell(numbers.NONE if proof is None else numbers.fixed(Decimal(proof["bytes"]) / 1000, 0), mark="size"),
            Cell(numbers.NONE if proof is None or proof["bits"] is None else f"{proof['bits']}", mark="bits"),
            Cell(_seconds(proof), mark="seconds"),
            Cell(f"{len(one['transactions'])}" if one["transactions"] else numbers.NONE),
            Cell(f"{one['gasUsed']:,}" if one["gasUsed"] else numbers.NONE, mark="gas"),
            Cell(numbers.NONE if block is None else f"{block:,}", mark="block"),
            show if one["transactions"] else Cell(),
        ),
        note=f"The proof's file is damaged: {proof['fault']}" if proof is not None and "fault" in proof else "",
        note_style="bh-danger",
    )  # fmt: skip


def _seconds(proof: dict[str, Any] | None) -> str:
    """How long proving took; a dash where this exchange's own prover did not do it."""
    return numbers.NONE if proof is None or proof["seconds"] is None else f"{proof['seconds']:.1f}"


def _stage(one: dict[str, Any]) -> str:
    on_l1 = one["l1"]
    if on_l1 is not None and on_l1["stage"] == "PUBLISHED":
        return f"published {on_l1['published']} of {on_l1['parts']}"
    if on_l1 is not None and on_l1["stage"] == "SETTLED" and one["status"] != "FINAL":
        return "on L1, not final yet"
    return STATUS.get(one["status"], str(one["status"]).lower())


def _transaction(batch: int, one: dict[str, Any]) -> Line:
    step = one["step"] + (f" {one['part'] + 1}" if one["step"] in ("answer", "publish") else "")
    return Line(
        one["hash"],
        (
            Cell(f"batch {batch}: {step}"), Cell(f"{one['block']:,}"), Cell(f"{one['gasUsed']:,}", mark="gas"),
            Cell(at_ms=int(one["time"])) if one["time"] else Cell(numbers.NONE),
            Cell(f"{one['hash'][:14]}…{one['hash'][-6:]}", title=one["hash"]),
            Cell("succeeded" if one["succeeded"] else "failed", "" if one["succeeded"] else "bh-danger"),
        ),
    )  # fmt: skip


def forced(page: Page) -> None:
    """L1's queue of forced requests, as the exchange has followed it."""
    asked = venue_of(page.session).forced
    with parts.panel("Forced requests", mark="forced") as made:
        age = parts.heading_age(made, old_ms=15_000)
        grid = Grid(
            "Forced requests", FORCED, rows=lambda: [_request(one) for one in asked.value or []],
            empty="Nobody has forced anything.",
        )  # fmt: skip

    def paint() -> None:
        grid.paint()
        age.told(asked.changed_ms)

    page.painter.on(asked, paint)


def _request(one: dict[str, Any]) -> Line:
    what = f"withdraw {numbers.dollars(Decimal(one['amount']))} USD" if one["amount"] else f"close {one['market']}"
    reason = f": {one['reason'].replace('_', ' ')}" if one["reason"] else ""
    state = FORCED_STATE.get(one["state"], one["state"]) + reason
    return Line(
        str(one["number"]),
        (
            Cell(f"{one['number']:,}"), Cell(what), Cell(str(one["accountId"])), Cell(at_ms=int(one["includedTime"])),
            Cell(state, "bh-warning" if one["state"] != "DONE" else "", mark="state"),
            Cell(f"{one['sender'][:10]}…", title=one["sender"]),
        ),
    )  # fmt: skip
