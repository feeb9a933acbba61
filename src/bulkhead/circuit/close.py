"""The end of a batch in the circuit: its number rises (`ledger.batch.close`); orders expire in `circuit.orders`."""

from __future__ import annotations

from bulkhead.circuit.frame import Frame
from bulkhead.circuit.messages import count
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import Counter


def close_frame(frame: Frame, venue: Venue, case: None) -> None:
    """One batch more. No frame comes after it."""
    frame.ends = True
    count(frame, Counter.BATCHES)
