"""The database of derived tables and of what traders told this node: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from bulkhead import private
from bulkhead.node.store.staging import Row, Staged
from bulkhead.node.store.tables import DERIVED, metadata, progress

ROWS_PER_STATEMENT = 500
PATIENCE = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
"""Of PostgreSQL's client, in seconds and milliseconds: a server that is cut off is given up, not waited for."""
_BY_NAME = {table.name: table for table in metadata.tables.values()}


class DatabaseError(Exception):
    """The database cannot be opened or brought up to date; the text says why."""


class Database:
    """One engine. Methods may be called from any thread; writing is one caller's at a time."""

    def __init__(self, url: str) -> None:
        self._upserts: dict[str, Any] = {}  # by table
        try:
            options = {"connect_args": PATIENCE} if make_url(url).get_backend_name() == "postgresql" else {}
            self.engine: Engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, **options)
            if self.engine.dialect.name == "sqlite":
                _keep_private(self.engine.url.database)
                event.listen(self.engine, "connect", _prepare_sqlite)
            elif self.engine.dialect.name != "postgresql":
                raise DatabaseError(f"{self.engine.dialect.name}: derived tables are kept in sqlite or postgresql")
            self._migrate()
        except (SQLAlchemyError, ImportError, ValueError) as error:
            raise DatabaseError(f"{_shown(url)}: {error}") from None  # its causes may quote the URL

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def write(self, staged: Staged) -> None:
        """Write rows and progress in one transaction: either all of it is there after a crash, or nothing."""
        with self.engine.begin() as connection:
            for name, rows in staged.rows.items():
                self.upsert(connection, _BY_NAME[name], rows)
            notes = [{"name": name, "value": value} for name, value in staged.notes.items()]
            if notes:
                self.upsert(connection, progress, notes)

    def upsert(self, connection: Connection, table: Table, rows: list[Row]) -> None:
        """Insert rows, or replace those with the same key."""
        statement = self._upserts.get(table.name)
        if statement is None:
            statement = self._upserts[table.name] = self._upsert(table)
        for start in range(0, len(rows), ROWS_PER_STATEMENT):
            connection.execute(statement, rows[start : start + ROWS_PER_STATEMENT])

    def _upsert(self, table: Table) -> Any:
        """The statement of `upsert`, made once for each table: it takes longer to make than to run."""
        insert: Any = (sqlite if self.engine.dialect.name == "sqlite" else postgresql).insert(table)
        keys = [column.name for column in table.primary_key]
        others = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
        return insert.on_conflict_do_update(index_elements=keys, set_=others)

    def progress(self) -> dict[str, str]:
        """How far the derived tables are."""
        with self.engine.connect() as connection:
            return {row.name: row.value for row in connection.execute(select(progress))}

    def forget(self) -> None:
        """Empty every derived table, to make it anew from the journal."""
        with self.engine.begin() as connection:
            for table in DERIVED:
                connection.execute(delete(table))

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()


def _shown(url: str) -> str:
    """A URL without its password; nothing of one that cannot be taken apart."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return "the database's URL"


def _keep_private(file: str | None) -> None:
    """The file is its owner's alone: secrets of webhooks are in it. What lies beside it takes the same mode. Raises
    DatabaseError where others can reach it."""
    if file and file != ":memory:" and Path(file).parent.is_dir():
        try:
            Path(file).touch(mode=private.FILE_MODE, exist_ok=True)
            private.check_file(Path(file))
        except private.Exposed as error:
            raise DatabaseError(str(error)) from None


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """Readers beside the writer; no sync for each write, since what is lost is derived again."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
