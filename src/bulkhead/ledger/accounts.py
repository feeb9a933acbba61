"""What the ledger does to single accounts: settle funding, judge health, change a position, route a fill."""

from __future__ import annotations

from collections.abc import Callable

from bulkhead.fixed import part_floor
from bulkhead.ledger.draft import Draft, View
from bulkhead.ledger.state import Account, Kind, MarginRule, Mode, child_id
from bulkhead.reject import Reject
from bulkhead.rules import margin, prices, scenario
from bulkhead.rules.funding import settle
from bulkhead.rules.terms import NO_FLOORS, Floors, Health, Position
from bulkhead.units import AccountId, BookPrice, FundingIndex, MarketId, Price, Quote, Size, Worth


def settled(view: View, account: Account) -> tuple[Account, Worth]:
    """An account with its funding paid, and the dust that rounding took from it."""
    indices = view.indices
    for position in account.positions:
        if position.funding_index != indices[position.market_id]:
            break
    else:
        return account, Worth(0)
    positions, payment, dust = settle(account.positions, indices)
    return account._replace(balance=account.balance - payment, positions=positions), dust


def settled_in(draft: Draft, account: Account) -> Account:
    """`settled`, with the dust kept by the venue's rounding counter."""
    after, dust = settled(draft, account)
    if after is not account:
        draft.pay_fund(account.asset_id, dust=dust)
        draft.put(after)
    return after


def floors_of(view: View, account: Account) -> Floors:
    """The trader's own initial fractions: his leverage by market (a child takes its parent's choice)."""
    if account.kind is Kind.CHILD:
        parent = account_of(view, account.parent_id)
        choices = () if parent is None else parent.choices
    else:
        choices = account.choices
    if not choices:
        return NO_FLOORS
    return {choice.market_id: margin.leverage_floor(choice.leverage) for choice in choices if choice.leverage}


def account_of(view: View, account_id: int) -> Account | None:
    """An account by id in a state or a draft."""
    return view.account(account_id) if isinstance(view, Draft) else view.accounts.get(account_id)


def collateral_worth(view: View, account: Account) -> Worth:
    """Other assets at their price, after haircut, rounded down. An asset without a price counts nothing."""
    total = Worth(0)
    for asset_id, amount in account.collateral:
        terms = view.config.asset(asset_id)
        price = collateral_price(view, asset_id)
        if terms is not None and price is not None:
            total = total + margin.haircut_worth(Size(amount) * price, terms.haircut)
    return total


def collateral_price(view: View, asset_id: int) -> Price | None:
    """Oracle price of other collateral per smallest unit; None before its first tick."""
    for held, price, _ in view.oracle.collateral:
        if held == asset_id:
            return price
    return None


def health_of(view: View, account: Account) -> Health:
    """Health of an account by its own margin rule. Its funding must be settled in this view."""
    collateral = collateral_worth(view, account) if account.collateral else Worth(0)
    if account.rule is MarginRule.SCENARIO:
        held = scenario.exposures(account.positions, view.risks, view.groups, interest(view))
        return scenario.health(account.balance, collateral, held, view.config.grid)
    floors = NO_FLOORS
    if account.choices or account.kind is Kind.CHILD:
        floors = floors_of(view, account)
    return margin.health(account.balance, collateral, account.positions, view.risks, floors)


def check_price(view: View, market_id: MarketId) -> Reject | None:
    """The market has an index price, and it is young enough."""
    market = view.market(market_id) if isinstance(view, Draft) else view.markets[market_id]
    if int(market.price) == 0:
        return Reject.PRICE_UNKNOWN
    if not prices.is_fresh(market.price_ms, view.time_ms, view.terms[market_id].price_age_max_ms):
        return Reject.PRICE_STALE
    return None


def check_prices(view: View, account: Account) -> Reject | None:
    """Prices of everything the account holds, and only of that, are known and fresh.

    Collateral without any price yet counts nothing, so it is not asked for. Without positions and without a debt
    nothing is judged by collateral.
    """
    markets = view.state.markets if isinstance(view, Draft) else view.markets
    written = view.markets if isinstance(view, Draft) else {}
    for market_id, _, _, _ in account.positions:
        market = markets[market_id]
        # Nothing a draft writes makes a price older, so the state's time is asked first: this is the hot path.
        if written or view.time_ms - market.price_ms > view.terms[market_id].price_age_max_ms:
            problem = check_price(view, market_id)
            if problem is not None:
                return problem
    if account.collateral and (account.positions or int(account.balance) < 0):
        times = {held: time_ms for held, _, time_ms in view.oracle.collateral}
        for asset_id, _ in account.collateral:
            terms = view.config.asset(asset_id)
            assert terms is not None  # it was deposited as an asset of the configuration
            if asset_id in times and not prices.is_fresh(times[asset_id], view.time_ms, terms.price_age_max_ms):
                return Reject.PRICE_STALE
    return None


