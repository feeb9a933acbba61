"""Move in the circuit: an asset leg, a position leg and a choice between the signer's account and another of the same
owner (`ledger.move`).

A venue that settles with proofs takes simple moves only (`ledger.move.is_simple`): at most one leg of each kind, all
between two accounts of which one signs. The other one is a child of the signer's account or another account that signs.
So nobody else is touched, and no value leaves a family but from an account that is judged itself.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.accounts import (
    base_of,
    change_balance,
    given_account,
    given_market,
    pack_head,
    peek,
    read_head,
    settled_account,
)
from bulkhead.circuit.arithmetic import bit, either, flipped, given_narrow, is_zero, magnitude
from bulkhead.circuit.fill import (
    Lots,
    count_positions,
    held_position,
    part_of_cost,
    trading,
    write_position,
)
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.judge import (
    Changed,
    Other,
    Outcome,
    Pair,
    judge,
    nobody,
    old_balance,
    settle,
    write_other,
)
from bulkhead.circuit.margin import (
    LEVERAGE_SHIFT,
    MARKET_SHIFT,
    MODE_SHIFT,
    Chosen,
    Place,
    cut_choice,
    floor_of,
    term,
)
from bulkhead.circuit.messages import in_seconds, opened, owner_key, signed_message
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import CHOICES, HEAD
from bulkhead.ledger.state import Kind, Mode
from bulkhead.ledger.tx import Move
from bulkhead.limits import (
    CHILDREN_PER_ACCOUNT,
    LEVERAGE_MAX,
    NONCE_BITS,
    QUOTE_BITS,
    SIZE_BITS,
    TIME_S_BITS,
)
from bulkhead.signing.messages import ASSET_LEG_SELECTOR, CHOICE_SELECTOR, MOVE_SELECTOR, POSITION_LEG_SELECTOR
from stark.poseidon import hash_many


class Legs(NamedTuple):
    """A simple move's numbers; what is not there is zero, and its bit too."""

    has_asset: Value
    asset_outward: Value  # a bit: the asset goes to the other account
    amount: Value
    has_position: Value
    outward: Value  # a bit: the position goes to the other account
    lots: Value
    sign: Value  # 1 of a long position, -1 of a short one
    has_choice: Value
    choice: Chosen


def move_frame(frame: Frame, venue: Venue, tx: Move | None, *, other: Other, trades: bool) -> None:
    """A simple move; the frames of both accounts come before this one, the signer's first, but that of a new child.

    `trades`: it may have a position leg or a choice; without, it is one asset leg.
    """
    opening = in_seconds(frame, opened(frame, int(tx.time_ms) if tx else None))
    account = given_account(frame, lambda: int(tx.account_id) if tx else 0)
    named = given_account(frame, lambda: other_account(tx) if tx else 0)
    place = given_market(frame, venue, lambda: _market(tx) if tx else 0)
    legs = _legs(frame, tx, place, trades=trades)
    pair = _pair(frame, opening.now_ms, (account, named, place), other)
    if other is Other.SIGNS:
        frame.zero("a choice is for the child's market", legs.has_choice)
    else:
        term(frame, venue, Tag.SYNTHETIC, place.market)  # there is such a market
    nonce = _sign(frame, venue, tx, opening.now_s, (pair, place, legs))
    # What the other account gains of the asset, and the signer's pays.
    change = frame.multiply(frame.add(frame.constant(-1), 2, legs.asset_outward), legs.amount)
    if trades:
        old = _choose(frame, pair, place, legs, nonce)
        _trade(frame, venue, place, (pair, legs, old), change, other)
    else:
        head = read_head(frame, account, pair.base)
        frame.number("the nonce rises", nonce - head.nonce, -1)
        frame.access(pair.base, HEAD, pack_head(frame, account, head._replace(nonce=nonce)))
        _pay(frame, venue, pair, change, other)


def other_account(tx: Move) -> int:
    """The account beside the signer's."""
    leg = (tx.assets or tx.positions)[0]
    return int(leg.target if leg.source == tx.account_id else leg.source)


