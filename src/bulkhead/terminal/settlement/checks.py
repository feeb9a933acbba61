"""What is held to be true and can be checked here: solvency, and the own accounts as L1's calldata alone tells them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nicegui import ui

from bulkhead.client import ClientError, Refused, Trader
from bulkhead.client.answers_venue import SettledSolvency
from bulkhead.client.l1 import FromCalldata
from bulkhead.client.settled import Settled
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.grid import Cell, Column, Grid, Line
from bulkhead.terminal.live.venue import venue_of
from bulkhead.terminal.session import NotReady
from bulkhead.terminal.settlement.kit import Kit, kit_of
from bulkhead.terminal.shell import Page

SIDES = (("custody", "Custody holds"), ("accounts", "Owed to accounts"), ("funds", "Insurance, fees, L1"))
FROM_L1 = (("gap", "Difference"), ("l1", "Custody's tokens on L1"), ("way", "Of them on the way in or out"))
ROUNDING = Decimal(1)  # dollars: what rounding against accounts adds up to over years of a busy venue
WARNING = "bh-note bh-warning"
PROVEN = (Column("Account", True), Column("Kind"), Column("Worth on L1, USD", True), Column("Balance, USD", True))


def solvency(page: Page) -> None:
    """Both sides, the difference, and what L1's own contract holds."""
    venue, kit = venue_of(page.session), kit_of(page.session)
    with parts.panel("Solvency", mark="solvency") as made, ui.element("div").classes("bh-entry"):
        with made.default_slot.children[0]:
            age = parts.Age(old_ms=30_000)
        verdict = parts.Text("", "p")
        verdict.props('data-mark="solvency-verdict"')
        with ui.element("dl").classes("bh-facts"):
            shown = {}
            for name, label in (*SIDES, *FROM_L1):
                parts.Text(label, "dt")
                shown[name] = parts.Text(numbers.NONE, "dd")
                shown[name].props(f'data-cell="{name}"')

    def paint() -> None:
        told = venue.solvency.value
        age.told(venue.solvency.changed_ms)
        standing = kit.standing.value
        on_l1 = None if standing is None or standing.is_frozen else standing.custody  # after a freeze it pays out
        shown["l1"].show(numbers.NONE if on_l1 is None else f"{numbers.dollars(on_l1)} USD")
        if told is None:
            verdict.show(venue.solvency.problem or "Asking…", "bh-muted")
            return
        way = None if on_l1 is None else on_l1 - Decimal(told["custody"])  # not taken by a batch yet, or not claimed
        shown["way"].show(numbers.NONE if way is None else f"{numbers.dollars(way)} USD")
        for name, _ in SIDES:
            shown[name].show(f"{numbers.dollars(Decimal(told[name]))} USD")
        shown["gap"].show(f"{numbers.fixed(gap(told), 6, sign=True)} USD")
        verdict.show(*judged(told, on_l1))

    page.painter.on(venue.solvency, paint)
    page.painter.on(kit.standing, paint)


def held_to_l1(page: Page) -> None:
    """The accounts as the exchange says that L1 has them, held to L1; and a root that is the same for everybody."""
    kit, session = kit_of(page.session), page.session
    with parts.panel("Your accounts in L1's state", mark="settled"), ui.element("div").classes("bh-entry"):
        note = parts.Text(
            "The exchange shows your accounts in its newest final batch; here they are held to the state that L1 has.",
            "p", "bh-note bh-muted",
        )  # fmt: skip
        note.props('role="status" data-mark="settled-note"')

        async def ask() -> None:
            note.show("Asking the exchange and L1…", "bh-note bh-muted")
            found: list[Settled] = []
            try:
                for account in list(session.accounts.values()):
                    found.append(await _held(kit, account.trader))
            except ClientError as error:
                said = error.message if isinstance(error, Refused) else str(words.of_error(error))
                note.show(f"The exchange shows nothing that could be checked: {said}", WARNING)
            except NotReady as error:
                note.show(words.sentence(str(error)), "bh-note bh-danger")
            else:
                note.show(*settled_words(found))

        parts.button("Hold them to L1", ask, mark="hold")


async def _held(kit: Kit, trader: Trader) -> Settled:
    """One account's. Raises NotReady, and what the exchange's client raises."""
    told = await trader.settled_solvency()
    return await kit.ask(lambda chain: chain.settled(told, kit.folder, trader.account_id, trader.signer.key))


