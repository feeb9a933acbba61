"""What a batch may take, known from its transactions: never less than what its tables take."""

from __future__ import annotations

from collections import Counter

import pytest

from bulkhead.circuit.batch import MEDIUM, SHAPES, SMALL, Shape
from bulkhead.circuit.coverage import TRANSACTIONS, Standing
from bulkhead.circuit.filling import fill_rules
from bulkhead.circuit.orders import LiveOrders
from bulkhead.circuit.plates import fill_plates, laid_out
from bulkhead.circuit.play import Play, signatures_of
from bulkhead.circuit.record import Records, asked_by
from bulkhead.circuit.room import RUNS, Load, Need, lack, need_of, rooms_of, taken_at_most, trades_of
from bulkhead.circuit.trace import _lists, entries_shown, record_runs
from bulkhead.circuit.venue import terms_of, venue_of
from bulkhead.fixed import seconds_floor
from bulkhead.ledger import tx
from bulkhead.ledger.orders import LIST_MIN, list_max
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import leaf_place
from bulkhead.ledger.tx import Transaction
from bulkhead.limits import ORDER_TREE_DEPTH, TREE_DEPTH
from tests.circuit.batches import START, Sealed
from tests.circuit.test_worlds import batch_of

WORLDS = 40
LARGE = MEDIUM._replace(number=9, log_rules=20, log_records=12, log_orders=12)