def _market(tx: Move) -> int:
    if tx.positions:
        return int(tx.positions[0].market_id)
    return int(tx.choices[0][1].market_id) if tx.choices else other_account(tx) % CHILDREN_PER_ACCOUNT


def _legs(frame: Frame, tx: Move | None, place: Place, *, trades: bool) -> Legs:
    asset = tx.assets[0] if tx and tx.assets else None
    leg = tx.positions[0] if tx and tx.positions else None
    choice = tx.choices[0][1] if tx and tx.choices else None
    zero = frame.constant(0)
    has_asset = bit(frame, "an asset leg or none", lambda: int(asset is not None)) if trades else frame.one
    outward = bit(frame, "the asset's way", lambda: int(asset is None or asset.source == (tx and tx.account_id)))
    amount = given_narrow(frame, "an amount", lambda: asset.amount if asset else 0, QUOTE_BITS)
    frame.number("an amount is positive", amount, -1 * has_asset)
    frame.zero_product("no amount without a leg", flipped(frame, has_asset), amount)
    if not trades:
        nothing = Chosen(zero, zero, zero, zero, zero)
        return Legs(has_asset, outward, amount, zero, zero, zero, zero, zero, nothing)
    has_position = bit(frame, "a position leg or none", lambda: int(leg is not None))
    frame.number("an asset or a position moves", has_asset + has_position, -1)
    carried = bit(frame, "the position's way", lambda: int(leg is None or leg.source == (tx and tx.account_id)))
    lots = given_narrow(frame, "a leg's lots", lambda: abs(int(leg.size)) if leg else 0, SIZE_BITS)
    frame.number("a leg has some lots", lots, -1 * has_position)
    frame.zero_product("no lots without a leg", flipped(frame, has_position), lots)
    is_short = bit(frame, "a leg's side", lambda: int(leg is not None and int(leg.size) < 0))
    has_choice = bit(frame, "a choice or none", lambda: int(choice is not None))
    chosen = _given_choice(frame, choice, place)
    sign = frame.add(frame.one, -2, is_short)
    return Legs(has_asset, outward, amount, has_position, carried, lots, sign, has_choice, chosen)


def _given_choice(frame: Frame, choice: object, place: Place) -> Chosen:
    """A new choice, in range; one of nothing special is forgotten."""

    def hint(name: str, otherwise: int = 0) -> int:
        return int(getattr(choice, name)) if choice else otherwise

    mode = frame.given(lambda: hint("mode", int(Mode.CROSS)))
    frame.zero_product("a mode", mode - int(Mode.CROSS), mode - int(Mode.ISOLATED))
    leverage = given_narrow(frame, "a leverage", lambda: hint("leverage"), 8)
    frame.number("a leverage is not too large", frame.constant(LEVERAGE_MAX) - leverage)
    cap = given_narrow(frame, "a cap", lambda: hint("top_up_cap"), QUOTE_BITS)
    is_plain = is_zero(frame, "nothing special", (mode - int(Mode.CROSS)) + leverage + cap)  # none is below zero
    is_there = flipped(frame, is_plain)
    word = cap + (1 << MODE_SHIFT) * mode + (1 << LEVERAGE_SHIFT) * leverage + (1 << MARKET_SHIFT) * place.market
    return Chosen(frame.multiply(is_there, word), is_there, mode, leverage, cap)


def _pair(frame: Frame, now: Value, named: tuple[Value, Value, Place], other: Other) -> Pair:
    """Both accounts, at fresh prices, of one owner, neither the backstop's."""
    account, second, place = named
    ago = 1 if other is Other.NEW_CHILD else 2
    settled = settled_account(frame, account, ago, now)
    frame.zero_product("an account that signs", settled.kind - int(Kind.MAIN), settled.kind - int(Kind.STRATEGY))
    frame.number("prices are fresh", settled.freshness, -1)
    other_settled = None if other is Other.NEW_CHILD else settled_account(frame, second, 1, now)
    base, other_base = base_of(frame, account), base_of(frame, second)
    if other_settled is not None:
        frame.number("prices of the other account are fresh", other_settled.freshness, -1)
    if other is Other.SIGNS and other_settled is not None:
        main, strategy = (other_settled.kind - int(each) for each in (Kind.MAIN, Kind.STRATEGY))
        frame.zero_product("the other account signs too", main, strategy)
        frame.equal("one owner", owner_key(frame, other_base), owner_key(frame, base))
        frame.zero("two accounts", is_zero(frame, "two accounts", second - account))
    else:
        frame.equal("the other account is the market's child", second - account, place.market)
        frame.number("a child's market", frame.constant(63) - place.market)
    if other is Other.CHILD and other_settled is not None:
        frame.equal("the other account is a child", other_settled.kind, int(Kind.CHILD))
    return Pair(account, base, settled, second, other_base, other_settled)


