"""An hour and a half of a real crash on a venue that settles with proofs, written so that one batch has everything.

Makers, a crowd and keepers do what they do in any world; a script adds, at fixed minutes, whatever would not come by
itself, so that the batch holds every kind of transaction that such a venue accepts. From the recorded prices alone it
is deterministic: same journal, same proof, on any machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bulkhead.circuit.venue import provable
from bulkhead.engine.command import MassCancel, RestartNode, SealBatch, SetStatus, Submit
from bulkhead.engine.event import Rejected
from bulkhead.keepers.event import VenueEvent
from bulkhead.lab.agents import Maker
from bulkhead.lab.prices import DEFAULT, DataSet, Ticks, load, ticks
from bulkhead.lab.scribe import Scribe
from bulkhead.lab.signed import L1Call, SignedWorld, with_keys
from bulkhead.lab.venue import config_of
from bulkhead.lab.world import USD, World
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, VenueConfig
from bulkhead.ledger.state import Choice, Kind, Mode, State, Status, child_id
from bulkhead.ledger.tx import AssetLeg, ForcedClose, ForcedWithdrawal
from bulkhead.limits import FILLED_ORDERS_MAX
from bulkhead.units import AccountId, MarketId, Quote, TimeMs

BEGINS_MS = 1_542_740_400_000  # 20 November 2018, 19:00 UTC: in the second hour Bitcoin falls by a fifteenth
MINUTES = 88
TICKING = (0, 60, 68, 75, 78, 80, 82, 84, 86)  # minutes with an oracle tick; at 60 funding is due
SYMBOLS = ("BTC", "ETH", "XRP")
BTC, ETH, XRP = 1, 2, 3
PRICE_AGE_MAX_MS = 660_000  # eleven minutes, for ticks are few
CHAIN_ID = "BH_31337_demo"
DOLLAR = 1_000_000
NOBODY = 6_400  # no account has this number

MAKER, HEDGER, SWING, BOOK, WHALE = 640, 704, 768, 832, 896
LEVERED, STRETCHED, RETAIL, EXILE = 960, 1_024, 1_088, 1_152

DEPOSITS = {  # dollars
    BACKSTOP_ACCOUNT: 300,
    MAKER: 400_000,
    HEDGER: 30_000,
    SWING: 20_000,
    WHALE: 1_700,
    LEVERED: 700,
    STRETCHED: 1_250,
    RETAIL: 50_000,
    EXILE: 5_000,
}
ACCOUNTS = dict.fromkeys(DEPOSITS, Kind.MAIN) | {BACKSTOP_ACCOUNT: Kind.BACKSTOP, BOOK: Kind.STRATEGY}


class ScriptRefused(Exception):
    """The venue refused what the script does: prices, rules and script do not fit each other any more."""


class Proven(NamedTuple):
    """What became of the world: its journal, the calls it made on L1, and the sealed state."""

    folder: Path
    calls: tuple[L1Call, ...]
    begin_ms: TimeMs
    end_ms: TimeMs
    state: State


@cache
def prices() -> tuple[DataSet, Ticks]:
    """The shipped set, cut to the venue's markets and to the script's minutes."""
    whole = load(DEFAULT)
    data = replace(whole, bars={symbol: whole.bars[symbol] for symbol in SYMBOLS})
    path = ticks(data, 60_000, seed=1)
    first = (BEGINS_MS - int(path.time_ms[0])) // 60_000
    part = slice(first, first + MINUTES)
    return data, Ticks(path.time_ms[part], {symbol: series[part] for symbol, series in path.price.items()})


@cache
def config() -> VenueConfig:
    """The venue: keys that sign, and nothing that has no circuit."""
    base = provable(with_keys(config_of(prices()[0], 60_000)))
    markets = tuple(terms._replace(price_age_max_ms=PRICE_AGE_MAX_MS) for terms in base.markets)
    return base._replace(chain_id=CHAIN_ID, markets=markets, filled_orders_max=FILLED_ORDERS_MAX)


@dataclass(slots=True)
class Script:
    """What happens at which minute, beside the makers and the keepers."""

    world: SignedWorld
    maker: Maker = field(
        default_factory=lambda: Maker(MAKER, 0.0006, 4, requote=0.001, age_max_hours=0.1, level_notional=6_000.0)
    )
    asked: list[ForcedWithdrawal | ForcedClose] = field(default_factory=list)

    def act(self, world: World) -> None:
        """One minute: makers quote anew where the oracle spoke, then the minute's scene."""
        if world.step and world.step in TICKING:
            self.maker.act(world)
        scene = SCENES.get(world.step)
        if scene is not None:
            scene(self, self.world)

    # -- scenes ----------------------------------------------------------------------------------------------------

    def open(self, world: SignedWorld) -> None:
        """Everybody arrives with money from L1; the first positions are taken while the market is calm."""
        for account_id, kind in ACCOUNTS.items():
            if kind is not Kind.BACKSTOP:  # which every world registers first
                world.register(account_id, kind, parent_id=SWING if kind is Kind.STRATEGY else 0)
        for account_id, dollars in DEPOSITS.items():
            world.deposit(account_id, dollars * DOLLAR)
        world.insure(5_000 * DOLLAR)
        world.misdirect(RETAIL, NOBODY, 75 * DOLLAR)
        must(world.configure(SWING, Choice(MarketId(ETH), Mode.ISOLATED, 5, Quote(0))))
        must(world.send(SetStatus(world.time_ms, MarketId(XRP), Status.POST_ONLY)))
        self.maker.act(world)
        trade(world, HEDGER, BTC, -30_000)
        trade(world, EXILE, ETH, 8_000)
        sweep(world, BTC, -9_000, -8_000)
        sweep(world, ETH, 9_000, 12_000, 8_000)

    def restart(self, world: SignedWorld) -> None:
        """The node comes back: nothing is liquidated before fresh prices."""
        must(world.send(RestartNode(world.time_ms)))

    def isolate(self, world: SignedWorld) -> None:
        """Ether with collateral of its own, and a strategy with money of its own."""
        must(world.send(SetStatus(world.time_ms, MarketId(XRP), Status.ACTIVE)))
        must(world.move(SWING, assets=(AssetLeg(AccountId(SWING), AccountId(BOOK), USD, 3_000 * DOLLAR),)))
        trade(world, SWING, ETH, 12_000)
        trade(world, BOOK, BTC, 8_000)
        sweep(world, BTC, 9_000, 12_000, 8_000)
        sweep(world, ETH, 9_000, 8_000)

    def refill(self, world: SignedWorld) -> None:
        """Margin into the child, and more of the same position; money to somebody else."""
        child = child_id(AccountId(SWING), MarketId(ETH))
        must(world.move(SWING, assets=(AssetLeg(AccountId(SWING), child, USD, 1_000 * DOLLAR),)))
        trade(world, SWING, ETH, 6_000)
        must(world.transfer(HEDGER, RETAIL, 250 * DOLLAR))
        sweep(world, ETH, 9_000, 12_000)

    def lever(self, world: SignedWorld) -> None:
        """Minutes before the fall three accounts buy more than they can carry."""
        trade(world, WHALE, BTC, 45_000)
        trade(world, STRETCHED, ETH, 20_000)
        trade(world, LEVERED, XRP, 12_000)
        sweep(world, ETH, 9_000, 8_000)
        sweep(world, XRP, 9_000, 8_000)

    def pull(self, world: SignedWorld) -> None:
        """Makers are gone when the next prices come: what nobody can carry goes to the backstop, then to holders."""
        must(world.send(MassCancel(world.time_ms, AccountId(MAKER), is_everything=True)))
        self.maker.quoted.clear()

    def withdraw(self, world: SignedWorld) -> None:
        """The hedger takes home what he earned."""
        must(world.withdraw(HEDGER, 1_000 * DOLLAR))
        sweep(world, BTC, -9_000, -12_000, -8_000, -9_000)

    def request(self, world: SignedWorld) -> None:
        """One leaves by force: too much is asked for first, then the closing of all that is held."""
        self.asked = [world.request_withdrawal(EXILE, 50_000 * DOLLAR), world.request_close(EXILE, ETH)]

    def answer(self, world: SignedWorld) -> None:
        """The requests are processed after a tick that is younger than they are."""
        for request in self.asked:
            must(world.send(Submit(world.time_ms, request)))
        self.asked = []
        sweep(world, ETH, -9_000, -12_000, -8_000)

    def leave(self, world: SignedWorld) -> None:
        """With the position closed, the rest is asked for, to the last unit."""
        self.asked = [world.request_withdrawal(EXILE, int(world.state.accounts[EXILE].balance))]

    def reduce(self, world: SignedWorld) -> None:
        """The isolated position shrinks."""
        self.answer(world)
        trade(world, SWING, ETH, -6_000)
        sweep(world, ETH, -7_000)

    def calm(self, world: SignedWorld) -> None:
        """The last trades, and the seal."""
        sweep(world, XRP, -9_000, -12_000, -8_000)

    def seal(self, world: SignedWorld) -> None:
        """All of it is one batch."""
        must(world.send(SealBatch(world.time_ms)))


