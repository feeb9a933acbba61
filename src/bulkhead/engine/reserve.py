"""Open orders in the initial margin: totals per account and market, and what they ask at their worst side.

In each market the position counts as the larger of |position + open buys| and |position − open sells|, valued at the
index with the trader's leverage; fees count at the signed cap. For an isolated market the difference to what the child
already requires is reserved in the parent, for it is the parent that will fund the fill.

A scenario account with orders in several markets is asked for the worst that any of their fills could make of it.

Reduce-only orders never grow a position and are not counted; nor are orders that wait for a trigger, which are judged
when it fires. What the worst side cannot see (a limit price worse than the index) the ledger judges at the fill.
"""

from __future__ import annotations

from collections.abc import Iterable

from bulkhead.engine.book import BUY
from bulkhead.engine.order import OpenOrder, Stage
from bulkhead.fixed import FRACTION_BITS, mul_div_ceil
from bulkhead.ledger.accounts import account_for, account_of, health_of, interest, settled, with_position
from bulkhead.ledger.draft import View
from bulkhead.ledger.state import Account, MarginRule, Mode
from bulkhead.rules import margin, scenario
from bulkhead.rules.terms import Health, Position
from bulkhead.units import Fraction, FundingIndex, MarketId, Quote, Requirement, Size, Worth

Totals = list[int]
"""Open buys and sells in lots, and the fees they may cost: [buys, sells, fees]."""

NOTHING = (0, 0, 0)


class Reserve:
    """Totals of open orders, kept as orders come, trade and go."""

    __slots__ = ("totals",)

    def __init__(self) -> None:
        self.totals: dict[int, dict[int, Totals]] = {}

    def add(self, order: OpenOrder) -> None:
        """Count an order that comes to rest."""
        if order.reduce_only:
            return
        signed = order.signed
        markets = self.totals.get(signed.account_id)
        if markets is None:
            markets = self.totals[signed.account_id] = {}
        totals = markets.get(signed.market_id)
        if totals is None:
            totals = markets[signed.market_id] = [0, 0, 0]
        fee = fee_of(order, order.left)
        totals[order.side] += order.left  # type: ignore[operator]
        totals[2] += fee  # type: ignore[operator]
        order.reserved = order.left
        order.fee_reserved = fee

    def cut(self, order: OpenOrder, left: Size) -> None:
        """Count no more than `left` lots of an order; zero forgets it."""
        if not order.reserved:
            return
        signed = order.signed
        markets = self.totals[signed.account_id]
        totals = markets[signed.market_id]
        fee = fee_of(order, left)
        totals[order.side] += left - order.reserved  # type: ignore[operator]
        totals[2] += fee - order.fee_reserved  # type: ignore[operator]
        order.reserved = left
        order.fee_reserved = fee
        if not left and not (totals[0] or totals[1]):
            del markets[signed.market_id]
            if not markets:
                del self.totals[signed.account_id]

    def without(self, order: OpenOrder) -> Reserve:
        """The same once an order has left; this one stays as it is."""
        signed = order.signed
        markets = dict(self.totals.get(signed.account_id, {}))
        if signed.market_id in markets:
            back = change_of(order, order.reserved, -1)
            had = markets[signed.market_id]
            markets[signed.market_id] = [total + less for total, less in zip(had, back, strict=True)]
        twin = Reserve()
        twin.totals = {**self.totals, int(signed.account_id): markets}
        return twin

    def of(self, account_id: int, market_id: int) -> tuple[int, int, int]:
        """Open buys, sells and fees of an account in a market."""
        totals = self.totals.get(account_id, {}).get(market_id)
        return NOTHING if totals is None else (totals[0], totals[1], totals[2])

    def check(self, orders: Iterable[OpenOrder]) -> list[str]:
        """Recount from the orders; every difference in words. For tests and simulation."""
        fresh = Reserve()
        for order in orders:
            if order.stage is Stage.RESTING and not order.reduce_only:
                totals = fresh.totals.setdefault(order.signed.account_id, {}).setdefault(
                    order.signed.market_id, [0, 0, 0]
                )
                totals[order.side] += int(order.left)
                totals[2] += int(fee_of(order, order.left))
        return [
            f"account {account_id}: reserve {self.totals.get(account_id)}, its orders {fresh.totals.get(account_id)}"
            for account_id in sorted(self.totals.keys() | fresh.totals.keys())
            if self.totals.get(account_id) != fresh.totals.get(account_id)
        ]


