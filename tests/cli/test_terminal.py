"""`bulkhead terminal`: what cannot work is told at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bulkhead.cli.up_terminal import prepare
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
