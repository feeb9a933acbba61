"""How much of a shape a batch takes at most, known from its transactions alone: so that it is sealed before it is full.

Filling the tables says it exactly, and takes a second; this takes microseconds, and errs on the side of too much: each
transaction is counted with its costliest programs, each account that it may touch with all the words it can have. Which
words have changed is looked up in the states. `tests/circuit/test_room.py` compares both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from bulkhead.circuit.batch import Shape
from bulkhead.circuit.expected import Expected
from bulkhead.circuit.instructions import Flag, Program
from bulkhead.circuit.measured import Measured
from bulkhead.circuit.order import Mode
from bulkhead.circuit.plates import Asked
from bulkhead.circuit.play import signatures_of
from bulkhead.circuit.programs import programs, side_name
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import FIXED_WORDS, RECORDS, Counter, Field, Money, Tick, record_words
from bulkhead.ledger import tx
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import leaf_place
from bulkhead.ledger.tx import Transaction
from bulkhead.limits import CHILDREN_PER_ACCOUNT, ORDER_TREE_DEPTH, TREE_DEPTH
from stark.chips.poseidon import ROWS as POSEIDON_ROWS

LOG_SIGNATURE_ROWS = 7
NUMBERS_A_WORD = 3  # `record.asked_by`
NUMBERS_AN_ORDER, NUMBERS_A_LIST = 5, 2  # `LiveOrders`
NUMBERS_A_PLACE = 6  # more of a word that is not fixed
STATED_HASHES = 24  # the counters and S, before and after
ACCOUNT, SIDE, INTEREST, FAILURE = "account, ", "side, ", "open interest", "forced request fails"

# Beginnings of the names of the programs that a transaction runs; of each beginning the costliest is counted.
RUNS: dict[type, tuple[str, ...]] = {
    tx.Deposit: ("deposit",),
    tx.FundDeposit: ("fund deposit",),
    tx.Refund: ("refund",),
    tx.Withdrawal: (ACCOUNT, "withdrawal"),
    tx.Transfer: (ACCOUNT, "transfer"),
    tx.Trade: (ACCOUNT, ACCOUNT, SIDE, ACCOUNT, ACCOUNT, SIDE, "trade, "),
    tx.Move: (ACCOUNT, ACCOUNT, "move, "),
    tx.Liquidation: (ACCOUNT, ACCOUNT, ACCOUNT, SIDE, "liquidation, ", INTEREST),
    tx.Backstop: (ACCOUNT, ACCOUNT, "backstop", INTEREST),
    tx.Deleveraging: (ACCOUNT, ACCOUNT, "deleveraging, ", INTEREST),
    tx.ForcedWithdrawal: (ACCOUNT, "forced withdrawal", FAILURE),
    tx.ForcedClose: (ACCOUNT, ACCOUNT, "forced close, ", FAILURE, INTEREST),
    tx.OracleTick: ("oracle tick, ",),
    tx.FundingTick: ("funding tick",),
    tx.StatusChange: ("status change",),
    tx.Restart: ("restart",),
    tx.Register: ("register, ",),
    tx.Configure: (ACCOUNT, ACCOUNT, "configure"),
}
HOLDER = (ACCOUNT, "holder")
DEPOSITS = (tx.Deposit, tx.FundDeposit, tx.Refund)
FORCED = (tx.ForcedWithdrawal, tx.ForcedClose)
PAID = (tx.Withdrawal, tx.ForcedWithdrawal, tx.Refund)
WITH_HOLDERS = (tx.Deleveraging, tx.ForcedClose)
ACCOUNTS_MAX = 4  # that a transaction touches, holders apart: two accounts and a child of each
ORDERS_MAX = 2
ALONE = {  # kinds that touch fewer accounts, and no order
    tx.Register: 2, tx.Deposit: 1, tx.Refund: 1, tx.FundDeposit: 0, tx.OracleTick: 0, tx.FundingTick: 0, tx.Restart: 0,
    tx.StatusChange: 0,
}  # fmt: skip
SETTLED_WORDS = 3  # of an account whose funding is settled, its positions apart: head, money, reserved
MONEY_WORDS = len(Money) + len(Counter)


class Need(NamedTuple):
    """What transactions add to a batch at most. `nodes` are of the accounts' tree, `words` those that change.

    Each of the `orders` may be in a list of its own, as long as any; of lists that were touched it is known what they
    hold: so many `entries` in all, and how many permutations hash them before and after. `frames` are those known by
    program, that plates may hold: what finds none is counted in rows by `taken_at_most`.
    """

    rows: int = 0
    numbers: int = 0
    hashes: int = 0
    signatures: int = 0
    accounts: int = 0
    nodes: int = 0
    orders: int = 0
    words: int = 0
    deposits: int = 0
    paid: int = 0
    forced: int = 0
    lists: int = 0
    entries: int = 0
    list_hashes: int = 0
    shown: int = 0  # accounts of which it is known what they show: these words, and permutations that hash them once
    shown_words: int = 0
    shown_hashes: int = 0
    frames: Mapping[str, int] = MappingProxyType({})

    def plus(self, other: Need, times: int = 1) -> Need:
        """Both, the other so many times."""
        frames = dict(self.frames)
        for name, count in other.frames.items():
            frames[name] = frames.get(name, 0) + times * count
        counts = {name: getattr(self, name) + times * getattr(other, name) for name in Need._fields[:-1]}
        return Need(**counts, frames=frames)


def need_of(venue: Venue, kind: type, holders: int = 0) -> Need:
    """What one transaction of a kind adds, where so many accounts may have to give up lots. KeyError of no circuit."""
    found = _needs(venue)[kind]
    return found.plus(_holder(venue), holders) if kind in WITH_HOLDERS else found


def trades_of(venue: Venue, plain: int, others: int, traders: int) -> Need:
    """What trades of one order add, which meets the orders of `traders` - 1 others: so many between plain accounts
    (`Expected.is_plain`), and others."""
    count = plain + others
    accounts, scaled = 2 * traders, venue.market_words - int(Field.SCALE)
    return Need().plus(_plain(venue), plain).plus(need_of(venue, tx.Trade), others)._replace(
        signatures=count + 1, accounts=accounts, nodes=accounts * TREE_DEPTH, orders=count + 1,
        words=traders * _trader_words(venue) + scaled + 2 + len(Money) + count + 1,
    )  # fmt: skip


@lru_cache(maxsize=4)
def _plain(venue: Venue) -> Need:
    """A trade between plain accounts: its sides may find plates; how many positions they will have is not known."""
    shown = [each for name, each in programs(venue).items() if name.startswith(ACCOUNT) and "choices" not in name]
    account = max((_frame(program) for program in shown), key=lambda need: need.rows)
    sides = _frame(programs(venue)[side_name(Mode.CROSS)])._replace(rows=0, frames={side_name(Mode.CROSS): 1})
    return _cost(venue, "trade, ").plus(account, 2).plus(sides, 2)


def _trader_words(venue: Venue) -> int:
    """Words that change where somebody trades: of his account, and of a child with one position."""
    return venue.positions_max + SETTLED_WORDS + FIXED_WORDS + 2


class Load:
    """What the transactions of a batch need so far."""

    def __init__(self, venue: Venue, before: State) -> None:
        """`before` is a state of the batch's begin that does not change any more."""
        self.venue, self.before = venue, before
        self._sum = Need()
        self._expected = Expected(before)
        self._measured = Measured(venue, before)
        self._signed: set[object] = set()
        self._orders: set[object] = set()
        self._accounts: set[int] = set()
        self._changed: dict[int, int] = {}  # words of a record, when it was last looked at
        self._stale: set[int] = set()  # accounts that were touched since
        self._nodes: set[tuple[int, int]] = set()

    @property
    def is_empty(self) -> bool:
        """No transaction yet."""
        return self._sum == Need()

    def is_plain(self, account_id: int) -> bool:
        """What the account's trades run is known (`Expected.is_plain`)."""
        return self._expected.is_plain(account_id)

    def need(self, state: State) -> Need:
        """What was taken, with what several transactions share counted once; `state` is the one they have led to."""
        for record in (*self._stale, *RECORDS):
            old, new = record_words(self.before, record), record_words(state, record)
            self._changed[record] = sum(old.get(word, 0) != new.get(word, 0) for word in {*old, *new})
        self._stale.clear()
        changed = sum(self._changed.values())
        touched = state.filled.touched
        lists = [[each.filled.size(number) for number in touched] for each in (self.before, state)]
        return self._played()._replace(
            signatures=len(self._signed), orders=0,
            words=changed + len(self._orders), lists=len(touched),
            entries=sum(lists[0]) + len(self._orders),  # some may be forgotten already, and are shown nevertheless
            list_hashes=sum(map(_list_hashes, lists[0] + lists[1])),
        )  # fmt: skip

    def _played(self) -> Need:
        """The sum, with what accounts show and numbers are asked for as it was played, or else at most."""
        played = self._measured
        if not played.is_known:
            return self._sum._replace(accounts=len(self._accounts), nodes=len(self._nodes))
        sizes = [len(words) for words in played.accounts.values()]
        return self._sum._replace(
            accounts=0, nodes=len(played.nodes), numbers=played.numbers, shown=len(sizes),
            shown_words=sum(sizes) + len(sizes), shown_hashes=sum(map(_list_hashes, sizes)),
        )  # fmt: skip

    def take(self, transaction: Transaction, holders: Iterable[int]) -> None:
        """One more. `holders` are the accounts with positions in its market, where it may turn to them."""
        others = list(holders) if isinstance(transaction, WITH_HOLDERS) else []
        touched = touched_by(transaction)
        self._measured.take(transaction)
        self._expected.forget(others)
        need, frames = need_of(self.venue, type(transaction), len(others)), self._expected.take(transaction, touched)
        self._sum = self._sum.plus(need if frames is None else _known(self.venue, need, frames))
        signed = _signed(transaction)
        self._signed.update(signed)
        if not isinstance(transaction, tx.OracleTick):
            self._orders.update(signed)
        self._stale.update(touched, others)
        for account_id in {*touched, *others}:
            if account_id not in self._accounts:
                self._accounts.add(account_id)
                place = leaf_place(account_id)
                self._nodes.update((level, place >> level) for level in range(1, TREE_DEPTH + 1))