def _sign(
    frame: Frame, venue: Venue, tx: Move | None, now_s: Value, said: tuple[Pair, Place, Legs]
) -> Value:
    """The signer's key has signed all legs; answers the nonce."""
    pair, place, legs = said
    expiry = given_narrow(frame, "an expiry", lambda: int(tx.expiration_s) if tx else 0, TIME_S_BITS)
    frame.number("the message has not expired", expiry - now_s)
    nonce = given_narrow(frame, "a nonce", lambda: tx.nonce if tx else 0, NONCE_BITS)
    asset = [frame.constant(int(venue.asset.asset_id)), legs.amount]
    lots = [place.market, frame.multiply(legs.sign, legs.lots)]
    choice = [pair.account, place.market, legs.choice.mode, legs.choice.leverage, legs.choice.cap]
    arrays = [
        _array(frame, legs.has_asset, ASSET_LEG_SELECTOR, [*_way(frame, pair, legs.asset_outward), *asset]),
        _array(frame, legs.has_position, POSITION_LEG_SELECTOR, [*_way(frame, pair, legs.outward), *lots]),
        _array(frame, legs.has_choice, CHOICE_SELECTOR, choice),
    ]
    key = owner_key(frame, pair.base)
    signed_message(frame, venue, key, MOVE_SELECTOR, [pair.account, *arrays, expiry, nonce])
    return nonce


def _way(frame: Frame, pair: Pair, outward: Value) -> tuple[Value, Value]:
    """Source and target."""
    source = either(frame, outward, pair.account, pair.other)
    return source, pair.account + pair.other - source


def _array(frame: Frame, is_there: Value, selector: int, members: list[Value]) -> Value:
    """The hash of an array of one struct, or of none."""
    one = frame.hash([frame.hash([frame.constant(selector), *members])])
    return either(frame, is_there, one, frame.constant(hash_many([])))


def _choose(frame: Frame, pair: Pair, place: Place, legs: Legs, nonce: Value) -> Chosen:
    """The signer's nonce, and its choice of the market, are kept; answers the choice that there was."""
    head = read_head(frame, pair.account, pair.base)
    frame.number("the nonce rises", nonce - head.nonce, -1)
    there = pair.base + place.market
    word = frame.given(lambda: peek(frame, there, CHOICES))
    after = either(frame, legs.has_choice, legs.choice.word, word)
    frame.equal("the choice is what it was", frame.access(there, CHOICES, after), word)
    old = cut_choice(frame, word, place.market)
    is_there = either(frame, legs.has_choice, legs.choice.is_there, old.is_there)
    choices = head.choices + is_there - old.is_there
    frame.access(pair.base, HEAD, pack_head(frame, pair.account, head._replace(nonce=nonce, choices=choices)))
    return old


def _pay(frame: Frame, venue: Venue, pair: Pair, change: Value, other: Other) -> None:
    """One asset leg: positions stay."""
    zero = frame.constant(0)
    before = change_balance(frame, pair.base, frame.lift(-1 * change))
    judge(frame, venue, Outcome(
        pair.settled, pair.settled.health(before), pair.settled.health(before - change), before - change,
        pair.settled.positions, pair.settled.gross, zero,
    ))  # fmt: skip
    settled = pair.other_settled or nobody(frame, pair)
    was = old_balance(frame, pair, other)
    judge(frame, venue, Outcome(
        settled, settled.health(was), settled.health(was + change), was + change, settled.positions, settled.gross, zero
    ))
    write_other(frame, pair, other, (was, was + change), (zero, settled.positions))


