"""Secrets stay where they belong: not in the log, whatever fails; not in the database; not in another user's reach."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from bulkhead.api.onboarding import KEY_PATH
from bulkhead.node import logs
from bulkhead.node.directory import Directory
from bulkhead.node.store.database import Database, DatabaseError
from tests.api.live import Fixed, Live, Trader, settings_for

KNOWN = "5ec2e7" * 10 + "cafe"
PASSWORD = "hunter2hunter2"


@pytest.fixture
def log_again() -> Iterator[None]:
    """Where the log went before; to be asked for ahead of what captures it."""
    yield
    logs.set_up()


def test_whatever_happens_no_secret_is_written_to_the_log(
    log_again: None, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.set_up(as_json=True)
    live = Live(settings_for(tmp_path), Fixed())
    secrets: set[str] = set()
    try:
        trader = Trader(live, 1401)
        trader.claim()
        secrets |= {trader.api_key, f"{trader.private:x}", trader.ethereum.key.hex()}
        secrets.add(trader.headers(KEY_PATH)["L1_SIGNATURE"])
        order = trader.order("BUY", "0.01", "59000")
        secrets |= {order["settlement"]["signature"]["r"], KNOWN}
        assert trader.place(order).status_code == 200
        trader.place({**order, "id": "spoiled", "qty": "NaN"})
        trader.http.post("/api/v1/user/order", content=b'{"id":"' + trader.api_key.encode())
        trader.http.get(f"/api/v1/{trader.api_key}", params={"apiKey": trader.api_key})
        monkeypatch.setattr("bulkhead.node.webhooks.secrets.token_hex", lambda length: KNOWN)
        assert trader.http.put("/api/v1/user/webhook", json={"url": "http://127.0.0.1:9/x"}).status_code == 200
        with live.node.database.engine.begin() as connection:
            connection.execute(text("DROP TABLE webhooks"))
        failed = trader.http.put("/api/v1/user/webhook", json={"url": "http://127.0.0.1:9/y"})
        assert failed.status_code == 503 and KNOWN not in failed.text

        def failing(self: Directory, shown: str, now_ms: int) -> None:
            raise RuntimeError("the directory is gone")

        monkeypatch.setattr(Directory, "key", failing)
        assert trader.http.get("/api/v1/user/balance").status_code == 500
        monkeypatch.undo()
    finally:
        live.stop()
    kept = json.loads((tmp_path / "keys.json").read_text())
    secrets |= {one.removeprefix("0x") for one in (*kept["oracle"], kept["backstop"])}
    out, error = capfd.readouterr()
    written = out + error
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    events = [line["event"] for line in lines]
    assert {"request failed", "the database failed"} <= set(events)
    assert "no such table" in written and "the directory is gone" in written
    assert len(lines) == len(written.splitlines()), "every line is fields"
    for secret in secrets:
        assert secret not in written, f"{secret[:6]}… is in the log"


def test_files_with_secrets_are_their_owners_alone(live: Live) -> None:
    trader = Trader(live, 1402)
    for name in ("keys.json", "derived.sqlite", "derived.sqlite-wal"):
        mode = (live.settings.place / name).stat().st_mode
        assert not mode & (stat.S_IRWXG | stat.S_IRWXO), name
        assert trader.api_key.encode() not in (live.settings.place / name).read_bytes()


@pytest.mark.parametrize(
    "url",
    [f"postgresql+psycopg://node:{PASSWORD}@127.0.0.1:1/x", f"postgres:/node:{PASSWORD}", f"mysql://n:{PASSWORD}@h/x",
     f"postgresql+psycopg://node:{PASSWORD}@[::bad/x", f"postgresql+psycopg://node:{PASSWORD}@host:port/x"],
)  # fmt: skip
def test_a_database_that_cannot_be_opened_is_told_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        Database(url)
    one: BaseException | None = caught.value
    while one is not None:
        assert PASSWORD not in str(one)
        one = None if one.__suppress_context__ else one.__context__