def _known(venue: Venue, need: Need, frames: Mapping[str, int]) -> Need:
    """A transaction of which it is known what frames it runs."""
    each = programs(venue)
    known = Need()
    for name, count in frames.items():
        known = known.plus(_frame(each[name]), count)
    return need._replace(rows=0, numbers=known.numbers, hashes=known.hashes, frames=frames)


def _signed(transaction: Transaction) -> Sequence[object]:
    """What carries a signature: an order that fills several times is one."""
    if isinstance(transaction, tx.Trade):
        return transaction.maker, transaction.taker
    if isinstance(transaction, tx.Liquidation):
        return [fill.order for fill in transaction.fills]
    if isinstance(transaction, tx.OracleTick):
        return transaction.reports
    return [transaction] if signatures_of(transaction) else []


def touched_by(transaction: Transaction) -> set[int]:
    """Accounts whose words a transaction may read or write, holders apart; a child comes with its parent."""
    found: set[int] = set()
    if isinstance(transaction, tx.Trade):
        market = int(transaction.market_id)
        for order in (transaction.maker, transaction.taker):
            found |= {int(order.account_id), int(order.account_id) + market}
    elif isinstance(transaction, tx.Transfer):
        found |= {int(transaction.source), int(transaction.target)}
    elif isinstance(transaction, tx.Liquidation):
        found.add(int(transaction.account_id))
        for fill in transaction.fills:
            found |= {int(fill.order.account_id), int(fill.order.account_id) + int(fill.market_id)}
    elif isinstance(transaction, tx.Move):
        found.add(int(transaction.account_id))
        for source, target in [each[:2] for each in (*transaction.assets, *transaction.positions)]:
            found |= {int(source), int(target)}
        found |= {int(account_id) for account_id, _ in transaction.choices}
    elif isinstance(transaction, tx.Configure):
        found |= {int(transaction.account_id), int(transaction.account_id) + int(transaction.choice.market_id)}
    elif isinstance(transaction, tx.Register):
        found |= {int(transaction.account_id), int(transaction.parent_id)}
    elif isinstance(transaction, tx.Backstop | tx.Deleveraging | tx.ForcedClose):
        found |= {int(transaction.account_id), int(BACKSTOP_ACCOUNT)}
    elif hasattr(transaction, "account_id"):
        found.add(int(transaction.account_id))
    return {each for account_id in found for each in (account_id, account_id & -CHILDREN_PER_ACCOUNT)} - {0}