def fee_of(order: OpenOrder, size: Size) -> Quote:
    """The most a fill of `size` lots may be charged: the signed cap pro rata, rounded up."""
    signed = order.signed
    if not size or not signed.fee_amount:
        return Quote(0)
    return Quote(mul_div_ceil(signed.fee_amount, size, abs(signed.base_amount)))  # type: ignore[arg-type]


def worst(held: int, buys: int, sells: int) -> int:
    """The largest position that open orders can make of one: lots, positive."""
    return max(abs(held + buys), abs(held - sells))


def extra(view: View, account: Account, market_id: MarketId, open_lots: tuple[int, int], cap: int) -> int:
    """What open buys and sells in one market ask beyond the position: 64 fraction bits, never negative.

    `cap` is the operator's leverage cap, 0 for none; it also raises what the position itself asks.
    """
    holder = account_for(view, account.account_id, market_id)
    held = 0 if holder is None else int(holder.size(market_id))
    if account.rule is MarginRule.SCENARIO:
        return _scenario_extra(view, account, market_id, held, open_lots)
    choice = account.choice(market_id)
    signed_floor = Fraction(0) if choice is None or not choice.leverage else margin.leverage_floor(choice.leverage)
    floor = signed_floor
    if cap and (choice is None or choice.mode is not Mode.ISOLATED):
        floor = max(floor, margin.leverage_floor(cap))
    risk = view.risks[market_id]
    after = margin.initial_of(risk, Size(worst(held, *open_lots)), floor)
    return int(after) - (int(margin.initial_of(risk, Size(held), signed_floor)) if held else 0)


def _scenario_extra(
    view: View, account: Account, market_id: MarketId, held: int, open_lots: tuple[int, int]
) -> int:
    """The dearer of all buys and all sells of one market filled, over the account as it is."""
    now = int(health_of(view, account).initial)
    most = 0
    for size in (held + open_lots[0], held - open_lots[1]):
        after = with_position(account, Position(market_id, Size(size), Quote(0), FundingIndex(0)))
        most = max(most, int(health_of(view, after).initial) - now)
    return most


def _joint_extra(view: View, account: Account, orders: dict[int, tuple[int, int]]) -> int:
    """What open orders of a scenario account in several markets may make it ask, over what it asks now."""
    sizes = {int(position.market_id): {int(position.size)} for position in account.positions}
    for market_id, (buys, sells) in orders.items():
        held = int(account.size(MarketId(market_id)))
        sizes[market_id] = {held, held + buys, held - sells}
    open_interest = interest(view)
    choices = []
    for market_id, options in sorted(sizes.items()):
        held_then = [Size(size) for size in sorted(options) if size]
        positions = [Position(MarketId(market_id), size, Quote(0), FundingIndex(0)) for size in held_then]
        found = scenario.exposures(positions, view.risks, view.groups, open_interest)
        if 0 in options:
            found.append(scenario.Exposure(view.groups[market_id], Worth(0), Fraction(0)))
        choices.append(found)
    most = scenario.worst_requirement(choices, view.config.grid)
    return max(0, int(most) - int(health_of(view, account).initial))


