"""What waits behind L1's timelock: what the council has announced, from when it may happen, and until when to leave.

The rollup's own logs are read, so that nothing is missed that somebody announced with another program.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract, Event
from bulkhead.bridge.record import Deployment

DAY_S = 86_400
TIMELOCK_S, ENACTMENT_WINDOW_S, FORCED_DEADLINE_S = 21 * DAY_S, 14 * DAY_S, 7 * DAY_S  # as in `contracts/terms.vy`
BLOCKS_MAX = 1_000  # asked for at once: nodes refuse larger ranges
EVENTS = ("ReaderProposed", "CouncilProposed", "ProposalWithdrawn", "ReaderPinned", "CouncilNamed")


class Kind(StrEnum):
    """What would be another."""

    READER = "reader"
    COUNCIL = "council"


class Stage(StrEnum):
    """How far a proposal is."""

    WAITING = "waiting"  # for the timelock
    READY = "ready"  # anybody may enact it
    ENACTED = "enacted"
    WITHDRAWN = "withdrawn"
    FORGOTTEN = "forgotten"  # nobody enacted it in time


class Proposal(NamedTuple):
    """One announcement. Times are seconds of L1; `from_batch` is an enacted reader's first batch, else the wish."""

    id: str
    kind: Kind
    address: str  # of the reader, or of the council; a reader of nobody retires its version and shape
    version: int
    shape: int
    from_batch: int
    ready_s: int
    stage: Stage

    @property
    def proposed_s(self) -> int:
        """When it was announced."""
        return self.ready_s - TIMELOCK_S

    @property
    def until_s(self) -> int:
        """It cannot be enacted from then on."""
        return self.ready_s + ENACTMENT_WINDOW_S

    @property
    def leave_before_s(self) -> int:
        """Whoever asks to leave by force before this is out before it happens: while his request is overdue nothing is
        enacted, and anybody may freeze."""
        return self.ready_s - FORCED_DEADLINE_S


class Proposals:
    """Follows one rollup. What is as deep as `confirmations` is read once. Raises what `Chain` raises."""

    def __init__(self, chain: Chain, deployment: Deployment, confirmations: int = 1) -> None:
        self._chain, self._confirmations, self._first = chain, confirmations, deployment.block
        self._rollup = deployment.contract(chain, "rollup")
        self._told: list[Event] = []
        self._block = deployment.block

    def over(self, chain: Chain) -> Proposals:
        """The same, which goes on over another connection."""
        self._chain, self._rollup = chain, Contract(chain, self._rollup.address, self._rollup.abi)
        return self

    def forget(self) -> None:
        """L1 went back behind what was read: read it anew."""
        self._told, self._block = [], self._first

    def look(self, now_s: int = 0) -> tuple[Proposal, ...]:
        """All there ever were, in the order in which they were announced, as they are in the newest block; `now_s` may
        be later than that, where L1 makes blocks only for transactions."""
        head = self._chain.head()
        while self._block < head.number - self._confirmations + 1:
            last = min(head.number - self._confirmations + 1, self._block + BLOCKS_MAX)
            self._told += self._rollup.events(self._block + 1, last, *EVENTS)
            self._block = last
        newer = self._rollup.events(self._block + 1, head.number, *EVENTS) if self._block < head.number else []
        return self._judged([*self._told, *newer], max(head.time_s, now_s))

    def _judged(self, events: list[Event], now_s: int) -> tuple[Proposal, ...]:
        found: list[Proposal] = []
        open_: dict[str, int] = {}  # proposals that nothing has ended yet, by id: their places
        for event in events:
            told = event.values
            if event.name in ("ReaderProposed", "CouncilProposed"):
                made = _proposal(event)
                if made.id in open_:  # the rollup takes the same once more only when the first is forgotten
                    _become(found, open_.pop(made.id), Stage.FORGOTTEN)
                open_[made.id] = len(found)
                found.append(made)
            elif event.name == "ProposalWithdrawn":
                place = open_.pop(told["proposal"].hex(), None)
                if place is not None:
                    _become(found, place, Stage.WITHDRAWN)
            else:
                place = self._enacted(event, [found[each] for each in open_.values()], open_)
                if place is not None:
                    begins = int(told["from_batch"]) if event.name == "ReaderPinned" else 0
                    found[place] = found[place]._replace(from_batch=begins, stage=Stage.ENACTED)
        for place in open_.values():
            if now_s >= found[place].ready_s:
                _become(found, place, Stage.READY if now_s < found[place].until_s else Stage.FORGOTTEN)
        return tuple(found)

    def _enacted(self, event: Event, waiting: list[Proposal], open_: dict[str, int]) -> int | None:
        """Which proposal a pin or a council follows; None for those that the rollup was deployed with."""
        told = event.values
        if event.name == "CouncilNamed":
            fits = [one for one in waiting if one.kind is Kind.COUNCIL and one.address == told["council"]]
        else:
            door = (told["version"], told["shape"], told["reader"])
            fits = [
                one for one in waiting
                if one.kind is Kind.READER and (one.version, one.shape, one.address) == door
                and one.from_batch <= told["from_batch"]
            ]  # fmt: skip
        if len(fits) > 1:  # they differ in the batch alone, which has passed for all of them: the rollup knows
            fits = [one for one in fits if not self._rollup.call("ready_s", bytes.fromhex(one.id))] or fits
        return open_.pop(fits[0].id) if fits else None


def _become(found: list[Proposal], place: int, stage: Stage) -> None:
    found[place] = found[place]._replace(stage=stage)


def _proposal(event: Event) -> Proposal:
    told = event.values
    name, ready_s = told["proposal"].hex(), int(told["ready_s"])
    if event.name == "CouncilProposed":
        return Proposal(name, Kind.COUNCIL, told["council"], 0, 0, 0, ready_s, Stage.WAITING)
    door = (int(told["version"]), int(told["shape"]), int(told["from_batch"]))
    return Proposal(name, Kind.READER, told["reader"], *door, ready_s, Stage.WAITING)
