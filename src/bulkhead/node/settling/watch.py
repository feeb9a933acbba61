"""Reads what L1 tells in confirmed blocks, each block once, and notices when blocks that were read are gone."""

from __future__ import annotations

from bulkhead.bridge.chain import Block, Chain
from bulkhead.bridge.contract import Event as L1Event
from bulkhead.bridge.errors import Unreachable
from bulkhead.bridge.record import Deployment
from bulkhead.node.settling.events import Followed, Reorganised
from bulkhead.node.settling.store import Store, Told

BLOCKS_MAX = 1_000  # asked for at once: nodes refuse larger ranges
KINDS = {
    "Deposited": "deposit", "Cancelled": "cancelled", "Taken": "taken", "Requested": "request", "Settled": "settled"
}  # fmt: skip
CLAIMED = "claimed"
PLACE_BITS = 24  # a claim's number is its block and its place among the block's logs


class Watch:
    """A reader's place on L1, kept in the store. Raises what `Chain` raises."""

    def __init__(self, chain: Chain, deployment: Deployment, store: Store, confirmations: int) -> None:
        """A block counts when so many hold it, its own the first."""
        self.chain, self.store, self.confirmations, self._first = chain, store, confirmations, deployment.block
        self._custody, self._rollup = (deployment.contract(chain, name) for name in ("custody", "rollup"))

    def step(self, head: Block, now_ms: int = 0) -> Followed | Reorganised | None:
        """Read some blocks on, or go back where L1 did; None when all that is confirmed was read."""
        tip = self.store.tip()
        if tip is not None and not self._is_there(*tip):
            return self._go_back()
        if tip is not None and (read := self._claims_to()) < tip[0]:  # of blocks that a version without claims read
            return self._read_claims(read + 1, min(read + BLOCKS_MAX, tip[0]))
        number = self._first if tip is None else tip[0]
        last = min(head.number - self.confirmations + 1, number + BLOCKS_MAX)
        return None if last <= number else self._read(number + 1, last, now_ms)

    def _read(self, first: int, last: int, now_ms: int) -> Followed:
        end = self._block(last)
        events = self._custody.events(first, last, "Deposited", "Cancelled", "Taken", "Claimed")
        events += self._rollup.events(first, last, "Requested", "Settled")
        claims = self._claims(first, events)
        self._check(end)
        told = [*(_told(event) for event in events if event.name in KINDS), *claims]
        self.store.advance(last, end.hash, told, now_ms)
        final = tuple(each.number for each in told if each.kind == "settled")
        deposits, cancelled, requests = (
            sum(each.kind == kind for each in told) for kind in ("deposit", "cancelled", "request")
        )
        return Followed(last, deposits, cancelled, requests, final)

    def _read_claims(self, first: int, last: int) -> Followed:
        end = self._block(last)
        events = self._custody.events(first, last, "Claimed") + self._rollup.events(first, last, "Settled")
        claims = self._claims(first, events)
        self._check(end)
        self.store.add_claims(last, claims)
        return Followed(last, 0, 0, 0, ())

    def _claims_to(self) -> int:
        """The last block whose claims were read."""
        return int(self.store.meta("claims to") or self._first)

    def _claims(self, first: int, events: list[L1Event]) -> list[Told]:
        """Claims among events of blocks from `first` on, each with the number of batches that had settled before it:
        custody sends all that it owes, so it paid every withdrawal in those."""
        batches, times, found = self.store.settled_before(first), dict[int, int](), []
        for event in sorted(events, key=lambda one: (one.log.block, one.log.place)):
            block = event.log.block
            if event.name == "Settled":
                batches = int(event.values["number"])
            elif event.name == "Claimed":
                if block not in times:
                    times[block] = self._block(block).time_s
                body = {
                    "recipient": str(event.values["recipient"]).lower(), "amount": int(event.values["amount"]),
                    "batches": batches, "time_s": times[block], "transaction": f"0x{event.log.transaction.hex()}",
                }  # fmt: skip
                found.append(Told(CLAIMED, block << PLACE_BITS | event.log.place, block, body))
        return found

    def _go_back(self) -> Reorganised:
        """To the newest block that was read and is still there, or to where the contracts begin."""
        for number, digest in self.store.blocks():
            if self._is_there(number, digest):
                break
        else:
            number = self._first
        self.store.rewind(number)
        return Reorganised(number)

    def _block(self, number: int) -> Block:
        found = self.chain.block(number)
        if found is None:
            raise Unreachable(f"the node has no block {number}, though its head is beyond it")
        return found

    def _check(self, end: Block) -> None:
        """What was read up to a block is of one history; else it is read again."""
        if not self._is_there(end.number, end.hash):
            raise Unreachable(f"L1 was reorganised at block {end.number} while it was read")

    def _is_there(self, number: int, digest: bytes) -> bool:
        found = self.chain.block(number)
        return found is not None and found.hash == digest


def _told(event: L1Event) -> Told:
    """An entry as the store keeps it. States have more bits than JSON's readers like, and nobody asks for them."""
    values = {name: value for name, value in event.values.items() if name not in ("number", "state")}
    number = event.values["last" if event.name == "Taken" else "number"]
    return Told(KINDS[event.name], int(number), event.log.block, values)
