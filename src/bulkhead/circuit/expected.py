"""Which frames the trades of a batch will run, known from its transactions: so that what plates hold is counted so.

A plate is for one exact program (`circuit.plates`), and which one an account's frame runs follows from how many
positions it has before a fill, and whether it has choices. Of accounts that only trade in a batch both can be told:
positions change by what is filled. Of any other account nothing is told, and its frames are counted at their costliest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.order import Mode
from bulkhead.circuit.programs import account_name, side_name, trade_name
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger import tx
from bulkhead.ledger.state import Kind, State
from bulkhead.ledger.tx import Order, Transaction

# What these do to an account changes neither its positions nor its choices.
HARMLESS = (tx.Deposit, tx.Withdrawal, tx.Transfer, tx.OracleTick, tx.FundingTick, tx.Restart, tx.StatusChange)
PLAIN = (Kind.MAIN, Kind.STRATEGY)


class Expected:
    """What the accounts of a batch hold while it grows."""

    def __init__(self, before: State) -> None:
        """`before` is the state of the batch's begin."""
        self._before = before
        self._sizes: dict[int, dict[int, int]] = {}  # of accounts that have traded: lots by market
        self._unknown: set[int] = set()
        self._traded: Counter[int] = Counter()  # lots by market
        self._prices: dict[int, int] = {}  # of a market's own feed, the highest that a tick of the batch may have set

    def is_plain(self, account_id: int) -> bool:
        """Its fills settle cross, without choices, and what it holds is known."""
        account = self._before.accounts.get(account_id)
        return account_id not in self._unknown and account is not None and account.kind in PLAIN and not account.choices

    def forget(self, accounts: Iterable[int]) -> None:
        """What these hold is not known any more."""
        self._unknown.update(accounts)

    def take(self, transaction: Transaction, touched: Iterable[int]) -> Mapping[str, int] | None:
        """One transaction more, of these accounts; frames by program of a trade of which all is known, else None."""
        if isinstance(transaction, tx.OracleTick):
            for report in transaction.reports:
                for feed, price in report.prices:
                    self._prices[feed] = max(int(price), self._prices.get(feed, 0))
        if not isinstance(transaction, tx.Trade):
            if not isinstance(transaction, HARMLESS):
                self.forget(touched)
            return None
        market, lots = int(transaction.market_id), int(transaction.size)
        self._traded[market] += lots
        sides = (transaction.maker, transaction.taker)
        if not all(self.is_plain(int(order.account_id)) for order in sides):
            self.forget(touched)
            return None
        frames = Counter({trade_name(3, self._may_scale(market)): 1, side_name(Mode.CROSS): 2})
        for order in sides:
            frames[account_name(self._fill(order, lots), False, Freshness.FRESH)] += 1
        return frames

    def _fill(self, order: Order, lots: int) -> int:
        """Positions before the fill; after it what is held has changed."""
        account_id, market = int(order.account_id), int(order.market_id)
        if account_id not in self._sizes:
            held = self._before.accounts[order.account_id].positions
            self._sizes[account_id] = {int(each.market_id): int(each.size) for each in held}
        sizes = self._sizes[account_id]
        count = len(sizes)
        after = sizes.pop(market, 0) + (lots if int(order.base_amount) > 0 else -lots)
        if after:
            sizes[market] = after
        return count

    def _may_scale(self, market: int) -> bool:
        """Open interest may have moved requirements, at the most that it and the price can have been."""
        state, terms = self._before.markets[market], self._before.config.market(market)
        assert terms is not None  # trades are in configured markets
        price = max(int(state.price), self._prices.get(market, 0))
        worth = (int(state.open_interest) + self._traded[market]) * price
        return bool(state.scale) or worth > int(terms.open_interest_lower) << FRACTION_BITS
