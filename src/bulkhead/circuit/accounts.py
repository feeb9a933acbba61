"""Accounts in the circuit: heads and money cut into their parts, and the frame that settles an account's funding and
sums its health (`ledger.accounts`).

A frame of an account comes just before the one that needs it, and tells it what it found: about its own number and the
account. The frame that takes the answers computes that number from its own, so nothing can come in between.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from bulkhead.circuit.arithmetic import (
    either,
    given_narrow,
    is_zero,
    magnitude,
    narrow,
    short,
    signed,
    total,
    wide,
)
from bulkhead.circuit.frame import Frame, Hint, Value
from bulkhead.circuit.margin import Asked, Health, Place, leverage_floor, market_word, place_of, requirement
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import (
    COUNTERS_RECORD,
    HEAD,
    MONEY,
    MONEY_RECORD,
    POSITIONS,
    WORD_BITS,
    Counter,
    Field,
    Money,
    key_of,
)
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.limits import (
    ACCOUNT_ID_BITS,
    FUNDING_INDEX_LIMIT,
    KIND_BITS,
    NONCE_BITS,
    QUOTE_LIMIT,
    SIZE_LIMIT,
    TIME_MS_BITS,
)

HALF = 1 << 64
# Places of the parts of words, as `ledger.commitment` packs them.
COUNT_BITS = 8
CHOICES_SHIFT, POSITIONS_SHIFT, COLLATERAL_SHIFT, LIQUIDATED_SHIFT = 0, 8, 16, 24
NONCE_SHIFT = LIQUIDATED_SHIFT + TIME_MS_BITS
PARENT_SHIFT = NONCE_SHIFT + NONCE_BITS
ACCOUNT_SHIFT = PARENT_SHIFT + ACCOUNT_ID_BITS
ASSET_SHIFT = ACCOUNT_SHIFT + ACCOUNT_ID_BITS
RULE_SHIFT, KIND_SHIFT, VERSION_SHIFT = ASSET_SHIFT + 16, ASSET_SHIFT + 24, ASSET_SHIFT + 32
HEAD_BASE = (1 << VERSION_SHIFT) + (int(MarginRule.LINEAR) << RULE_SHIFT) + (int(NUMERAIRE) << ASSET_SHIFT)
COST_SHIFT, INDEX_SHIFT, SIZE_SHIFT, MARKET_SHIFT = 0, 64, 160, 224


class Freshness(IntEnum):
    """How young the prices of all that an account holds are shown to be."""

    ANY = 0
    FRESH = 1
    SINCE_RESTART = 2  # fresh, and signed after the last restart


# What an account's frame tells, in this order.
ANSWERS = (
    Tag.ACCOUNT, Tag.NOW_MS, Tag.KIND, Tag.PARENT, Tag.POSITIONS, Tag.CHOICES, Tag.FRESHNESS,
    Tag.GROSS, Tag.WORTH, Tag.INITIAL, Tag.MAINTAINED, Tag.CLOSING,
)  # fmt: skip


class Head(NamedTuple):
    """An account's head, cut."""

    word: Value
    kind: Value
    parent: Value
    nonce: Value
    liquidated_ms: Value
    positions: Value
    choices: Value


class Settled(NamedTuple):
    """What an account's frame found: who it is, and health without its balance, funding settled."""

    account: Value
    base: Value
    kind: Value
    parent: Value
    positions: Value
    choices: Value
    freshness: Value
    gross: Value
    worth: Value
    initial: Value
    maintenance: Value
    close_out: Value

    def health(self, balance: Value) -> Health:
        """With the balance that the account has then."""
        value = self.worth + (1 << FRACTION_BITS) * balance
        return Health(value, self.initial, self.maintenance, self.close_out)


def given_account(frame: Frame, hint: Hint) -> Value:
    """An account that the prover names. Its width matters: a wider one would name a word of another account."""
    return given_narrow(frame, "an account's number", hint, ACCOUNT_ID_BITS)


