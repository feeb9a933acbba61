"""Which frames a liquidation, a take-over and a forced request run, and the programs of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.forced import (
    Case,
    Counterpart,
    Failure,
    failure_frame,
    forced_close_frame,
    forced_withdrawal_frame,
)
from bulkhead.circuit.frame import Frame
from bulkhead.circuit.liquidate import interest_frame, liquidation_frame
from bulkhead.circuit.memory import WordMemory
from bulkhead.circuit.order import Fill
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.takeover import Why, backstop_frame, deleveraging_frame, holder_frame
from bulkhead.circuit.venue import NotProvable, Venue
from bulkhead.circuit.words import L1_OWNER, MONEY, MONEY_RECORD, POSITIONS, WORD_BITS, Field, Money, key_of
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger import tx
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.ledger.state import Kind
from bulkhead.ledger.takeover import forced_close_price
from bulkhead.limits import FUNDING_INDEX_LIMIT, QUOTE_LIMIT, SIZE_LIMIT
from bulkhead.rules.deleveraging import Holder, profit, shares, unhedged_size
from bulkhead.rules.margin import is_healthier, maintenance_of
from bulkhead.rules.terms import Health, Position, Risk, risk_of
from bulkhead.units import AccountId, FundingIndex, MarketId, Price, Quote, Requirement, Size, Worth
from stark.prime import PRIME

if TYPE_CHECKING:
    from bulkhead.circuit.play import Play

WRITERS: dict[str, Callable[[Frame, Venue, Any], None]] = {
    **{f"liquidation, account {ago} ago": partial(liquidation_frame, account_ago=ago) for ago in (3, 4)},
    "backstop": backstop_frame,
    **{f"deleveraging, {why}": partial(deleveraging_frame, why=why) for why in Why},
    "holder": holder_frame,
    "forced withdrawal": forced_withdrawal_frame,
    **{f"forced close, {who}": partial(forced_close_frame, who=who) for who in Counterpart},
    **{f"forced request fails, {why}": partial(failure_frame, why=why) for why in Failure},
    "open interest": partial(interest_frame, scales=False),
    "open interest, scaled": partial(interest_frame, scales=True),
}


def _interest(play: Play, market: int) -> None:
    """The last frame: open interest has fallen, or it stays."""
    play.run("open interest, scaled" if play.scales(market, 0) else "open interest", None)


def _liquidation(play: Play, transaction: tx.Liquidation) -> None:
    """The account, the maker's side after the frames of its accounts, the liquidation."""
    first = len(play.frames)
    play.account(int(transaction.account_id), int(transaction.time_ms), Freshness.SINCE_RESTART)
    (fill,) = transaction.fills  # the ledger takes one fill a step of a linear account
    numbers = (int(transaction.time_ms), int(fill.size), int(fill.price), int(fill.order_fee))
    play.side(Fill(fill.order, *numbers))
    play.run(f"liquidation, account {len(play.frames) - first} ago", transaction)
    _interest(play, int(fill.market_id))


def _backstop(play: Play, transaction: tx.Backstop) -> None:
    """The account, the backstop's own, the take-over."""
    play.account(int(transaction.account_id), int(transaction.time_ms), Freshness.SINCE_RESTART)
    play.account(BACKSTOP_ACCOUNT, int(transaction.time_ms), Freshness.ANY)
    play.run("backstop", transaction)
    _interest(play, int(transaction.market_id))


def _deleveraging(play: Play, transaction: tx.Deleveraging) -> None:
    """The account, the backstop's where it is not bankrupt, the deleveraging, and holder after holder."""
    account, market = int(transaction.account_id), int(transaction.market_id)
    play.account(account, int(transaction.time_ms), Freshness.SINCE_RESTART)
    why = Why.FULL if play.kind(BACKSTOP_ACCOUNT) else Why.ABSENT
    why = Why.BANKRUPT if _is_bankrupt(play, account, market) else why
    holders = opposite(play, account, market)
    if why is Why.FULL:
        play.account(BACKSTOP_ACCOUNT, int(transaction.time_ms), Freshness.ANY)
    play.run(f"deleveraging, {why}", transaction)
    _hold(play, int(transaction.time_ms), shares(transaction.size, holders))
    _interest(play, market)


