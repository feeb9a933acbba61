"""Registration and signed configuration of accounts in the circuit (`ledger.register`)."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.accounts import (
    CHOICES_SHIFT,
    COST_SHIFT,
    HALF,
    INDEX_SHIFT,
    MARKET_SHIFT,
    NONCE_SHIFT,
    SIZE_SHIFT,
    Head,
    Settled,
    base_of,
    change_balance,
    given_account,
    pack_head,
    part,
    peek,
    read_head,
    settled_account,
)
from bulkhead.circuit.arithmetic import bit, either, flipped, given_narrow, is_zero, largest, magnitude, signed, wide
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.margin import (
    LEVERAGE_SHIFT,
    MODE_SHIFT,
    REQUIREMENT_GAP_BITS,
    Place,
    cut_choice,
    floor_of,
    market_word,
    place_of,
    requirement,
)
from bulkhead.circuit.margin import MARKET_SHIFT as CHOICE_SHIFT
from bulkhead.circuit.messages import in_seconds, opened, owner_key, signed_message
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import CHOICES, HEAD, L1_OWNER, MONEY, OWNER_KEY, POSITIONS, RESERVED, Field
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.ledger.state import Kind, MarginRule, Mode
from bulkhead.ledger.tree import FAMILY_BITS
from bulkhead.ledger.tx import Configure, Register
from bulkhead.limits import (
    ACCOUNT_ID_BITS,
    CHILDREN_PER_ACCOUNT,
    ID_BITS,
    L1_ADDRESS_BITS,
    LEVERAGE_MAX,
    NONCE_BITS,
    QUOTE_BITS,
    QUOTE_LIMIT,
    SIZE_LIMIT,
    TIME_S_BITS,
)
from bulkhead.signing.messages import CONFIGURATION_SELECTOR, REGISTRATION_SELECTOR

EMPTY_MONEY = HALF * QUOTE_LIMIT + QUOTE_LIMIT  # nothing, and nothing topped up, both biased
LOW_BITS = 128  # of an address on L1, cut in two


def register_frame(frame: Frame, venue: Venue, tx: Register | None, *, kind: Kind) -> None:
    """A new signable account of one kind, linear and in the venue's asset, signed by the key that will own it.

    A strategy's parent is a main account of the same key; the backstop's number and key are the configuration's.
    """
    opened(frame, int(tx.time_ms) if tx else None)
    account = _signable(frame, tx, kind)
    base = base_of(frame, account)
    key = frame.given(lambda: int(tx.owner_key) if tx else 0)
    address = frame.given(lambda: tx.l1_owner if tx else 0)
    _check_width(frame, address)
    parent = frame.constant(0)
    if kind is Kind.STRATEGY:
        parent = given_account(frame, lambda: int(tx.parent_id) if tx else 0)
        _check_parent(frame, parent, key)
    elif kind is Kind.BACKSTOP:
        frame.equal("the backstop's key", key, int(venue.config.backstop_key))
    kind_value, rule, asset = (frame.constant(int(each)) for each in (kind, MarginRule.LINEAR, NUMERAIRE))
    members = [account, kind_value, rule, address, parent, asset]
    signed_message(frame, venue, key, REGISTRATION_SELECTOR, members)
    nothing = frame.constant(0)
    head = pack_head(frame, account, Head(nothing, kind_value, parent, nothing, nothing, nothing, nothing))
    money = frame.constant(EMPTY_MONEY)
    for word, after in ((HEAD, head), (OWNER_KEY, key), (L1_OWNER, address), (MONEY, money), (RESERVED, nothing)):
        frame.zero("the account's number is free", frame.access(base, word, after))


def _signable(frame: Frame, tx: Register | None, kind: Kind) -> Value:
    """An account number that signs, a multiple of 64 above zero, and the backstop's exactly for the backstop."""
    if kind is Kind.BACKSTOP:
        return frame.constant(int(BACKSTOP_ACCOUNT))
    account = frame.given(lambda: int(tx.account_id) if tx else 0)
    family = given_narrow(
        frame, "an account's number", lambda: int(account) >> ACCOUNT_ID_BITS - FAMILY_BITS, FAMILY_BITS
    )
    frame.equal("the account's number is one that signs", account, CHILDREN_PER_ACCOUNT * family)
    frame.number("the account's number is not zero", family, -1)
    is_backstop = is_zero(frame, "the backstop's number or not", account - int(BACKSTOP_ACCOUNT))
    frame.zero("the backstop's number is the backstop's", is_backstop)
    return account


