"""Liquidation: a step against the book, by rule. Anyone with a resting order may be the other side."""

from __future__ import annotations

from bulkhead.ledger.accounts import check_prices, health_of, settled_in, sweep, with_fill
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.custody import cover_flat
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.move import top_up_due
from bulkhead.ledger.receipt import Closed, Liquidated
from bulkhead.ledger.state import Account, Kind, MarginRule, Status, child_id
from bulkhead.ledger.trade import (
    check_authority,
    check_filled,
    check_limits,
    check_market,
    check_message,
    check_numbers,
    fill_order,
    settle_interest,
)
from bulkhead.ledger.tx import Liquidation, LiquidationFill
from bulkhead.reject import Reject
from bulkhead.rules import liquidation as rule
from bulkhead.rules import scenario
from bulkhead.rules.scenario import SLICE_BITS
from bulkhead.rules.terms import Health, Position
from bulkhead.units import BookPrice, MarketId, Size


def liquidate(draft: Draft, tx: Liquidation, authority: Authority) -> Reject | Liquidated:
    """Eligible at a fresh index after top-up, the rule's position, no more than the rule's amount, within the
    zero price. Open orders of the account were cancelled first by the engine, for the ledger knows none.
    """
    problem = _check_fills(draft, tx, authority)
    if problem is not None:
        return problem
    opened = open_case(draft, tx.account_id)
    if isinstance(opened, Reject):
        return opened
    account, before = opened
    pause = draft.config.liquidation_pause_ms
    # Fills at the time of the last step belong to that step: each is bounded by the amount still needed.
    same_step = draft.time_ms == account.liquidated_ms
    if not same_step and rule.is_cooling_down(draft.time_ms, account.liquidated_ms, pause, before):
        return Reject.COOLING_DOWN
    if account.rule is MarginRule.SCENARIO:
        sliced = _slices(draft, tx, account, before)
    else:
        sliced = _linear(draft, tx, account, before)
    if isinstance(sliced, Reject):
        return sliced
    account, closes = sliced
    draft.put(account._replace(liquidated_ms=draft.time_ms))
    for fill in tx.fills:
        numbers = (fill.size, fill.price, fill.order_fee)
        # Asked once more, for one step may fill the same order twice.
        problem = check_filled(draft, fill.order, fill.size, authority)
        problem = problem or fill_order(draft, fill.order, numbers, Status.ACTIVE, authority)
        if problem is not None:
            return problem
    for market_id in sorted({fill.market_id for fill in tx.fills}):
        problem = settle_interest(draft, market_id)
        assert problem is None  # what one side closes the other cannot add to
    _collect(draft, account, tx.fills, closes)
    cover_flat(draft, tx.account_id)
    sweep(draft, tx.account_id)
    return Liquidated(tx.account_id, before, health_of(draft, account), tuple(closes))


