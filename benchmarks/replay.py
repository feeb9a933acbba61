"""Replaying a journal: a stream of commands in full from the genesis, and from a snapshot taken at the end.

Half of the commands are orders that rest at some distance from a wandering price, two fifths cancel a random live
order, a tenth take liquidity; five markets, a hundred accounts, oracle prices every thousand commands.
By default 100,000 commands are replayed and the time for a million is extrapolated, which the figure says; `--full`
replays the million.

    python -m benchmarks.replay [--full | --commands N]
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from benchmarks import Row
from bulkhead.engine.command import CancelOrder, Clock, Command, PlaceOrder, Prices, Submit
from bulkhead.engine.order import Terms, TimeInForce
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, VenueConfig
from bulkhead.ledger.defaults import default_config
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.ledger.tx import Deposit, OracleReport, Order, Register
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.node.exchange import Exchange
from bulkhead.node.replay import replay
from bulkhead.signing import Signature
from bulkhead.units import AccountId, AssetId, Felt, MarketId, Price, Quote, Size, TimeMs, TimeS

MILLION = 1_000_000
COMMANDS = 100_000
GROUP = 1_000  # commands to one sync, and to one oracle tick
ACCOUNTS = 100
START_MS = 1_700_000_000_000
STEP_MS = 3  # between two commands
LIFE_S = 600  # of an order; most are cancelled sooner
DISTANCE = 25  # mean distance from the middle, in steps of a basis point
PRICES = (30_000, 20_000, 60_000, 10_000, 700)  # whole quote per lot
USD = AssetId(1)

Result = TypeVar("Result")


def config() -> VenueConfig:
    """The default venue; a batch is never closed here, so its table of filled orders is large."""
    made = default_config((Felt(2), Felt(3), Felt(4)), Felt(5), chain_id="BH_0_bench")
    return made._replace(filled_orders_max=1 << 24)


class Stream:
    """Commands of a busy venue, from a seed. It does not see what the venue answers."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.time_ms = START_MS
        self.prices = [float(price) for price in PRICES]
        self.live: list[tuple[int, str]] = []
        self.salt = self.ticks = 0
        self.keys = {0: Felt(5)} | {place: self.felt() for place in range(1, ACCOUNTS + 1)}

    def felt(self) -> Felt:
        """As wide as a real key or half a signature; nothing here verifies them."""
        return Felt(self.draw.getrandbits(251))

    def signature(self) -> Signature:
        return Signature(self.felt(), self.felt())

    def now(self) -> TimeMs:
        return TimeMs(self.time_ms)

    def accounts(self) -> Iterator[Command]:
        """A hundred accounts with ten million dollars each, and the backstop."""
        for place in range(ACCOUNTS + 1):
            account_id = AccountId(int(BACKSTOP_ACCOUNT) * (place + 1))
            kind, key = Kind.MAIN if place else Kind.BACKSTOP, self.keys[place]
            rule, parent_id, signed = MarginRule.LINEAR, AccountId(0), self.signature()
            registration = Register(self.now(), account_id, kind, rule, key, 1 + place, parent_id, USD, signed)
            yield Submit(self.now(), registration)
            yield Submit(self.now(), Deposit(self.now(), place + 1, account_id, USD, 10**13))

    def tick(self) -> Prices:
        """Three signers agree."""
        self.ticks += 1
        prices = tuple((place, Price(int(price) << 32)) for place, price in enumerate(self.prices, 1))
        reports = tuple(OracleReport(signer, self.ticks, self.now(), prices, self.signature()) for signer in range(3))
        return Prices(self.now(), reports)

    def order(self, *, takes: bool) -> PlaceOrder:
        """An order that rests near the middle, or one that takes a small size at once."""
        draw = self.draw
        owner = draw.randint(1, ACCOUNTS)
        account_id = int(BACKSTOP_ACCOUNT) * (owner + 1)
        place = draw.randrange(len(PRICES))
        side = draw.choice((1, -1))
        steps = -20 if takes else 1 + min(400, int(draw.expovariate(1 / DISTANCE)))
        price = max(1, int(self.prices[place] * (10_000 - side * steps)) // 10_000)
        size = draw.randint(1_000, 20_000)
        self.salt += 1
        external_id = "" if takes else f"{self.salt}"
        if external_id:
            self.live.append((account_id, external_id))
        value = size * price
        order = Order(
            AccountId(account_id),
            MarketId(place + 1),
            Size(side * size),
            Quote(-side * value),
            Quote(value // 1_000 + 1),
            TimeS(self.time_ms // 1_000 + EXPIRY_GRACE_S + LIFE_S),
            self.salt,
            self.keys[owner],
            self.signature(),
        )
        force = TimeInForce.IOC if takes else TimeInForce.GTT
        return PlaceOrder(self.now(), order, Terms(external_id, time_in_force=force))

    def cancel(self) -> CancelOrder:
        """A random order that was not cancelled yet; it may have traded or expired."""
        place = self.draw.randrange(len(self.live))
        self.live[place], self.live[-1] = self.live[-1], self.live[place]
        account_id, external_id = self.live.pop()
        return CancelOrder(self.now(), AccountId(account_id), external_id=external_id)

    def commands(self, count: int) -> Iterator[Command]:
        """So many commands, ticks and registrations included."""
        made = 0
        for command in (*self.accounts(), self.tick()):
            made += 1
            yield command
        while made < count:
            self.time_ms += STEP_MS
            if made % GROUP < 2:
                yield self.tick() if made % GROUP == 0 else Clock(self.now())
            else:
                kind = self.draw.random()
                if kind < 0.1:
                    yield self.order(takes=True)
                elif kind < 0.5 and len(self.live) > ACCOUNTS:
                    yield self.cancel()
                else:
                    yield self.order(takes=False)
            if made % GROUP == 0:
                self.prices = [price * (1 + self.draw.gauss(0, 0.0002)) for price in self.prices]
            made += 1


def write(folder: Path, count: int) -> bytes:
    """Journal a stream, snapshot its end, and give the digest an uninterrupted run comes to."""
    with Exchange.open(folder, config(), TimeMs(START_MS), verify=False) as exchange:
        for number, command in enumerate(Stream(1).commands(count), 1):
            exchange.submit(command)
            if number % GROUP == 0:
                exchange.commit()
        exchange.snapshot()
        return exchange.digest()


class Span(NamedTuple):
    """How long something took, on the clock and on our core; they differ on a busy machine."""

    wall_s: float
    core_s: float

    @classmethod
    def of(cls, work: Callable[[], Result]) -> tuple[Span, Result]:
        """Do some work once."""
        wall, core = time.perf_counter(), time.process_time()
        result = work()
        return cls(time.perf_counter() - wall, time.process_time() - core), result


def measure(count: int) -> tuple[Span, Span, Span]:
    """Running and journalling `count` commands, replaying them, and opening from a snapshot."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as scratch:  # not /tmp, which may be memory
        folder = Path(scratch)
        running, digest = Span.of(lambda: write(folder, count))
        replaying, full = Span.of(lambda: replay(folder))
        opening, short = Span.of(lambda: replay(folder, use_snapshot=True))
        if not (full.sequence == short.begun_after == count and short.sequence == count):
            raise AssertionError("the replays did not end where the journal does")
        if {full.machine.digest(), short.machine.digest()} != {digest}:
            raise AssertionError("the replays came to another digest than the run itself")
    return running, replaying, opening


def row(figure: str, value: Span, reference: Span, share: float) -> Row:
    """One line of the table, in seconds of our core; seconds of the clock stand in the figure's name."""
    return {
        "figure": f"{figure}; {value.wall_s * share:.1f} s by the clock",
        "value": value.core_s * share,
        "unit": "s",
        "reference": reference.core_s * share,
        "ratio": reference.core_s / value.core_s,
    }


def rows(count: int) -> list[Row]:
    """Both figures for a million commands, beside the time the running exchange itself took for them."""
    running, replaying, opening = measure(count)
    note = "" if count == MILLION else f", {count:,} measured and scaled"
    share = MILLION / count
    return [
        row(f"Replay of a million commands{note} (making, running and journalling them)", replaying, running, share),
        row(f"Opening a million commands from a snapshot{note} (replay in full)", opening, replaying, share),
    ]


def run(full: bool = False) -> list[Row]:
    """Rows for the table of all figures."""
    return rows(MILLION if full else COMMANDS)


def main(description: str | None = __doc__, measured: Callable[[int], list[Row]] = rows) -> None:
    """The figures of one file alone."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--commands", type=int, default=COMMANDS)
    parser.add_argument("--full", action="store_true", help="the whole million")
    chosen = parser.parse_args()
    for line in measured(MILLION if chosen.full else chosen.commands):
        print("{figure:100} {value:9.2f} {unit:3} reference {reference:9.2f}  {ratio:6.2f}x".format(**line))


if __name__ == "__main__":
    main()