def _hold(play: Play, now_ms: int, taken: Mapping[AccountId, Size]) -> None:
    """Every holder's account and what it gives up."""
    for account, lots in taken.items():
        play.account(int(account), now_ms, Freshness.ANY)
        play.run("holder", (int(account), int(lots)))


def _is_bankrupt(play: Play, account: int, market: int) -> bool:
    """Whether the account, which was just judged, still owes when the insurance fund has paid."""
    money = play.memory.look(key_of(account, MONEY)) >> 64
    worth = play.memory.told[Tag.WORTH, len(play.frames), account]
    value = (money - QUOTE_LIMIT << FRACTION_BITS) + (worth if worth <= PRIME >> 1 else worth - PRIME)
    terms = play.venue.config.market(market)
    assert terms is not None  # the ledger knows the market
    budget = int(terms.loss_budget) - play.market(market, Field.LOST)
    fund = play.memory.look(key_of(MONEY_RECORD, Money.INSURANCE)) - QUOTE_LIMIT
    return value + (max(0, min(budget, fund)) << FRACTION_BITS) < 0


def opposite(play: Play, account: int, market: int) -> list[Holder]:
    """Who holds the other side of an account's position, as the deleveraging rule sees them."""
    memory, config = play.memory, play.venue.config
    prices = {int(terms.market_id): play.market(terms.market_id, Field.PRICE) for terms in config.markets}
    risks = {place: Risk(Price(price), ()) for place, price in prices.items()}
    groups = {int(terms.market_id): terms.group for terms in config.markets}
    own = position_at(memory, account, market)
    known = sorted({*memory.state.accounts, *(record for record in memory.records if record < 1 << WORD_BITS)})
    found = []
    for other in known:
        held = position_at(memory, other, market)
        if held is None or own is None or int(held.size) * int(own.size) >= 0:
            continue
        each = [position_at(memory, other, place) for place in memory.positions(other)]
        free = unhedged_size([one for one in each if one is not None], MarketId(market), risks, groups)
        found.append(Holder(AccountId(other), abs(held.size), free, profit(held, risks)))
    return found


def position_at(memory: WordMemory, account: int, market: int) -> Position | None:
    """A position as memory has it, None where there is none."""
    word = memory.look(key_of(account, POSITIONS + market))
    if not word:
        return None
    size, index, cost = (word >> shift & (1 << bits) - 1 for shift, bits in ((160, 64), (64, 96), (0, 64)))
    return Position(
        MarketId(market), Size(size - SIZE_LIMIT), Quote(cost - QUOTE_LIMIT), FundingIndex(index - FUNDING_INDEX_LIMIT)
    )


def _forced_withdrawal(play: Play, transaction: tx.ForcedWithdrawal) -> None:
    """The account and the withdrawal, or why it fails."""
    if transaction.asset_id != NUMERAIRE:
        raise NotProvable("L1's queue of forced requests knows the settlement asset alone")
    account, case = int(transaction.account_id), Case(transaction)
    why: Failure | None = _stranger(play, transaction)
    if not 0 < transaction.amount < QUOTE_LIMIT:
        why = Failure.AMOUNT
    elif why is None and play.kind(account) == Kind.CHILD:
        why = Failure.CHILD
    if why is None:
        play.account(account, int(transaction.time_ms))
        stale = _stale(play, account, int(transaction.time_ms))
        value, told = _judged(play, account, -transaction.amount)
        wanted = max(told(Tag.INITIAL), int(play.venue.config.profit_lock) * told(Tag.GROSS))
        if stale is not None:
            why, case = Failure.STALE, case._replace(market=stale)
        elif value << FRACTION_BITS < wanted:
            why = Failure.MARGIN
        elif play.memory.look(key_of(MONEY_RECORD, Money.CUSTODY)) < transaction.amount:
            why = Failure.CUSTODY
    play.run("forced withdrawal" if why is None else f"forced request fails, {why}", case)