def open_case(draft: Draft, account_id: int) -> tuple[Account, Health] | Reject:
    """An account that may be liquidated now: fresh prices since the last restart, nothing left to top up."""
    account = draft.account(account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    if account.kind is Kind.BACKSTOP:
        return Reject.WRONG_KIND
    if not account.positions:
        return Reject.NOT_LIQUIDATABLE
    problem = check_prices(draft, account)
    if problem is not None:
        return problem
    times = [draft.market(position.market_id).price_ms for position in account.positions]
    held = [asset_id for asset_id, _ in account.collateral]
    times += [time_ms for asset_id, _, time_ms in draft.oracle.collateral if asset_id in held]
    if min(times) <= draft.counters.fresh_after_ms:
        return Reject.PRICE_STALE
    account = settled_in(draft, account)
    health = health_of(draft, account)
    if health.is_maintained and not _is_unfinished(draft, account, health):
        return Reject.NOT_LIQUIDATABLE
    return Reject.TOP_UP_DUE if int(top_up_due(draft, account)) else (account, health)


def _is_unfinished(draft: Draft, account: Account, health: Health) -> bool:
    """A step that began at this moment and took several makers goes on to the target, not just to maintenance."""
    if account.liquidated_ms != draft.time_ms:
        return False
    return not rule.reaches_target(health.value, int(health.maintenance), draft.config.liquidation_target)


def zero_price_of(draft: Draft, account: Account, position: Position, health: Health) -> BookPrice:
    """The zero price of one position under its account's margin rule."""
    risk = draft.risks[position.market_id]
    if account.rule is MarginRule.LINEAR:
        return rule.linear_zero_price(position, risk, health)
    gross = sum(abs(int(held.size * draft.risks[held.market_id].price)) for held in account.positions)
    return rule.zero_price(position, risk, health.value, abs(int(position.size * risk.price)), gross)


def _check_fills(draft: Draft, tx: Liquidation, authority: Authority) -> Reject | None:
    """Every fill and its order, group by group in the order of `Reject`."""
    account = draft.account(tx.account_id)
    problem: Reject | None = None
    for fill in tx.fills:
        problem = (
            problem
            or check_numbers(draft, fill.market_id, fill.size, fill.price)
            or check_message(draft, fill.order, fill.market_id)
        )
    if problem is None and account is None:
        problem = Reject.UNKNOWN_ACCOUNT
    if problem is not None or account is None:
        return problem
    if not tx.fills:
        return Reject.SIZE_IS_ZERO
    for fill in tx.fills:
        # An order that settles in the account itself is no other side. Any other is, the owner's own included.
        own = (fill.order.account_id, child_id(fill.order.account_id, fill.market_id))
        if tx.account_id in own:
            return Reject.SAME_ACCOUNT
    for fill in tx.fills:
        problem = problem or check_authority(draft, fill.order, authority)
    for fill in tx.fills:
        problem = problem or check_market(draft, fill.market_id)
    for fill in tx.fills:
        size = int(account.size(fill.market_id))
        if problem is None and int(fill.order.base_amount) * size < 0:
            problem = Reject.WRONG_SIDE
        if problem is None and int(fill.order_fee) < 0:
            problem = Reject.REBATE_NOT_COVERED
        problem = problem or check_limits(draft, fill.order, (fill.size, fill.price, fill.order_fee), authority)
        if problem is None and size == 0:
            problem = Reject.NO_SUCH_POSITION
    return problem


def linear_closing(draft: Draft, position: Position, health: Health, price: BookPrice) -> rule.Closing:
    """What the rule needs to size a step of a linear account at a price."""
    config = draft.config
    risk = draft.risks[position.market_id]
    return rule.Closing(
        position,
        risk,
        health,
        price,
        rule.linear_zero_price(position, risk, health),
        (config.liquidation_fee, config.liquidation_penalty),
        config.liquidation_target,
        config.liquidation_dust,
    )


def chosen_position(draft: Draft, account: Account) -> Position:
    """The position the rule reduces first."""
    return rule.choose(account.positions, draft.risks, draft.terms)


def _linear(draft: Draft, tx: Liquidation, account: Account, health: Health) -> tuple[Account, list[Closed]] | Reject:
    if len(tx.fills) != 1 or tx.slices:
        return Reject.OUT_OF_RANGE
    fill = tx.fills[0]
    position = chosen_position(draft, account)
    if fill.market_id != position.market_id:
        return Reject.WRONG_POSITION
    if fill.size > abs(position.size):
        return Reject.WOULD_FLIP
    closing = linear_closing(draft, position, health, fill.price)
    if is_beyond(position, fill.price, closing.zero):
        return Reject.PRICE_BEYOND_ZERO_PRICE
    if fill.size > rule.step_size(closing):
        return Reject.MORE_THAN_MINIMAL
    account, closed = _close(draft, account, position, fill, closing.zero)
    return account, [closed]


def is_beyond(position: Position, price: BookPrice, zero: BookPrice) -> bool:
    """A price worse for the position's account than its zero price."""
    return price < zero if int(position.size) > 0 else price > zero


def _close(
    draft: Draft, account: Account, position: Position, fill: LiquidationFill, zero: BookPrice
) -> tuple[Account, Closed]:
    side = 1 if int(position.size) > 0 else -1
    rates = (draft.config.liquidation_fee, draft.config.liquidation_penalty)
    paid = rule.charges(fill.size, side, fill.price, zero, rates)
    change = -fill.size if side > 0 else fill.size
    account = with_fill(account, position.market_id, change, fill.price, draft.indices[position.market_id])
    account = account._replace(balance=account.balance - paid.fee - paid.penalty)
    return account, Closed(position.market_id, fill.size, fill.price, zero, paid)


def _slices(draft: Draft, tx: Liquidation, account: Account, health: Health) -> tuple[Account, list[Closed]] | Reject:
    """An equal slice of every position; one slice fewer, at the same prices, must miss the target."""
    if not 0 < tx.slices <= 1 << SLICE_BITS:
        return Reject.OUT_OF_RANGE
    closed: dict[MarketId, int] = {}
    for fill in tx.fills:
        closed[fill.market_id] = closed.get(fill.market_id, 0) + int(fill.size)
    for position in account.positions:
        if closed.get(position.market_id, 0) != slice_of(position, tx.slices):
            return Reject.WRONG_POSITION
    start = account
    closes: list[Closed] = []
    zeros = {held.market_id: zero_price_of(draft, start, held, health) for held in start.positions}
    for fill in tx.fills:
        held = start.position(fill.market_id)
        assert held is not None  # _check_fills saw it
        if is_beyond(held, fill.price, zeros[fill.market_id]):
            return Reject.PRICE_BEYOND_ZERO_PRICE
        account, one = _close(draft, account, held, fill, zeros[fill.market_id])
        closes.append(one)
    if health.is_above_close_out and tx.slices > 1 and _restored_by_fewer(draft, start, tx):
        return Reject.MORE_THAN_MINIMAL
    return account, closes


def slice_of(position: Position, slices: int) -> int:
    """Lots of a position in so many of the 64 slices, positive, rounded up."""
    return abs(scenario.slice_size(int(position.size), slices, SLICE_BITS))


def _restored_by_fewer(draft: Draft, account: Account, tx: Liquidation) -> bool:
    """Would one slice fewer, at each market's worst fill, have restored the target?"""
    worst: dict[MarketId, BookPrice] = {}
    for fill in tx.fills:
        position = account.position(fill.market_id)
        assert position is not None  # _check_fills saw it
        known = worst.get(fill.market_id, fill.price)
        worst[fill.market_id] = min(known, fill.price) if int(position.size) > 0 else max(known, fill.price)
    return is_restored(draft, account, tx.slices - 1, worst)


def is_restored(draft: Draft, account: Account, slices: int, fills: dict[MarketId, BookPrice]) -> bool:
    """Would closing so many slices at these prices, charges paid, reach the liquidation target?"""
    health = health_of(draft, account)
    after = account
    for position in account.positions:
        size = Size(slice_of(position, slices))
        zero = zero_price_of(draft, account, position, health)
        side = 1 if int(position.size) > 0 else -1
        rates = (draft.config.liquidation_fee, draft.config.liquidation_penalty)
        price = fills[position.market_id]
        paid = rule.charges(size, side, price, zero, rates)
        change = -size if side > 0 else size
        after = with_fill(after, position.market_id, change, price, position.funding_index)
        after = after._replace(balance=after.balance - paid.fee - paid.penalty)
    now = health_of(draft, after)
    return rule.reaches_target(now.value, int(now.maintenance), draft.config.liquidation_target)


def _collect(draft: Draft, account: Account, fills: tuple[LiquidationFill, ...], closes: list[Closed]) -> None:
    fees = sum(int(fill.order_fee) for fill in fills) + sum(int(closed.charges.fee) for closed in closes)
    penalty = sum(int(closed.charges.penalty) for closed in closes)
    draft.pay_fund(account.asset_id, fees=fees, insurance=penalty)