class Claims:
    """What an account has and owes once its open orders count; asked by admission, screens and withdrawals."""

    __slots__ = ("caps", "reserve", "view")

    def __init__(self, view: View, reserve: Reserve, caps: dict[tuple[int, int], int]) -> None:
        self.view = view
        self.reserve = reserve
        self.caps = caps

    def extra(self, account: Account, change_in: int = 0, change: tuple[int, int, int] = NOTHING) -> int:
        """What all open orders of an account ask beyond its positions, fees included, 64 fraction bits.

        `change` (buys, sells, fees) is added to the totals of market `change_in`: an order not yet there.
        """
        if account.rule is MarginRule.SCENARIO:
            return self._scenario_extra(account, change_in, change)
        account_id = account.account_id
        totals = self.reserve.totals.get(account_id)
        caps = self.caps
        total = fees = 0
        is_counted = not change_in
        for market_id, (buys, sells, fee) in () if totals is None else totals.items():
            if market_id == change_in:
                is_counted = True
                buys, sells, fee = buys + change[0], sells + change[1], fee + change[2]
            fees += fee
            cap = caps.get((account_id, market_id), 0) if caps else 0
            total += extra(self.view, account, MarketId(market_id), (buys, sells), cap)
        if not is_counted:
            fees += change[2]
            cap = caps.get((account_id, change_in), 0) if caps else 0
            total += extra(self.view, account, MarketId(change_in), change[:2], cap)
        return total + (fees << 2 * FRACTION_BITS)

    def _scenario_extra(self, account: Account, change_in: int, change: tuple[int, int, int]) -> int:
        """`extra` under scenario margin: one market counts at its worse side, several at the worst of all fills."""
        totals = self.reserve.totals.get(account.account_id, {})
        orders = {market_id: (buys, sells) for market_id, (buys, sells, _) in totals.items()}
        fees = change[2] + sum(fee for _, _, fee in totals.values())
        if change_in:
            buys, sells = orders.get(change_in, (0, 0))
            orders[change_in] = (buys + change[0], sells + change[1])
        if len(orders) > 1:
            return _joint_extra(self.view, account, orders) + (fees << 2 * FRACTION_BITS)
        total = fees << 2 * FRACTION_BITS
        for market_id, lots in orders.items():
            total += extra(self.view, account, MarketId(market_id), lots, 0)
        return total

    def _known(self, account_id: int) -> Account:
        account = account_of(self.view, account_id)
        assert account is not None, "admission saw the account"
        return account

    def health(self, account_id: int) -> tuple[Account, Health]:
        """A signable account with its funding settled, and its health without its open orders."""
        account, _ = settled(self.view, self._known(account_id))
        return account, health_of(self.view, account)

    def required(self, account_id: int) -> Requirement:
        """The initial requirement of a signable account, its open orders included."""
        account, health = self.health(account_id)
        return Requirement(int(health.initial) + self.extra(account))

    def spare(self, account_id: int, change_in: int = 0, change: tuple[int, int, int] = NOTHING) -> int:
        """Value less that requirement, 64 fraction bits; below zero when orders ask more than there is."""
        account, health = self.health(account_id)
        return (int(health.value) << FRACTION_BITS) - int(health.initial) - self.extra(account, change_in, change)

    def bears(self, account: Account, market_id: MarketId, change: tuple[int, int, int]) -> bool:
        """Whether an account can bear a change of its open orders in a market.

        One that leaves the worst side where it is brings no new risk and is not asked for margin.
        """
        holder = account_for(self.view, account.account_id, market_id)
        held = 0 if holder is None else int(holder.size(market_id))
        buys, sells, _ = self.reserve.of(account.account_id, market_id)
        if worst(held, buys + change[0], sells + change[1]) <= worst(held, buys, sells):
            return True
        return self.spare(account.account_id, market_id, change) >= 0


def change_of(order: OpenOrder, size: Size, sign: int = 1) -> tuple[int, int, int]:
    """What `size` lots of an order add to the totals (or take, with sign −1)."""
    if order.reduce_only:
        return NOTHING
    lots, fee = sign * int(size), sign * int(fee_of(order, size))
    return (lots, 0, fee) if order.side == BUY else (0, lots, fee)
