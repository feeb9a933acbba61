"""`bulkhead terminal`: what cannot work is told at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from bulkhead.cli.main import app
from bulkhead.cli.up_terminal import prepare
from bulkhead.node import logs
from bulkhead.terminal.keystore import KeyStore

COMMAND = "from bulkhead.cli.main import main; main()"


def told(*options: str, passphrase: str = "") -> tuple[int, str]:
    """The exit status, and what was said."""
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND, "terminal", "http://127.0.0.1:9", "--no-open", *options],
        capture_output=True, text=True, timeout=60, env={**os.environ, "BULKHEAD_PASSPHRASE": passphrase},
    )  # fmt: skip
    return ended.returncode, " ".join((ended.stdout + ended.stderr).split())


def test_a_wrong_passphrase_and_a_port_that_is_taken(tmp_path: Path) -> None:
    KeyStore(tmp_path, work_factor=1 << 10).create("main", "correct horse")
    status, said = told("--keys", str(tmp_path), "--unlock", "main", "--port", "0", passphrase="wrong horse")
    assert status == 2 and "the passphrase does not open 'main'" in said and "Traceback" not in said
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, said = told("--keys", str(tmp_path), "--port", str(taken.getsockname()[1]))
    assert status == 2 and "in use" in said and "Traceback" not in said


def test_up_does_not_throw_away_a_key_that_others_could_reach(tmp_path: Path) -> None:
    account, people = {"vault": "64", "api_key": "ab", "private_key": "0x123"}, dict[str, Any]()
    prepare(tmp_path, "http://one", account, people)
    (tmp_path / "keys").chmod(0o755)
    before = (tmp_path / "keys" / "test.json").read_bytes()
    with pytest.raises(OSError, match="chmod 700"):
        prepare(tmp_path, "http://one", account, people)
    assert (tmp_path / "keys" / "test.json").read_bytes() == before
    (tmp_path / "keys").chmod(0o700)
    prepare(tmp_path, "http://one", account, {})  # of another people.json, whose passphrase does not open it
    assert (tmp_path / "keys" / "test.json").read_bytes() != before


def test_the_list_of_processes_tells_nothing_that_opens_the_door_again(tmp_path: Path) -> None:
    """The browser is a shell that writes down what it was started with, as everybody else could read it."""
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nenv > "{seen}.env"\nprintf %s "$1" > "{seen}.part" && mv "{seen}.part" "{seen}"\n')
    browser.chmod(0o700)
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "terminal", "http://127.0.0.1:9", "--port", "0", "--keys", str(tmp_path / "k")],
        stdout=subprocess.PIPE, text=True,
        env={**os.environ, "BROWSER": f"{browser} %s", "BULKHEAD_TERMINAL_TOKEN": "of-the-test"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        assert "token=of-the-test" in lines[0] and "show it to nobody" in lines[1]
        while not seen.exists():
            assert process.poll() is None
            time.sleep(0.05)
        address = seen.read_text()
        assert "of-the-test" not in address + Path(f"{seen}.env").read_text() and "?code=" in address
        with httpx.Client() as first:
            entered = first.get(address)
            assert (entered.status_code, entered.headers["location"]) == (303, "/")
            assert first.get(address.split("?")[0]).status_code == 200
        assert httpx.get(address.split("?")[0]).status_code == 403
        used = httpx.get(address)
        assert used.status_code == 403 and "opens the terminal once, and has" in used.text
        process.terminate()
        assert process.wait(30) == 0


def test_a_user_to_admit_is_one_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "set_up", lambda: None)  # the log would go where this runner listens, and stay there
    ended = CliRunner().invoke(app, ["terminal", "--keys", str(tmp_path), "--port", "0", "--admit", "no-such-user"])
    assert ended.exit_code == 2 and "this machine has no user 'no-such-user'" in ended.output