def given_market(frame: Frame, venue: Venue, hint: Hint) -> Place:
    """A market that the prover names; that it exists is for whoever asks for its terms."""
    return place_of(frame, venue, given_narrow(frame, "a market's number", hint, 16))


def base_of(frame: Frame, account: Value) -> Value:
    """Where an account's words begin."""
    return frame.lift((1 << WORD_BITS) * account)


def own_word(frame: Frame, record: int, word: int, after: Value | None = None) -> Value:
    """A word of one of the venue's records; `after` is left there."""
    return frame.access(frame.constant(0), key_of(record, word), after)


def peek(frame: Frame, base: Value, word: int) -> int:
    """What stands at a word, for hints."""
    return frame.memory.look(int(base) + word) if frame.memory is not None else 0


def part(frame: Frame, base: Value, word: int, shift: int, bits: int) -> Hint:
    """The hint of a part of a word."""
    return lambda: peek(frame, base, word) >> shift & ((1 << bits) - 1)


def read_head(frame: Frame, account: Value, base: Value, after: Value | None = None) -> Head:
    """Cut the head of an account that exists, is linear and settles in the numeraire."""

    def given(name: str, shift: int, bits: int) -> Value:
        return given_narrow(frame, f"an account's {name}", part(frame, base, HEAD, shift, bits), bits)

    kind = frame.given(part(frame, base, HEAD, KIND_SHIFT, 8))
    known = [kind - int(each) for each in Kind]
    first = frame.multiply(known[0], known[1])
    frame.zero_product("a kind of account", frame.multiply(first, known[2]), known[3])
    parent, nonce = given("parent", PARENT_SHIFT, ACCOUNT_ID_BITS), given("nonce", NONCE_SHIFT, NONCE_BITS)
    liquidated = given("time of liquidation", LIQUIDATED_SHIFT, TIME_MS_BITS)
    positions = given("number of positions", POSITIONS_SHIFT, COUNT_BITS)
    choices = given("number of choices", CHOICES_SHIFT, COUNT_BITS)
    head = Head(frame.constant(0), kind, parent, nonce, liquidated, positions, choices)
    word = frame.access(base, HEAD, after)
    frame.equal("an account's head is cut", word, pack_head(frame, account, head))
    return head._replace(word=word)


def plain_kind(frame: Frame, account: Value, base: Value, count: int) -> Value:
    """The kind of an account that is no child, holds so many positions and has no choices.

    What else its head says is one number here: whose strategy it is, its nonce, when it was liquidated.
    """
    kind = frame.given(part(frame, base, HEAD, KIND_SHIFT, KIND_BITS), "a kind of account")
    known = [kind - int(each) for each in Kind if each is not Kind.CHILD]
    frame.zero_product("a kind of account that is no child", frame.multiply(known[0], known[1]), known[2])
    low = frame.given(part(frame, base, HEAD, LIQUIDATED_SHIFT, 64), "what else a head says", is_number=True)
    high_bits = ACCOUNT_SHIFT - LIQUIDATED_SHIFT - 64
    hint = part(frame, base, HEAD, LIQUIDATED_SHIFT + 64, high_bits)
    high = given_narrow(frame, "what else a head says", hint, high_bits)
    word = frame.constant(HEAD_BASE + (count << POSITIONS_SHIFT)) + (1 << KIND_SHIFT) * kind
    word = word + (1 << ACCOUNT_SHIFT) * account + (1 << LIQUIDATED_SHIFT) * low
    word = word + (1 << LIQUIDATED_SHIFT + 64) * high
    frame.equal("an account's head is cut", frame.access(base, HEAD, None), word)
    return kind


def pack_head(frame: Frame, account: Value, head: Head) -> Value:
    """A head from its parts; of other collateral there is none."""
    high = frame.constant(HEAD_BASE) + (1 << KIND_SHIFT) * head.kind + (1 << ACCOUNT_SHIFT) * account
    middle = high + (1 << PARENT_SHIFT) * head.parent + (1 << NONCE_SHIFT) * head.nonce
    low = middle + (1 << LIQUIDATED_SHIFT) * head.liquidated_ms + (1 << POSITIONS_SHIFT) * head.positions
    return low + head.choices


