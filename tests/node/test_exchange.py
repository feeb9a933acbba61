"""bulkhead.node.exchange: journal, then handle, then answer; what is refused, and what a restart does."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bulkhead import signing
from bulkhead.codec import CodecError
from bulkhead.engine.command import Clock, Command, PlaceOrder, PlaceProtection, Prices, RestartNode, Submit
from bulkhead.engine.event import Accepted, PricesAccepted, Rejected, StateChanged
from bulkhead.engine.order import Direction, Execution, Leg, PriceSource, Trigger
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, VenueConfig
from bulkhead.ledger.state import Choice, Kind, MarginRule, Mode
from bulkhead.ledger.tx import AssetLeg, Configure, Deposit, Move, OracleReport, Order, Register, Transfer, Withdrawal
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.node.exchange import SNAPSHOTS_KEPT, Exchange
from bulkhead.node.journal import Journal, JournalCorrupt, JournalError, JournalLocked
from bulkhead.node.records import COMMANDS
from bulkhead.node.replay import ExchangeError, Machine, open_journal, read_genesis, replay
from bulkhead.reject import Reject
from bulkhead.rules.terms import ConfigError
from bulkhead.signing import Signature
from bulkhead.units import AccountId, BookPrice, Felt, MarketId, Price, Quote, Size, TimeMs, TimeS
from tests.node.exchange_world import START_MS, UNSIGNED, USD, Scribe, small_config

LATER_MS = TimeMs(START_MS + 10_000_000)
SOON_S = TimeS(START_MS // 1_000 + 1_000)


def opened(folder: Path, time_ms: TimeMs = START_MS) -> Exchange:
    return Exchange.open(folder, small_config(), time_ms, verify=False)


def fill(exchange: Exchange, count: int, seed: int = 1) -> None:
    for command in islice(Scribe(seed).commands(), count):
        exchange.submit(command)
    exchange.commit()


def journalled(folder: Path) -> list[Command]:
    journal = open_journal(folder, read_genesis(folder))
    with journal:
        return [COMMANDS.decode(payload) for _, payload in journal.read()]


# -- order of events -----------------------------------------------------------------------------------------------


def test_a_group_is_durable_before_it_is_handled_and_handled_before_it_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    handle, commit = Machine.handle, Journal.commit

    def handled(machine: Machine, command: Command) -> Any:
        done.append(type(command).__name__)
        return handle(machine, command)

    def committed(journal: Journal) -> int:
        done.append("durable")
        return commit(journal)

    exchange = opened(tmp_path)
    monkeypatch.setattr(Machine, "handle", handled)
    monkeypatch.setattr(Journal, "commit", committed)
    assert [exchange.submit(command) for command in islice(Scribe(1).commands(), 3)] == [1, 2, 3]
    assert done == [] and exchange.sequence == 0
    answers = exchange.commit()
    assert done == ["durable", "Submit", "Submit", "Submit"]
    assert [answer.sequence for answer in answers] == [1, 2, 3]
    assert [type(event) for answer in answers for event in answer.events] == [StateChanged] * 3
    assert exchange.commit() == []
    exchange.close()


def test_nothing_is_handled_that_the_disk_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = opened(tmp_path)
    before = exchange.digest()
    fill_one = next(Scribe(1).commands())
    exchange.submit(fill_one)

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", full)
        with pytest.raises(JournalError, match="No space left"):
            exchange.commit()
    assert exchange.digest() == before
    for use in (lambda: exchange.submit(fill_one), exchange.commit, exchange.snapshot):
        with pytest.raises(ExchangeError, match="open the exchange again"):
            use()
    exchange.close()
    with opened(tmp_path) as again:
        assert again.sequence in (1, 2)  # the record may or may not have reached the disk; nobody was told


def test_a_command_that_breaks_the_program_stops_the_exchange_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = opened(tmp_path)
    fill(exchange, 5)
    handle = Machine.handle

    def broken(machine: Machine, command: Command) -> Any:
        if command.time_ms == LATER_MS:
            raise ZeroDivisionError("a fault of ours")
        return handle(machine, command)

    with monkeypatch.context() as patch:
        patch.setattr(Machine, "handle", broken)
        exchange.submit(Clock(LATER_MS))
        with pytest.raises(ZeroDivisionError):
            exchange.commit()
        with pytest.raises(ExchangeError, match="open the exchange again"):
            exchange.commit()
        exchange.close()
        with pytest.raises(ExchangeError, match="cannot handle record 6.*ZeroDivisionError: a fault of ours"):
            opened(tmp_path)
    with opened(tmp_path) as again:
        assert again.sequence == 7  # mended: record 6 is handled, and the restart is record 7


def test_leaving_on_an_error_keeps_nothing_unanswered(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the caller's"), opened(tmp_path) as exchange:
        fill(exchange, 4)
        exchange.submit(Clock(LATER_MS))
        raise RuntimeError("the caller's")
    assert len(journalled(tmp_path)) == 4
    with pytest.raises(ExchangeError, match="closed"):
        exchange.submit(Clock(LATER_MS))


# -- opening -------------------------------------------------------------------------------------------------------


def test_a_restart_is_the_first_record_after_a_stop_and_its_clock_never_goes_back(tmp_path: Path) -> None:
    with opened(tmp_path) as exchange:
        assert exchange.sequence == 0
        fill(exchange, 40)
        last = exchange.machine.venue.sequencer.time_ms
        before = exchange.digest()
    with opened(tmp_path, LATER_MS) as exchange:
        assert exchange.state.counters.fresh_after_ms == LATER_MS
        assert exchange.digest() != before
    with opened(tmp_path, START_MS) as exchange:  # a clock that lags behind the journal
        assert exchange.state.counters.fresh_after_ms == LATER_MS > last
    commands = journalled(tmp_path)
    assert commands[40:] == [RestartNode(LATER_MS), RestartNode(LATER_MS)]


def test_an_exchange_of_another_configuration_is_refused_by_the_names_of_what_differs(tmp_path: Path) -> None:
    opened(tmp_path).close()
    other = small_config()._replace(filled_orders_max=7, top_up=False)
    with pytest.raises(ExchangeError, match="different filled_orders_max, top_up"):
        Exchange.open(tmp_path, other, START_MS)
    opened(tmp_path).close()


def test_an_illegal_configuration_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    config = small_config()
    with pytest.raises(ConfigError):
        Exchange.open(tmp_path / "new", config._replace(grid=config.grid._replace(shocks=())), START_MS)
    assert not (tmp_path / "new").exists()


def test_the_journal_is_bound_to_its_genesis(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    Exchange.open(one, small_config(), START_MS).close()
    Exchange.open(two, small_config(), LATER_MS).close()
    (one / "genesis.bin").write_bytes((two / "genesis.bin").read_bytes())
    with pytest.raises(JournalError, match="another exchange"):
        opened(one)
    (one / "genesis.bin").write_bytes(b"\x00" + (two / "genesis.bin").read_bytes())
    with pytest.raises(JournalCorrupt, match="genesis.bin, offset 0"):
        opened(one)
    (one / "genesis.bin").unlink()
    with pytest.raises(ExchangeError, match="holds a journal, but no genesis.bin"):
        opened(one)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    exchange = opened(tmp_path)
    with pytest.raises(JournalLocked):
        opened(tmp_path)
    with pytest.raises(JournalLocked):
        replay(tmp_path)
    exchange.close()


def test_a_snapshot_shortens_the_start_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    with opened(tmp_path) as exchange:
        paths = []
        for seed in range(1, 6):
            fill(exchange, 30, seed)
            paths.append(exchange.snapshot())
        digest, sequence = exchange.digest(), exchange.sequence
        assert sorted(tmp_path.glob("snapshot-*.bin")) == paths[-SNAPSHOTS_KEPT:]
    full, short = replay(tmp_path), replay(tmp_path, use_snapshot=True)
    assert (full.begun_after, short.begun_after, short.sequence) == (0, sequence, sequence)
    assert full.machine.digest() == short.machine.digest() == digest
    data = bytearray(paths[-1].read_bytes())
    data[-10] ^= 1
    paths[-1].write_bytes(data)
    with opened(tmp_path) as exchange:
        assert exchange.begun_after == 120
        assert [refused.path for refused in exchange.refused] == [paths[-1]]
        assert "digest" in exchange.refused[0].reason
    found = replay(tmp_path, until=sequence)
    assert found.sequence == sequence and found.machine.digest() == digest
    with pytest.raises(ExchangeError, match="after record 120, later than 100"):
        replay(tmp_path, use_snapshot=True, until=100)


# -- what never reaches the journal --------------------------------------------------------------------------------


def test_malformed_commands_never_reach_the_journal(tmp_path: Path) -> None:
    command = next(each for each in Scribe(3).commands() if isinstance(each, PlaceOrder))
    malformed: list[Any] = [
        replace(command, order=command.order._replace(salt="7")),
        replace(command, order=command.order._replace(base_amount=1.5)),
        replace(command, order=command.order._replace(fee_amount=True)),
        replace(command, terms=command.terms._replace(external_id="\ud800")),
        replace(command, terms=command.terms._replace(kind=1)),
        replace(command, terms=command.terms._replace(external_id="x" * (1 << 20))),
        replace(command, time_ms=None),
        Submit(START_MS, Clock(START_MS)),  # type: ignore[arg-type]
        "a command",
        None,
    ]
    with opened(tmp_path) as exchange:
        before = exchange.digest()
        for each in malformed:
            with pytest.raises(CodecError):
                exchange.submit(each)
        assert exchange.commit() == [] and exchange.sequence == 0
        assert exchange.digest() == before


class Trader:
    """Signs for real."""

    private_key, other_key = 77, 78
    oracle_keys = (101, 102, 103)
    account_id = AccountId(128)

    def __init__(self) -> None:
        oracle = tuple(Felt(signing.public_key(key)) for key in self.oracle_keys)
        self.config: VenueConfig = small_config()._replace(
            oracle_keys=oracle, backstop_key=Felt(signing.public_key(99))
        )
        self.authority = Authority(self.config)
        self.key = Felt(signing.public_key(self.private_key))

    def register(self, account_id: int, private_key: int, kind: Kind = Kind.MAIN) -> Submit:
        key = Felt(signing.public_key(private_key))
        own, none = AccountId(account_id), AccountId(0)
        bare = Register(START_MS, own, kind, MarginRule.LINEAR, key, 9, none, USD, UNSIGNED)
        signed = signing.sign(private_key, self.authority.register_hash(bare))
        return Submit(START_MS, replace(bare, signature=signed))

    def order(self, size: int, salt: int, private_key: int = private_key) -> Order:
        expiry = TimeS(START_MS // 1_000 + EXPIRY_GRACE_S + 600)
        quote = Quote(-size * 30_000)
        bare = Order(self.account_id, MarketId(1), Size(size), quote, Quote(10**6), expiry, salt, self.key, UNSIGNED)
        return bare._replace(signature=signing.sign(private_key, self.authority.order_hash(bare)))

    def prices(self) -> Prices:
        prices = tuple((market_id, Price(30_000 << 32)) for market_id in (1, 2, 3))
        reports = []
        for signer, key in enumerate(self.oracle_keys):
            bare = OracleReport(signer, 1, TimeMs(START_MS + 1), prices, UNSIGNED)
            message = self.authority.report_hash(bare, self.config.oracle_keys[signer])
            reports.append(bare._replace(signature=signing.sign(key, message)))
        return Prices(TimeMs(START_MS + 1), tuple(reports))

    def messages(self) -> list[Submit]:
        """One of every kind that an account signs, in an order in which all succeed."""
        authority, own = self.authority, self.account_id
        choice = Choice(MarketId(2), Mode.ISOLATED, 10, Quote(0))
        legs = (AssetLeg(own, AccountId(own + 1), USD, 5),)
        configure = Configure(START_MS, own, choice, SOON_S, 1, UNSIGNED)
        move = Move(START_MS, own, legs, (), (), SOON_S, 2, UNSIGNED)
        withdrawal = Withdrawal(START_MS, own, USD, 6, 1234, SOON_S, 3, UNSIGNED)
        transfer = Transfer(START_MS, own, BACKSTOP_ACCOUNT, USD, 7, SOON_S, 4, UNSIGNED)
        hashes = {
            configure: authority.configure_hash(configure, self.key),
            move: authority.move_hash(move, self.key),
            withdrawal: authority.withdrawal_hash(withdrawal, self.key),
            transfer: authority.transfer_hash(transfer, self.key),
        }
        return [
            Submit(START_MS, replace(bare, signature=signing.sign(self.private_key, message)))
            for bare, message in hashes.items()
        ]


def test_the_door_verifies_every_signature_and_a_refused_command_leaves_no_trace(tmp_path: Path) -> None:
    trader = Trader()
    forged = Signature(1, 1)

    def refuses(exchange: Exchange, command: Command, reason: Reject) -> None:
        before = exchange.digest()
        assert exchange.submit(command) is reason
        assert exchange.commit() == [] and exchange.digest() == before

    def accepts(exchange: Exchange, command: Command, kind: type) -> None:
        assert isinstance(exchange.submit(command), int)
        (answer,) = exchange.commit()
        assert isinstance(answer.events[0], kind), answer.events

    with Exchange.open(tmp_path, trader.config, START_MS) as exchange:
        for registration in (trader.register(64, 99, Kind.BACKSTOP), trader.register(128, 77)):
            bare = registration.transaction
            assert isinstance(bare, Register)
            refuses(exchange, Submit(START_MS, replace(bare, signature=forged)), Reject.WRONG_SIGNATURE)
            refuses(exchange, Submit(START_MS, replace(bare, l1_owner=10)), Reject.WRONG_SIGNATURE)
            accepts(exchange, registration, StateChanged)
        accepts(exchange, Submit(START_MS, Deposit(START_MS, 1, AccountId(128), USD, 10**9)), StateChanged)
        for message in trader.messages():
            bare_message: Any = message.transaction
            refuses(exchange, Submit(START_MS, replace(bare_message, signature=forged)), Reject.WRONG_SIGNATURE)
            accepts(exchange, message, StateChanged)
            moved = "source" if isinstance(bare_message, Transfer) else "account_id"
            stranger = replace(bare_message, **{moved: AccountId(6400)})
            refuses(exchange, Submit(START_MS, stranger), Reject.UNKNOWN_ACCOUNT)
        tick = trader.prices()
        refuses(
            exchange,
            replace(tick, reports=(tick.reports[0], *tick.reports[2:], tick.reports[1]._replace(signer=0))),
            Reject.WRONG_SIGNATURE,
        )
        refuses(exchange, replace(tick, reports=(tick.reports[0]._replace(signer=3),)), Reject.WRONG_KEY)
        accepts(exchange, tick, PricesAccepted)
        now = tick.time_ms
        trigger = Trigger(PriceSource.MARK, Direction.UP, BookPrice(40_000), Execution.MARKET)
        good, bad = trader.order(10, 11), trader.order(10, 12, Trader.other_key)
        leg, wrong_leg = Leg(trader.order(-10, 13), trigger), Leg(trader.order(-10, 14, Trader.other_key), trigger)
        refuses(exchange, PlaceOrder(now, bad), Reject.WRONG_SIGNATURE)
        refuses(exchange, PlaceOrder(now, good, take_profit=wrong_leg), Reject.WRONG_SIGNATURE)
        refuses(exchange, PlaceOrder(now, good, take_profit=leg, stop_loss=wrong_leg), Reject.WRONG_SIGNATURE)
        refuses(exchange, PlaceOrder(now, good._replace(market_id=MarketId(9))), Reject.UNKNOWN_MARKET)
        refuses(exchange, PlaceOrder(now, good._replace(salt=1 << 70)), Reject.OUT_OF_RANGE)
        protection = (now, AccountId(128), MarketId(1), "", Size(0))
        refuses(exchange, PlaceProtection(*protection, None, wrong_leg), Reject.WRONG_SIGNATURE)
        accepts(exchange, PlaceOrder(now, good, take_profit=leg), Accepted)
        accepts(exchange, PlaceProtection(*protection, leg, None), Rejected)  # well signed; the engine knows better
        digest = exchange.digest()
    assert replay(tmp_path).machine.digest() == digest  # without verifying anything


def test_an_account_may_sign_in_the_group_that_registers_it(tmp_path: Path) -> None:
    trader = Trader()
    with Exchange.open(tmp_path, trader.config, START_MS) as exchange:
        assert exchange.submit(trader.messages()[0]) is Reject.UNKNOWN_ACCOUNT
        assert exchange.submit(trader.register(128, 77)) == 1
        assert exchange.submit(trader.messages()[0]) == 2
        answers = exchange.commit()
        assert [answer.sequence for answer in answers] == [1, 2]
        assert [type(answer.events[0]) for answer in answers] == [StateChanged, StateChanged]
