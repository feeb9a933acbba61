"""The rules table: a transaction is a run of rows, each an operation of `OPERATIONS` with its own rules.

A transaction takes the sequence's place from the bus and puts the next one there. Its registers stand in all its
rows; `checked` cells are numbers of 64 bits; at the ports a row reads and writes words of memory, at time 64 i + slot.
So far:

    deposit   credit                                                  Deposit      (ledger.custody.deposit)
    withdraw  debit   sign  sign_rest  message  spend                 Withdrawal   (ledger.custody.withdrawal)
    transfer  target  pay  sign  sign_rest  message  spend            Transfer     (ledger.custody.transfer)

for accounts that hold the settlement asset and, where money leaves, nothing else: what an account with positions may
take out is the rule of margin, which has no circuit yet. A batch with anything else is not proven (`circuit.trace`).
"""

from __future__ import annotations

from collections.abc import Mapping

from bulkhead.circuit.operations import CHECKED, OPERATIONS, PORT_A, PORT_B, REGISTERS, Venue
from bulkhead.circuit.words import DEPOSITED, HISTORY, PAID_OUT, SEQUENCE
from stark.air.chip import Chip, Must, Row
from stark.air.expr import Expr, lift, total
from stark.chips.ecdsa import SIGNED
from stark.chips.poseidon import POSEIDON
from stark.chips.ranges import NUMBER

SLOTS = 64  # moments of memory for each transaction


class Rules(Chip):
    """One row an operation: 38 cells, 8 of its buses, 8 numbers; idle rows are zeros."""

    name = "rules"
    columns = (*OPERATIONS, *REGISTERS, ("checked", CHECKED), *PORT_A, *PORT_B)

    def __init__(self, venue: Venue):
        self.venue = venue

    def constrain(self, row: Row, must: Must) -> None:
        """Which operation follows which, then each one's own rules and messages."""
        bits = {name: getattr(row, name) for name in OPERATIONS}
        live = total(list(bits.values()))
        for name, bit in bits.items():
            must.boolean(f"{name} is a bit", bit)
        must.boolean("one operation a row", live)
        self._run(row, must, bits)
        self._unused(row, must, bits)
        for name, operation in OPERATIONS.items():
            for rule, value in operation.rules(row, self.venue):
                must.zero(f"{name}: {rule}", bits[name] * value)
        self._sequence(row, must, bits)
        self._memory(row, must, bits)
        self._hashes(row, must, bits)
        for cell in row["checked"]:
            must.send(NUMBER, [cell], live)

    def _run(self, row: Row, must: Must, bits: Mapping[str, Expr]) -> None:
        """An operation comes after one of those it names; registers stand until the last."""
        for operation in OPERATIONS.values():
            if operation.after:
                came = total([bits[name] for name in operation.after])
                must.zero(f"{operation.name} follows", getattr(row.next, operation.name) * (1 - came))
            if not operation.ends:
                after = [getattr(row.next, each.name) for each in OPERATIONS.values() if operation.name in each.after]
                must.zero(f"{operation.name} is followed", bits[operation.name] * (1 - total(after)))
        goes_on = total([bits[operation.name] for operation in OPERATIONS.values() if not operation.ends])
        for register in REGISTERS:
            must.zero(f"{register} stands", goes_on * (getattr(row.next, register) - getattr(row, register)))

    def _unused(self, row: Row, must: Must, bits: Mapping[str, Expr]) -> None:
        """A cell is zero where no rule reads it."""
        cells = {f"checked {place}": cell for place, cell in enumerate(row["checked"])}
        cells |= {name: getattr(row, name) for name in (*REGISTERS, *PORT_A, *PORT_B)}
        for name, cell in cells.items():
            used = total([bits[each.name] for each in OPERATIONS.values() if name in each.uses])
            must.zero(f"{name} is empty where it is not used", (1 - used) * cell)

    def _sequence(self, row: Row, must: Must, bits: Mapping[str, Expr]) -> None:
        """The place is taken at the first operation, whose `checked` 0 is the time since, and passed on at the last."""
        place = [row.number, row.time_ms - row["checked"][0], row.deposits, row.withdrawals]
        must.receive(SEQUENCE, place, total([bits[each.name] for each in OPERATIONS.values() if not each.after]))
        deposits = row.deposits + bits["credit"]
        withdrawals = row.withdrawals + bits["spend"] * (1 - row.is_transfer)
        ends = total([bits[each.name] for each in OPERATIONS.values() if each.ends])
        must.send(SEQUENCE, [row.number + 1, row.time_ms, deposits, withdrawals], ends)
        must.receive(DEPOSITED, [row.deposits + 1, row.account, row.amount], bits["deposit"])
        must.send(PAID_OUT, [row.withdrawals + 1, row.recipient, row.amount], bits["withdraw"])

    def _memory(self, row: Row, must: Must, bits: Mapping[str, Expr]) -> None:
        """What is found at a port was written earlier; what is left is written now."""
        for port, names in enumerate((PORT_A, PORT_B)):
            before, after, written = (getattr(row, name) for name in names)
            words = {
                each.name: each.ports(row, self.venue)[port] for each in OPERATIONS.values() if each.port_count > port
            }
            used = total([bits[name] for name in words])
            key = total([bits[name] * word for name, word in words.items()])
            time = SLOTS * row.number + total([bits[name] * slot_of(name, port) for name in words])
            must.receive(HISTORY, [key, before, written], used)
            must.send(HISTORY, [key, after, time], used)
            must.send(NUMBER, [time - written - 1], used)

    def _hashes(self, row: Row, must: Must, bits: Mapping[str, Expr]) -> None:
        """Up to two permutations of the lists that are hashed, and the signature of the message."""
        for place in range(2):
            taken = {}
            for operation in OPERATIONS.values():
                takes = operation.takes(row, self.venue)
                if len(takes) > place:
                    taken[operation.name] = takes[place]
            values = [
                total([bits[name] * lift(message[field]) for name, message in taken.items()])
                for field in range(len(POSEIDON.fields))
            ]
            must.receive(POSEIDON, values, total([bits[name] for name in taken]))
        must.receive(SIGNED, [row.key, row.digest], bits["spend"])


def slot_of(operation: str, port: int) -> int:
    """The moment within a transaction at which an operation uses a port; later operations come later."""
    return 1 + 2 * list(OPERATIONS).index(operation) + port