def change_balance(frame: Frame, base: Value, change: Value | None) -> Value:
    """Add to a balance, which keeps within its width; answers the balance before, not biased."""
    balance = frame.given(part(frame, base, MONEY, 64, 64), "a balance", is_number=True)
    if change is None:
        found = frame.access(base, MONEY, None)
    else:
        check_quote(frame, "the balance keeps within its width", balance + change, is_biased=True)
        found, _ = frame.adjust(base, MONEY, frame.lift(HALF * change))
    frame.number("what was topped up", found, -HALF * balance)
    return balance - QUOTE_LIMIT


def check_quote(frame: Frame, rule: str, amount: Value, *, is_biased: bool = False) -> None:
    """|amount| < 2^63."""
    frame.number(rule, amount, -1 if is_biased else QUOTE_LIMIT - 1)
    frame.number(rule, amount, 0 if is_biased else QUOTE_LIMIT)


class Held(NamedTuple):
    """A position's word, cut; the index is biased."""

    size: Value
    funding_index: Value
    cost: Value
    packed: Value


def given_position(frame: Frame, base: Value, market: Value) -> Held:
    """Cut the word of a position that there is."""
    there = base + market

    def given(name: str, shift: int, bits: int) -> Value:
        return frame.given(part(frame, there, POSITIONS, shift, bits), f"a position's {name}", is_number=True)

    size, low, cost = given("size", SIZE_SHIFT, 64), given("index", INDEX_SHIFT, 64), given("cost", COST_SHIFT, 64)
    high = given_narrow(frame, "a position's index", part(frame, there, POSITIONS, INDEX_SHIFT + 64, 32), 32)
    index = low + HALF * high
    packed = cost + (1 << INDEX_SHIFT) * index + (1 << SIZE_SHIFT) * size + (1 << MARKET_SHIFT) * market
    return Held(size - SIZE_LIMIT, index, cost - QUOTE_LIMIT, packed)


def account_frame(
    frame: Frame, venue: Venue, case: tuple[int, int] | None, count: int, has_choices: bool, freshness: Freshness
) -> None:
    """Settle the funding of an account with so many positions, and sum what they are worth and require.

    `has_choices`: its leverage, or that of a child's parent, may raise its initial requirement.
    """
    account = given_account(frame, lambda: case[0] if case else 0)
    base = base_of(frame, account)
    chooser = None
    if has_choices:
        head = read_head(frame, account, base)
        frame.equal("all its positions are shown", head.positions, count)
        kind, parent, choices = head.kind, head.parent, head.choices
        is_child = is_zero(frame, "a child or not", kind - int(Kind.CHILD))
        chooser = either(frame, is_child, base_of(frame, parent), base)
    else:
        kind, parent, choices = plain_kind(frame, account, base, count), frame.constant(0), frame.constant(0)
    now = frame.given(lambda: case[1] if case else 0, "the time")
    sums = _positions(frame, venue, Scan(account, base, chooser, now, freshness), count)
    own = frame.own_number()
    answers = {
        Tag.ACCOUNT: account, Tag.NOW_MS: now, Tag.KIND: kind, Tag.PARENT: parent,
        Tag.POSITIONS: frame.constant(count), Tag.CHOICES: choices, Tag.FRESHNESS: frame.constant(int(freshness)),
    } | sums  # fmt: skip
    frame.tell_all(own, {tag: answers[tag] for tag in ANSWERS}, account)


class Scan(NamedTuple):
    """An account whose positions are gone through."""

    account: Value
    base: Value
    chooser: Value | None  # whose choices raise its requirement
    now: Value
    freshness: Freshness


