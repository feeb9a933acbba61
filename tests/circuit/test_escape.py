"""The escape beside the ledger: every account is paid what it is worth, once, and nobody is left out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from bulkhead.bridge.statements import CALLDATA_BYTES
from bulkhead.circuit.escape import escape_programs
from bulkhead.circuit.escape_batch import ESCAPE_SHAPES, NOBODY_LEFT, SINGLE, EscapeShape, Gone, escape_of
from bulkhead.circuit.escape_payouts import AMOUNT_MAX, Payout
from bulkhead.circuit.escape_trace import Last, Settling, Stage, escape_tables, escape_traces
from bulkhead.circuit.frame import Frame, Hint, Mismatch, Value
from bulkhead.circuit.record import RecordRun, Records, Word
from bulkhead.circuit.venue import venue_of
from bulkhead.circuit.words import CHOICES, record_words
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.ledger.commitment import commitment_felts, leaf_of
from bulkhead.ledger.state import State, put_market
from bulkhead.ledger.tree import AccountTree
from bulkhead.units import FundingIndex, Price, Quote
from stark.air.check import broken_rules
from stark.air.system import System
from stark.emit import emit
from stark.key import Key
from stark.parameters import ONCHAIN
from tests.circuit.escape import CHILD, CRASH, MAKER, TAKER, TINY, begun, moved, paid_by, problems, worth
from tests.parse import ACCOUNTS
from tests.stark.mutation import unnoticed


@pytest.mark.parametrize(
    "state",
    [begun().state, moved({}), CRASH, moved({2: 10}, -99999), moved({1: 1, 2: 1, 3: 1}, 1 << 31)],
    ids=["as it is", "rounded", "crash", "ether falls", "everything falls"],
)
def test_every_account_is_paid_what_it_is_worth(state: State) -> None:
    [tables] = escape_traces(state, TINY)
    assert problems(tables, state) == []
    said = dict(zip(SINGLE, tables.public, strict=False))
    assert (said["accounts_before"], said["accounts_after"]) == (said["accounts_start"], NOBODY_LEFT)
    paid = paid_by(tables)
    accounts = sorted(state.accounts.items())
    expected = [Payout(account, held.l1_owner, worth(state, account)) for account, held in accounts]
    assert paid == expected


def test_somebody_owes_in_the_crash() -> None:
    """Or the tests above would not see that who owes is paid nothing."""
    account, _ = settled(CRASH, CRASH.accounts[CHILD])
    assert int(health_of(CRASH, account).value) < 0 == worth(CRASH, CHILD)


def test_statements_follow_each_other_until_nobody_is_left() -> None:
    shape = TINY._replace(log_payouts=1)
    statements = list(escape_traces(CRASH, shape))
    assert [problem for each in statements for problem in problems(each, CRASH, shape)] == []
    said = [dict(zip(SINGLE, each.public, strict=False)) for each in statements]
    assert [each["accounts_before"] for each in said] == [said[0]["accounts_start"]] + [
        each["accounts_after"] for each in said[:-1]
    ]
    assert said[-1]["accounts_after"] == NOBODY_LEFT != said[-2]["accounts_after"]
    paid = [each for one in statements for each in paid_by(one, shape)]
    assert [each.amount for each in paid] == [worth(CRASH, account) for account in sorted(CRASH.accounts)]


def test_somebody_else_goes_on_where_statements_stopped() -> None:
    shape = TINY._replace(log_payouts=1)
    first, *rest = escape_traces(CRASH, shape)
    gone = [each.account for each in paid_by(first, shape)]
    assert [each.public for each in escape_traces(CRASH, shape, gone)] == [each.public for each in rest]
    assert list(escape_traces(CRASH, shape, list(CRASH.accounts))) == []


def test_a_statement_settles_fewer_accounts_where_their_rows_are_too_many() -> None:
    """And says so where even one is too much."""
    low = TINY._replace(log_rules=8)
    statements = list(escape_traces(CRASH, low))
    counts = [len(paid_by(one, low)) for one in statements]
    assert len(counts) > 1 and sum(counts) == len(CRASH.accounts)
    with pytest.raises(ValueError, match="alone does not fit the escape's shape"):
        list(escape_traces(CRASH, TINY._replace(log_rules=6)))


def test_an_account_of_many_positions_and_the_widest_words() -> None:
    """No width of the ledger's keeps an account from being settled: sizes, indices and prices at their bounds.

    It is paid nothing, some, or the most that a payout may be.
    """
    state, amounts = moved({}, 1 << 80), set()
    maker = state.accounts[MAKER]
    for index, way in ((2**95 - 1, -1), (-(2**95) + 1, 1)):  # funding is owed by him, or to him
        for market in list(state.markets.values()):
            put_market(state, market._replace(price=Price(2**64 - 1), funding_index=FundingIndex(index)))
        widest = [
            each._replace(
                size=type(each.size)(sign * (2**63 - 1)), funding_index=FundingIndex(way * sign * (2**95 - 1))
            )
            for each, sign in zip(maker.positions, (1, -1, 1), strict=True)
        ]
        for balance in (2**63 - 1, -(2**63) + 1):
            state.accounts[MAKER] = maker._replace(positions=tuple(widest), balance=Quote(balance))
            [tables] = escape_traces(state, TINY)
            paid = paid_by(tables)[sorted(state.accounts).index(MAKER)]
            assert paid.amount == worth(state, MAKER)
            amounts.add(paid.amount)
        assert problems(tables, state) == []
    assert {0, AMOUNT_MAX} <= amounts


# --- what a prover may not do -------------------------------------------------------------------------------------


def stage(state: State) -> Stage:
    """The first statement's."""
    tree = AccountTree({account_id: leaf_of(account) for account_id, account in state.accounts.items()})
    return Stage(tree, Last(state, commitment_felts(state, tree.root)), TINY)