def settled_words(found: list[Settled]) -> tuple[str, str]:
    """What was found, and how it looks."""
    if not found:
        return "Unlock an account first.", WARNING
    last, owed = found[-1], sum((one.owed for one in found), Decimal(0))
    said = (
        f"Batch {last.batch:,} of rollup {last.rollup}: your accounts are in the state {last.state:#066x} that L1 has, "
        f"with {numbers.dollars(owed)} USD. All accounts are owed {numbers.dollars(last.total)} USD, of "
        f"{numbers.dollars(last.backing)} USD that custody backs and {numbers.dollars(last.tokens)} USD that it has. "
        f"Everybody must see the root {last.root} for this batch."
    )
    if last.surplus < 0:
        return f"{said} More is owed than is held: accounts owe the venue more than its funds have.", WARNING
    return said, "bh-note bh-up"


def gap(told: dict[str, Any]) -> Decimal:
    """What is held less what is owed: what rounding against accounts has left over, and nothing else."""
    return Decimal(told["custody"]) - Decimal(told["accounts"]) - Decimal(told["funds"])


def judged(told: dict[str, Any], on_l1: Decimal | None) -> tuple[str, str]:
    """In words, and how it looks."""
    left = gap(told)
    if left < 0:
        return f"More is owed than is held, by {numbers.dollars(-left)} USD.", "bh-danger"
    if left > ROUNDING:
        return f"{numbers.dollars(left)} USD are held that nobody is owed: the two sides do not agree.", "bh-danger"
    if on_l1 is not None and on_l1 < Decimal(told["custody"]):
        missing = Decimal(told["custody"]) - on_l1
        return f"L1's custody holds {numbers.dollars(missing)} USD less than the exchange says.", "bh-danger"
    return "Everything that is owed is held; the difference is what rounding took.", "bh-up"


def rebuilt(page: Page) -> None:
    """The own accounts from L1's calldata, without asking the exchange."""
    kit = kit_of(page.session)
    found: list[FromCalldata] = []
    with parts.panel("Your accounts from L1 alone", mark="rebuilt"), ui.element("div").classes("bh-entry"):
        note = parts.Text("The state is rebuilt from calldata and held to the rollup's root.", "p", "bh-note bh-muted")
        note.props('role="status" data-mark="rebuilt-note"')

        async def rebuild() -> None:
            note.show("Reading every batch…", "bh-note bh-muted")
            try:
                made = await kit.do("rebuilding the state", lambda chain: chain.from_calldata(kit.folder))
            except NotReady as error:
                note.show(str(error), "bh-note bh-danger")
                return
            found[:] = [made]
            root = f"{made.root:#066x}"
            said = f"{made.batches:,} batches up to block {made.block:,} lead to the rollup's root"
            owed = f"All accounts are owed {numbers.dollars(made.total)} USD, under the root {made.liabilities}."
            note.show(f"{said} {root[:12]}…{root[-6:]}. {owed}", "bh-note bh-up")
            grid.paint()
            try:
                told = await page.session.exchange.books.settled_solvency()
            except ClientError:
                return  # it is gone, or settles nothing: then there is nothing to compare
            judgement = compared(made, told)
            if judgement is not None:
                note.show(f"{note.text} {judgement[0]}", judgement[1])

        parts.button("Rebuild from L1", rebuild, mark="rebuild")
        grid = Grid("Your accounts from L1 alone", PROVEN, rows=lambda: _lines(found), empty="")


def compared(made: FromCalldata, told: SettledSolvency) -> tuple[str, str] | None:
    """What the exchange tells everybody of the batch that was rebuilt, beside that; None where it tells of another."""
    if told["batch"] != made.batches:
        return None
    liabilities = told["liabilities"]
    if (liabilities["root"], Decimal(liabilities["total"])) == (made.liabilities, made.total):
        return "The exchange tells the same.", "bh-note bh-up"
    return f"The exchange tells another root for this batch, {liabilities['root']}: keep both.", "bh-note bh-danger"


def _lines(found: list[FromCalldata]) -> list[Line]:
    return [
        Line(
            str(one.account_id),
            (
                Cell(str(one.account_id)), Cell(one.kind.lower()),
                Cell(numbers.dollars(one.value), mark="worth"), Cell(numbers.dollars(one.balance)),
            ),
        )  # fmt: skip
        for one in (found[0].accounts if found else ())
    ]
