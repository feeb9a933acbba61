"""One account's transactions, one at a time: made, written down, sent, and followed into a block.

A transaction is on the disk before L1 has it. What L1 says of the account's nonce decides what there is to do:

    a nonce below L1's        is in a block; which of ours it was, the receipt says
    L1's own, waiting there   is waited for, and after a while replaced at a higher fee
    L1's own, unknown there   was dropped, or never sent: given again, if it is still what is wanted
    L1's own, not ours yet    is free

So a process that stops anywhere goes on where it was, and a reorganisation is nothing but a nonce that went back.
"""

from __future__ import annotations

from collections.abc import Callable

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.chain import LATEST, PENDING, Chain, Fees, bumped
from bulkhead.bridge.errors import (
    AlreadyKnown,
    BalanceTooLow,
    FeeTooLow,
    NonceTooHigh,
    NonceTooLow,
    ReplacementTooCheap,
    Reverted,
)
from bulkhead.bridge.errors import Refused as Unsendable
from bulkhead.bridge.gas import GAS_MAX
from bulkhead.node.settling.events import (
    Call,
    Cause,
    Displaced,
    Event,
    Included,
    OutOfFunds,
    Refused,
    Reorganised,
    Sent,
    Unpublishable,
    Waiting,
)
from bulkhead.node.settling.store import Attempt, Store

Wanted = Callable[[], Call | Waiting | None]
"""What is to be sent next, looked up on L1; None when nothing is."""


class Outbox:
    """Sends for one key, which nobody else should send with. Raises Refused, Unpublishable, and what `Chain` raises."""

    def __init__(
        self, chain: Chain, signer: LocalAccount, store: Store, *, stuck_ms: int, fee_max: int | None = None
    ) -> None:
        """A transaction that waits for `stuck_ms` is replaced; no unit of gas is paid with more than `fee_max` wei."""
        self.chain, self.signer, self.store = chain, signer, store
        self.sender = str(signer.address)
        self.stuck_ms, self.fee_max = stuck_ms, fee_max

    def step(self, now_ms: int, wanted: Wanted) -> Event | None:
        """Do one thing. None when nothing waits and nothing is wanted."""
        nonce = self.chain.nonce(self.sender, LATEST)
        lost = self.store.unbook(self.sender, nonce)
        if lost is not None:
            return Reorganised(lost - 1)
        unbooked = self.store.unbooked(self.sender, nonce)
        if unbooked is not None:
            return self._book(unbooked, now_ms)
        made = self.store.attempts(self.sender, nonce)
        if made and not made[-1].is_abandoned:
            return self._tend(made, wanted(), now_ms)
        call = wanted()
        if not isinstance(call, Call):
            return call
        if not made and self.chain.nonce(self.sender, PENDING) > nonce:
            return Waiting(Cause.UNKNOWN_NONCE, f"nonce {nonce} of {self.sender}")
        return self._make(call, nonce, made, now_ms)

    def _book(self, nonce: int, now_ms: int) -> Event:
        """A nonce that L1 has used: find out which transaction did."""
        made = self.store.attempts(self.sender, nonce)
        for each in made:
            found = self.chain.receipt(each.hash)
            if found is not None:
                step, batch, part = each.call[:3]
                done = Included(step, batch, part, nonce, each.hash, found.block, found.gas_used, found.succeeded)
                block = self.chain.block(found.block)
                self.store.include(self.sender, done, 0 if block is None else block.time_s)  # first: it is done once
                self.store.book(self.sender, nonce, each.hash, found.block)
                return done
        if now_ms - made[-1].sent_ms < self.stuck_ms:  # nodes may know a nonce some moments before its receipt
            return Waiting(Cause.INCLUSION, f"no receipt yet for nonce {nonce}")
        self.store.book(self.sender, nonce, b"", self.chain.head().number)
        return Displaced(nonce)

    def _tend(self, made: list[Attempt], call: Call | Waiting | None, now_ms: int) -> Event | None:
        """Transactions of ours have L1's nonce, and none is in a block."""
        newest = made[-1]
        if any(self.chain.is_known(each.hash) for each in made):
            late_ms = now_ms - newest.sent_ms
            if late_ms < self.stuck_ms or not isinstance(call, Call):
                return Waiting(Cause.INCLUSION, f"0x{newest.hash.hex()}, {max(late_ms, 0) // 1000} s")
            return self._make(call, newest.nonce, made, now_ms)
        if not isinstance(call, Call):
            self.store.abandon(self.sender, newest.nonce)
            return call
        if call == newest.call:
            return self._give(newest, made, now_ms, is_repeated=True)
        return self._make(call, newest.nonce, made, now_ms)

    def _make(self, call: Call, nonce: int, made: list[Attempt], now_ms: int) -> Event:
        """Sign a call, write it down, send it. With earlier ones of its nonce it pays more than they do."""
        now, most_before = self.chain.fees(), made[-1].fees if made else None
        fees = now if most_before is None else bumped(most_before, now)
        if self.fee_max is not None and fees.most > self.fee_max:
            fees = Fees(self.fee_max, min(fees.tip, self.fee_max))
            least = self.chain.head().base_fee
            if fees.most < least or (most_before is not None and fees.most < bumped(most_before, most_before).most):
                return Waiting(Cause.FEE, f"{now.most} wei a unit of gas, of at most {self.fee_max}")
        try:
            is_same = bool(made) and made[-1].call == call
            gas = made[-1].gas if is_same else self.chain.estimate(self.sender, call.to, call.data)
        except Reverted as error:
            raise Refused(call, error.reason) from error
        except BalanceTooLow:
            gas = GAS_MAX  # too poor even for the estimate
        held, needed = self.chain.balance(self.sender), gas * fees.most
        if held < needed:
            return OutOfFunds(self.sender, needed, held)
        try:
            prepared = self.chain.prepare(self.signer, call.to, call.data, gas=gas, nonce=nonce, fees=fees)
        except Unsendable as error:  # too many bytes, or too much gas: for every node, for ever
            raise Unpublishable(call.batch, f"no node takes the transaction: {error}") from error
        attempt = Attempt(nonce, len(made) + 1, prepared.hash, prepared.raw, call, gas, fees, now_ms)
        self.store.put_attempt(self.sender, attempt)
        return self._give(attempt, [*made, attempt], now_ms)

    def _give(self, attempt: Attempt, made: list[Attempt], now_ms: int, *, is_repeated: bool = False) -> Event:
        """Give a transaction to L1, which may have it already."""
        call, nonce = attempt.call, attempt.nonce
        try:
            self.chain.ask("eth_sendRawTransaction", "0x" + attempt.raw.hex())
        except AlreadyKnown:
            pass
        except (NonceTooLow, NonceTooHigh, ReplacementTooCheap) as error:
            return Waiting(Cause.INCLUSION, str(error))  # L1 has moved: the next look says where it is
        except BalanceTooLow:
            return OutOfFunds(self.sender, attempt.gas * attempt.fees.most, self.chain.balance(self.sender))
        except FeeTooLow as error:
            if is_repeated:  # it was dropped when fees rose
                return self._make(call, nonce, made, now_ms)
            return Waiting(Cause.FEE, str(error))
        except Unsendable as error:
            raise Unpublishable(call.batch, f"the node does not take the transaction: {error}") from error
        return Sent(call.step, call.batch, call.part, nonce, attempt.hash, attempt.place, is_repeated)