def test_an_account_left_out_leaves_the_tree_not_empty() -> None:
    settling = Settling(CRASH, venue_of(CRASH.config))
    accounts = [account for account in sorted(CRASH.accounts) if account != TAKER]
    tables = escape_tables(settling, settling.settle(accounts), accounts, stage(CRASH))
    assert problems(tables, CRASH) == []
    assert tables.public[SINGLE.index("accounts_after")] != NOBODY_LEFT
    lie = list(tables.public)
    lie[SINGLE.index("accounts_after")] = NOBODY_LEFT
    assert any(each.startswith("tree ") for each in problems(tables._replace(public=lie), CRASH))


def test_an_account_is_settled_once() -> None:
    settling = Settling(CRASH, venue_of(CRASH.config))
    settling.settle([MAKER])
    with pytest.raises(Mismatch, match="a head of the account"):
        settling.settle([MAKER])


def test_an_account_that_is_not_there_is_not_paid() -> None:
    settling = Settling(CRASH, venue_of(CRASH.config))
    for account in (CHILD + 1, 0, 1 << 31):
        with pytest.raises(Mismatch, match="a head of the account"):
            settling.run("escape, 0 positions", account)
    for account in (MAKER + (1 << 32), -64):
        with pytest.raises(Mismatch, match="an account's number"):
            settling.run("escape, 0 positions", account)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_no_position_is_left_out_or_added(count: int) -> None:
    settling = Settling(CRASH, venue_of(CRASH.config))
    with pytest.raises(Mismatch, match="a head of the account"):
        settling.run(f"escape, {count} positions", MAKER)


def test_no_account_is_changed_and_left() -> None:
    """Else nobody else could go on: a statement says which accounts are gone, and not what became of others."""
    kept = record_words(CRASH, TAKER)
    words = {number: Word(value, value) for number, value in kept.items()}
    words[CHOICES + 1] = Word(kept[CHOICES + 1], 0, 1 << 15)
    run = RecordRun(TAKER, True, words)
    for chip, expected in ((Records(), set()), (Gone(), {"an account is gone"})):
        table = System("one", [chip]).tables[0]
        trace, _ = chip.fill([run], TINY.log_records)
        assert {each.rule for each in broken_rules(table, [], trace)} == expected


def test_a_choice_that_is_not_forgotten_keeps_the_account() -> None:
    settling = Settling(CRASH, venue_of(CRASH.config))
    settling.run("escape, 2 positions", TAKER)
    with pytest.raises(Mismatch, match=f"record {TAKER}, word {(3 << 16) + 1}"):
        escape_tables(settling, settling.payouts(1), [TAKER], stage(CRASH))


def test_only_choices_are_forgotten() -> None:
    settling = Settling(CRASH, venue_of(CRASH.config))
    for market in (1 << 16, -1, -(1 << 16) - 5):
        with pytest.raises(Mismatch, match="a market's id"):
            settling.run("forget choice", (TAKER, market))
    with pytest.raises(Mismatch, match="an account's number"):
        settling.run("forget choice", (TAKER + (1 << 32), 1))


def stated(change: dict[str, int]) -> list[str]:
    """What is found wrong with a true settling whose statement says something else."""
    [tables] = escape_traces(CRASH, TINY)
    said = [change.get(name, value) for name, value in zip(SINGLE, tables.public, strict=False)]
    said += tables.public[len(SINGLE) :]
    assert said != tables.public
    return problems(tables._replace(public=said), CRASH)


@pytest.mark.parametrize(
    ("change", "bus"),
    [
        ({"state": 1}, "poseidon "),
        ({"accounts_start": 1}, "poseidon "),
        ({"orders": 1}, "poseidon "),
        ({"markets": 1}, "poseidon "),
        ({"markets": 1}, "record "),
        ({"money": 1}, "poseidon "),
        ({"oracle": 1}, "poseidon "),
        ({"counters": 1}, "poseidon "),
        ({"accounts_before": NOBODY_LEFT}, "tree "),
        ({"accounts_after": 1}, "tree "),
    ],
)
def test_a_false_statement_finds_no_partner(change: dict[str, int], bus: str) -> None:
    assert any(each.startswith(bus) for each in stated(change))


