"""Playing transactions on words of memory: which programs a transaction runs, and the frames they leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bulkhead.circuit import play_force, play_ticks
from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.frame import Frame, Given, Mismatch
from bulkhead.circuit.instructions import Program
from bulkhead.circuit.judge import Other
from bulkhead.circuit.margin import MODE_SHIFT
from bulkhead.circuit.memory import WordMemory
from bulkhead.circuit.move import other_account
from bulkhead.circuit.order import Fill, Mode
from bulkhead.circuit.programs import account_name, move_name, programs, side_name, trade_name, writers
from bulkhead.circuit.replay import Replay, Unwritten
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import NotProvable, Venue
from bulkhead.circuit.words import (
    CHOICES,
    COUNTERS_RECORD,
    HEAD,
    MARKETS_RECORD,
    Counter,
    Field,
    key_of,
)
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger import tx
from bulkhead.ledger.state import Kind, State
from bulkhead.ledger.state import Mode as Settling
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.signing import Signature

OFTEN = 8  # frames of a program in one batch: from here on its function is compiled, for it saves more than that takes


class Play:
    """Memory as the frames leave it, and the frames."""

    in_turn = True  # as the programs were assembled

    def __init__(self, before: State, venue: Venue):
        self.venue = venue
        self.memory = WordMemory(before)
        self.frames: list[Given] = []
        self.programs = programs(venue)
        self.writers = writers(venue)
        self._runs: dict[str, int] = {}
        self._replays: dict[str, Replay | None] = {}  # None: it has to be written every time

    def run(self, name: str, case: Any) -> None:
        """One more frame. Mismatch where a rule of the program does not hold."""
        program = self.programs[name]
        self._runs[name] = 1 + self._runs.get(name, 0)
        if self._runs[name] == OFTEN:
            self._replays[name] = self._replay(program)
        replay = self._replays.get(name)
        if replay is not None:
            self.frames.append(replay.play(self.memory, len(self.frames) + 1, case))
            return
        frame = Frame(name, len(self.frames) + 1, self.memory, program.start, in_turn=self.in_turn)
        self.writers[name](frame, self.venue, case)
        self.frames.append(frame.played(program))

    def _replay(self, program: Program) -> Replay | None:
        write = self.writers[program.name]
        try:
            return Replay(program, lambda frame, case: write(frame, self.venue, case), in_turn=self.in_turn)
        except Unwritten:
            return None

    def take(self, number: int, transaction: tx.Transaction) -> None:
        """The frames of a transaction, the `number`-th of its batch."""
        take = TAKERS.get(type(transaction))
        if take is None:
            raise NotProvable(f"transaction {number} of the batch: {type(transaction).__name__} has no circuit yet")
        try:
            take(self, transaction)
        except Mismatch as problem:
            kind = type(transaction).__name__
            raise Mismatch(f"transaction {number} of the batch, a {kind}: {problem}") from problem

    def paid(self) -> list[tuple[int, int]]:
        """What L1 is to pay, in order: recipient and amount."""
        told = self.memory.told
        numbers = [about for tag, about, _ in told if tag == Tag.PAID_RECIPIENT]
        return [(told[Tag.PAID_RECIPIENT, about, 0], told[Tag.PAID_AMOUNT, about, 0]) for about in numbers]

    # --- what programs are chosen by ----------------------------------------------------------------------------------

    def market(self, market: int, field: Field) -> int:
        """A word of a market."""
        return self.memory.look(key_of(MARKETS_RECORD, market * self.venue.market_words + field))

    def has_choices(self, account: int) -> bool:
        """Whether the account has choices, or is a child, whose parent's choice counts."""
        return bool(self.memory.choices(account)) or account % CHILDREN_PER_ACCOUNT != 0

    def freshness(self, account: int, now_ms: int) -> Freshness:
        """How fresh the prices of all that an account holds are."""
        found = Freshness.SINCE_RESTART
        restart = self.memory.look(key_of(COUNTERS_RECORD, Counter.FRESH_AFTER_MS))
        for market in self.memory.positions(account):
            terms = self.venue.config.market(market)
            assert terms is not None  # accounts hold positions in configured markets
            price_ms = self.market(market, Field.PRICE_MS)
            if now_ms - price_ms > terms.price_age_max_ms:
                return Freshness.ANY
            if price_ms <= restart:
                found = Freshness.FRESH
        return min(found, Freshness.FRESH)

    def account(self, account: int, now_ms: int, freshness: Freshness | None = None) -> None:
        """The frame of an account."""
        shown = self.freshness(account, now_ms) if freshness is None else freshness
        name = account_name(len(self.memory.positions(account)), self.has_choices(account), shown)
        self.run(name, (account, now_ms))

    def side(self, fill: Fill) -> None:
        """The frames of one side of a fill, its accounts' first."""
        account, market = int(fill.order.account_id), int(fill.order.market_id)
        mode = self.mode(account, market)
        self.account(account, fill.now_ms)
        if mode is Mode.CHILD:
            self.account(account + market, fill.now_ms)
        self.run(side_name(mode), fill)

    def mode(self, account: int, market: int) -> Mode:
        """How a fill of an account's order settles."""
        choice = self.memory.look(key_of(account, CHOICES) + market)
        if choice >> MODE_SHIFT & 0xFF == Settling.ISOLATED:
            return Mode.CHILD if self.memory.look(key_of(account + market, HEAD)) else Mode.NEW_CHILD
        if self.kind(account) == Kind.BACKSTOP:
            return Mode.BACKSTOP
        return Mode.CHOICES if self.has_choices(account) else Mode.CROSS

    def kind(self, account: int) -> int:
        """An account's kind, 0 where there is none."""
        return self.memory.look(key_of(account, HEAD)) >> 194 & 0xFF

    def scales(self, market: int, lots: int) -> bool:
        """Whether open interest may move initial fractions when it changes by so many lots."""
        terms = self.venue.config.market(market)
        assert terms is not None
        worth = (self.market(market, Field.OPEN_INTEREST) + lots) * self.market(market, Field.PRICE)
        return bool(self.market(market, Field.SCALE)) or worth > int(terms.open_interest_lower) << FRACTION_BITS