def lack(venue: Venue, shape: Shape, state: State, need: Need, kept: int = 0) -> str:
    """Which table or list a batch with this need may not fit, in words; empty where it fits in any case.

    So many percent of what is there beyond what every batch takes are `kept` free.
    """
    fixed, taken = (taken_at_most(venue, state, each, shape.plates) for each in (Need(), need))
    for name, room in rooms_of(shape).items():
        if taken[name] > room - max(0, room - fixed[name]) * kept // 100:
            return f"{taken[name]:,} {name} at most, of {room:,}"
    return ""


def rooms_of(shape: Shape) -> dict[str, int]:
    """How much a shape holds, by name."""
    return {
        "rows of rules": 1 << shape.log_rules,
        "words of records": 1 << shape.log_records,
        "live orders": 1 << shape.log_orders,
        "nodes of the trees": 1 << shape.log_tree,
        "signatures": 1 << shape.log_signatures - LOG_SIGNATURE_ROWS,
        "hashes": (1 << shape.log_poseidon) // POSEIDON_ROWS,
        "numbers": 1 << shape.log_numbers,
        "deposits": shape.queue,
        "payments": shape.queue,
        "forced requests": shape.forced,
        "changed words": shape.changes,
    }


def taken_at_most(venue: Venue, state: State, need: Need, plates: Asked = ()) -> dict[str, int]:
    """What a batch with this need takes at most, by the names of `rooms_of`, of a shape with these plates."""
    markets = len(venue.config.markets)
    each = FIXED_WORDS + venue.positions_max + markets + 1  # positions, choices, and the account's choice of itself
    numbered = 1 + max((int(terms.market_id) for terms in venue.config.markets), default=0)  # from 0 on
    venues = (numbered * venue.market_words, len(Money), len(Tick), len(Counter))
    shown = need.accounts if need.shown else max(1, need.accounts)  # the tree shows at least one leaf
    words = shown * (each + 1) + sum(venues) + len(venues)
    longest = state.filled.longest
    lists, entries = need.lists + need.orders, need.entries + need.orders * (longest + 1)
    nodes = max(need.nodes, TREE_DEPTH) + sum(min(1 << depth, lists) for depth in range(ORDER_TREE_DEPTH))
    records = shown * _list_hashes(each) + sum(map(_list_hashes, venues))
    orders = need.list_hashes + need.orders * (_list_hashes(longest) + _list_hashes(longest + 1))
    return {
        "rows of rules": need.rows + _left_over(venue, need, dict(plates)) + _cost(venue, "close").rows,
        "words of records": words + need.shown_words,
        "live orders": entries + lists,
        "nodes of the trees": nodes,
        "signatures": need.signatures,
        "hashes": need.hashes + 2 * (records + need.shown_hashes + nodes) + orders + STATED_HASHES,
        "numbers": need.numbers + _cost(venue, "close").numbers + NUMBERS_A_WORD * words
        + NUMBERS_AN_ORDER * entries + NUMBERS_A_LIST * lists
        + shown * (NUMBERS_A_PLACE * (each - FIXED_WORDS) + 1),
        "deposits": need.deposits,
        "payments": need.paid,
        "forced requests": need.forced,
        "changed words": need.words + MONEY_WORDS,
    }