def test_false_prices_and_false_words_are_not_those_of_the_state() -> None:
    """Whole tables of another state, under the S of this one: what they hash is something else."""
    other = moved({1: 41, 2: 200}, 12345)
    [tables] = escape_traces(other, TINY)
    [true] = escape_traces(CRASH, TINY)
    places = [SINGLE.index(name) for name in ("state", "markets")]
    said = [true.public[at] if at in places else value for at, value in enumerate(tables.public)]
    found = problems(tables._replace(public=said), CRASH)
    assert any(each.startswith("record ") for each in found)
    richer = replace(CRASH, accounts=dict(CRASH.accounts))
    richer.accounts[MAKER] = CRASH.accounts[MAKER]._replace(balance=Quote(10**12))
    [tables] = escape_traces(richer, TINY)
    head = [*true.public[: len(SINGLE)], *tables.public[len(SINGLE) :]]
    found = problems(tables._replace(public=head), CRASH)
    assert any(each.startswith("tree ") for each in found)


class Lying(Frame):
    """A frame in which one of the given values is another."""

    row, lie = -1, 0

    def given(self, hint: Hint, rule: str = "", *, is_number: bool = False) -> Value:
        bent = (lambda: hint() + self.lie) if len(self.values) == self.row else hint
        return super().given(bent, rule, is_number=is_number)


@pytest.mark.parametrize(("name", "case"), [
    ("escape, 0 positions", ACCOUNTS["other"]), ("escape, 1 positions", CHILD), ("escape, 2 positions", TAKER),
    ("escape, 3 positions", MAKER),
])  # fmt: skip
def test_nothing_that_a_prover_gives_can_be_otherwise(name: str, case: Any) -> None:
    """Each given value is pinned by a rule: only which account is settled is the prover's choice."""
    venue = venue_of(CRASH.config)
    program = escape_programs(venue)[name]
    honest = Settling(CRASH, venue)
    honest.run(name, case)
    truth, free = honest.payouts(1), set()
    for place, instruction in enumerate(program.instructions):
        for lie in (1, -1, 1 << 32, 1 << 64, -(1 << 64), 1 << 128):
            settling = Settling(CRASH, venue)
            frame = Lying(name, 1, settling.memory, program.start)
            frame.row, frame.lie = place, lie
            try:
                settling.writers[name](frame, venue, case)
            except Mismatch:
                continue
            if settling.payouts(1) != truth or settling.memory.words != honest.memory.words:
                free.add((place, instruction.rule))
    assert free == set()


def test_lies_are_refused_by_name() -> None:
    """Of a child that owes money: what each lie of one given value is refused for."""
    venue = venue_of(CRASH.config)
    program, names = escape_programs(venue)["escape, 1 positions"], set()
    for place in range(len(program.instructions)):
        for lie in (1, -1, 1 << 64):
            frame = Lying(program.name, 1, Settling(CRASH, venue).memory, program.start)
            frame.row, frame.lie = place, lie
            try:
                Settling(CRASH, venue).writers[program.name](frame, venue, CHILD)
            except Mismatch as problem:
                names.add(str(problem).split(": ")[1])
    assert names >= {
        "who owes is paid nothing, and nobody above the most", "value is rounded down", "funding is rounded up",
        "a position is cut", "what was topped up", "a head of the account", "an owner's address", "an amount",
    }  # fmt: skip


def test_every_cell_matters() -> None:
    """What no rule of a row notices, a bus does: on a sample of rows. Those of records have a test of their own."""
    state = replace(CRASH, accounts={MAKER: CRASH.accounts[MAKER], TAKER: CRASH.accounts[TAKER]})
    small = TINY._replace(log_rules=9, log_tree=7, log_numbers=9, log_payouts=1)
    [tables] = escape_traces(state, small)
    system = escape_of(state.config, small)
    sample = dict.fromkeys((table.chip.name for table in system.tables), 0) | {"rules": 16}
    assert unnoticed(system, tables.public, tables.traces, sample) == []


@pytest.mark.parametrize("shape", ESCAPE_SHAPES.values(), ids=ESCAPE_SHAPES)
def test_a_shape_holds_what_it_says(shape: EscapeShape) -> None:
    venue = venue_of(CRASH.config)
    assert sum(len(each.instructions) for each in escape_programs(venue).values()) < 1 << shape.log_programs
    assert shape.log_payouts <= shape.log_programs
    system = escape_of(CRASH.config, shape)
    assert system.columns() < 116
    # A page goes with the claim of its proof, in a transaction of which every node passes on 125 kB.
    text = emit(Key(system, shape.log_heights, ONCHAIN, bytes(32))).shape
    found = re.search(r"^CLAIM: .* = (\d+)$", text, re.MULTILINE)
    assert found is not None
    call = 4 + 3 * 32  # the selector, which page, where its bytes begin, and how many they are
    assert call + 32 * int(found[1]) + shape.page_bytes <= CALLDATA_BYTES
