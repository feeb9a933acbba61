"""Moving money and positions between compartments: judged by the exchange as the form is filled in; what is signed is
what was judged.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import NamedTuple

from nicegui import background_tasks, ui

from bulkhead.client import AssetLeg, ClientError, Compartment, Compartments, ModeChoice, MovePlan, PositionLeg, Trader
from bulkhead.client.compartments import Judged
from bulkhead.client.signer import MONEY
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.actions import Actions, Stage
from bulkhead.terminal.grid import Cell, Column, Grid, Line
from bulkhead.terminal.live.venue import own_of
from bulkhead.terminal.risk.tree import names_of
from bulkhead.terminal.shell import Page

JUDGE_AFTER_S = 0.25
SLOW_S = 0.5  # so long the numbers of the judgement before may stand while the next one is asked for
AGAIN_S = 5.0
ASKING = "Asking the exchange…"
LOOK = "Look at the compartments before you move it again."
USD = "USD"
NOTHING = ("", "–")
BEFORE_AFTER = (Column(""), Column("Before", True), Column("After", True))
JUDGED = (("used", "Used"), ("value", "Value, USD"), ("initial", "Initial, USD"))


class Wanted(NamedTuple):
    """A move as the form has it."""

    source: int
    target: int
    assets: tuple[AssetLeg, ...]
    positions: tuple[PositionLeg, ...]
    choices: tuple[ModeChoice, ...]
    what: str


class Planned(NamedTuple):
    """A move that the exchange has judged, and how."""

    wanted: Wanted
    plan: MovePlan


class MoveForm:
    """From, to, what, how much; the exchange's judgement below; and a button that signs exactly that."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.session
        self._own = own_of(page.session)
        self._planned: Planned | None = None
        self._done = ""  # the last move, told until somebody enters another one
        self._is_clearing = False
        self._shows_judgement = False
        self._key = Actions.new_key()
        self._judging: asyncio.TimerHandle | None = None
        self._asked = 0
        with parts.panel("Move margin and positions", mark="move"), ui.element("div").classes("bh-entry"):
            self.source = parts.Field("From", kind="choice", on_change=self._changed)
            self.target = parts.Field("To", kind="choice", on_change=self._changed)
            self.what = parts.Field(
                "What", kind="choice", value=USD, options=[(USD, "USD")], on_change=self._another_unit
            )
            self.amount = parts.Field("Amount, USD", kind="number", on_change=self._changed)
            self.follow = parts.Tick("Have its fills settle there too", value=True, on_change=self._changed)
            self.verdict = parts.Text("", "p", "bh-note bh-muted")
            self.verdict.props('data-mark="move-verdict" role="status"')
            self.judged = Grid("Before and after", BEFORE_AFTER, rows=self._lines, empty="")
            self.send = parts.button("Sign and move", self._send, style="primary", mark="move-send")
        parts.set_disabled(self.send, True)  # until it was judged
        page.client.on_delete(self._close)
        page.painter.on(self._own.compartments, self._paint)
        page.painter.every(AGAIN_S, self._judge_again)

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
        there = [(str(account_id), name) for account_id, name in names_of(held).items()]
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
            self._clear(self.what, USD)
        is_position = self.what.value != USD
        label = f"Size, {self.what.value.split('-')[0]}" if is_position else "Amount, USD"
        parts.set_attribute(self.amount, "label", label)
        parts.set_attribute(self.amount, "placeholder", "all of it" if is_position else "")
        self.follow.set_visibility(is_position)

    def _changed(self) -> None:
        """Another move: it is judged when the entry rests, and signed under a key of its own."""
        self._key, self._planned, self._shows_judgement = Actions.new_key(), None, False
        self._asked += 1  # an answer that is on its way is about another move
        if not self._is_clearing:
            self._done = ""
            self.verdict.show("Not judged yet.", "bh-note bh-muted")
        self._paint()
        if self._judging is not None:
            self._judging.cancel()
        self._judging = asyncio.get_running_loop().call_later(
            JUDGE_AFTER_S, lambda: background_tasks.create(self._judge(), name="judgement of a move")
        )
        parts.set_disabled(self.send, True)

    def _another_unit(self) -> None:
        """So many dollars are not so many coins."""
        self._clear(self.amount, "")
        self._changed()

    def _clear(self, field: parts.Field, value: str) -> None:
        """Set a field that nobody entered anything in."""
        before, self._is_clearing = self._is_clearing, True
        field.value = value
        self._is_clearing = before

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
            if amount * MONEY % 1:
                return "Six decimal places at most."
            legs = (AssetLeg(source, target, amount),)
            return Wanted(source, target, legs, (), (), f"Move {numbers.dollars(amount)} USD")
        market = self.what.value
        held = self._of(self.source.value)
        whole = next((one.size for one in held.positions if one.market == market), None) if held is not None else None
        if whole is None:
            return "That position is not there any more."
        size = whole if amount is None else amount.copy_sign(whole)
        step = self._session.markets[market].trading_config.min_order_size_change
        if amount is not None and amount % step:
            return f"In steps of {step.normalize():f}, or empty for all of it."
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

    def _judge_again(self) -> None:
        """Prices move: what is said of now is asked again while it stands there."""
        if self._shows_judgement:
            background_tasks.create(self._judge(), name="judgement of a move")

    async def _judge(self) -> None:
        wanted = self._wanted()
        if isinstance(wanted, str):
            self._say(self._done or wanted, "bh-note " + ("bh-up" if self._done else "bh-muted"))
            return
        signer = self._signer(wanted)
        if signer is None:
            self._say("Unlock an account first.", "bh-note bh-warning")
            return
        self._asked += 1
        asked = self._asked
        slow = asyncio.get_running_loop().call_later(SLOW_S, self._say, ASKING, "bh-note bh-muted")
        try:
            plan = await signer.plan_move(wanted.assets, wanted.positions, wanted.choices)
        except (ClientError, ValueError, ArithmeticError) as error:
            if asked == self._asked:
                self._say(str(words.of_error(error)), "bh-note bh-danger")
            return
        finally:
            slow.cancel()
        if asked != self._asked or self._page.client.is_deleted:
            return
        self._planned, self._shows_judgement = Planned(wanted, plan), True
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
        if self._planned is None:
            return []
        plan = self._planned.plan
        after = {one.account_id: one for one in plan.after}
        return [line for one in plan.before for line in self._of_account(one, after.get(one.account_id))]

    def _of_account(self, before: Judged, after: Judged | None) -> list[Line]:
        """An account's name, and below it each figure before and after."""
        held = self._held
        known = {} if held is None else names_of(held)
        child = before.account_id % CHILDREN_PER_ACCOUNT
        market = next((one.name for one in self._session.markets.values() if one.market_id == child), str(child))
        name = known.get(before.account_id, f"isolated {market}")
        figures = [
            Line(
                f"{before.account_id}-{show}",
                (
                    Cell(label),
                    Cell(_shown(before, show), mark=f"before-{show}"),
                    Cell(numbers.NONE if after is None else _shown(after, show), mark=f"after-{show}"),
                ),
                depth=1,
            )
            for show, label in JUDGED
        ]
        return [Line(str(before.account_id), (Cell(name), Cell(), Cell())), *figures]

    async def _send(self) -> None:
        """Sign what was judged, whatever became of the position since. Without an answer the button stays shut until
        something else is entered: that may have been done."""
        judged, key = self._planned, self._key
        signer = None if judged is None else self._signer(judged.wanted)
        if judged is None or signer is None or judged.plan.reject is not None:
            return
        wanted = judged.wanted
        legs = (wanted.assets, wanted.positions, wanted.choices)
        self._asked += 1  # a judgement that is on its way comes too late
        self._shows_judgement = False
        parts.set_disabled(self.send, True)
        self._say(f"{wanted.what}: sent…", "bh-note bh-muted")
        action = await self._session.actions.run(key, wanted.what, lambda: signer.move(*legs))
        await self._own.compartments.refresh()
        if self._key != key:  # another move was entered meanwhile, and is judged: of this one the header tells
            return
        if action.stage is Stage.DONE:
            self._done = f"{wanted.what}: done."
            self._key, self._planned = Actions.new_key(), None
            self._clear(self.amount, "")
            self._say(self._done, "bh-note bh-up")
        elif action.stage is Stage.REFUSED:
            parts.set_disabled(self.send, False)
            self._say(action.text, "bh-note bh-danger")
        else:
            self._say(f"{wanted.what}: {action.text}. {LOOK}", "bh-note bh-warning")


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
