"""The liquidator: after new prices, top-ups, then what to tell traders, then liquidation until nothing is left to do.

What may be done to whom, how much of it and at what price is the ledger's to say; this module only proposes, in the
one order the rules leave open: the account with the least value for its maintenance first, then the lower id.
"""

from __future__ import annotations

from collections.abc import Iterable

from bulkhead.engine.event import Traded
from bulkhead.engine.sequencer import Sequencer
from bulkhead.fixed import FRACTION_BITS, ratio_floor
from bulkhead.keepers import book, takeover
from bulkhead.keepers.condition import Condition, Standing, call_of, condition_of
from bulkhead.keepers.event import (
    CollateralSold,
    ConditionChanged,
    LiquidationWaits,
    MarginCalled,
    ToppedUp,
    VenueEvent,
)
from bulkhead.keepers.evidence import look
from bulkhead.keepers.watch import Watch
from bulkhead.keepers.witness import Witness
from bulkhead.ledger.apply import apply
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.liquidate import open_case
from bulkhead.ledger.receipt import Paid
from bulkhead.ledger.state import Account, Kind, MarginRule
from bulkhead.ledger.tx import CollateralSale, TopUp
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.reject import Reject
from bulkhead.rules import liquidation as rule
from bulkhead.rules.terms import Health
from bulkhead.units import AccountId, MarketId, Quote

WHOLE_ACCOUNT = MarketId(0)


def touched(account_id: int, events: list[VenueEvent]) -> list[int]:
    """Accounts that a liquidation and what it set off can have changed, by rising id."""
    found = {account_id, account_id & -CHILDREN_PER_ACCOUNT}
    for event in events:
        if isinstance(event, Witness):
            found |= {taker for part in event.parts for taker in (part.taker_id, part.taker_id + part.market_id)}
        elif isinstance(event, Traded):
            for trader in (event.maker_account_id, event.taker_account_id):
                found |= {trader, trader + event.market_id}
    return sorted(found)


