"""What must hold after every transaction, with ids the documentation cites.

Linear in the size of the state: for tests and simulations.
"""

from __future__ import annotations

from collections.abc import Iterator

from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.state import Kind, Mode, State, child_id, is_signable
from bulkhead.limits import COLLATERALS_MAX, POSITIONS_MAX
from bulkhead.rules.funding import owed


def violations(state: State) -> list[str]:
    """Every broken invariant, named; an empty list is the expected answer."""
    return [*_money(state), *_markets(state), *_accounts(state), *_routing(state), *_derived(state)]


def _money(state: State) -> Iterator[str]:
    """I1: money in = money out + funds + accounts, to the last fraction bit, in every asset."""
    for asset in state.config.assets:
        held = 0
        for account in state.accounts.values():
            if account.asset_id == asset.asset_id:
                held += (int(account.balance) << FRACTION_BITS) - int(owed(account.positions, state.indices))
            held += dict(account.collateral).get(asset.asset_id, 0) << FRACTION_BITS
        if asset.asset_id in state.funds:
            funds = state.funds[asset.asset_id]
            held += (int(funds.fees) + int(funds.l1) + int(funds.insurance)) << FRACTION_BITS
            held += int(funds.dust)
            if int(funds.dust) < 0 or int(funds.insurance) < 0:
                yield f"I2: the funds of {asset.name} are negative: {funds}"
        difference = held - (state.custody[asset.asset_id] << FRACTION_BITS)
        if state.custody[asset.asset_id] < 0:
            yield f"I2: custody of {asset.name} is negative: {state.custody[asset.asset_id]}"
        if difference:
            yield f"I1: {asset.name} is off by {difference} of 2^-32"


def _markets(state: State) -> Iterator[str]:
    """I3: longs equal shorts, and open interest is their size, in every market."""
    longs = dict.fromkeys(state.markets, 0)
    shorts = dict.fromkeys(state.markets, 0)
    for account in state.accounts.values():
        for position in account.positions:
            side = longs if int(position.size) > 0 else shorts
            side[position.market_id] += abs(int(position.size))
    for market_id, market in state.markets.items():
        if not longs[market_id] == shorts[market_id] == int(market.open_interest):
            yield f"I3: market {market_id}: {longs[market_id]} long, {shorts[market_id]} short, {market.open_interest}"
        if int(market.lost) < 0:
            yield f"I4: market {market_id} has lost {market.lost} of its budget"


def _accounts(state: State) -> Iterator[str]:
    """I5: leaves are canonical: sorted, without empty positions, within bounds; I6: children belong to parents."""
    for account_id, account in state.accounts.items():
        held = [position.market_id for position in account.positions]
        if held != sorted(set(held)) or len(held) > POSITIONS_MAX or len(account.collateral) > COLLATERALS_MAX:
            yield f"I5: account {account_id} holds {held}, {account.collateral}"
        if any(int(position.size) == 0 for position in account.positions):
            yield f"I5: account {account_id} keeps an empty position"
        if any(amount <= 0 for _, amount in account.collateral):
            yield f"I5: account {account_id} keeps an empty collateral"
        if account.account_id != account_id or is_signable(account_id) != (account.kind is not Kind.CHILD):
            yield f"I6: account {account_id} has the wrong id or kind"
        if account.kind is Kind.CHILD:
            parent = state.accounts.get(account.parent_id)
            if parent is None or parent.owner_key != account.owner_key or account.collateral:
                yield f"I6: child {account_id} does not match its parent"
            if any(child_id(account.parent_id, market_id) != account_id for market_id in held):
                yield f"I6: child {account_id} holds another market"


def _routing(state: State) -> Iterator[str]:
    """I7: one mode per account and market: no account holds a position its own orders would not reach."""
    for account_id, account in state.accounts.items():
        if account.kind is Kind.CHILD:
            continue
        for choice in account.choices:
            if choice.market_id and choice.mode is Mode.ISOLATED and account.size(choice.market_id):
                yield f"I7: account {account_id} holds market {choice.market_id} in two modes"


def _derived(state: State) -> Iterator[str]:
    """I8: every index kept beside the leaves is what the leaves say."""
    for market_id, holders in state.holders.items():
        true = {account_id for account_id, account in state.accounts.items() if account.size(market_id)}
        if true != holders.keys():
            yield f"I8: holders of market {market_id}"
        if state.risks[market_id].price != state.markets[market_id].price:
            yield f"I8: risk of market {market_id}"
        if state.indices[market_id] != state.markets[market_id].funding_index:
            yield f"I8: funding index of market {market_id}"
