"""Leaving by force: a withdrawal that the operator can neither refuse nor forget; with the operator gone, everything.

What L1 needs for it is kept on this machine, so that it works when the exchange answers no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from nicegui import ui

from bulkhead.client.l1 import Kind, Proposal, ProposalStage, Standing
from bulkhead.limits import ACCOUNT_ID_BITS, CHILDREN_PER_ACCOUNT
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.live.venue import venue_of
from bulkhead.terminal.session import NotReady
from bulkhead.terminal.settlement.kit import Kit, command, kit_of
from bulkhead.terminal.settlement.money import amount_in
from bulkhead.terminal.shell import Page

WEI = 10**18
TOLD = 40
STRANGE = "None of your accounts here: if it is another's, the request costs its fee and brings nothing."
ACCOUNT_DIGITS = 10  # of the largest account's number


class Leaving:
    """The panel."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.session
        self._kit: Kit = kit_of(page.session)
        self._filled_for = ""
        with parts.panel("Leave by force", mark="leaving"), ui.element("div").classes("bh-entry"):
            self.state = parts.Text("", "p")
            self.state.props('data-mark="leaving-state" role="status"')
            self.announced = parts.Text("", "p", "bh-note bh-warning")
            self.announced.props('data-mark="leaving-announced"')
            self.kept = parts.Text("", "p", "bh-note bh-muted")
            self.amount = parts.Field("Amount, USD", kind="number")
            self.account = parts.Field("From account", value=self._own_id, on_change=self._paint_whose)
            with ui.element("div").classes("bh-buttons"):
                self.ask = parts.button("Force a withdrawal", self._force, mark="force")
                self.leave = parts.button("Leave with everything", self._leave, style="sell", mark="leave")
            self.note = parts.Text("", "p", "bh-note bh-muted")
            self.note.props('role="status" data-mark="leaving-note"')
            self.told = parts.Text("", "pre", "bh-story")
            self.told.props('data-mark="leaving-told" tabindex="0" role="region" aria-label="What L1 has done"')
            with ui.element("details").classes("bh-wide") as self.shell:
                parts.Text("The same in a shell, without this terminal", "summary", "bh-note bh-muted")
                self.command = parts.Text("", "p", "bh-code bh-note")
                self.command.props('data-mark="leaving-command"')
        for topic in (self._kit, self._kit.standing, self._kit.announced, venue_of(page.session).settlement):
            page.painter.on(topic, self._paint)
        page.painter.on(page.session.who, self._fill)
        page.painter.every(0.5, self._tell)

    @property
    def _own_id(self) -> str:
        access = self._session.access
        return "" if access is None else str(access.account_id)

    def _paint_whose(self) -> None:
        """Warn of an account that is not known for the owner's: L1 takes the fee before anybody looks whose it is."""
        known = {str(access.account_id) for access in self._session.kept_here}
        text = self.account.value.strip()
        self.account.hint(STRANGE if text and known and text not in known else "")

    def _fill(self) -> None:
        unlocked = self._session.unlocked
        if unlocked is not None and (unlocked.name != self._filled_for or not self.account.value):
            self._filled_for, self.account.value = unlocked.name, self._own_id
        self._paint_whose()

    def _paint(self) -> None:
        standing = self._kit.standing.value
        told = venue_of(self._session).settlement.value
        settles = self._kit.is_whole or told is None or bool(told["settles"])  # what is kept is of one that did
        self.state.show(*state_words(standing, self._kit.standing.problem, settles=settles))
        self.kept.show(
            "Genesis and record of the contracts are kept beside your keys."
            if self._kit.is_whole else words.sentence(self._kit.problem or "nothing is kept here yet")
        )  # fmt: skip
        self.command.show(command(self._kit))
        self.shell.set_visibility(self._kit.is_whole)
        can_leave = standing is not None and (standing.is_overdue or standing.is_frozen)
        parts.set_disabled(self.leave, not can_leave or bool(self._kit.doing))
        parts.set_disabled(self.ask, standing is None or standing.is_frozen or bool(self._kit.doing))
        self._tell()
        is_frozen = standing is not None and standing.is_frozen  # nothing that was announced changes it any more
        self.announced.show("" if is_frozen else announced_words(self._kit.announced.value or ()))

    def _tell(self) -> None:
        doing = [f"…  {self._kit.doing}"] if self._kit.doing else []
        lines = doing + self._kit.told[: -TOLD - 1 : -1]  # newest first: the last of many would be out of sight
        self.told.show("\n".join(lines))
        self.told.set_visibility(bool(lines))

    async def _force(self) -> None:
        amount = amount_in(self.amount)
        text = self.account.value.strip()
        is_number = text.isascii() and text.isdigit() and len(text) <= ACCOUNT_DIGITS
        is_account = is_number and 0 < int(text) < 1 << ACCOUNT_ID_BITS and not int(text) % CHILDREN_PER_ACCOUNT
        self.account.problem("" if is_account else "The number of an account that signs.")
        if not is_account or amount is None:
            self._say("Nothing was sent.", "bh-danger")  # what stands there may be of the request before
            return
        shown, sent = numbers.dollars(amount), self.amount.value
        self._say(f"Asking for {shown} USD by force: waiting for a block…", "bh-muted")
        try:
            number = await self._kit.do(
                f"asking for {shown} USD by force", lambda chain: chain.force_withdrawal(int(text), amount)
            )
        except NotReady as error:
            self._say(words.sentence(str(error)), "bh-danger")
            return
        self.amount.empty(sent)  # another click would be another request, with a fee of its own
        self._say(f"Request {number} is in L1's queue. Seven days unserved, and anybody may freeze L1.", "bh-up")

    async def _leave(self) -> None:
        self._say("Freezing, rebuilding the state from L1's calldata, proving every account's worth…", "bh-muted")
        try:
            sent = await self._kit.do("leaving", lambda chain: chain.exit(self._kit.folder))
        except NotReady as error:
            self._say(words.sentence(str(error)), "bh-danger")
            return
        said = f"Custody sent {numbers.dollars(sent)} USD to your wallet."
        self._say(said if sent else "Nothing is left here: custody has sent what was yours.", "bh-up")

    def _say(self, text: str, style: str) -> None:
        if not self._page.client.is_deleted:
            self.note.show(text, f"bh-note {style}")


