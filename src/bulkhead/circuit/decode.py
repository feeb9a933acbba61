"""Records from their words: what `ledger.commitment` packed, unpacked again, for whoever rebuilds the state."""

from __future__ import annotations

from collections.abc import Mapping

from bulkhead.circuit.accounts import (
    ASSET_SHIFT,
    COLLATERAL_SHIFT,
    HALF,
    INDEX_SHIFT,
    KIND_SHIFT,
    LIQUIDATED_SHIFT,
    NONCE_SHIFT,
    PARENT_SHIFT,
    RULE_SHIFT,
    SIZE_SHIFT,
    VERSION_SHIFT,
)
from bulkhead.circuit.margin import LEVERAGE_SHIFT, MODE_SHIFT
from bulkhead.circuit.words import (
    CHOICES,
    COLLATERAL,
    COUNTERS_RECORD,
    HEAD,
    L1_OWNER,
    MARKETS_RECORD,
    MONEY,
    MONEY_RECORD,
    ORACLE_RECORD,
    OWNER_KEY,
    POSITIONS,
    RESERVED,
    Counter,
    Field,
    Money,
    Tick,
)
from bulkhead.ledger.commitment import DUST_BITS, tiers_max
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.ledger.state import (
    Account,
    Choice,
    Counters,
    Funds,
    Kind,
    MarginRule,
    Market,
    Mode,
    Oracle,
    State,
    Status,
    put_market,
)
from bulkhead.limits import FUNDING_INDEX_LIMIT, QUOTE_LIMIT, SIZE_LIMIT
from bulkhead.rules.terms import Position
from bulkhead.units import Quote, Worth

WORD_KIND = 1 << 16  # collateral, positions and choices are so far apart
Words = Mapping[int, int]


def cut(word: int, shift: int, bits: int) -> int:
    """A part of a word."""
    return word >> shift & ((1 << bits) - 1)


def account_of(account_id: int, words: Words) -> Account | None:
    """An account from its words by number; none of one without a head. ValueError for words that no account has."""
    head = words.get(HEAD, 0)
    if not head:
        return None
    balance, topped_up = (half - QUOTE_LIMIT for half in divmod(words.get(MONEY, 0), HALF))
    listed = sorted((number, word) for number, word in words.items() if number >= COLLATERAL and word)
    collateral = tuple(
        (number - COLLATERAL, cut(word, 0, 64)) for number, word in listed if number < COLLATERAL + WORD_KIND
    )
    positions = tuple(
        _position(number - POSITIONS, word) for number, word in listed if 0 <= number - POSITIONS < WORD_KIND
    )
    choices = tuple(_choice(number - CHOICES, word) for number, word in listed if 0 <= number - CHOICES < WORD_KIND)
    if len(collateral) != cut(head, COLLATERAL_SHIFT, 8):
        raise ValueError(f"account {account_id} lists other collateral than its head counts")
    values = (
        account_id, Kind(cut(head, KIND_SHIFT, 8)), MarginRule(cut(head, RULE_SHIFT, 8)), words.get(OWNER_KEY, 0),
        words.get(L1_OWNER, 0), cut(head, PARENT_SHIFT, 32), cut(head, ASSET_SHIFT, 16), balance, collateral,
        positions, choices, cut(head, NONCE_SHIFT, 32), topped_up, cut(head, LIQUIDATED_SHIFT, 50),
        cut(head, VERSION_SHIFT, 8), words.get(RESERVED, 0),
    )  # fmt: skip
    return Account(*values)  # type: ignore[arg-type]


def _position(market: int, word: int) -> Position:
    size, index = cut(word, SIZE_SHIFT, 64) - SIZE_LIMIT, cut(word, INDEX_SHIFT, 96) - FUNDING_INDEX_LIMIT
    return Position(market, size, cut(word, 0, 64) - QUOTE_LIMIT, index)  # type: ignore[arg-type]


def _choice(market: int, word: int) -> Choice:
    mode, leverage = Mode(cut(word, MODE_SHIFT, 8)), cut(word, LEVERAGE_SHIFT, 8)
    return Choice(market, mode, leverage, cut(word, 0, 64))  # type: ignore[arg-type]


def put_record(state: State, record: int, words: Words) -> None:
    """Set one of the venue's records of a state from its words by number."""
    put = {
        MONEY_RECORD: _put_money,
        MARKETS_RECORD: _put_markets,
        ORACLE_RECORD: _put_oracle,
        COUNTERS_RECORD: _put_counters,
    }
    put[record](state, words)


def _put_money(state: State, words: Words) -> None:
    fees, l1, insurance = (Quote(words[word] - QUOTE_LIMIT) for word in (Money.FEES, Money.L1, Money.INSURANCE))
    state.funds[NUMERAIRE] = Funds(fees, l1, insurance, Worth(words[Money.DUST] - (1 << (DUST_BITS - 1))))
    state.custody[NUMERAIRE] = words[Money.CUSTODY]


def _put_markets(state: State, words: Words) -> None:
    width = Field.TIERS + 2 * tiers_max(state.config)
    for market_id in state.markets:
        own = [words[market_id * width + field] for field in range(Field.TIERS)]
        status, price, price_ms, lost, index, funding_ms, interest, scale = own
        index -= FUNDING_INDEX_LIMIT
        values = (market_id, Status(status), price, price_ms, index, funding_ms, interest, scale, lost)
        put_market(state, Market(*values))  # type: ignore[arg-type]


def _put_oracle(state: State, words: Words) -> None:
    state.oracle = Oracle(words[Tick.SEQUENCE], words[Tick.TIME_MS])  # type: ignore[arg-type]


def _put_counters(state: State, words: Words) -> None:
    values = [words[counter] for counter in Counter]
    deposits, withdrawals, forced, transactions, batches, fresh_after_ms, time_ms = values
    state.counters = Counters(
        transactions, deposits, withdrawals, forced, batches, fresh_after_ms,  # type: ignore[arg-type]
    )  # fmt: skip
    state.time_ms = time_ms  # type: ignore[assignment]