def _deposit(play: Play, transaction: tx.Deposit) -> None:
    play.run("deposit", transaction)


def _fund_deposit(play: Play, transaction: tx.FundDeposit) -> None:
    play.run("fund deposit", transaction)


def _refund(play: Play, transaction: tx.Refund) -> None:
    play.run("refund, child" if play.kind(int(transaction.account_id)) else "refund", transaction)


def _withdrawal(play: Play, transaction: tx.Withdrawal) -> None:
    play.account(int(transaction.account_id), int(transaction.time_ms))
    play.run("withdrawal", transaction)


def _transfer(play: Play, transaction: tx.Transfer) -> None:
    play.account(int(transaction.source), int(transaction.time_ms))
    play.run("transfer", transaction)


def _trade(play: Play, transaction: tx.Trade) -> None:
    """Both sides, each after the frames of its accounts, then the trade."""
    ends = []
    for order, fee in ((transaction.maker, transaction.maker_fee), (transaction.taker, transaction.taker_fee)):
        numbers = (int(transaction.time_ms), int(transaction.size), int(transaction.price), int(fee))
        play.side(Fill(order, *numbers))
        ends.append(len(play.frames))
    scales = play.scales(int(transaction.market_id), int(transaction.size))
    play.run(trade_name(1 + ends[1] - ends[0], scales), transaction)


def _move(play: Play, transaction: tx.Move) -> None:
    account, other = int(transaction.account_id), other_account(transaction)
    play.account(account, int(transaction.time_ms))
    kind = Other.SIGNS if other % CHILDREN_PER_ACCOUNT == 0 else Other.NEW_CHILD
    if kind is Other.NEW_CHILD and play.kind(other):
        kind = Other.CHILD
    if kind is not Other.NEW_CHILD:
        play.account(other, int(transaction.time_ms))
    play.run(move_name(kind, bool(transaction.positions or transaction.choices)), transaction)


TAKERS: dict[type, Callable[[Play, Any], None]] = {
    tx.Deposit: _deposit,
    tx.FundDeposit: _fund_deposit,
    tx.Refund: _refund,
    tx.Withdrawal: _withdrawal,
    tx.Transfer: _transfer,
    tx.Trade: _trade,
    tx.Move: _move,
    **play_force.TAKERS,
    **play_ticks.TAKERS,
}


def signatures_of(transaction: tx.Transaction) -> list[Signature]:
    """The signatures of a transaction, in the order in which its programs take them."""
    if isinstance(transaction, tx.Trade):
        return [transaction.maker.signature, transaction.taker.signature]
    if isinstance(transaction, tx.Liquidation):
        return [fill.order.signature for fill in transaction.fills]
    if isinstance(transaction, tx.OracleTick):
        return [report.signature for report in transaction.reports]
    signature = getattr(transaction, "signature", None)
    return [] if signature is None else [signature]
