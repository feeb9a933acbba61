"""What waits behind L1's timelock, and what came of it: proposals of the council, with what each would change."""

from __future__ import annotations

from typing import Any

from bulkhead.terminal import numbers, parts
from bulkhead.terminal.grid import Cell, Column, Grid, Line
from bulkhead.terminal.live.venue import venue_of
from bulkhead.terminal.operator.drafts import short
from bulkhead.terminal.shell import Page

PROPOSALS = (
    Column("Proposal"), Column("Is"), Column("Announced"),
    Column("May be enacted from"), Column("Until"),
    Column("Leave before", hint="Whoever asks to leave by force before this is out before it can happen"),
)  # fmt: skip
STAGES = {
    "WAITING": "waiting", "READY": "ready to be enacted", "ENACTED": "enacted", "WITHDRAWN": "withdrawn",
    "FORGOTTEN": "forgotten",
}  # fmt: skip
OPEN = ("WAITING", "READY")


def proposals(page: Page) -> None:
    """All of them, the newest first."""
    asked = venue_of(page.session).proposals
    with parts.panel("Behind L1's timelock", mark="proposals") as made:
        age = parts.heading_age(made, old_ms=30_000)
        grid = Grid(
            "Behind L1's timelock", PROPOSALS, rows=lambda: [proposal_line(one) for one in asked.value or []],
            empty="The council has announced nothing.",
        )  # fmt: skip

    def paint() -> None:
        grid.paint()
        age.told(asked.changed_ms)

    page.painter.on(asked, paint)


def proposal_line(one: dict[str, Any]) -> Line:
    """One of them; below it what would change, and whether this exchange goes on."""
    is_open = one["stage"] in OPEN
    note, style = consequence(one)
    stage_style = "bh-warning" if is_open else "bh-muted"
    names = ("readyTime", "untilTime", "leaveBefore")
    times = [numbers.moment(one[name]) if is_open else numbers.NONE for name in names]
    cells = (
        Cell(what(one), title=one["address"]), Cell(STAGES.get(one["stage"], one["stage"].lower()), stage_style),
        Cell(numbers.moment(one["proposedTime"])), Cell(times[0], mark="ready"), Cell(times[1], mark="until"),
        Cell(times[2], "bh-warning" if one["stage"] == "WAITING" else "", mark="leave-before"),
    )  # fmt: skip
    return Line(f"{one['id']}-{one['proposedTime']}", cells, note=note, note_style=style)


def what(one: dict[str, Any]) -> str:
    """What would be another."""
    if one["kind"] == "COUNCIL":
        return f"Council {short(one['address'])}"
    if not int(one["address"], 16):
        return f"No verifier any more, version {one['version']}, shape {one['shape']}"
    begins = f"from batch {one['fromBatch']:,}" if one["fromBatch"] else "from the next batch"
    return f"Verifiers, version {one['version']}, shape {one['shape']}, {begins}"


def consequence(one: dict[str, Any]) -> tuple[str, str]:
    """What it means for whoever trades here, and how that looks."""
    changes = "; ".join(one["changes"])
    if one["kind"] == "COUNCIL":
        return "Who may pause and propose; it has no power over funds.", "bh-muted"
    if not int(one["address"], 16):
        return "It retires this version and shape: no batch of it settles afterwards.", "bh-danger"
    if one["follows"] is None:
        return "This exchange's record does not know the reader: what it verifies is not known here.", "bh-danger"
    if one["follows"]:
        kept = short(one["configuration"])
        return f"Configuration {kept} as before, other circuits: the exchange goes on.", "bh-muted"
    return (
        f"{changes}. Configuration {short(one['configuration'])}: no proof leads there from this exchange's state, so "
        "that L1 takes no further batch once it is enacted.",
        "bh-danger",
    )