def _check_width(frame: Frame, address: Value) -> None:
    """An owner's address on L1 has 160 bits; it may be zero."""
    high = given_narrow(frame, "an owner's address on L1", lambda: int(address) >> LOW_BITS, L1_ADDRESS_BITS - LOW_BITS)
    wide(frame, "an owner's address on L1", address - (1 << LOW_BITS) * high, LOW_BITS)


def _check_parent(frame: Frame, parent: Value, key: Value) -> None:
    """A strategy's parent exists, is a main account, and is owned by the same key; its asset is the venue's."""
    base = base_of(frame, parent)
    head = read_head(frame, parent, base)
    frame.equal("a strategy's parent is a main account", head.kind, int(Kind.MAIN))
    frame.equal("a strategy's parent has the same owner", owner_key(frame, base), key)


class Wanted(NamedTuple):
    """A signed choice in range, and its word: zero for one of nothing special."""

    market: Value
    mode: Value
    leverage: Value
    cap: Value
    word: Value
    is_special: Value


class Holder(NamedTuple):
    """The account or its child, its funding settled, and the lots that it holds in the market of a choice."""

    settled: Settled
    size: Value


def configure_frame(frame: Frame, venue: Venue, tx: Configure | None, *, has_child: bool) -> None:
    """Signed choice of mode, leverage and top-up cap for one market; the account's frame comes before this one.

    `has_child`: the account has an isolated child in the market, whose frame comes in between. Else there is none.
    That the market settles in the account's asset is left out: a venue that is proven has one.
    """
    opening = in_seconds(frame, opened(frame, int(tx.time_ms) if tx else None))
    account = given_account(frame, lambda: int(tx.account_id) if tx else 0)
    market = given_narrow(frame, "a market's number", lambda: int(tx.choice.market_id) if tx else 0, ID_BITS)
    frame.number("it is a choice for a market", market, -1)
    wanted, place = _wanted(frame, tx, market), place_of(frame, venue, market)
    holders = [_holder(frame, account, place, 2 if has_child else 1, opening.now_ms)]
    child = account + market  # below 2^32: the account's number is a multiple of 64, for its kind is one that signs
    if has_child:
        holders.append(_holder(frame, child, place, 1, opening.now_ms))
    else:
        frame.zero("there is no child", frame.access(base_of(frame, child), HEAD, None))
    old = cut_choice(frame, frame.access(holders[0].settled.base + market, CHOICES, wanted.word), market)
    _sign(frame, venue, tx, holders[0].settled, (wanted, opening.now_s, old.is_there))
    floors = (floor_of(frame, venue, old.leverage), floor_of(frame, venue, wanted.leverage))
    old_mode = old.mode + int(Mode.CROSS) * flipped(frame, old.is_there)
    for holder in holders:
        _check_leverage(frame, venue, place, holder, floors)
    for holder in holders:
        frame.zero_product("no position is open where the mode changes", old_mode - wanted.mode, holder.size)


def configure_itself_frame(frame: Frame, venue: Venue, tx: Configure | None) -> None:
    """A strategy's own top-up cap: market 0, in which it has neither mode nor leverage to choose.

    Its frame comes before this one, for any configuration settles funding; nothing that is judged changes.
    """
    opening = in_seconds(frame, opened(frame, int(tx.time_ms) if tx else None))
    account = given_account(frame, lambda: int(tx.account_id) if tx else 0)
    settled = settled_account(frame, account, 1, opening.now_ms)
    frame.equal("only a strategy chooses for itself", settled.kind, int(Kind.STRATEGY))
    wanted = _wanted(frame, tx, frame.constant(0))
    frame.equal("a choice for itself has no mode", wanted.mode, int(Mode.CROSS))
    frame.zero("a choice for itself has no leverage", wanted.leverage)
    before = frame.access(settled.base, CHOICES, wanted.word)
    was_there = flipped(frame, is_zero(frame, "a choice is there or not", before))
    _sign(frame, venue, tx, settled, (wanted, opening.now_s, was_there))


