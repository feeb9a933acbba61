"""The whole deterministic exchange: `Venue.handle(command) -> events`. Start reading here.

A command runs in the engine; on a clock or oracle command the funding tick follows when it is due; after new prices
the liquidator works until nothing is left to do. No clock and no randomness: same commands, same events, same state.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.engine.command import Clock, Command, Prices
from bulkhead.engine.event import PricesAccepted
from bulkhead.engine.sequencer import Sequencer
from bulkhead.engine.snapshot import Snapshot
from bulkhead.fixed import ratio_floor
from bulkhead.keepers import ticks
from bulkhead.keepers.condition import Condition, Standing
from bulkhead.keepers.event import VenueEvent
from bulkhead.keepers.liquidator import Liquidator
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.state import State
from bulkhead.ledger.takeover import holders
from bulkhead.reject import Reject
from bulkhead.rules.deleveraging import rank
from bulkhead.rules.terms import Position
from bulkhead.units import AccountId, Fraction, FundingIndex, MarketId, Quote, Size


class Memory(NamedTuple):
    """What the keepers remember between commands beside ledger and engine, for snapshots."""

    standings: tuple[tuple[AccountId, Standing], ...]
    waiting: tuple[tuple[AccountId, Reject], ...]


class VenueSnapshot(NamedTuple):
    """Engine and keepers between two commands."""

    engine: Snapshot
    memory: Memory


class Venue:
    """Sequencer, ticks and liquidator over one ledger state."""

    __slots__ = ("liquidator", "sequencer")

    def __init__(self, sequencer: Sequencer) -> None:
        self.sequencer = sequencer
        self.liquidator = Liquidator(sequencer)

    def handle(self, command: Command) -> list[VenueEvent]:
        """Run a command and everything the keepers owe to it."""
        events: list[VenueEvent] = list(self.sequencer.handle(command))
        if isinstance(command, Prices | Clock) and command.time_ms == self.sequencer.time_ms:
            events += ticks.funding(self.sequencer)
        if any(isinstance(event, PricesAccepted) for event in events):
            events += self.liquidator.run()
        return events

    # -- questions -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The ledger's state."""
        return self.sequencer.state

    def condition(self, account_id: int) -> Condition:
        """The condition of an account as last published."""
        return self.liquidator.watch.standing(account_id).condition

    def deleveraging_ranks(self, market_id: MarketId) -> dict[AccountId, int]:
        """Of holders in profit the decile, 10 first, in which their side would give up lots of a market.

        For display; what each would really give up is `rules.deleveraging.shares`.
        """
        found: dict[AccountId, int] = {}
        for side in (1, -1):  # a position on one side finds the holders of the other
            against = Position(market_id, Size(-side), Quote(0), FundingIndex(0))
            found |= rank(holders(self.liquidator.draft(), against))
        return dict(sorted(found.items()))

    def deleveraging_levels(self, market_id: MarketId) -> dict[int, list[tuple[int, Fraction]]]:
        """By side (1 long, −1 short): each decile that somebody has, last first, with the least profit for an unhedged
        lot in it. Quote per lot with 32 fraction bits, rounded down.
        """
        found: dict[int, list[tuple[int, Fraction]]] = {}
        for side in (1, -1):
            against = Position(market_id, Size(-side), Quote(0), FundingIndex(0))
            held = holders(self.liquidator.draft(), against)
            places, least = rank(held), dict[int, Fraction]()
            for holder in held:
                level = places.get(holder.account_id)
                if level is not None:
                    earned = ratio_floor(int(holder.profit), int(holder.unhedged))
                    least[level] = min(earned, least.get(level, earned))
            found[side] = sorted(least.items())
        return found

    # -- snapshots -------------------------------------------------------------------------------------------------

    def dump(self) -> VenueSnapshot:
        """Everything beside the ledger's state, between two commands."""
        standings, waiting = self.liquidator.watch.standings, self.liquidator.waiting
        return VenueSnapshot(
            self.sequencer.dump(),
            Memory(
                tuple((AccountId(account_id), standing) for account_id, standing in sorted(standings.items())),
                tuple((AccountId(account_id), reason) for account_id, reason in sorted(waiting.items())),
            ),
        )

    @classmethod
    def load(cls, state: State, authority: Authority, taken: VenueSnapshot) -> Venue:
        """The venue a snapshot was taken of, over the ledger's state of the same moment."""
        venue = cls(Sequencer.load(state, authority, taken.engine))
        venue.liquidator.watch.standings.update(taken.memory.standings)
        venue.liquidator.waiting.update(taken.memory.waiting)
        return venue
