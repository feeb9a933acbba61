"""What the escape lists is what its frames told: each payout once, bounded, and with one meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bulkhead.circuit.escape_batch import SINGLE
from bulkhead.circuit.escape_payouts import AMOUNT_MAX, Payout, Payouts, listed, payout_of
from bulkhead.circuit.escape_trace import escape_traces
from bulkhead.circuit.frame import Mismatch
from bulkhead.ledger.state import put_market
from bulkhead.units import Price, Quote
from stark.prime import PRIME
from tests.circuit.escape import CRASH, MAKER, TINY, moved, paid_by, problems, worth

MORE = Payout(1 << 31, 0xBAD, 1)


@pytest.mark.parametrize(
    "lie",
    [
        lambda paid: [paid[0]._replace(account=5), *paid[1:]],
        lambda paid: [paid[0]._replace(owner=0xBAD), *paid[1:]],
        lambda paid: [paid[0], paid[1]._replace(amount=10**12), *paid[2:]],
        lambda paid: [paid[0], paid[1]._replace(amount=paid[1].amount - 1), *paid[2:]],
        lambda paid: paid[1:],
        lambda paid: paid[:-1],
        lambda paid: [],
        lambda paid: [*paid, MORE],
        lambda paid: [paid[0], *paid],
    ],
    ids=["account", "owner", "more", "less", "without the first", "without the last", "nothing", "somebody", "twice"],
)
def test_a_payout_that_is_not_listed_as_it_is_finds_no_partner(lie: Callable[[list[Payout]], list[Payout]]) -> None:
    """Left out, added, or changed: what frames told and what a statement lists are the same payouts."""
    [tables] = escape_traces(CRASH, TINY)
    said = [*tables.public[: len(SINGLE)], *listed(lie(paid_by(tables)))]
    assert any(each.startswith("paid out ") for each in problems(tables._replace(public=said), CRASH))


def test_what_is_listed_was_told_by_a_frame() -> None:
    """A row that no frame told, one that is not there, one told twice, and an owner who is wider than an address."""
    [tables] = escape_traces(CRASH, TINY)
    paid = paid_by(tables)
    for rows in ([*paid, MORE], paid[:-1], [*paid, paid[0]], [paid[0]._replace(amount=0), *paid[1:]]):
        traces = [*tables.traces[:-1], Payouts().fill(rows, TINY.log_programs)]
        said = [*tables.public[: len(SINGLE)], *listed(rows)]
        found = problems(tables._replace(public=said, traces=traces), CRASH)
        assert found and all(each.startswith("message ") for each in found)
    wide = replace(CRASH, accounts=dict(CRASH.accounts))
    wide.accounts[MAKER] = CRASH.accounts[MAKER]._replace(l1_owner=1 << 160)
    with pytest.raises(Mismatch, match="an owner's address"):
        list(escape_traces(wide, TINY))


@pytest.mark.parametrize("payout", [Payout(64, 0, 0), Payout(64, (1 << 160) - 1, AMOUNT_MAX), Payout(1, 5, 0)])
def test_an_entry_has_one_meaning(payout: Payout) -> None:
    assert payout.packed < PRIME and payout_of(payout.account, payout.packed) == payout


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_payout_is_bounded_where_an_entry_ends(over: int) -> None:
    """On both sides of the most that is paid: whole quote, and the fraction of it that is rounded away."""
    state = moved({})
    held = (state.accounts[MAKER].positions[0]._replace(size=type(state.accounts[MAKER].positions[0].size)(2**63 - 1)),)
    state.accounts[MAKER] = state.accounts[MAKER]._replace(positions=held, balance=Quote(0))
    market = state.markets[held[0].market_id]
    put_market(state, market._replace(price=Price(2**60), funding_index=held[0].funding_index))
    most = (2**63 - 1) * 2**60 >> 32  # what the position is worth, less than 2^91
    for balance in (AMOUNT_MAX - most + over, AMOUNT_MAX - most + over + 1):
        state.accounts[MAKER] = state.accounts[MAKER]._replace(balance=Quote(balance))
        [tables] = escape_traces(state, TINY)
        assert {each.account: each.amount for each in paid_by(tables)}[MAKER] == worth(state, MAKER)
        assert problems(tables, state) == []