Scene = Callable[[Script, SignedWorld], None]
SCENES: dict[int, Scene] = {
    0: Script.open,
    59: Script.restart,
    60: Script.isolate,
    68: Script.refill,
    75: Script.lever,
    77: Script.pull,
    79: Script.request,
    80: Script.withdraw,
    82: Script.answer,
    83: Script.leave,
    84: Script.reduce,
    86: Script.calm,
    87: Script.seal,
}


def must(events: list[VenueEvent]) -> None:
    """The script goes on only where the venue agreed."""
    for event in events:
        if isinstance(event, Rejected):
            raise ScriptRefused(f"account {event.account_id}: {event.detail} is refused: {event.reason.name.lower()}")


def held(world: SignedWorld, account_id: int, market_id: int) -> int:
    """Lots of a market in an account and its isolated child."""
    accounts = (world.state.accounts.get(each) for each in (account_id, account_id + market_id))
    return sum(int(account.size(market_id)) for account in accounts if account is not None)


def trade(world: SignedWorld, account_id: int, market_id: int, dollars: int) -> None:
    """A market order that must find its other side whole."""
    size, before = world.lots(market_id, dollars), held(world, account_id, market_id)
    must(world.market(account_id, market_id, size))
    traded = held(world, account_id, market_id) - before
    if traded != size:
        raise ScriptRefused(f"account {account_id}: {traded} lots of {size} traded in market {market_id}")


def sweep(world: SignedWorld, market_id: int, *orders: int) -> None:
    """Market orders of the crowd, each larger than a level of the book: a trade with each maker it reaches."""
    for dollars in orders:
        trade(world, RETAIL, market_id, dollars)


def play(folder: Path, address_of: Callable[[int], int] = int) -> Proven:
    """Play the whole script and write its journal: batch 1 is all of it.

    `address_of` tells the L1 address of an account's owner: its number where nobody has one.
    """
    (_, path), venue = prices(), config()
    begin = TimeMs(int(path.time_ms[0]))
    scribe = Scribe(folder, venue, begin)
    quiet = frozenset(range(MINUTES)) - frozenset(TICKING)
    world = SignedWorld(venue, path, listeners=[scribe], address_of=address_of, quiet=quiet)
    world.agents.append(Script(world))
    for _ in world.run():
        pass
    scribe.close()
    return Proven(folder, tuple(world.calls), begin, world.time_ms, world.state)