def _trade(
    frame: Frame, venue: Venue, place: Place, said: tuple[Pair, Legs, Chosen], change: Value, other: Other
) -> None:
    """Lots go with their part of the cost, choices change, and both accounts are judged once after all of it."""
    pair, legs, old = said
    trade = trading(frame, place, frame.constant(0), frame.constant(0))
    own = held_position(frame, pair.base, place.market)
    others = held_position(frame, pair.other_base, place.market)
    carried, own_after, others_after = _carry(frame, legs, own, others)
    write_position(frame, pair.base, trade, own, own_after)
    write_position(frame, pair.other_base, trade, others, others_after)
    floors = _floors(frame, venue, place, said, other, (own_after.is_there, others_after.is_there))
    paid = change - carried  # the account that lots leave gains their cost
    before = change_balance(frame, pair.base, frame.lift(-1 * paid))
    count_positions(frame, pair.base, own_after.is_there - own.is_there)
    gaining = frame.multiply(legs.has_position, legs.outward)
    settled, was = pair.other_settled or nobody(frame, pair), old_balance(frame, pair, other)
    balances = (before, before - paid)
    losing = legs.has_position - gaining
    settle(frame, venue, place, Changed(pair.settled, own, own_after, floors[0], balances, losing))
    settle(frame, venue, place, Changed(settled, others, others_after, floors[1], (was, was + paid), gaining))
    more = others_after.is_there - others.is_there
    write_other(frame, pair, other, (was, was + paid), (more, settled.positions))


def _carry(frame: Frame, legs: Legs, own: Lots, others: Lots) -> tuple[Value, Lots, Lots]:
    """What the other account's cost gains, and both positions after (`move._move_position`)."""
    source_size = either(frame, legs.outward, own.size, others.size)
    source_cost = either(frame, legs.outward, own.cost, others.cost)
    target_size = own.size + others.size - source_size
    side = frame.multiply(legs.has_position, legs.sign)
    frame.number("the source has as many lots", frame.multiply(side, source_size) - legs.lots)
    frame.number("positions of the target do not net", frame.multiply(side, target_size))
    held = magnitude(frame, "lots", source_size).size
    left = frame.multiply(legs.has_position, held - legs.lots)
    kept = part_of_cost(frame, legs.has_position, source_cost, held, left)
    cost = frame.multiply(legs.has_position, source_cost) - kept
    way = frame.add(frame.constant(-1), 2, legs.outward)
    lots, carried = frame.multiply(way, frame.multiply(legs.sign, legs.lots)), frame.multiply(way, cost)
    after = [
        Lots(flipped(frame, is_zero(frame, "anything left or not", size)), size, value)
        for size, value in ((own.size - lots, own.cost - carried), (others.size + lots, others.cost + carried))
    ]
    return carried, after[0], after[1]


Pairs = tuple[tuple[Value, Value], tuple[Value, Value]]


def _floors(
    frame: Frame, venue: Venue, place: Place, said: tuple[Pair, Legs, Chosen], other: Other,
    holds: tuple[Value, Value],
) -> Pairs:  # fmt: skip
    """Each account's own fraction before and after; and positions sit where the choices say (`move._placed`)."""
    pair, legs, old = said
    mode = either(frame, legs.has_choice, legs.choice.mode, old.mode)
    leverage = either(frame, legs.has_choice, legs.choice.leverage, old.leverage)
    floors = floor_of(frame, venue, old.leverage), floor_of(frame, venue, leverage)
    isolated = mode - int(Mode.ISOLATED)
    apart = is_zero(frame, "isolated or not", isolated)
    frame.zero_product("what the signer's account holds is not isolated", holds[0], apart)
    if other is Other.SIGNS:
        theirs = cut_choice(frame, frame.access(pair.other_base + place.market, CHOICES, None), place.market)
        apart = is_zero(frame, "isolated or not", theirs.mode - int(Mode.ISOLATED))
        frame.zero_product("what the other account holds is not isolated", holds[1], apart)
        floor = floor_of(frame, venue, theirs.leverage)
        return floors, (floor, floor)
    frame.zero_product("what the child holds is isolated", holds[1], isolated)
    return floors, floors
