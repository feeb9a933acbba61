"""Receipts, checked here and not believed: that the hash chain follows from the record, that the record holds what this
key signed, and that the exchange still tells the chain that it told before.

Chains are kept in a file. Whoever is shown two of them for one record knows that history was changed, and can prove it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkhead.codec import CodecError
from bulkhead.engine.command import Command, PlaceOrder, PlaceProtection
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.tx import Order
from bulkhead.node.records import COMMANDS
from bulkhead.node.segment import PREFIX, next_chain
from bulkhead.units import Felt

KEPT = 10_000
CHAIN_BYTES = 32


class ReceiptError(Exception):
    """A receipt that does not hold, or a file of receipts that cannot be used; the text says what and why."""


@dataclass(frozen=True)
class Checked:
    """A receipt that holds: `sequence` is its place, `chain` the hash of all history up to it, `batch` 0 while open."""

    order_id: int
    sequence: int
    chain: str
    batch: int
    status: str
    was_known: bool  # the same chain was told before


class Receipts:
    """The chains that one exchange has told so far. One file for each exchange, by the digest of its genesis."""

    def __init__(self, path: Path) -> None:
        """Raises ReceiptError for a file that is none."""
        self.path = path
        self.chains: dict[int, str] = {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            self.chains = {int(sequence): str(chain) for sequence, chain in found.items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError) as error:
            raise ReceiptError(f"{path} is no file of receipts: {error!r}; move it away to begin anew") from error

    def check(self, receipt: Mapping[str, Any], config: VenueConfig, key: int) -> Checked:
        """Hold an order's receipt to what can be computed, and keep its chain. Raises ReceiptError."""
        try:
            sequence, order_id = int(receipt["sequence"]), int(receipt["orderId"])
            chain, previous = bytes.fromhex(receipt["chain"]), bytes.fromhex(receipt["previous"])
            record = bytes.fromhex(receipt["record"])
            stated, batch, status = str(receipt["orderHash"]), int(receipt["batch"]), str(receipt["status"])
        except (KeyError, ValueError, TypeError) as error:
            raise ReceiptError(f"this is no receipt: {error!r}") from error
        if next_chain(previous, PREFIX.pack(len(record), sequence), record) != chain:
            raise ReceiptError(f"record {sequence}: the chain does not follow from the record and the chain before it")
        _check_signed(sequence, record, stated, Authority(config), Felt(key))
        known = self.chains.get(sequence)
        if known is not None and known != chain.hex():
            raise ReceiptError(
                f"record {sequence}: the exchange told chain {known[:16]}… before, and {chain.hex()[:16]}… now: "
                f"history was changed. Keep {self.path}: it is the evidence"
            )
        self.keep(sequence, chain.hex())
        return Checked(order_id, sequence, chain.hex(), batch, status, known is not None)

    def compare(self, sequence: int, chain: str) -> bool:
        """Whether a chain that is told now is what was told before; False where nothing is known of the record.
        Raises ReceiptError where they differ."""
        known = self.chains.get(sequence)
        if known is not None and known != chain:
            raise ReceiptError(f"record {sequence}: two chains were told, {known[:16]}… and {chain[:16]}…")
        return known is not None

    def keep(self, sequence: int, chain: str) -> None:
        """Write a chain down. Raises ReceiptError where the file cannot be written."""
        self.chains[sequence] = chain
        while len(self.chains) > KEPT:
            del self.chains[min(self.chains)]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps(self.chains), encoding="utf-8")
            part.replace(self.path)
        except OSError as error:
            raise ReceiptError(f"{self.path} cannot be written: {error.strerror or error}") from error


def _check_signed(sequence: int, record: bytes, stated: str, authority: Authority, key: Felt) -> None:
    """The record is a command with an order of this hash, signed by this key."""
    try:
        command = COMMANDS.decode(record)
    except CodecError as error:
        raise ReceiptError(f"record {sequence} is no command: {error}") from error
    hashes = {}
    for order in _orders(command):
        hashes[authority.order_hash(order)] = order
    found = hashes.get(int(stated, 0) if stated.startswith("0x") else int(stated))
    if found is None:
        raise ReceiptError(f"record {sequence} holds no order with the hash {stated[:20]}")
    if not authority.is_signed(key, authority.order_hash(found), found.signature):
        raise ReceiptError(f"record {sequence}: the order in it is not signed by this account's key")


def _orders(command: Command) -> list[Order]:
    """Every signed order in a command."""
    if isinstance(command, PlaceOrder):
        legs = (command.take_profit, command.stop_loss)
        return [command.order, *(leg.order for leg in legs if leg is not None)]
    if isinstance(command, PlaceProtection):
        return [leg.order for leg in (command.take_profit, command.stop_loss) if leg is not None]
    return []
