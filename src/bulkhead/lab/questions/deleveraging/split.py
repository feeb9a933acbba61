"""Two ways to share out lots among opposite holders: this venue's own rule, and the queue of other venues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bulkhead.fixed import index_price
from bulkhead.ledger.defaults import market
from bulkhead.rules.deleveraging import Holder, profit, shares, unhedged_size
from bulkhead.rules.terms import Position, Risks, risk_of
from bulkhead.units import AccountId, BookPrice, FundingIndex, MarketId, Quote, Size

DOLLAR = 1_000_000
TAKEN, HEDGE = MarketId(1), MarketId(2)
"""The market in which lots are taken, and the one in which a hedge is held. A lot of either is worth one dollar."""


class Member(NamedTuple):
    """An opposite holder: lots and profit in the market, lots of the hedge, and equity. A lot is worth a dollar."""

    account_id: int
    lots: int  # positive: the holder is short
    profit: int  # dollars
    hedge: int  # lots held the other way in the other market
    equity: float  # dollars


class Split(NamedTuple):
    """What a rule did: lots by account, and what that left of hedges."""

    taken: Mapping[int, int]
    hit: int  # accounts that gave up anything
    wiped: int  # accounts that gave up all of it
    most: float  # largest share of a position that was taken
    naked: int  # lots of hedges that lost their other side
    stripped: int  # hedged accounts that gave up more lots than were unhedged


def risks(one_group: bool) -> tuple[Risks, dict[int, int]]:
    """Both markets at one dollar a lot; in one group, or in two, so that no hedge is seen."""
    price = index_price(BookPrice(DOLLAR))
    terms = [market(place, name, 1, is_major=True, initial=200) for place, name in ((1, "BTC"), (2, "ETH"))]
    return {one.market_id: risk_of(one, price) for one in terms}, {1: 1, 2: 1 if one_group else 2}


def holders_of(members: Sequence[Member], one_group: bool) -> list[Holder]:
    """Members as the rule sees them: profit and unhedged lots are computed by the exchange's own functions."""
    known, groups = risks(one_group)
    found = []
    for member in members:
        cost = Quote(-(member.lots + member.profit) * DOLLAR)
        short = Position(TAKEN, Size(-member.lots), cost, FundingIndex(0))
        positions = [short]
        if member.hedge:
            positions.append(Position(HEDGE, Size(member.hedge), Quote(member.hedge * DOLLAR), FundingIndex(0)))
        unhedged = unhedged_size(positions, TAKEN, known, groups)
        found.append(Holder(AccountId(member.account_id), Size(member.lots), unhedged, profit(short, known)))
    return found


def pro_rata(amount: int, members: Sequence[Member], one_group: bool = True) -> Split:
    """This venue's rule: `rules.deleveraging.shares`."""
    taken = shares(Size(amount), holders_of(members, one_group))
    return judged(members, {int(account): int(lots) for account, lots in taken.items()})


def queue(amount: int, members: Sequence[Member], whole: bool = False) -> Split:
    """The queue: highest (mark / entry gain) · leverage first, each to the end before the next is asked.

    `whole` closes whole positions, so the last one is closed beyond what was needed. Those at a loss come last.
    Source of the score: Hyperliquid, Binance and Bybit rank by profit in percent times effective leverage.
    """

    def score(member: Member) -> float:
        gain = member.profit / max(1, member.lots + member.profit)
        leverage = member.lots / max(1.0, member.equity)
        return gain * leverage if gain > 0 else gain / max(leverage, 1e-9)

    left, taken = amount, {}
    for member in sorted(members, key=lambda member: (-score(member), member.account_id)):
        if left <= 0:
            break
        lots = member.lots if whole else min(member.lots, left)
        taken[member.account_id] = lots
        left -= lots
    return judged(members, taken)


def judged(members: Sequence[Member], taken: Mapping[int, int]) -> Split:
    """What a distribution did to positions and to hedges."""
    hit = wiped = naked = stripped = 0
    most = 0.0
    for member in members:
        lots = taken.get(member.account_id, 0)
        if not lots:
            continue
        hit += 1
        wiped += lots == member.lots
        most = max(most, lots / member.lots)
        hedged = min(member.hedge, member.lots)
        bared = max(0, hedged - (member.lots - lots))
        naked += bared
        stripped += bared > 0
    return Split(taken, hit, wiped, most, naked, stripped)
