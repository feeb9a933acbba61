"""`bulkhead up`: a market with makers within seconds, an account to trade with, and Ctrl-C that loses nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from bulkhead.cli.up import PEOPLE_FILE

COMMAND = "from bulkhead.cli.main import main; main()"


class Up:
    """The command in a process of its own, and what it printed."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-c", COMMAND, "up", "--folder", str(folder), "--port", "0", "--tick-s", "0.3"]
        command += [] if "--terminal-port" in options else ["--no-terminal"]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:
            text += line
            if "Ctrl-C" in line:
                break
        self.shown = dict(re.findall(r"^  (\w[\w ]*?) {2,}(\S.*)$", text, re.MULTILINE))
        base = self.shown["REST"].removesuffix("/api/v1")
        self.http = httpx.Client(base_url=base, headers={"X-Api-Key": self.shown["API key"]}, timeout=20)

    def get(self, path: str) -> Any:
        answer = self.http.get(f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def terminal(self) -> str:
        """The address that opens the terminal, once that is there."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "Terminal at" in line:
                return str(line.split()[-1])
        raise AssertionError("there is no terminal")

    def interrupt(self) -> str:
        self.http.close()
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return rest


def test_a_market_to_trade_and_an_end_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "up"
    first = Up(folder)
    try:
        for _ in range(100):
            books = [first.get(f"/info/markets/{name}/orderbook") for name in ("BTC-USD", "EOS-USD")]
            trades = first.get("/info/markets/BTC-USD/trades") + first.get("/info/markets/ETH-USD/trades")
            if all(book["bid"] and book["ask"] for book in books) and trades:
                break
            time.sleep(0.1)
        assert trades and all(book["bid"] and book["ask"] for book in books)
        assert first.get("/user/balance")["equity"] == "100000"
        assert "recorded" in first.shown["Prices"]
        key, account = first.shown["API key"], first.shown["Test account"]
        assert str(first.get("/user/account/info")["l2Vault"]) == account
    finally:
        rest = first.interrupt()
    assert "Ended in order" in rest
    assert (folder / PEOPLE_FILE).stat().st_mode & 0o077 == 0
    assert (folder / "keys.json").stat().st_mode & 0o077 == 0
    second = Up(folder)
    try:
        assert (second.shown["API key"], second.shown["Test account"]) == (key, account)
        assert second.get("/user/balance")["equity"] == "100000"
        assert second.get("/info/markets/BTC-USD/trades") or second.get("/info/markets/ETH-USD/trades")
        assert second.http.get("/health").status_code == 200
    finally:
        second.interrupt()


def test_a_terminal_runs_beside_it_and_ends_with_it(tmp_path: Path) -> None:
    first = Up(tmp_path / "up", "--quiet", "--terminal-port", "0")
    address = first.terminal()
    assert httpx.get(address.split("?")[0]).status_code == 403, "nobody gets in without the token"
    with httpx.Client(follow_redirects=True) as browser:
        for _ in range(50):
            shown = browser.get(address)
            if first.shown["Test account"] in shown.text:
                break
            time.sleep(0.1)
        assert shown.status_code == 200 and first.shown["Test account"] in shown.text
    for secret in (first.shown["Stark key"], first.shown["API key"]):
        assert secret not in shown.text
    first.process.kill()  # no handler, no goodbye
    first.process.wait()
    first.http.close()
    for _ in range(100):
        try:
            httpx.get(address.split("?")[0])
        except httpx.TransportError:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the terminal outlives the venue")
    assert first.process.stdout is not None
    first.process.stdout.close()


def test_a_port_that_is_taken_and_a_set_that_is_not_there_are_told(tmp_path: Path) -> None:
    unknown = subprocess.run(
        [sys.executable, "-c", COMMAND, "up", "--folder", str(tmp_path / "a"), "--prices", "nowhere"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert unknown.returncode == 2 and "nowhere" in unknown.stdout
    first = Up(tmp_path / "b", "--quiet")
    port = first.shown["REST"].split(":")[2].split("/")[0]
    try:
        taken = subprocess.run(
            [sys.executable, "-c", COMMAND, "up", "--folder", str(tmp_path / "c"), "--port", port],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert taken.returncode == 2 and "in use" in taken.stdout
        same = subprocess.run(
            [sys.executable, "-c", COMMAND, "up", "--folder", str(tmp_path / "b"), "--port", "0"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert same.returncode == 2 and "another process" in same.stdout.replace("\n", " ")
    finally:
        first.interrupt()


def test_settling_without_the_compiler_says_what_to_install(tmp_path: Path) -> None:
    """And the next start begins anew, in the same folder: here without settling, which another venue needs."""
    command = [
        sys.executable, "-c", COMMAND, "up", "--settle", "--folder", str(tmp_path / "up"), "--port", "0",
        "--no-terminal",
    ]  # fmt: skip
    environment = {**os.environ, "BULKHEAD_VYPER": str(tmp_path / "none")}
    refused = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert refused.returncode == 2 and "pip install vyper==" in refused.stdout, refused
    assert not (tmp_path / "up" / "l1" / "deployment.json").exists()
    assert (tmp_path / "up" / "l1" / "chain.key").stat().st_mode & 0o077 == 0
    other = subprocess.run(
        [*command[:4], *command[5:]], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert other.returncode == 2 and "another configuration" in other.stdout, other
