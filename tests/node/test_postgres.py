"""Derived tables in PostgreSQL are those in SQLite, row for row, and owners and keys are kept there as well."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import create_engine, make_url, select, text

from bulkhead.node.directory import Directory, Named
from bulkhead.node.exchange import Exchange
from bulkhead.node.store.database import Database
from bulkhead.node.store.rebuild import catch_up, rebuild
from bulkhead.node.store.tables import DERIVED
from tests.api.live import settings_for
from tests.api.tour import everywhere, toured
from tests.node.exchange_world import START_MS, Scribe, small_config

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of a folder for sockets that this machine lacks
    import pgserver


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    with database.engine.connect() as connection:
        for table in DERIVED:
            found[table.name] = sorted(tuple(row) for row in connection.execute(select(table)))
    return found


def test_both_databases_hold_the_same_rows(url: str, tmp_path: Path) -> None:
    exchange = Exchange.open(tmp_path / "exchange", small_config(), START_MS, verify=False)
    for command, _ in zip(Scribe(11).commands(), range(700), strict=False):
        exchange.submit(command)
    exchange.commit()
    postgres, lite = Database(url), Database(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    assert rebuild(exchange.journal, postgres) == catch_up(exchange.journal, lite) == exchange.sequence
    assert catch_up(exchange.journal, postgres) == 0
    found = rows(postgres)
    assert found == rows(lite)
    assert all(found[name] for name in ("orders", "fills", "positions", "candles", "operations", "batches"))
    exchange.close()
    directory = Directory(postgres)
    user = directory.add_user("0x" + "ab" * 20, 1)
    directory.add_account(Named(128, user.user_id, 0, "main", 5, 1))
    key = directory.add_key(128, "bot", 1, scopes=["read"], networks=["10.0.0.0/8"], expires_ms=9)
    again = Directory(postgres)
    kept = again.key(key, 8)
    assert kept is not None and kept.scopes == {"read"} and not kept.allows("11.0.0.1")
    assert again.key(key, 9) is None and again.by_index(user.user_id, 0) == directory.account(128)
    assert again.revoke(128, kept.key_id) and Directory(postgres).key(key, 8) is None
    postgres.close()
    lite.close()


def test_a_node_on_postgresql_answers_every_call(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "tour"
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    other = make_url(url).set(database=name).render_as_string(hide_password=False)
    settings = msgspec.structs.replace(settings_for(tmp_path), database=other)
    with toured(settings, monkeypatch) as tour:
        tour.everything()
    assert set(tour.heard) == everywhere()
    profit = tour.heard["GET", "/api/v1/user/profit"].answer["data"][0]
    assert all(isinstance(profit[name], str) and "E" not in profit[name] for name in profit if name != "accountId")
    assert not (tmp_path / "derived.sqlite").exists()
