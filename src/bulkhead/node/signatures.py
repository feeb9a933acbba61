"""Signatures of a group of commands, verified at once: some twenty times faster than one by one.

What the proof library answers is remembered by the exchange's authority, which the door and the ledger then ask as
ever. Nothing depends on it but speed: a question that was not asked here is answered there.
"""

from __future__ import annotations

from collections.abc import Iterable

from bulkhead.engine.command import Command
from bulkhead.node.exchange import Exchange
from stark.ecdsa import KnownKeys, Signed, verify_batch


class Signatures:
    """Verifies for one exchange. Tables of keys that signed before are kept."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._keys = KnownKeys()

    def verify(self, commands: Iterable[Command]) -> None:
        """Ask every signature of these commands. Which commands are refused is the door's to say."""
        asked = [
            (one.key, message_hash, one.signature)
            for command in commands
            for one in self._exchange.signatures_of(command)
            for message_hash in one.message_hashes
        ]
        if len(asked) == 0:
            return
        signed = [Signed(key, message_hash, *signature) for key, message_hash, signature in asked]
        answers = verify_batch(signed, self._keys)
        authority = self._exchange.machine.authority
        for question, is_valid in zip(asked, answers, strict=True):
            authority.remember(*question, is_valid)
