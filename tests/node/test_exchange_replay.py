"""`bulkhead replay`: the root of an uninterrupted run, and a clear word about every damage."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bulkhead.cli.main import app
from bulkhead.node.exchange import Exchange
from bulkhead.node.replay import advance, open_journal, read_genesis, replay, restore
from bulkhead.node.segment import HEADER_BYTES
from tests.node.exchange_world import START_MS, Scribe, small_config


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


@pytest.fixture
def lived(tmp_path: Path) -> tuple[Path, str]:
    """An exchange of 120 commands with a snapshot after 80; its folder and its root at the end."""
    with Exchange.open(tmp_path, small_config(), START_MS, verify=False) as exchange:
        for number, command in enumerate(islice(Scribe(7).commands(), 120), 1):
            exchange.submit(command)
            if number == 80:
                exchange.snapshot()
        exchange.commit()
        return tmp_path, f"{exchange.root():#066x}"


def test_it_prints_the_root_of_the_run_in_full_and_from_a_snapshot(lived: tuple[Path, str]) -> None:
    folder, root = lived
    before = {path: path.read_bytes() for path in folder.iterdir()}
    full, short, part = run(folder), run(folder, "--from-snapshot"), run(folder, "--until", "50")
    assert full.exit_code == short.exit_code == part.exit_code == 0
    assert root in full.output and root in short.output and root not in part.output
    for word in ("commands", "120", "seconds", "commands/s", "root"):
        assert word in full.output
    assert "after record 80" in short.output and " 40" in short.output
    assert " 50" in part.output
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_damage_is_named_by_file_and_offset(lived: tuple[Path, str]) -> None:
    folder, _ = lived
    path = next(folder.glob("journal-*.log"))
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + 60] ^= 4
    path.write_bytes(data)
    result = run(folder)
    assert result.exit_code == 1
    assert f"{path}, offset {HEADER_BYTES}: record 1 does not match its hash" in result.output


def test_a_torn_tail_is_reported_and_left(lived: tuple[Path, str]) -> None:
    folder, root = lived
    path = next(folder.glob("journal-*.log"))
    whole = path.read_bytes()
    path.write_bytes(whole + b"\x00\x00\x00\x10half a record")
    result = run(folder)
    assert result.exit_code == 0 and root in result.output
    assert f"torn at {path}, offset {len(whole)}: 17 bytes" in result.output
    assert path.read_bytes() == whole + b"\x00\x00\x00\x10half a record"


def test_a_folder_without_an_exchange_is_named(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 1
    assert f"{tmp_path} holds no exchange: there is no genesis.bin" in result.output
    assert list(tmp_path.iterdir()) == []


def test_progress_reaches_the_end_and_replay_stops_where_asked(lived: tuple[Path, str]) -> None:
    folder, _ = lived
    told: list[tuple[int, int]] = []
    replay(folder, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (120, 120)
    begin = read_genesis(folder)
    with open_journal(folder, begin) as journal:
        start = restore(journal, begin, use_snapshot=False)
        step = advance(journal, start, 30)
        rest = advance(journal, step)
    assert (step.sequence, rest.sequence) == (30, 120)
    assert rest.machine.digest() == replay(folder).machine.digest()