def announced_words(found: Sequence[Proposal]) -> str:
    """What waits behind L1's timelock, for whoever has to decide whether to stay; empty where nothing does."""
    said = []
    for one in found:
        if one.stage not in (ProposalStage.WAITING, ProposalStage.READY):
            continue
        what = "another council"
        if one.kind is Kind.READER:
            what = f"other verifiers for batches of version {one.version}, shape {one.shape}"
        ready, before = numbers.moment(1000 * one.ready_s), numbers.moment(1000 * one.leave_before_s)
        if one.stage is ProposalStage.READY:
            when = f"Anybody may enact it now, until {numbers.moment(1000 * one.until_s)}"
        else:
            when = f"It may be enacted from {ready}; who asks to leave by force before {before} is out by then"
        said.append(f"Announced on L1: {what}. {when}.")
    return " ".join(said)


def state_words(standing: Standing | None, problem: str = "", *, settles: bool = True) -> tuple[str, str]:
    """How things stand for whoever wants to leave, and how it looks. `problem`: why L1 gave no answer."""
    if not settles:
        return "This exchange settles nothing on L1: what it owes is its word, and no contract pays it.", "bh-warning"
    if standing is None:
        return words.sentence(f"No answer of L1: {problem}") if problem else "L1 has not answered yet.", "bh-muted"
    waiting = standing.requested - standing.processed
    if standing.is_finished:
        return "Frozen, and every account's worth is proven: claim yours.", "bh-danger"
    if standing.is_frozen:
        return "The rollup is frozen: no batch settles any more. Leave with everything.", "bh-danger"
    if standing.is_overdue:
        return "A forced request is overdue, so the operator is gone: anybody may freeze and leave.", "bh-danger"
    fee = numbers.fixed(Decimal(standing.fee_wei) / WEI, 6)
    queue = "No forced request waits" if not waiting else "One forced request waits"
    if waiting > 1:
        queue = f"{waiting} forced requests wait"
    return f"{queue}. The operator serves; a forced withdrawal costs {fee} ether.", "bh-muted"