def _forced_close(play: Play, transaction: tx.ForcedClose) -> None:
    """The account, the backstop's, the close, and holders for the rest; or the account and why it fails."""
    account, now = int(transaction.account_id), int(transaction.time_ms)
    case, market = Case(transaction), int(transaction.market_id)
    why = _stranger(play, transaction)
    if why is None:
        play.account(account, now)
        stale = _stale(play, account, now)
        position = position_at(play.memory, account, market)
        if stale is not None:
            why, case = Failure.STALE, case._replace(market=stale)
        elif position is None:
            why = Failure.FLAT
        elif play.market(market, Field.PRICE_MS) <= transaction.included_ms:
            why = Failure.EARLY
        elif not _is_healthier(play, account, position):
            why = Failure.UNHEALTHY
        else:
            _close(play, case, position)
    if why is not None:
        play.run(f"forced request fails, {why}", case)


def _close(play: Play, case: Case, position: Position) -> None:
    now = int(case.tx.time_ms)
    known = opposite(play, int(case.tx.account_id), int(position.market_id))
    holders = [holder for holder in known if holder.account_id != BACKSTOP_ACCOUNT]
    who = Counterpart.BACKSTOP if play.kind(BACKSTOP_ACCOUNT) else Counterpart.HOLDERS
    if who is Counterpart.BACKSTOP:
        play.account(BACKSTOP_ACCOUNT, now, Freshness.ANY)
    play.run(f"forced close, {who}", case)
    left = play.memory.told[Tag.TAKING_LEFT, len(play.frames), 0]
    _hold(play, now, shares(Size(left), holders))
    _interest(play, int(position.market_id))


def _stranger(play: Play, transaction: tx.ForcedWithdrawal | tx.ForcedClose) -> Failure | None:
    """Why whoever asks has no say, whatever the account holds."""
    account = int(transaction.account_id)
    kind = play.kind(account)
    if not kind:
        return Failure.ABSENT
    if kind == Kind.BACKSTOP:
        return Failure.BACKSTOP
    owner = play.memory.look(key_of(account, L1_OWNER))
    return None if owner == transaction.sender else Failure.STRANGER


def _stale(play: Play, account: int, now_ms: int) -> int | None:
    """A market whose price is too old for what the account holds there."""
    for market in play.memory.positions(account):
        terms = play.venue.config.market(market)
        assert terms is not None  # accounts hold positions in configured markets
        if now_ms - play.market(market, Field.PRICE_MS) > terms.price_age_max_ms:
            return market
    return None


def _judged(play: Play, account: int, change: int) -> tuple[int, Callable[[Tag], int]]:
    """An account's value when its balance has changed, and what its frame, the last one, told."""

    def told(tag: Tag) -> int:
        said = play.memory.told[tag, len(play.frames), account]
        return said if said <= PRIME >> 1 else said - PRIME

    balance = (play.memory.look(key_of(account, MONEY)) >> 64) - QUOTE_LIMIT
    return told(Tag.WORTH) + (balance + change << FRACTION_BITS), told


def _is_healthier(play: Play, account: int, position: Position) -> bool:
    """Whether an account may close a position at the forced price (`margin.is_allowed`)."""
    value, told = _judged(play, account, 0)
    terms, index = play.venue.config.market(position.market_id), play.market(position.market_id, Field.PRICE)
    assert terms is not None
    price = int(forced_close_price(position, Price(index), play.venue.config.forced_close_charge))
    asked = told(Tag.MAINTAINED)
    left = asked - int(maintenance_of(risk_of(terms, Price(index)), position.size))
    after = value + int(position.size) * ((price << FRACTION_BITS) - index)
    before, now = (Health(Worth(each), *(Requirement(0),) * 3) for each in (value, after))
    before, now = (
        each._replace(maintenance=Requirement(wanted)) for each, wanted in ((before, asked), (now, left))
    )
    return now.is_maintained or is_healthier(before, now)


TAKERS: dict[type, Callable[[Play, Any], None]] = {
    tx.Liquidation: _liquidation,
    tx.Backstop: _backstop,
    tx.Deleveraging: _deleveraging,
    tx.ForcedWithdrawal: _forced_withdrawal,
    tx.ForcedClose: _forced_close,
}
