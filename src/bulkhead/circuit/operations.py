"""Operations of the rules table: what each demands of its row, which words it reads and writes, and what it hashes.

A rule is an expression that is zero. Words are those of `ledger.commitment`; balances in them are biased by 2^63.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bulkhead.circuit.words import EXPIRY_BITS, HEAD, MONEY, MONEY_RECORD, ORDER_RECORD, OWNER_KEY, WORD_BITS
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.limits import FIELD_PRIME, QUOTE_LIMIT, TIME_S_BITS
from bulkhead.signing.messages import MESSAGE_PREFIX, TRANSFER_SELECTOR, WITHDRAWAL_SELECTOR
from stark.air.chip import Row
from stark.air.expr import Expr
from stark.chips.poseidon import LIST

# Who and what a transaction is about; `recipient` is an address on L1 or, of a transfer, the other account.
PLACE = ("number", "time_ms", "deposits", "withdrawals", "account", "amount")
MESSAGE = ("recipient", "expiry_s", "salt", "key", "struct", "digest", "is_transfer")
REGISTERS = (*PLACE, *MESSAGE)
CHECKED = 8
PORT_A = ("before_a", "after_a", "written_a")
PORT_B = ("before_b", "after_b", "written_b")

HALF, DOUBLE = 1 << 64, 1 << 128
PRIME_HIGH = FIELD_PRIME // DOUBLE  # the field's prime is PRIME_HIGH * 2**128 + 1

Named = list[tuple[str, Expr]]
Take = list[Expr | int]  # a message of stark.chips.poseidon


class Venue(NamedTuple):
    """What the configuration decides. It is part of the system: another configuration has another key."""

    domain_hash: int
    collateral_id: int
    cap: int  # the most custody may hold
    custody_word: int  # where the venue's money says what custody holds
    expiry_max_s: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of row. `checked` cells are used from the first on; `spare` are cells of an idle port that it uses."""

    name: str
    after: tuple[str, ...]  # the operations of which one comes before; none: it opens a transaction
    ends: bool
    registers: tuple[str, ...]
    checked: int
    rules: Callable[[Row, Venue], Named]
    ports: Callable[[Row, Venue], list[Expr]]
    takes: Callable[[Row, Venue], list[Take]] = lambda row, venue: []
    spare: tuple[str, ...] = ()

    @property
    def port_count(self) -> int:
        """How many ports it uses."""
        return PORTS[self.name]

    @property
    def uses(self) -> tuple[str, ...]:
        """The cells that its rules may fill."""
        ports = (*PORT_A, *PORT_B)[: 3 * self.port_count]
        return (*self.registers, *(f"checked {place}" for place in range(self.checked)), *ports, *self.spare)


def word_of(account: Expr, number: int) -> Expr:
    """The key of an account's word."""
    return account * (1 << WORD_BITS) + number


def head_rules(row: Row, account: Expr, *, is_flat: bool) -> Named:
    """A head read at port A is that of a signable account that settles in the numeraire; `is_flat`: it has no more.

    head = version, kind, rule, asset | account | parent, nonce | time liquidated | counts. The rest below the account
    may be cut loosely: whatever does not fit moves nothing above it, since the account is given.
    """
    _, kind, rule, upper, liquidated, choices = row["checked"][:6]
    settings = (1 << 32) + kind * (1 << 24) + rule * (1 << 16) + int(NUMERAIRE)
    rest = upper * (1 << 74) + liquidated * (1 << 24) + choices
    found: Named = [
        ("a signable account", (kind - int(Kind.MAIN)) * (kind - int(Kind.STRATEGY)) * (kind - int(Kind.BACKSTOP))),
        ("a margin rule", (rule - int(MarginRule.LINEAR)) * (rule - int(MarginRule.SCENARIO))),
        ("the head is cut", row.before_a - settings * (1 << 170) - account * (1 << 138) - rest),
        ("the head stays", row.after_a - row.before_a),
        ("the account is a number", row["checked"][6] - account),
    ]
    if is_flat:  # no positions and no other collateral: what is left of the counts has 8 bits
        found.append(("no positions", row["checked"][7] - choices * (1 << 56)))
    return found


def money_rules(row: Row, port: tuple[str, ...], places: tuple[int, int, int], change: Expr) -> Named:
    """An account's money: its balance changes and stays in its width, what it was topped up with stays."""
    before, after = getattr(row, port[0]), getattr(row, port[1])
    old, topped_up, new = (row["checked"][place] for place in places)
    return [
        (f"money before at {port[0]}", before - old * HALF - topped_up),
        (f"money after at {port[1]}", after - new * HALF - topped_up),
        (f"the balance changes at {port[1]}", new - old - change),
    ]


def _credit(row: Row, venue: Venue) -> Named:
    held = row.after_b - int(NUMERAIRE) * HALF
    return [
        *money_rules(row, PORT_A, (0, 1, 2), row.amount),
        ("custody takes it", row.after_b - row.before_b - row.amount),
        ("custody's cap", row["checked"][3] - (venue.cap - held)),
    ]


def _debit(row: Row, venue: Venue) -> Named:
    held = row.after_b - int(NUMERAIRE) * HALF
    return [
        *money_rules(row, PORT_A, (0, 1, 2), -row.amount),
        ("the balance is not below zero", row["checked"][3] - (row["checked"][2] - QUOTE_LIMIT)),
        ("the amount is positive", row["checked"][4] - (row.amount - 1)),
        ("custody pays it", row.after_b - row.before_b + row.amount),
        ("custody has it", row["checked"][5] - held),
    ]