class Liquidator:
    """Works over one sequencer. Remembers standings, and who waits for what, so that each is said once."""

    __slots__ = ("_ranks", "is_thorough", "sequencer", "waiting", "watch")

    def __init__(self, sequencer: Sequencer) -> None:
        self.sequencer = sequencer
        self.watch = Watch(sequencer.state)
        self.waiting: dict[int, Reject] = {}
        self._ranks: dict[int, int] = {}  # accounts below maintenance at this tick, by value over maintenance
        self.is_thorough = False  # look at everybody at every tick: the slow twin of `Watch.due`, for tests

    def draft(self) -> Draft:
        """The state at the time of the last command, to ask and to rehearse in; never committed."""
        draft = Draft(self.sequencer.state)
        draft.time_ms = self.sequencer.time_ms
        return draft

    def run(self) -> list[VenueEvent]:
        """Everything that new prices ask for. Each account is liquidated once a tick, as far as the rule goes."""
        events: list[VenueEvent] = []
        self._ranks = {}
        due = self.watch.everybody() if self.is_thorough else self.watch.due()
        parents = self._top_up(due, events)
        self._publish([*due, *parents], events)
        done: dict[int, None] = {}
        while queue := [(ratio, account_id) for account_id, ratio in self._ranks.items() if account_id not in done]:
            account_id = min(queue)[1]
            done[account_id] = None
            start = len(events)
            self._liquidate(account_id, events)
            self._publish(touched(account_id, events[start:]), events)
        self._sell_collateral(events)
        return events

    # -- looking ---------------------------------------------------------------------------------------------------

    def _publish(self, account_ids: Iterable[int], events: list[VenueEvent]) -> None:
        """Look at accounts, and say which of them changed their standing."""
        for account_id in account_ids:
            account, health = look(self.sequencer.state, account_id)
            before = self.watch.standing(account_id)
            after = Standing(condition_of(health), call_of(before.call, health))
            self.watch.looked(account_id, account, health, after)
            self._rank(account_id, account, health, after.condition)
            if after == before:
                continue
            number, now = self.sequencer.next_number, self.sequencer.time_ms
            owner = AccountId(account_id)
            if after.call > before.call:
                events.append(MarginCalled(number(), now, owner, after.call, health))
            if after.condition is not before.condition:
                events.append(ConditionChanged(number(), now, owner, before.condition, after.condition, health))
            if after.condition < Condition.BELOW_MAINTENANCE:
                self.waiting.pop(account_id, None)

    def _rank(self, account_id: int, account: Account | None, health: Health, condition: Condition) -> None:
        """Keep the queue: least value for its maintenance first, toward minus infinity, then the lower id."""
        is_queued = condition >= Condition.BELOW_MAINTENANCE and account is not None and bool(account.positions)
        if is_queued and account is not None and account.kind is not Kind.BACKSTOP:
            ratio = ratio_floor(int(health.value) << FRACTION_BITS, max(1, int(health.maintenance)))
            self._ranks[account_id] = int(ratio)
        else:
            self._ranks.pop(account_id, None)

    # -- before liquidation ----------------------------------------------------------------------------------------

    def _top_up(self, account_ids: Iterable[int], events: list[VenueEvent]) -> list[int]:
        """Draw what signed caps allow for children and strategies below target, by rising id; their parents."""
        state = self.sequencer.state
        parents: dict[int, None] = {}
        for account_id in account_ids:
            account = state.accounts.get(account_id)
            if account is None or not account.parent_id or not account.positions:
                continue
            health = look(state, account_id)[1]
            if rule.reaches_target(health.value, int(health.maintenance), state.config.top_up_target):
                continue
            if self._draw(account.account_id, events):
                parents[account.parent_id] = None
        return sorted(parents)

    def _draw(self, account_id: AccountId, events: list[VenueEvent]) -> bool:
        """One top-up, if the ledger owes any now."""
        state, now = self.sequencer.state, self.sequencer.time_ms
        receipt = apply(state, TopUp(now, account_id), self.sequencer.desk.authority)
        if not isinstance(receipt.detail, Paid):
            return False  # nothing is owed, or a price is stale: the same check will stop the liquidation
        account = state.accounts[account_id]
        drawn = Quote(receipt.detail.amount)
        number = self.sequencer.next_number()
        events.append(ToppedUp(number, now, receipt.number, account_id, account.parent_id, drawn, account.topped_up))
        return True

    # -- liquidation -----------------------------------------------------------------------------------------------

    def _liquidate(self, account_id: int, events: list[VenueEvent]) -> None:
        """One account, as far as the rule goes now: a partial step, or all of it below close-out."""
        opened = open_case(self.draft(), account_id)
        if opened is Reject.TOP_UP_DUE and self._draw(AccountId(account_id), events):
            opened = open_case(self.draft(), account_id)
        if isinstance(opened, Reject):
            self._wait(account_id, WHOLE_ACCOUNT, opened, events)
            return
        account, health = opened
        pause = self.sequencer.state.config.liquidation_pause_ms
        if rule.is_cooling_down(self.sequencer.time_ms, account.liquidated_ms, pause, health):
            self._wait(account_id, WHOLE_ACCOUNT, Reject.COOLING_DOWN, events)
            return
        events += self.sequencer.cancel_account(account.account_id)
        is_scenario = account.rule is MarginRule.SCENARIO
        is_whole = not health.is_above_close_out
        while True:
            step = book.slices if is_scenario else book.linear
            market_id, stopped = step(self.sequencer, account.account_id, events)
            if is_whole and (stopped is not None or is_scenario):
                # Of a scenario account the book has then taken all the slices it can.
                stopped = takeover.close(self.sequencer, account.account_id, market_id, events)
            if stopped is not None:
                self._wait(account_id, market_id, stopped, events)
                return
            self.waiting.pop(account_id, None)
            opened = open_case(self.draft(), account_id)
            if not is_whole or isinstance(opened, Reject) or opened[1].is_above_close_out:
                return

    def _wait(self, account_id: int, market_id: MarketId, reason: Reject, events: list[VenueEvent]) -> None:
        """Say once why an account is not liquidated, and try again at the next tick."""
        if reason is Reject.NOT_LIQUIDATABLE or self.waiting.get(account_id) is reason:
            return
        self.waiting[account_id] = reason
        number = self.sequencer.next_number()
        events.append(LiquidationWaits(number, self.sequencer.time_ms, AccountId(account_id), market_id, reason))

    def _sell_collateral(self, events: list[VenueEvent]) -> None:
        """Debts of accounts without positions are paid with other collateral, last of all."""
        state, now = self.sequencer.state, self.sequencer.time_ms
        if not state.oracle.collateral:
            return
        debtors = [
            account
            for _, account in sorted(state.accounts.items())
            if account.collateral and not account.positions and int(account.balance) < 0
        ]
        for debtor in debtors:
            for asset_id, _ in debtor.collateral:
                before = state.accounts[debtor.account_id].balance
                sale = CollateralSale(now, debtor.account_id, asset_id)
                receipt = apply(state, sale, self.sequencer.desk.authority)
                if isinstance(receipt.detail, Paid):
                    paid = state.accounts[debtor.account_id].balance - before
                    sold = (debtor.account_id, asset_id, receipt.detail.amount, paid)
                    events.append(CollateralSold(self.sequencer.next_number(), now, receipt.number, *sold))
                elif receipt.reject is not None:
                    self._wait(debtor.account_id, WHOLE_ACCOUNT, receipt.reject, events)
