"""A terminal in a process of its own beside a running venue, and traders who stand in its markets."""

from __future__ import annotations

import asyncio
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from bulkhead.client import Access, Exchange, NewOrder, Owner, Trader
from bulkhead.terminal.keystore import KeyStore

COMMAND = "from bulkhead.cli.main import main; main()"
TOKEN = "test-token"
PASSPHRASE = "correct horse"
WORK_FACTOR = 1 << 12  # the real one costs a second and 128 MiB at each unlocking
NAMED = "trader"
START_S = 60
Answer = TypeVar("Answer")
_known: dict[tuple[str, int], Access] = {}


class Terminal:
    """`bulkhead terminal` for an exchange. `log` is everything that it said so far."""

    def __init__(self, exchange_url: str, keys: Path, *arguments: str, passphrase: str = "") -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        environment["BULKHEAD_TERMINAL_TOKEN"] = TOKEN
        environment["BULKHEAD_PASSPHRASE"] = passphrase
        command = [
            sys.executable, "-c", COMMAND, "terminal", exchange_url, "--port", "0", "--keys", str(keys), "--no-open",
            *arguments,
        ]  # fmt: skip
        self.keys = keys
        self.seed = 0  # of its owner's key, where a fixture made one
        self.is_fresh = True  # no page of it was opened yet: it has still to ask the exchange for all that it shows
        self.log: list[str] = []
        self._addresses: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.address = self._addresses.get(timeout=START_S)
        except queue.Empty:
            self.process.kill()
            raise AssertionError("the terminal did not start:\n" + "".join(self.log)) from None
        self.url = self.address.split("/?")[0]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            if "Terminal at" in line:
                self._addresses.put(line.split()[-1])

    @property
    def troubles(self) -> list[str]:
        """What a terminal that works never says."""
        signs = ("Traceback", "level=error", "level=critical", "never retrieved", "was never awaited")
        return [line for line in self.log if any(sign in line for sign in signs)]

    def stop(self) -> int:
        """End in order; the exit status."""
        self.process.terminate()
        status = self.process.wait(30)
        self._reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status


def key_file(folder: Path, name: str, ethereum_key: str) -> None:
    """An owner in a key store, whose passphrase is PASSPHRASE."""
    KeyStore(folder, work_factor=WORK_FACTOR).add_owner(name, PASSPHRASE, ethereum_key)


def ethereum_key(seed: int) -> str:
    """The key of an owner of tests."""
    return "0x" + f"{seed:02x}" * 32


def ask(url: str, work: Callable[[Exchange], Awaitable[Answer]]) -> Answer:
    """Do something with the SDK, and wait for it."""

    async def inside() -> Answer:
        async with Exchange(url) as exchange:
            return await work(exchange)

    answers: list[Answer] = []
    problems: list[BaseException] = []

    def run() -> None:  # the browser's driver has an event loop of its own in the thread of the tests
        try:
            answers.append(asyncio.run(inside()))
        except BaseException as problem:
            problems.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    if problems:
        raise problems[0]
    return answers[0]


async def owner(exchange: Exchange, seed: int) -> Trader:
    """The main account of an owner of tests; under one API key, for an account may have only so many."""
    place = (exchange.transport.url, seed)
    if place not in _known:
        _known[place] = await Owner(exchange, ethereum_key(seed)).onboard()
    return await exchange.trader(_known[place].api_key, _known[place].private_key)


async def rich(exchange: Exchange, seed: int) -> Trader:
    """A trader with money of the faucet."""
    trader = await owner(exchange, seed)
    await trader.claim_test_money()
    return trader


def quote(url: str, market: str, bid: str, ask_price: str, size: str = "1", seed: int = 201) -> None:
    """Have a maker stand on both sides of a market."""

    async def work(exchange: Exchange) -> None:
        maker = await rich(exchange, seed)
        for side, price in (("BUY", bid), ("SELL", ask_price)):
            await maker.place(NewOrder(market=market, side=side, quantity=size, price=price, post_only=True))

    ask(url, work)