def _pay(row: Row, venue: Venue) -> Named:
    return [
        *money_rules(row, PORT_A, (0, 1, 2), -row.amount),
        *money_rules(row, PORT_B, (3, 4, 5), row.amount),
        ("the balance is not below zero", row["checked"][6] - (row["checked"][2] - QUOTE_LIMIT)),
        ("the amount is positive", row["checked"][7] - (row.amount - 1)),
    ]


def _target(row: Row, venue: Venue) -> Named:
    differs = ("another account", (row.account - row.recipient) * row.before_b - 1)
    return [*head_rules(row, row.recipient, is_flat=False), differs, ("no time passes", row["checked"][0])]


def _open_signed(row: Row, is_transfer: int) -> Named:
    return [*head_rules(row, row.account, is_flat=True), ("its kind", row.is_transfer - is_transfer)]


def _sign(row: Row, venue: Venue) -> Named:
    """The key is the account's, the message has not expired and does not expire too late."""
    now_s, ms, rest, left, early, salt, expiry, shifted = row["checked"]
    return [
        ("the owner's key", row.before_a - row.key),
        ("the key stays", row.after_a - row.before_a),
        ("now in whole seconds", row.time_ms - 1000 * now_s - ms),
        ("less than a second is left", ms + rest - 999),
        ("not expired", left - (row.expiry_s - now_s)),
        ("not too far ahead", early - (now_s + venue.expiry_max_s - row.expiry_s)),
        ("the salt is a number", salt - row.salt),
        ("the expiry is a number", expiry - row.expiry_s),
        ("of so many bits", shifted - row.expiry_s * (1 << (64 - TIME_S_BITS))),
    ]


def _spend(row: Row, venue: Venue) -> Named:
    """The message's hash, cut as the integer below the prime, is entered with its whole amount, never filled before."""
    high = row["checked"][0] * HALF + row["checked"][1]
    low = row["checked"][2] * HALF + row["checked"][3]
    below = row["checked"][4] * HALF + row["checked"][5]
    return [
        ("the hash is cut", row.digest - high * DOUBLE - low),
        ("its upper half is below the prime's", below - (PRIME_HIGH - high)),
        ("or is the prime's, and nothing is below", low * (1 - below * row.before_b)),
        ("nothing was spent", row.before_a - row.expiry_s),
        ("all of it is", row.after_a - row.amount * (1 << EXPIRY_BITS) - row.expiry_s),
    ]


def _struct_takes(row: Row, venue: Venue) -> list[Take]:
    selector = row.is_transfer * (TRANSFER_SELECTOR - WITHDRAWAL_SELECTOR) + WITHDRAWAL_SELECTOR
    return [
        [row.struct, 3, 1, LIST, selector, row.recipient],
        [row.struct, 2, 0, 0, row.account, venue.collateral_id],
    ]


def _rest_takes(row: Row, venue: Venue) -> list[Take]:
    return [[row.struct, 1, 0, 0, row.amount, row.expiry_s], [row.struct, 0, 0, 0, row.salt, 1]]


def _message_takes(row: Row, venue: Venue) -> list[Take]:
    return [
        [row.digest, 2, 1, LIST, MESSAGE_PREFIX, venue.domain_hash],
        [row.digest, 1, 0, 0, row.key, row.struct],
    ]


def _money_and_custody(row: Row, venue: Venue) -> list[Expr]:
    return [word_of(row.account, MONEY), row.account * 0 + (MONEY_RECORD << WORD_BITS) + venue.custody_word]


def _order_word(row: Row, venue: Venue) -> list[Expr]:
    return [row["checked"][2] * HALF + row["checked"][3] + (ORDER_RECORD << WORD_BITS)]


def _none(row: Row, venue: Venue) -> Named:
    return []


PORTS = {
    "deposit": 1, "credit": 2, "withdraw": 1, "debit": 2, "transfer": 1, "target": 1, "pay": 2,
    "sign": 1, "sign_rest": 0, "message": 0, "spend": 1,
}  # fmt: skip

OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("deposit", (), False, PLACE, 7, lambda row, venue: head_rules(row, row.account, is_flat=False),
                  lambda row, venue: [word_of(row.account, HEAD)]),
        Operation("credit", ("deposit",), True, PLACE, 4, _credit, _money_and_custody),
        Operation("withdraw", (), False, REGISTERS, 8, lambda row, venue: _open_signed(row, 0),
                  lambda row, venue: [word_of(row.account, HEAD)]),
        Operation("debit", ("withdraw",), False, REGISTERS, 6, _debit, _money_and_custody),
        Operation("transfer", (), False, REGISTERS, 8, lambda row, venue: _open_signed(row, 1),
                  lambda row, venue: [word_of(row.account, HEAD)]),
        Operation("target", ("transfer",), False, REGISTERS, 7, _target,
                  lambda row, venue: [word_of(row.recipient, HEAD)], spare=("before_b",)),
        Operation("pay", ("target",), False, REGISTERS, 8, _pay,
                  lambda row, venue: [word_of(row.account, MONEY), word_of(row.recipient, MONEY)]),
        Operation("sign", ("debit", "pay"), False, REGISTERS, 8, _sign,
                  lambda row, venue: [word_of(row.account, OWNER_KEY)], _struct_takes),
        Operation("sign_rest", ("sign",), False, REGISTERS, 0, _none, lambda row, venue: [], _rest_takes),
        Operation("message", ("sign_rest",), False, REGISTERS, 0, _none, lambda row, venue: [], _message_takes),
        Operation("spend", ("message",), True, REGISTERS, 6, _spend, _order_word,
                  lambda row, venue: [[row.digest, 0, 0, 0, 1, 0]], spare=("before_b",)),
    )
}  # fmt: skip