def taken(
    before: State, after: State, transactions: list[Transaction], shape: Shape = LARGE
) -> dict[str, int]:
    """What the tables of a batch take, by the names of `rooms_of`, with the plates of a shape."""
    venue = venue_of(before.config)
    play = Play(before, venue)
    for number, transaction in enumerate(transactions):
        play.take(number, transaction)
    play.run("close", None)
    plates = fill_plates(play.frames, laid_out(play.programs, shape.plates), shape.log_plates)
    rules = fill_rules(play.frames, list(play.programs.values()), terms_of(venue), LARGE, plates.frames)
    runs, entries = record_runs(before, after, play), entries_shown(before, play)
    lists = _lists(transactions, play, runs, entries)
    orders = LiveOrders().fill(entries, seconds_floor(after.time_ms), before.filled.root, LARGE.log_orders)
    places = [leaf_place(run.record) for run in runs if run.is_account]
    nodes = [(level, place >> level) for place in places for level in range(1, TREE_DEPTH + 1)]
    nodes += [(-level, number >> level) for number in orders.leaves for level in range(1, ORDER_TREE_DEPTH + 1)]
    _, hashed = Records().fill(runs, LARGE.log_records)
    asked = [*rules.asked, *plates.asked, *asked_by(runs), *orders.asked]
    elements = [sponge.elements for sponge in (*rules.hashed, *hashed, *orders.hashed)]
    return {
        "rows of rules": sum(
            len(frame.values) for number, frame in enumerate(play.frames, 1) if number not in plates.frames
        ),
        "words of records": sum(len(run.words) + 1 for run in runs),
        "live orders": len(entries) + len(orders.leaves),
        "nodes of the trees": len(set(nodes)),
        "signatures": sum(len(signatures_of(each)) for each in transactions if not isinstance(each, tx.Trade)),
        "hashes": sum(len(each) // 2 for each in elements) + 2 * len(set(nodes)),
        "numbers": len(Counter(asked)),
        "deposits": len(lists.deposits),
        "payments": len(lists.paid),
        "forced requests": len(lists.forced),
        "changed words": len(lists.changed),
    }


def measured(before: State, after: State, transactions: list[Transaction]) -> dict[str, int]:
    """The same as `Load` has it. `after` is not sealed, and knows which lists were touched."""
    load = Load(venue_of(before.config), before)
    for transaction in transactions:
        load.take(transaction, list({**before.accounts, **after.accounts}))
    need = load.need(after)
    return taken_at_most(load.venue, before, need, LARGE.plates)


@pytest.mark.parametrize("first", range(0, WORLDS, 10))
def test_no_table_takes_more_than_was_measured(first: int) -> None:
    for seed in range(first, first + 10):
        most: dict[str, int] = {}
        before, after, transactions, _ = batch_of(seed, lambda *batch, most=most: most.update(measured(*batch)))
        found = taken(before, after, transactions)
        over = {name: (count, most[name]) for name, count in found.items() if count > most[name]}
        assert not over, f"world {seed}"


def test_a_transaction_adds_no_more_than_its_need() -> None:
    """Of each kind: what the measure grows by is within what was said before."""
    before, _, transactions, _ = batch_of(3)
    venue = venue_of(before.config)
    accounts = list(before.accounts)
    for transaction in transactions:
        load = Load(venue, before)
        load.take(transaction, accounts)
        most = need_of(venue, type(transaction), len(accounts))
        got = load.need(before)
        got = got._replace(words=0, orders=got.entries, entries=0)
        over = {name: one for name, one in taken_at_most(venue, before, got).items()
                if one > taken_at_most(venue, before, most)[name]}  # fmt: skip
        assert not over, type(transaction)
    assert trades_of(venue, 0, 3, 2).rows == 3 * need_of(venue, tx.Trade).rows
    assert trades_of(venue, 3, 0, 2).rows < trades_of(venue, 2, 1, 2).rows


def test_trades_between_plain_accounts_find_plates() -> None:
    """Until the shape has none left; and what somebody has chosen is counted at its costliest."""
    start = START + "tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok"
    trade = "trade maker sell taker 0.001 BTC @ 50000 ok\n"
    plain, chosen = Sealed(3 * trade, start), Sealed(3 * trade, start + "\nconfigure taker BTC isolated 5x ok")
    for plates, least, most in ((SMALL.plates, 0, 0), ((), 1000, 4000)):
        load = Load(venue_of(plain.before.config), plain.before)
        for transaction in plain.transactions:
            load.take(transaction, ())
        rows = taken_at_most(load.venue, plain.before, load.need(plain.after), plates)["rows of rules"]
        rows -= taken_at_most(load.venue, plain.before, Need(), plates)["rows of rules"]
        assert least <= rows <= most
    load = Load(venue_of(chosen.before.config), chosen.before)
    for transaction in chosen.transactions:
        load.take(transaction, ())
    assert load.need(chosen.after).rows == 3 * need_of(load.venue, tx.Trade).rows


def test_each_kind_that_is_proven_has_its_need_and_no_other() -> None:
    assert set(RUNS) == {kind for kind, cover in TRANSACTIONS.items() if cover.standing is not Standing.NOT_YET}
    config = Sealed("").before.config
    with pytest.raises(KeyError):
        need_of(venue_of(config), tx.TopUp)


def test_the_names_are_those_of_the_shapes() -> None:
    sealed = Sealed("transfer maker taker 1 ok")
    venue = venue_of(sealed.before.config)
    for shape in SHAPES:
        assert rooms_of(shape).keys() == taken_at_most(venue, sealed.before, Need()).keys()
        assert not lack(venue, shape, sealed.before, Need())
    trade = need_of(venue, tx.Trade)
    assert lack(venue, SMALL, sealed.before, Need().plus(trade, 9))
    kept = [lack(venue, MEDIUM, sealed.before, Need().plus(need_of(venue, tx.Deposit), 13), kept) for kept in (0, 25)]
    assert kept[0] == "" and "deposits" in kept[1]


@pytest.mark.parametrize(("shape", "trades"), [(SMALL, 6), (MEDIUM, 30)])
def test_a_full_list_leaves_room_for_trades(shape: Shape, trades: int) -> None:
    """Somebody may fill one on purpose; any order that is not placed yet is counted as if it fell into it."""
    sealed = Sealed("transfer maker taker 1 ok")
    venue, state = venue_of(sealed.before.config), sealed.before
    for low in range(LIST_MIN):
        state.filled.put(low, 1, 1 << 39)
    assert state.filled.longest == LIST_MIN == list_max(venue.config.filled_orders_max)
    assert not lack(venue, shape, state, trades_of(venue, trades, 0, 2))
    assert "live orders" in lack(venue, SMALL, state, Need(orders=trades * 3))
