"""Profit and loss of accounts and strategies from the venue's events: where every dollar of a change in value went.

A statement covers a *family*: a signable account (a main account, a strategy, the backstop) with its isolated children,
between which money moves without being won or lost. Over any period, exactly, with 32 fraction bits:

    opening value + deposited + moved + realised − fees − funding − liquidation + covered + collateral
        + unrealised − rounding = closing value

Everything but the values, `collateral` and `unrealised` comes from events alone. `rounding` is what settling funding in
whole millionths took: never negative, below a millionth for each time the account was touched, and over all accounts
together exactly what the venue's rounding counter gained.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bulkhead.engine.book import BUY
from bulkhead.engine.event import StateChanged, Traded
from bulkhead.fixed import worth
from bulkhead.keepers.event import CollateralSold, FundingMoved, ToppedUp, VenueEvent
from bulkhead.keepers.witness import Step, Witness
from bulkhead.ledger.accounts import collateral_worth
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.state import State
from bulkhead.ledger.tx import Deposit, ForcedClose, ForcedWithdrawal, Move, Transfer, Withdrawal
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.rules.funding import owed
from bulkhead.units import AccountId, Quote, Worth


class Holdings(NamedTuple):
    """What a family has at a moment: value = capital + collateral + unrealised, less the funding it owes."""

    capital: Worth  # balances and the cost of positions, less funding owed
    collateral: Worth  # other assets at price and after haircut
    unrealised: Worth  # positions at the index, less their cost

    @property
    def value(self) -> Worth:
        """Account value, all children included."""
        return self.capital + self.collateral + self.unrealised


NOTHING = Holdings(Worth(0), Worth(0), Worth(0))


class Statement(NamedTuple):
    """A family's period. Losses are negative in `realised` and `unrealised`; `fees`, `funding` and `liquidation` are
    paid when positive. `moved` is what came from (or went to) other accounts; `covered` what the fund paid."""

    account_id: AccountId
    opening: Worth
    deposited: Quote
    moved: Quote
    realised: Quote
    fees: Quote
    funding: Worth
    liquidation: Quote  # fees and penalties of liquidations
    covered: Quote
    collateral: Worth  # change in the worth of other assets, those deposited and sold included
    unrealised: Worth  # change
    rounding: Worth
    closing: Worth

    @property
    def profit(self) -> Worth:
        """What the period won or lost, apart from money that came in or went out."""
        return self.closing - self.opening - worth(self.deposited + self.moved)


class _Totals:
    """Sums of one family, in plain integers."""

    __slots__ = ("covered", "deposited", "fees", "funding", "liquidation", "moved", "realised")

    def __init__(self) -> None:
        self.deposited = self.moved = self.realised = self.fees = self.liquidation = self.covered = 0
        self.funding = 0  # with 32 fraction bits


def family(account_id: int) -> int:
    """The signable account an account belongs to."""
    return account_id & -CHILDREN_PER_ACCOUNT


def holdings(state: State) -> dict[int, Holdings]:
    """What every family has now."""
    found: dict[int, Holdings] = {}
    for account_id, account in state.accounts.items():
        capital = worth(account.balance) - owed(account.positions, state.indices)
        unrealised = Worth(0)
        for position in account.positions:
            capital += worth(position.cost)
            unrealised += position.size * state.risks[position.market_id].price - worth(position.cost)
        before = found.get(family(account_id), NOTHING)
        found[family(account_id)] = Holdings(
            before.capital + capital,
            before.collateral + collateral_worth(state, account),
            before.unrealised + unrealised,
        )
    return found


class Statements:
    """Every family's running totals since this was made. Feed it each command's events, then `close`."""

    def __init__(self, state: State) -> None:
        self._opening = holdings(state)
        self._totals: dict[int, _Totals] = {}
        self._indices = {market_id: int(index) for market_id, index in state.indices.items()}
        self._settlement = {asset.asset_id for asset in state.config.assets if asset.is_settlement}
        self._sizes: dict[int, dict[int, int]] = {market_id: {} for market_id in state.markets}
        for account_id, account in state.accounts.items():
            for position in account.positions:
                self._shift(account_id, position.market_id, int(position.size))

    def heard(self, events: Iterable[VenueEvent]) -> None:
        """Follow events, in their order."""
        for event in events:
            if isinstance(event, Traded):
                self._traded(event)
            elif isinstance(event, Witness):
                self._liquidated(event)
            elif isinstance(event, FundingMoved):
                self._funded(event)
            elif isinstance(event, ToppedUp):
                self._of(event.account_id).moved += int(event.amount)
                self._of(event.parent_id).moved -= int(event.amount)
            elif isinstance(event, CollateralSold):
                self._of(event.account_id).moved += int(event.paid)
                self._of(BACKSTOP_ACCOUNT).moved -= int(event.paid)
            elif isinstance(event, StateChanged):
                self._changed(event)

    def close(self, state: State) -> tuple[Statement, ...]:
        """Statements of every family that has had anything, by rising id."""
        closing = holdings(state)
        found = []
        for account_id in sorted(self._opening.keys() | closing.keys() | self._totals.keys()):
            before, after = self._opening.get(account_id, NOTHING), closing.get(account_id, NOTHING)
            sums = self._of(account_id)
            flows = sums.deposited + sums.moved + sums.realised + sums.covered - sums.fees - sums.liquidation
            expected = int(before.capital) + int(worth(Quote(flows))) - sums.funding
            found.append(
                Statement(
                    AccountId(account_id),
                    before.value,
                    Quote(sums.deposited),
                    Quote(sums.moved),
                    Quote(sums.realised),
                    Quote(sums.fees),
                    Worth(sums.funding),
                    Quote(sums.liquidation),
                    Quote(sums.covered),
                    after.collateral - before.collateral,
                    after.unrealised - before.unrealised,
                    Worth(expected) - after.capital,
                    after.value,
                )
            )
        return tuple(found)

    # -- events ----------------------------------------------------------------------------------------------------

    def _of(self, account_id: int) -> _Totals:
        return self._totals.setdefault(family(account_id), _Totals())

    def _shift(self, account_id: int, market_id: int, change: int) -> None:
        sizes = self._sizes[market_id]
        sizes[family(account_id)] = sizes.get(family(account_id), 0) + change

    def _traded(self, event: Traded) -> None:
        change = int(event.size) if event.taker_side == BUY else -int(event.size)
        maker, taker = self._of(event.maker_account_id), self._of(event.taker_account_id)
        maker.realised += int(event.maker_profit)
        maker.fees += int(event.fees.maker)
        taker.realised += int(event.taker_profit)
        if event.taker_order_id:
            taker.fees += int(event.fees.taker)
        else:
            taker.liquidation += int(event.fees.taker)
        self._shift(event.taker_account_id, event.market_id, change)
        self._shift(event.maker_account_id, event.market_id, -change)

    def _liquidated(self, witness: Witness) -> None:
        """Of a step through the book the trades have said all but the penalty."""
        victim = self._of(witness.account.account_id)
        victim.covered += int(witness.covered)
        held = {position.market_id: int(position.size) for position in witness.account.positions}
        for part in witness.parts:
            victim.liquidation += int(part.charges.penalty)
            if witness.step is Step.BOOK:
                continue
            victim.realised += int(part.profit)
            self._of(part.taker_id).realised += int(part.taker_profit)
            change = int(part.size) if held[part.market_id] > 0 else -int(part.size)
            self._shift(witness.account.account_id, part.market_id, -change)
            self._shift(part.taker_id, part.market_id, change)

    def _funded(self, event: FundingMoved) -> None:
        for market_id, index in event.indices:
            moved = int(index) - self._indices[market_id]
            self._indices[market_id] = int(index)
            for account_id, size in self._sizes[market_id].items():
                if size:
                    self._of(account_id).funding += size * moved

    def _changed(self, event: StateChanged) -> None:
        """Money and positions that came and went by transactions from outside. Other assets are seen in the state."""
        transaction = event.transaction
        if isinstance(transaction, ForcedClose):
            for flow in event.flows:
                self._of(flow.account_id).realised += int(flow.profit)
                self._of(flow.account_id).covered += int(flow.covered)
                self._shift(flow.account_id, transaction.market_id, int(flow.change))
        elif isinstance(transaction, Deposit) and transaction.asset_id in self._settlement:
            self._of(transaction.account_id).deposited += transaction.amount
        elif isinstance(transaction, Withdrawal | ForcedWithdrawal) and transaction.asset_id in self._settlement:
            self._of(transaction.account_id).deposited -= 0 if event.failed else transaction.amount
        elif isinstance(transaction, Transfer) and transaction.asset_id in self._settlement:
            self._of(transaction.source).moved -= transaction.amount
            self._of(transaction.target).moved += transaction.amount
        elif isinstance(transaction, Move):
            for leg in transaction.assets:
                if leg.asset_id in self._settlement:
                    self._of(leg.source).moved -= leg.amount
                    self._of(leg.target).moved += leg.amount
            for part in transaction.positions:
                self._shift(part.source, part.market_id, -int(part.size))
                self._shift(part.target, part.market_id, int(part.size))