def _left_over(venue: Venue, need: Need, places: Mapping[str, int]) -> int:
    """Rows of the frames that find no plate."""
    each = programs(venue)
    return sum(
        max(0, count - places.get(name, 0)) * len(each[name].instructions) for name, count in need.frames.items()
    )


def _list_hashes(elements: int) -> int:
    """Permutations that hash a list."""
    return elements // 2 + 1


@lru_cache(maxsize=4)
def _needs(venue: Venue) -> dict[type, Need]:
    """Of each kind that has a circuit."""
    found = {}
    for kind, runs in RUNS.items():
        accounts = ALONE.get(kind, ACCOUNTS_MAX)
        need = Need(
            accounts=accounts, nodes=accounts * TREE_DEPTH, orders=0 if kind in ALONE else ORDERS_MAX,
            words=_words(venue, kind), deposits=int(kind in DEPOSITS), paid=int(kind in PAID),
            forced=int(kind in FORCED),
        )  # fmt: skip
        for name in runs:
            need = need.plus(_cost(venue, name))
        found[kind] = need
    return found


def _words(venue: Venue, kind: type) -> int:
    """Words that a transaction changes at most: of its accounts, of markets, of funds, and its orders."""
    markets, scaled = len(venue.config.markets), venue.market_words - int(Field.SCALE)
    if kind is tx.OracleTick:
        return markets * (scaled + 2) + len(Tick)
    if kind in (tx.FundingTick, tx.StatusChange, tx.Restart):
        return markets * 2
    if kind in ALONE:
        return FIXED_WORDS
    return 2 * _trader_words(venue) + scaled + 2 + len(Money) + ORDERS_MAX


@lru_cache(maxsize=4)
def _holder(venue: Venue) -> Need:
    """One account that may have to give up lots; a child shows its parent's choices, too."""
    need = Need(accounts=2, nodes=2 * TREE_DEPTH, words=venue.positions_max + SETTLED_WORDS)
    for name in HOLDER:
        need = need.plus(_cost(venue, name))
    return need


@lru_cache(maxsize=256)
def _cost(venue: Venue, name: str) -> Need:
    """The most that a frame of a program takes whose name begins so."""
    costs = [_frame(program) for each, program in programs(venue).items() if each.startswith(name)]
    return Need(*(max(values) for values in zip(*(each[:-1] for each in costs), strict=True)))


def _frame(program: Program) -> Need:
    """What a frame of a program takes: each access of memory asks for its age as a number."""
    flags = [one.flags for one in program.instructions]
    return Need(
        rows=len(flags),
        numbers=sum(bool(each & (Flag.NUMBER | Flag.MEMORY)) for each in flags),
        hashes=sum(bool(each & Flag.HASH) for each in flags),
        signatures=sum(bool(each & Flag.SIGNED) for each in flags),
    )
