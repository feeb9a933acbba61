"""Which frames a liquidation, a take-over and a forced request run, and the programs of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.frame import Frame
from bulkhead.circuit.liquidate import interest_frame, liquidation_frame
from bulkhead.circuit.memory import WordMemory
from bulkhead.circuit.order import Fill
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.takeover import Why, backstop_frame, deleveraging_frame, holder_frame
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import MONEY, MONEY_RECORD, POSITIONS, WORD_BITS, Field, Money, key_of
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger import tx
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.limits import FUNDING_INDEX_LIMIT, QUOTE_LIMIT, SIZE_LIMIT
from bulkhead.rules.deleveraging import Holder, profit, shares, unhedged_size
from bulkhead.rules.terms import Position, Risk
from bulkhead.units import AccountId, FundingIndex, MarketId, Price, Quote, Size
from stark.prime import PRIME

if TYPE_CHECKING:
    from bulkhead.circuit.play import Play

WRITERS: dict[str, Callable[[Frame, Venue, Any], None]] = {
    **{f"liquidation, account {ago} ago": partial(liquidation_frame, account_ago=ago) for ago in (3, 4)},
    "backstop": backstop_frame,
    **{f"deleveraging, {why}": partial(deleveraging_frame, why=why) for why in Why},
    "holder": holder_frame,
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


TAKERS: dict[type, Callable[[Play, Any], None]] = {
    tx.Liquidation: _liquidation,
    tx.Backstop: _backstop,
    tx.Deleveraging: _deleveraging,
}
