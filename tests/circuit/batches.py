"""Batches for tests of the circuit: scripts played on a venue that can be proven, sealed, and shown as tables."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path

from bulkhead.circuit.batch import SMALL, Shape, circuit_of
from bulkhead.circuit.play import Play
from bulkhead.circuit.trace import Tables, entries_shown, order_lists, record_runs, trace
from bulkhead.circuit.venue import OFF, venue_of
from bulkhead.ledger.batch import Batch, Sealer
from bulkhead.ledger.receipt import Receipt
from bulkhead.ledger.state import State
from bulkhead.ledger.tx import Transaction
from stark.air.check import check
from tests.play import Player

PROVABLE = dict.fromkeys(OFF, "off") | {"simple_moves": "on"}
LONG_LISTS = 12  # log2 of rows
SCRIPTS = sorted((Path(__file__).parents[1] / "ledger" / "scripts").glob("*.txt"))
START = """
register maker      ok
register taker      ok
deposit  maker 1000 ok
deposit  taker 50   ok
"""


class Recorder(Player):
    """A player on a venue that can be proven, which keeps what was accepted."""

    def __init__(self, options: dict[str, str] | None = None) -> None:
        super().__init__(PROVABLE | (options or {}))
        self.accepted: list[tuple[Transaction, Receipt]] = []

    def send(self, transaction: Transaction) -> str:
        said = super().send(transaction)
        if self.receipts[-1].is_ok:
            self.accepted.append((transaction, self.receipts[-1]))
        return said


class Sealed:
    """A batch, and the states on both sides of it."""

    def __init__(self, script: str, start: str = START, options: dict[str, str] | None = None):
        player = Recorder(options)
        play_all(player, start)
        self.begin(player.state)
        sealer = Sealer(player.state)
        sealer.seal([])
        self.before: State = deepcopy(player.state)
        player.accepted.clear()
        play_all(player, script)
        self.transactions = [transaction for transaction, _ in player.accepted]
        self.batch: Batch = sealer.seal(player.accepted)
        self.after: State = player.state

    def begin(self, state: State) -> None:
        """What else is in the state before the batch: nothing."""

    def tables(self, shape: Shape = SMALL, threads: int = 1) -> Tables:
        """The circuit's tables."""
        return trace(self.before, self.after, self.transactions, shape, threads)

    def problems(self, shape: Shape = SMALL) -> list[str]:
        """What the row checker finds in them."""
        tables = self.tables(shape)
        return [str(each) for each in check(circuit_of(self.before.config, shape), tables.public, tables.traces)]


def play_all(player: Player, script: str) -> None:
    """Play the lines of a script."""
    for line in script.strip().splitlines():
        player.play(line)


def lenient(path: Path) -> Recorder:
    """Play a script of the ledger's on a venue that can be proven: what is refused there is left out."""
    lines = path.read_text().splitlines()
    options: dict[str, str] = {}
    for text in lines:
        if text.startswith("venue "):
            options.update(word.split("=", 1) for word in text.split()[1:])
    for name in ("assets", "markets"):  # one asset; and programs for seventeen markets would not fit
        options.pop(name, None)
    options = {name: word for name, word in options.items() if not name.startswith("asset.") and name not in PROVABLE}
    known = {f"market.{name}" for name in ("BTC", "ETH", "XRP", "LTC", "EOS")}
    player = Recorder({
        name: word for name, word in options.items()
        if not name.startswith("market.") or name.rpartition(".")[0] in known
    })  # fmt: skip
    for text in lines:
        # Of forced requests L1's queue knows the settlement asset alone.
        if not text.startswith(("venue ", "force-withdraw owner 1 9")):
            try:
                player.play(text)
            except (AssertionError, KeyError, ValueError, IndexError, AttributeError):
                continue  # another outcome, or a name that this venue does not have; a reject changed nothing
    return player


def agrees(before: State, after: State, transactions: Iterable[Transaction]) -> None:
    """Play a batch and compare every word and filled order with the ledger's; Mismatch where one differs."""
    play = Play(before, venue_of(before.config))
    for number, transaction in enumerate(transactions):
        play.take(number, transaction)
    play.run("close", None)
    record_runs(before, after, play)
    order_lists(before, after, entries_shown(before, play), LONG_LISTS)
