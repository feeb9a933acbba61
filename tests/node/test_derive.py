"""Derived rows agree with the exchange that they are of, whatever was done to it, and however often it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.node.exchange import Answer, Exchange
from bulkhead.node.store.database import Database
from bulkhead.node.store.derive import Deriver
from bulkhead.node.store.keeper import load
from bulkhead.node.store.rebuild import AheadOfJournal, catch_up
from bulkhead.node.store.staging import Staging
from bulkhead.node.store.tables import DERIVED, fills, operations, positions
from bulkhead.node.store.wording import OPEN
from tests.node.exchange_world import START_MS, Scribe, small_config

COMMANDS = 1_200


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    with database.engine.connect() as connection:
        for table in DERIVED:
            found[table.name] = sorted(tuple(row) for row in connection.execute(select(table)))
    return found


def run(folder: Path, seed: int) -> tuple[Exchange, list[Answer]]:
    exchange = Exchange.open(folder / "exchange", small_config(), START_MS, verify=False)
    for command, _ in zip(Scribe(seed).commands(), range(COMMANDS), strict=False):
        exchange.submit(command)
    return exchange, exchange.commit()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rows_agree_with_orders_positions_and_money(tmp_path: Path, seed: int) -> None:
    exchange, answers = run(tmp_path, seed)
    staging = Staging()
    deriver = Deriver(exchange.state.config, staging, exchange.machine.authority)
    for answer in answers:
        deriver.heard(answer.sequence, answer.command, answer.events)
    engine = exchange.machine.venue.sequencer
    opened = {view.order_id: view for account_id in exchange.state.accounts for view in engine.open_orders(account_id)}
    assert deriver.orders.keys() == opened.keys()
    for order_id, view in opened.items():
        row = deriver.orders[order_id]
        assert (row["filled"], row["price"]) == (view.filled, view.price) and row["status"] in OPEN
        if view.stage.name == "RESTING":
            assert row["size"] == view.filled + view.left
    sizes: dict[tuple[int, int], int] = {}
    for account_id, account in exchange.state.accounts.items():
        for position in account.positions:
            place = (account_id & -CHILDREN_PER_ACCOUNT, int(position.market_id))
            sizes[place] = sizes.get(place, 0) + int(position.size)
    derived = {
        place: row["size"] if row["side"] == "LONG" else -row["size"] for place, row in deriver.held.open.items()
    }
    assert derived == {place: size for place, size in sizes.items() if size}
    database = Database(f"sqlite:///{tmp_path / 'derived.sqlite'}")
    database.write(staging.take())
    with database.engine.connect() as connection:
        filled = list(connection.execute(select(fills)).mappings())
        assert len(filled) > 50
        for market_id in exchange.state.markets:
            mine = [row for row in filled if row["market_id"] == market_id]
            assert sum(row["size"] if row["side"] == "BUY" else -row["size"] for row in mine) == 0, "two sides a lot"
        for row in connection.execute(select(positions)).mappings():
            assert row["opened_size"] >= row["closed_size"] and row["size_max"] >= row["size"] >= 0
        moved = {kind for (kind,) in connection.execute(select(operations.c.type).distinct())}
        assert moved == {"DEPOSIT", "SLOW_WITHDRAWAL", "TRANSFER"}
    exchange.close()
    database.close()


def test_it_makes_no_difference_where_deriving_stopped(tmp_path: Path) -> None:
    exchange, answers = run(tmp_path, 5)
    whole = Database(f"sqlite:///{tmp_path / 'whole.sqlite'}")
    parts = Database(f"sqlite:///{tmp_path / 'parts.sqlite'}")
    catch_up(exchange.journal, whole)
    for start in range(0, len(answers), 97):
        staging = Staging()
        deriver = Deriver(exchange.state.config, staging, exchange.machine.authority)
        load(parts, deriver)  # as after a start, from what was written
        for answer in answers[max(0, start - 10) : start + 97]:  # some of it again, which changes nothing
            deriver.heard(answer.sequence, answer.command, answer.events)
        parts.write(staging.take())
    assert rows(parts) == rows(whole)
    assert catch_up(exchange.journal, parts) == 0
    exchange.close()
    whole.close()
    parts.close()


def test_tables_of_another_journal_are_refused(tmp_path: Path) -> None:
    exchange, _ = run(tmp_path, 6)
    database = Database(f"sqlite:///{tmp_path / 'derived.sqlite'}")
    catch_up(exchange.journal, database)
    exchange.close()
    other = Exchange.open(tmp_path / "other", small_config(), START_MS, verify=False)
    with pytest.raises(AheadOfJournal, match="--rebuild"):
        catch_up(other.journal, database)
    other.close()
    database.close()
