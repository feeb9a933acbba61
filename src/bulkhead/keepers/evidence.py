"""What a witness is made of, read from the ledger before a step and completed after it."""

from __future__ import annotations

from bulkhead.engine.sequencer import Sequencer
from bulkhead.keepers.condition import NOTHING_HELD
from bulkhead.keepers.witness import Candidate, Leaf, Rates, Seen, Step, Witness
from bulkhead.ledger.accounts import collateral_worth, floors_of, health_of, settled
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.state import Account, MarginRule, State
from bulkhead.ledger.takeover import holders
from bulkhead.rules.margin import row_of
from bulkhead.rules.terms import Health, Position
from bulkhead.units import MarketId, Quote


def leaf_of(draft: Draft, account: Account) -> Leaf:
    """An account with its funding settled, as a witness carries it."""
    return Leaf(
        account.account_id,
        account.balance,
        collateral_worth(draft, account),
        account.positions,
        tuple((MarketId(market_id), floor) for market_id, floor in sorted(floors_of(draft, account).items())),
    )


def seen_of(sequencer: Sequencer, market_ids: list[int]) -> tuple[Seen, ...]:
    """Markets as the ledger has them now."""
    found = []
    state = sequencer.state
    for market_id in market_ids:
        market = state.markets[market_id]
        found.append(
            Seen(
                state.terms[market_id],
                market.price,
                sequencer.mark(market_id),
                market.price_ms,
                market.scale,
                market.open_interest,
                market.lost,
            )
        )
    return tuple(found)


def candidates_of(draft: Draft, account: Account) -> tuple[Candidate, ...]:
    """What the choice of position compares, by market id."""
    found = []
    for position in account.positions:
        risk = draft.risks[position.market_id]
        notional = abs(position.size * risk.price)
        slippage = draft.terms[position.market_id].slippage
        found.append(Candidate(position.market_id, row_of(risk, int(notional)).maintenance, slippage, notional))
    return tuple(found)


def begin(
    sequencer: Sequencer, draft: Draft, account: Account, health: Health, step: Step, position: Position | None
) -> Witness:
    """A witness of what is about to happen to an account that `open_case` opened in this draft."""
    config = draft.config
    is_scenario = account.rule is MarginRule.SCENARIO
    keeper = draft.account(BACKSTOP_ACCOUNT) if step is not Step.BOOK else None
    if keeper is not None and keeper.asset_id != account.asset_id:
        keeper = None  # it settles in another asset and is never asked
    markets = {held.market_id for held in account.positions}
    if keeper is not None:
        keeper, _ = settled(draft, keeper)
        markets |= {held.market_id for held in keeper.positions}
    return Witness(
        number=0,
        time_ms=draft.time_ms,
        receipt=0,
        step=step,
        account=leaf_of(draft, account),
        parent_id=account.parent_id,
        last_step_ms=account.liquidated_ms,
        markets=seen_of(sequencer, sorted(markets)),
        grid=config.grid if is_scenario else None,
        rates=Rates(
            config.liquidation_fee,
            config.liquidation_penalty,
            config.liquidation_target,
            config.liquidation_dust,
            config.liquidation_pause_ms,
        ),
        before=health,
        candidates=() if is_scenario else candidates_of(draft, account),
        market_id=MarketId(0) if position is None else position.market_id,
        slices=0,
        parts=(),
        after=NOTHING_HELD,
        covered=Quote(0),
        fund_left=Quote(0),
        budget_left=Quote(0),
        keeper=None if keeper is None else leaf_of(draft, keeper),
        holders=tuple(holders(draft, position)) if step is Step.DELEVERAGING and position is not None else (),
    )


def complete(witness: Witness, state: State, asset_id: int) -> Witness:
    """The witness with what the step left of the insurance fund and of the market's loss budget."""
    market_id = witness.market_id
    left = Quote(0)
    if market_id:
        left = max(Quote(0), state.terms[market_id].loss_budget - state.markets[market_id].lost)
    return witness._replace(fund_left=state.funds[asset_id].insurance, budget_left=left)


def look(state: State, account_id: int) -> tuple[Account | None, Health]:
    """An account as the state has it, and its health with funding paid; nothing held when it is gone."""
    account = state.accounts.get(account_id)
    if account is None:
        return None, NOTHING_HELD
    return account, health_of(state, settled(state, account)[0])
