"""The sequencer: commands per second through `Sequencer.handle` over a real ledger, and admission of one limit order.

The mix is half new orders that rest, two fifths cancels, one tenth orders that trade; signatures and order hashes apart
(hashes are computed before the clock starts, `verify=False`). CPU time, for nothing here waits. The reference is the
design's: 40 µs for the admission of a limit order, which is 25,000 a second.
"""

from __future__ import annotations

import random
import sys
import time

from bulkhead.engine.command import CancelOrder, Command, PlaceOrder, Prices, Submit
from bulkhead.engine.order import Terms, TimeInForce
from bulkhead.engine.sequencer import Sequencer
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.defaults import default_config
from bulkhead.ledger.state import Kind, MarginRule, genesis
from bulkhead.ledger.tx import Deposit, OracleReport, Order, Register, Signature
from bulkhead.limits import EXPIRY_GRACE_S

START_MS = 1_542_600_000_000
ACCOUNTS = 50
COMMANDS = 40_000
ROUNDS = 3
ADMISSION_REFERENCE = 25_000
UNSIGNED = Signature(1, 1)
INDEX = 5_000


Row = dict[str, str | float]
"""One figure beside its reference of the same run."""


def venue() -> Sequencer:
    """Fifty rich accounts and an index price in every market."""
    config = default_config((7,), 8)._replace(filled_orders_max=1 << 20)
    sequencer = Sequencer(genesis(config, START_MS), Authority(config, verify=False))
    for place in range(ACCOUNTS):
        account_id = 128 + 64 * place
        register = Register(START_MS, account_id, Kind.MAIN, MarginRule.LINEAR, account_id, place, 0, 1, UNSIGNED)
        sequencer.handle(Submit(START_MS, register))
        sequencer.handle(Submit(START_MS, Deposit(START_MS, place + 1, account_id, 1, 10**12)))
    prices = tuple((terms.market_id, INDEX << 32) for terms in config.markets)
    sequencer.handle(Prices(START_MS, (OracleReport(0, 1, START_MS, prices, UNSIGNED),)))
    return sequencer


def order(account_id: int, size: int, price: int, salt: int) -> Order:
    """A signed order, its signature apart."""
    expiration_s = START_MS // 1000 + 86_400 + EXPIRY_GRACE_S
    return Order(account_id, 1, size, -size * price, abs(size) * price, expiration_s, salt, account_id, UNSIGNED)


def mix(seed: int) -> list[Command]:
    """Half rests, two fifths cancel one of the last orders that rested, one tenth takes."""
    draw = random.Random(seed)
    commands: list[Command] = []
    open_orders: list[tuple[int, str]] = []
    for salt in range(COMMANDS):
        account_id = 128 + 64 * draw.randrange(ACCOUNTS)
        side = draw.choice((1, -1))
        kind = draw.random()
        if kind < 0.4 and open_orders:
            account_id, external_id = open_orders.pop(draw.randrange(len(open_orders)))
            commands.append(CancelOrder(START_MS, account_id, external_id=external_id))
        elif kind < 0.9:
            price = INDEX - side * draw.randint(1, 60)
            terms = Terms(str(salt), post_only=True)
            commands.append(PlaceOrder(START_MS, order(account_id, side * draw.randint(1, 20), price, salt), terms))
            open_orders = [*open_orders[-400:], (account_id, str(salt))]
        else:
            terms = Terms(time_in_force=TimeInForce.IOC)
            price = INDEX + side * 60
            commands.append(PlaceOrder(START_MS, order(account_id, side * draw.randint(1, 30), price, salt), terms))
    return commands


def seconds(commands: list[Command]) -> float:
    """Time for all commands, hashes computed beforehand."""
    sequencer = venue()
    for command in commands:
        if isinstance(command, PlaceOrder):
            sequencer.desk.authority.order_hash(command.order)
    start = time.process_time()
    for command in commands:
        sequencer.handle(command)
    spent = time.process_time() - start
    assert not sequencer.faults(), sequencer.faults()
    return spent


def run() -> list[Row]:
    """All rows."""
    both = mix(1)
    rests = [each for each in both if isinstance(each, PlaceOrder) and each.terms.post_only]
    rows = []
    for name, commands in (("mix: 50 % rest, 40 % cancel, 10 % trade", both), ("limit orders that rest", rests)):
        rate = len(commands) / min(seconds(commands) for _ in range(ROUNDS))
        rows.append(
            {
                "figure": f"sequencer, {name}",
                "value": rate,
                "unit": "commands/s",
                "reference": ADMISSION_REFERENCE,
                "ratio": rate / ADMISSION_REFERENCE,
            }
        )
    return rows


if __name__ == "__main__":
    for row in run():
        sys.stdout.write("{figure:60} {value:12,.0f} {unit:12} {ratio:6.2f}\n".format(**row))