def _positions(frame: Frame, venue: Venue, scan: Scan, count: int) -> dict[Tag, Value]:
    names = (Tag.WORTH, Tag.GROSS, Tag.INITIAL, Tag.MAINTAINED, Tag.CLOSING)
    if not count:
        return {tag: frame.constant(0) for tag in names}
    before = frame.constant(0)
    owed: list[Value] = []
    asked: list[Asked] = []
    closes = scan.freshness is Freshness.SINCE_RESTART  # what liquidation asks for
    for place in range(count):
        market = frame.given(_market_hint(frame, scan, place))
        frame.number("markets rise", market - before, -1)
        before = market
        held = given_position(frame, scan.base, market)
        where = place_of(frame, venue, market)
        index = market_word(frame, where, Field.FUNDING_INDEX)
        moved = index - held.funding_index
        word = frame.access(scan.base + market, POSITIONS, held.packed + (1 << INDEX_SHIFT) * moved)
        frame.equal("a position is cut", word, held.packed)
        owed.append(frame.multiply(moved, held.size))
        floor = None if scan.chooser is None else leverage_floor(frame, venue, scan.chooser, market)
        lots = magnitude(frame, "a position's lots", held.size).size
        one = requirement(frame, venue, where, (held.size, lots), floor, closes=closes)
        _check_fresh(frame, scan, where, one)
        asked.append(one)
    short(frame, "a market's id", before, 16)  # of numbers that rise the last is a whole number
    _pay_funding(frame, scan, total(frame, list(owed)))
    sums = zip(*(each[: len(names)] for each in asked), strict=True)
    return {tag: total(frame, list(parts)) for tag, parts in zip(names, sums, strict=True)}


def _market_hint(frame: Frame, scan: Scan, place: int) -> Hint:
    def find() -> int:
        assert frame.memory is not None
        held = frame.memory.positions(int(scan.account))
        return held[place] if place < len(held) else 0

    return find


def _check_fresh(frame: Frame, scan: Scan, where: Place, asked: Asked) -> None:
    if scan.freshness is Freshness.ANY:
        return
    signed_ms = market_word(frame, where, Field.PRICE_MS)
    assert asked.price_age_max_ms is not None, "a requirement is asked of a market's terms"
    frame.number("prices are fresh", signed_ms + asked.price_age_max_ms, -1 * scan.now)
    if scan.freshness is Freshness.SINCE_RESTART:
        restarted = own_word(frame, COUNTERS_RECORD, Counter.FRESH_AFTER_MS)
        frame.number("prices are younger than the last restart", signed_ms - restarted, -1)


def _pay_funding(frame: Frame, scan: Scan, owed: Value) -> None:
    """The balance pays what is owed, rounded up; the dust is kept."""
    # That both balances are numbers keeps what is between them within 64 bits.
    payment = frame.given(lambda: -(-signed(owed) >> FRACTION_BITS), "funding")
    dust = (1 << FRACTION_BITS) * payment - owed
    narrow(frame, "funding is rounded up", dust, FRACTION_BITS)
    change_balance(frame, scan.base, frame.lift(-1 * payment))
    add_to(frame, Money.DUST, dust, 96)


def add_to(frame: Frame, fund: Money, change: Value, bits: int = 64) -> None:
    """Add to one of the venue's funds, which keeps within its width, bias included."""
    _, after = frame.adjust(frame.constant(0), key_of(MONEY_RECORD, fund), change)
    wide(frame, f"{fund.name.lower()} keeps within its width", after, bits)


def settled_account(frame: Frame, account: Value, ago: int, now: Value) -> Settled:
    """Take what the frame `ago` frames before told of an account, whose number is one then."""
    about = frame.own_number() - ago

    def told(tag: Tag) -> Hint:
        return lambda: frame.told(tag, int(about), int(account))

    judged, when, *answers = frame.take_all(about, ANSWERS, [told(tag) for tag in ANSWERS])
    frame.equal("this account is judged", judged, account)
    frame.equal("it is judged at this time", when, now)
    return Settled(account, base_of(frame, account), *answers)


assert FUNDING_INDEX_LIMIT == 1 << 95