def _wanted(frame: Frame, tx: Configure | None, market: Value) -> Wanted:
    """Mode, leverage and cap in range; a choice of nothing special is forgotten."""
    isolated = bit(frame, "a mode", lambda: int(tx.choice.mode) - int(Mode.CROSS) if tx else 0)
    mode = isolated + int(Mode.CROSS)
    leverage = frame.given(lambda: tx.choice.leverage if tx else 0, "the leverage is in range", is_number=True)
    frame.number("the leverage is in range", frame.constant(LEVERAGE_MAX) - leverage)
    cap = given_narrow(frame, "the cap is in range", lambda: int(tx.choice.top_up_cap) if tx else 0, QUOTE_BITS)
    is_special = flipped(frame, is_zero(frame, "a choice of something or not", isolated + leverage + cap))
    packed = frame.lift((1 << CHOICE_SHIFT) * market) + (1 << MODE_SHIFT) * mode
    word = frame.multiply(is_special, packed + (1 << LEVERAGE_SHIFT) * leverage + cap)
    return Wanted(market, mode, leverage, cap, word, is_special)


def _sign(
    frame: Frame, venue: Venue, tx: Configure | None, settled: Settled, chosen: tuple[Wanted, Value, Value]
) -> None:
    """The owner has signed the choice, which is alive and has a higher nonce than the last message; the head keeps
    the nonce, and how many choices there are (`chosen`: the choice, now in seconds, whether there was one before)."""
    wanted, now_s, was_there = chosen
    expiry = given_narrow(frame, "an expiry", lambda: int(tx.expiration_s) if tx else 0, TIME_S_BITS)
    frame.number("the message has not expired", expiry - now_s)
    nonce = given_narrow(frame, "a nonce", lambda: tx.nonce if tx else 0, NONCE_BITS)
    head = read_head(frame, settled.account, settled.base)
    others = (head.kind - int(Kind.MAIN), head.kind - int(Kind.STRATEGY))
    frame.zero_product("a main account or a strategy", *others)
    frame.number("the nonce rises", nonce - head.nonce, -1)
    change = wanted.is_special - was_there
    after = head.word + (1 << NONCE_SHIFT) * (nonce - head.nonce) + (1 << CHOICES_SHIFT) * change
    frame.access(settled.base, HEAD, after)
    members = [settled.account, wanted.market, wanted.mode, wanted.leverage, wanted.cap, expiry, nonce]
    signed_message(frame, venue, owner_key(frame, settled.base), CONFIGURATION_SELECTOR, members)


def _holder(frame: Frame, account: Value, place: Place, ago: int, now_ms: Value) -> Holder:
    """An account that was settled some frames ago, with the lots that it holds in a market."""
    settled = settled_account(frame, account, ago, now_ms)
    there = settled.base + place.market
    was = bit(frame, "a position is there or not", lambda: int(peek(frame, there, POSITIONS) != 0))

    def given(name: str, shift: int, middle: int) -> Value:
        found = part(frame, there, POSITIONS, shift, 64)
        return frame.given(lambda: found() if int(was) else middle, name, is_number=True)

    size = given("a position's size", SIZE_SHIFT, SIZE_LIMIT)
    cost = given("a position's cost", COST_SHIFT, QUOTE_LIMIT)
    index = market_word(frame, place, Field.FUNDING_INDEX)  # it is settled, so its own index is the market's
    packed = cost + (1 << INDEX_SHIFT) * index + (1 << SIZE_SHIFT) * size + (1 << MARKET_SHIFT) * place.market
    word = frame.access(there, POSITIONS, None)
    frame.zero_product("a position is cut", was, packed, -1, word)
    lots = size - SIZE_LIMIT
    frame.zero_product("no lots without a position", flipped(frame, was), lots)
    return Holder(settled, lots)


def _check_leverage(frame: Frame, venue: Venue, place: Place, holder: Holder, floors: tuple[Value, Value]) -> None:
    """Where another leverage asks for more initial margin, it is there at fresh prices."""
    lots = magnitude(frame, "a position's lots", holder.size).size
    asked = requirement(frame, venue, place, (holder.size, lots))
    own = [frame.multiply(asked.notional, floor) for floor in floors]
    before, after = (largest(frame, "the larger fraction", asked.initial, each, REQUIREMENT_GAP_BITS) for each in own)
    rise = after - before
    rises = bit(frame, "more is asked or not", lambda: int(signed(rise) > 0))
    wide(frame, "more is asked or not", either(frame, rises, rise - 1, -1 * rise), REQUIREMENT_GAP_BITS)
    frame.number("more is asked at fresh prices", holder.settled.freshness - rises)
    health = holder.settled.health(change_balance(frame, holder.settled.base, None))
    spare = (1 << FRACTION_BITS) * health.value - health.initial - rise
    wide(frame, "what more is asked is there", frame.multiply(rises, spare), REQUIREMENT_GAP_BITS)
