"""Moving money and positions between compartments: judged by the exchange as the form is filled in; what is signed is
what was judged.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import NamedTuple

from nicegui import ui

from bulkhead.client import AssetLeg, ClientError, Compartment, Compartments, ModeChoice, MovePlan, PositionLeg, Trader
from bulkhead.client.checklist import name_of
from bulkhead.client.compartments import Judged
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.actions import Actions, Stage
from bulkhead.terminal.grid import Cell, Column, Grid, Line
from bulkhead.terminal.live.venue import own_of
from bulkhead.terminal.shell import Page

JUDGE_AFTER_S = 0.25
USD = "USD"
NOTHING = ("", "–")
BEFORE_AFTER = (Column("Account"), Column("Used", True), Column("Value, USD", True), Column("Initial, USD", True))


class Wanted(NamedTuple):
    """A move as the form has it."""

    source: int
    target: int
    assets: tuple[AssetLeg, ...]
    positions: tuple[PositionLeg, ...]
    choices: tuple[ModeChoice, ...]
    what: str


class MoveForm:
    """From, to, what, how much; the exchange's judgement below; and a button that signs exactly that."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.session
        self._own = own_of(page.session)
        self._plan: MovePlan | None = None
        self._key = Actions.new_key()
        self._judging: asyncio.TimerHandle | None = None
        self._asked = 0
        with parts.panel("Move margin and positions", mark="move"), ui.element("div").classes("bh-entry"):
            self.source = parts.Field("From", kind="choice", on_change=self._changed)
            self.target = parts.Field("To", kind="choice", on_change=self._changed)
            self.what = parts.Field("What", kind="choice", value=USD, options=[(USD, "USD")], on_change=self._changed)
            self.amount = parts.Field("Amount, USD", kind="number", on_change=self._changed)
            self.follow = parts.Tick("Have its fills settle there too", value=True, on_change=self._changed)
            self.verdict = parts.Text("", "p", "bh-note bh-muted")
            self.verdict.props('data-mark="move-verdict" role="status"')
            self.judged = Grid("Before and after", BEFORE_AFTER, rows=self._lines, empty="")
            self.send = parts.button("Sign and move", self._send, style="primary", mark="move-send")
        parts.set_disabled(self.send, True)  # until it was judged
        page.client.on_delete(self._close)
        page.painter.on(self._own.compartments, self._paint)

    # -- what there is ---------------------------------------------------------------------------------------------

    @property
    def _held(self) -> Compartments | None:
        return self._own.compartments.value

    def _of(self, text: str) -> Compartment | None:
        held = self._held
        found = [one for one in (held.compartments if held is not None else ()) if str(one.account_id) == text]
        return found[0] if found else None

    def _paint(self) -> None:
        held = self._held
        if held is None:
            parts.set_disabled(self.send, True)
            return
        there = [(str(one.account_id), name_of(one)) for one in held.compartments]
        known = {one.account_id for one in held.compartments}
        made = [
            (str(held.account_id + market.market_id), f"isolated {market.name} (new)")
            for market in self._session.markets.values()
            if held.account_id + market.market_id not in known
        ]
        self.source.choose_from([NOTHING, *there])
        self.target.choose_from([NOTHING, *there, *made])
        source = self._of(self.source.value)
        held_there = source.positions if source is not None else []
        self.what.choose_from([(USD, "USD"), *((one.market, f"{one.market} position") for one in held_there)])
        if self.what.value != USD and all(one.market != self.what.value for one in held_there):
            self.what.value, self.amount.value = USD, ""  # else so many coins would become so many dollars
        is_position = self.what.value != USD
        label = f"Size, {self.what.value.split('-')[0]}; empty for all of it" if is_position else "Amount, USD"
        if self.amount.props.get("label") != label:
            self.amount.props["label"] = label
        self.follow.set_visibility(is_position)

    def _changed(self) -> None:
        """Another move: it is judged when the entry rests, and signed under a key of its own."""
        self._key, self._plan = Actions.new_key(), None
        self._asked += 1  # an answer that is on its way is about another move
        self._paint()
        if self._judging is not None:
            self._judging.cancel()
        self._judging = asyncio.get_running_loop().call_later(
            JUDGE_AFTER_S, lambda: asyncio.ensure_future(self._judge())
        )
        parts.set_disabled(self.send, True)

    def _close(self) -> None:
        if self._judging is not None:
            self._judging.cancel()

    # -- what is wanted --------------------------------------------------------------------------------------------

    def _wanted(self) -> Wanted | str:
        """The move, or what is missing of it."""
        if not self.source.value or not self.target.value:
            return "Choose where from and where to."
        source, target = int(self.source.value), int(self.target.value)
        if source == target:
            return "From and to are the same account."
        amount = _number(self.amount.value)
        if isinstance(amount, str):
            return amount
        if self.what.value == USD:
            if amount is None:
                return "How much? An amount in USD is missing."
            legs = (AssetLeg(source, target, amount),)
            return Wanted(source, target, legs, (), (), f"Move {numbers.dollars(amount)} USD")
        market = self.what.value
        held = self._of(self.source.value)
        whole = next((one.size for one in held.positions if one.market == market), None) if held is not None else None
        if whole is None:
            return "That position is not there any more."
        size = whole if amount is None else amount.copy_sign(whole)
        if abs(size) > abs(whole):
            return f"Only {numbers.size(self._session.markets[market], abs(whole))} lie there."
        choices = self._choices(source, target, market) if self.follow.value else ()
        said = f"Move {numbers.size(self._session.markets[market], abs(size))} {market}"
        return Wanted(source, target, (), (PositionLeg(source, target, market, size),), choices, said)

    def _choices(self, source: int, target: int, market: str) -> tuple[ModeChoice, ...]:
        """The mode that makes later fills settle where the position goes."""
        heads = source & -CHILDREN_PER_ACCOUNT, target & -CHILDREN_PER_ACCOUNT
        if heads[0] != heads[1]:
            return ()  # whose fills settle where is a choice of each account
        return (ModeChoice(heads[0], market, "isolated" if target != heads[0] else "cross"),)

    def _signer(self, wanted: Wanted) -> Trader | None:
        """The account that the source belongs to signs, else the main one."""
        found = self._session.accounts.get(wanted.source & -CHILDREN_PER_ACCOUNT) or self._session.main
        return None if found is None else found.trader

    # -- judging and sending ---------------------------------------------------------------------------------------

    async def _judge(self) -> None:
        wanted = self._wanted()
        if isinstance(wanted, str):
            self._say(wanted, "bh-note bh-muted")
            return
        signer = self._signer(wanted)
        if signer is None:
            self._say("Unlock an account first.", "bh-note bh-warning")
            return
        self._asked += 1
        asked = self._asked
        try:
            plan = await signer.plan_move(wanted.assets, wanted.positions, wanted.choices)
        except (ClientError, ValueError, ArithmeticError) as error:
            self._say(str(words.of_error(error)), "bh-note bh-danger")
            return
        if asked != self._asked or self._page.client.is_deleted:
            return
        self._plan = plan
        if plan.reject is None:
            self._say("It would be accepted now.", "bh-note bh-up")
        else:
            known = words.of_reject(plan.reject)
            self._say(f"It would be refused. {known or plan.reject}", "bh-note bh-danger")
        parts.set_disabled(self.send, plan.reject is not None)

    def _say(self, text: str, classes: str) -> None:
        if not self._page.client.is_deleted:
            self.verdict.show(text, classes)
            self.judged.paint()

    def _lines(self) -> list[Line]:
        if self._plan is None:
            return []
        after = {one.account_id: one for one in self._plan.after}
        return [self._line(one, after.get(one.account_id)) for one in self._plan.before]

    def _line(self, before: Judged, after: Judged | None) -> Line:
        def both(show: str) -> Cell:
            then = _shown(before, show)
            return Cell(then if after is None else f"{then} → {_shown(after, show)}", mark=f"after-{show}")

        named = self._of(str(before.account_id))
        market = next(
            (
                one.name
                for one in self._session.markets.values()
                if one.market_id == before.account_id % CHILDREN_PER_ACCOUNT
            ),
            str(before.account_id),
        )
        name = f"isolated {market}" if named is None else name_of(named)
        return Line(str(before.account_id), (Cell(name), both("used"), both("value"), both("initial")))

    async def _send(self) -> None:
        wanted = self._wanted()
        signer = None if isinstance(wanted, str) else self._signer(wanted)
        if isinstance(wanted, str) or signer is None or self._plan is None or self._plan.reject is not None:
            return
        legs = (wanted.assets, wanted.positions, wanted.choices)
        key = self._key
        action = await self._session.actions.run(key, wanted.what, lambda: signer.move(*legs))
        await self._own.compartments.refresh()
        if action.stage is Stage.DONE:
            if self._key == key:  # else another move was entered meanwhile
                self.amount.value = ""
                self._key, self._plan = Actions.new_key(), None
                parts.set_disabled(self.send, True)
            self._say(f"{wanted.what}: done.", "bh-note bh-up")
        else:
            self._say(action.text, "bh-note bh-danger")


def _shown(one: Judged, show: str) -> str:
    if not one.is_there:
        return numbers.NONE
    if show == "used":
        return numbers.NONE if one.used is None else numbers.percent(one.used)
    return numbers.dollars(one.value if show == "value" else one.initial)


def _number(text: str) -> Decimal | None | str:
    """The entry as a number above zero; None where there is none; what is wrong with it as a text."""
    kept = text.strip()
    if not kept:
        return None
    value = numbers.typed(kept)
    if value is None:
        return f"“{kept[:20]}” is no number." + (" A comma parts thousands." if "," in kept else "")
    if value <= 0:
        return "The amount must be above zero."
    return value