def interest(view: View) -> dict[int, int]:
    """Open interest in lots by market, before this transaction (see `Draft.put_market`)."""
    markets = view.state.markets if isinstance(view, Draft) else view.markets
    return {market_id: int(market.open_interest) for market_id, market in markets.items()}


def health_at(view: View, account: Account) -> Callable[[MarketId, Price], Health]:
    """Health of an account as a function of one market's index price: what liquidation prices are asked of."""

    def ask(market_id: MarketId, price: Price) -> Health:
        draft = view.fork() if isinstance(view, Draft) else Draft(view)
        draft.put_market(draft.market(market_id)._replace(price=price))
        return health_of(draft, account)

    return ask


def liquidation_price(view: View, account: Account, market_id: MarketId) -> Price | None:
    """Index price of one market at which this whole account becomes liquidatable; None if no price does it."""
    ask = health_at(view, account)
    side = 1 if int(account.size(market_id)) > 0 else -1
    return margin.liquidation_price(side, lambda price: ask(market_id, price).is_maintained)


def close_out_price(view: View, account: Account, market_id: MarketId) -> Price | None:
    """The index price at which liquidation is no longer partial: the account closes as a whole; None if none does."""
    ask = health_at(view, account)
    side = 1 if int(account.size(market_id)) > 0 else -1
    return margin.liquidation_price(side, lambda price: ask(market_id, price).is_above_close_out)


def route(view: View, account: Account, market_id: MarketId) -> AccountId:
    """The account in which a fill of an order signed for `account` settles."""
    choice = account.choice(market_id)
    if choice is not None and choice.mode is Mode.ISOLATED:
        return child_id(account.account_id, market_id)
    return account.account_id


def account_for(view: View, account_id: int, market_id: MarketId) -> Account | None:
    """The account that holds (or would hold) a signable account's position in a market; None if unknown."""
    account = account_of(view, account_id)
    if account is None:
        return None
    target = route(view, account, market_id)
    if target == account.account_id:
        return account
    return account_of(view, target) or new_child(account, market_id)


def new_child(parent: Account, market_id: MarketId) -> Account:
    """The empty isolated child a fill or a move is about to write."""
    return Account(
        child_id(parent.account_id, market_id),
        Kind.CHILD,
        MarginRule.LINEAR,
        parent.owner_key,
        parent.l1_owner,
        parent.account_id,
        parent.asset_id,
    )


def with_position(account: Account, position: Position) -> Account:
    """The account with one position replaced; a position of no lots is forgotten."""
    market_id = position.market_id
    held = account.positions
    place = 0
    while place < len(held) and held[place].market_id < market_id:
        place += 1
    behind = held[place + 1 :] if place < len(held) and held[place].market_id == market_id else held[place:]
    middle = (position,) if position.size else ()
    return account._replace(positions=held[:place] + middle + behind)


def with_fill(account: Account, market_id: MarketId, change: Size, price: BookPrice, index: FundingIndex) -> Account:
    """The account after `change` signed lots at a price: the balance pays size · price, fees apart.

    Cost follows: what is opened adds its value, what is closed takes its part of the old cost along,
    rounded down (it serves profit and loss only, so no money is rounded here).
    """
    old = account.position(market_id)
    value = price * change
    if old is None:
        position = Position(market_id, change, value, index)
    else:
        size = old.size + change
        if int(old.size) * int(change) > 0:
            cost = old.cost + value
        elif int(size) * int(old.size) >= 0:
            cost = Quote(part_floor(int(old.cost), size, old.size))
        else:
            cost = price * size
        position = Position(market_id, size, cost, index)
    return with_position(account._replace(balance=account.balance - value), position)


def closed_part(old: Size, change: Size) -> Size:
    """The part of a signed change that closes an existing position; signed like the change."""
    if int(old) * int(change) >= 0:
        return Size(0)
    return change if abs(change) <= abs(old) else -old


def realised(account: Account, market_id: MarketId, change: Size, price: BookPrice) -> Quote:
    """Profit or loss that a fill realises against cost: closed lots at the price, less their part of the cost."""
    old = account.position(market_id)
    if old is None:
        return Quote(0)
    closed = closed_part(old.size, change)
    if not closed:
        return Quote(0)
    kept = part_floor(int(old.cost), old.size + closed, old.size)
    return Quote(int(price * -closed) - (int(old.cost) - kept))


def sweep(draft: Draft, account_id: AccountId) -> None:
    """A child without positions returns what it has to its parent, and is forgotten."""
    child = draft.account(account_id)
    if child is None or child.kind is not Kind.CHILD or child.positions or int(child.balance) <= 0:
        return
    parent = draft.account(child.parent_id)
    assert parent is not None  # a child is made from its parent, which is never forgotten
    draft.put(parent._replace(balance=parent.balance + child.balance))
    draft.put(child._replace(balance=Quote(0)))
