"""A proven statement, read: what a batch did, as far as its proof says so.

Buses bind the statement's lists to the tables, but that a place's mark `used` is a bit, and that counters fit the
widths in which S packs them, is for the reader to check. The contract that settles checks the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.ledger.commitment import SIGNED_QUOTE
from bulkhead.limits import NONCE_BITS, TIME_MS_BITS
from bulkhead.units import TimeMs

TRANSACTIONS_MAX = 1 << 20  # in one batch
WIDTHS = {
    "deposits": SIGNED_QUOTE,
    "withdrawals": SIGNED_QUOTE,
    "forced": SIGNED_QUOTE,
    "transactions": SIGNED_QUOTE,
    "batches": NONCE_BITS,
    "time_ms": TIME_MS_BITS,
    "fresh_after_ms": TIME_MS_BITS,
}
"""Bits of the counters that S packs into few elements, each stated once, or before and after."""
QUEUES = {"deposit": "deposits", "paid": "withdrawals", "forced": "forced"}
"""Lists that are queues, and the counters that number them."""
_LISTED = re.compile(r"([a-z]+)_([a-z_]+)_(\d+)")


class StatementError(ValueError):
    """A statement that means nothing, whatever is proven of it."""


class Said(NamedTuple):
    """What a statement says of one batch."""

    batch: int
    state_before: int
    state_after: int
    time_before_ms: TimeMs
    time_after_ms: TimeMs
    transactions: int
    lists: dict[str, tuple[dict[str, int], ...]]  # by name the places that are used: fields by name, without the mark


def read_statement(names: Sequence[str], elements: Sequence[int]) -> Said:
    """Read a statement by the names of its elements, which changed words follow. Raises StatementError."""
    if len(elements) < len(names):
        raise StatementError(f"the statement has {len(elements)} elements, not {len(names)}")
    said, changed = dict(zip(names, elements, strict=False)), elements[len(names) :]
    if len(changed) % 2:
        raise StatementError("a changed word is a key and a value, and the last one has no value")
    for counter, width in WIDTHS.items():
        for name in (counter, f"{counter}_before", f"{counter}_after"):
            if not 0 <= said.get(name, 0) < 1 << width:
                raise StatementError(f"{name} does not fit {width} bits")
    transactions = said["transactions_after"] - said["transactions_before"]
    if not 0 <= transactions <= TRANSACTIONS_MAX:
        raise StatementError(f"a batch of {transactions} transactions")
    if said["time_ms_after"] < said["time_ms_before"]:
        raise StatementError("the batch ends before it begins")
    if said.get("now_s", said["time_ms_after"] // 1000) != said["time_ms_after"] // 1000:
        raise StatementError("the second at which orders expire is not that of the batch's end")
    lists = {name: _used(name, places) for name, places in _places(said).items()}
    words = zip(changed[::2], changed[1::2], strict=True)
    lists["changed"] = tuple({"key": key, "value": value} for key, value in words)
    for name, counter in QUEUES.items():
        count = said[f"{counter}_after"] - said[f"{counter}_before"]
        if len(lists.get(name, ())) != count:
            raise StatementError(f"{len(lists.get(name, ()))} {counter} are listed, and {count} counted")
    ends = said["state_before"], said["state_after"]
    times = TimeMs(said["time_ms_before"]), TimeMs(said["time_ms_after"])
    return Said(said["batches_before"] + 1, *ends, *times, transactions, lists)


def _places(said: dict[str, int]) -> dict[str, list[dict[str, int]]]:
    """The statement's lists: of each place its fields, in order."""
    found: dict[str, list[dict[str, int]]] = {}
    for name, value in said.items():
        listed = _LISTED.fullmatch(name)
        if listed is None or f"{listed[1]}_used_{listed[3]}" not in said:
            continue
        places = found.setdefault(listed[1], [])
        if int(listed[3]) == len(places):
            places.append({})
        places[int(listed[3])][listed[2]] = value
    return found


def _used(name: str, places: list[dict[str, int]]) -> tuple[dict[str, int], ...]:
    """The used places of a list, which are its first ones; the others are empty."""
    found: list[dict[str, int]] = []
    for number, place in enumerate(places):
        used = place.pop("used")
        if used == 1 and len(found) == number:
            found.append(place)
        elif used or any(place.values()):
            raise StatementError(f"place {number} of the list of {name} is neither used nor empty")
    return tuple(found)
