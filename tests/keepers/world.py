"""A venue for the keepers' tests: accounts, prices and orders in a few words, invariants after every command.

Two markets of one group, one of another. A lot of each is worth about a dollar, so sizes read as dollars.
"""

from __future__ import annotations

from typing import Any

from bulkhead.engine.command import Clock, Command, PlaceOrder, Prices, RestartNode, Submit
from bulkhead.engine.order import Terms
from bulkhead.engine.sequencer import Sequencer
from bulkhead.fixed import percent
from bulkhead.keepers.condition import Condition
from bulkhead.keepers.event import VenueEvent
from bulkhead.keepers.recompute import recompute
from bulkhead.keepers.venue import Venue
from bulkhead.keepers.witness import Witness
from bulkhead.ledger import defaults
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, VenueConfig
from bulkhead.ledger.invariants import violations
from bulkhead.ledger.state import Account, Choice, Kind, MarginRule, Mode, State, genesis
from bulkhead.ledger.tx import Configure, Deposit, FundDeposit, OracleReport, Order, Register
from bulkhead.rules.grid import default_grid
from bulkhead.rules.terms import Health, MarketTerms, Tier
from bulkhead.signing import Signature
from bulkhead.units import AccountId, AssetId, Felt, MarketId, Price, Quote, Size, TimeMs, TimeS

START = TimeMs(1_700_000_000_000)
DOLLAR = 1_000_000
UNSIGNED = Signature(0, 0)
KEYS = (Felt(101), Felt(102), Felt(103))
BACKSTOP_KEY = Felt(99)
USD = defaults.USD


def market(market_id: int, group: int, **changes: Any) -> MarketTerms:
    """5, 3 and 2 % up to 100,000 USD and twice that above; a lot costs about a dollar."""
    terms = defaults.market(market_id, f"M{market_id}", 1_000, is_major=True, initial=500)
    return terms._replace(
        group=group,
        tiers=(
            Tier(Quote(100_000 * DOLLAR), percent(5), percent(3), percent(2)),
            Tier(Quote(10_000_000 * DOLLAR), percent(10), percent(6), percent(4)),
        ),
        price_step=percent(100),
        band=percent(50),
        loss_budget=Quote(1_000_000 * DOLLAR),
        **changes,
    )


def configuration(**changes: Any) -> VenueConfig:
    """The default venue with the tests' markets."""
    base = defaults.default_config(KEYS, BACKSTOP_KEY)
    markets = (market(1, 1), market(2, 1), market(3, 2))
    return base._replace(markets=markets, grid=default_grid(), **changes)


class World:
    """One venue. Every command is checked: ledger invariants, engine faults, witnesses recomputed."""

    def __init__(self, config: VenueConfig | None = None) -> None:
        self.config = configuration() if config is None else config
        self.authority = Authority(self.config, verify=False)
        self.venue = Venue(Sequencer(genesis(self.config, START), self.authority))
        self.now = START
        self.salt = 0
        self.nonces: dict[int, int] = {}
        self.prices = {terms.market_id: DOLLAR << 32 for terms in self.config.markets}
        self.events: list[VenueEvent] = []
        self.commands: list[Command] = []
        self.is_checked = True

    @property
    def state(self) -> State:
        return self.venue.state

    def do(self, command: Command) -> list[VenueEvent]:
        events = self.venue.handle(command)
        self.commands.append(command)
        self.events += events
        if self.is_checked:
            assert violations(self.state) == []
            assert self.venue.sequencer.faults() == []
            for event in events:
                if isinstance(event, Witness):
                    assert recompute(event) == []
        return events

    def submit(self, transaction: Any) -> list[VenueEvent]:
        events = self.do(Submit(self.now, transaction))
        assert not any(type(event).__name__ == "Rejected" for event in events), events
        return events

    # -- accounts --------------------------------------------------------------------------------------------------

    def open(
        self,
        account_id: int,
        dollars: int = 0,
        *,
        kind: Kind = Kind.MAIN,
        rule: MarginRule = MarginRule.LINEAR,
        parent: int = 0,
    ) -> None:
        """A registered account with so much money. A strategy has its parent's key."""
        key = BACKSTOP_KEY if account_id == BACKSTOP_ACCOUNT else Felt(1_000 + (parent or account_id))
        self.submit(Register(self.now, AccountId(account_id), kind, rule, key, 0, AccountId(parent), USD, UNSIGNED))
        if dollars:
            self.deposit(account_id, dollars)

    def deposit(self, account_id: int, dollars: int, asset_id: int = USD) -> None:
        number = self.state.counters.deposits + 1
        self.submit(Deposit(self.now, number, AccountId(account_id), AssetId(asset_id), dollars * DOLLAR))

    def insure(self, dollars: int) -> None:
        number = self.state.counters.deposits + 1
        self.submit(FundDeposit(self.now, number, USD, Quote(dollars * DOLLAR)))

    def backstop(self, dollars: int) -> None:
        self.open(BACKSTOP_ACCOUNT, dollars, kind=Kind.BACKSTOP)

    def choose(self, account_id: int, market_id: int, mode: Mode, leverage: int = 0, cap: int = 0) -> None:
        nonce = self.nonces[account_id] = self.nonces.get(account_id, 0) + 1
        choice = Choice(MarketId(market_id), mode, leverage, Quote(cap * DOLLAR))
        expiry = TimeS(self.now // 1000 + 86_400)
        self.submit(Configure(self.now, AccountId(account_id), choice, expiry, nonce, UNSIGNED))

    def account(self, account_id: int) -> Account:
        return self.state.accounts[account_id]

    def health(self, account_id: int) -> Health:
        return health_of(self.state, settled(self.state, self.account(account_id))[0])

    def condition(self, account_id: int) -> Condition:
        return self.venue.condition(account_id)

    # -- orders and prices -----------------------------------------------------------------------------------------

    def order(self, account_id: int, market_id: int, size: int, price: int, fee_rate: int = 10) -> Order:
        """An order for `size` signed lots at `price` micro-dollars, its fee capped at so many basis points."""
        self.salt += 1
        quote = -size * price
        fee = -(-abs(quote) * fee_rate // 10_000)
        expiry = TimeS(self.now // 1000 + 40 * 86_400)
        key = self.account(account_id).owner_key
        return Order(
            AccountId(account_id),
            MarketId(market_id),
            Size(size),
            Quote(quote),
            Quote(fee),
            expiry,
            self.salt,
            key,
            UNSIGNED,
        )

    def place(
        self, account_id: int, market_id: int, size: int, price: int = DOLLAR, terms: Terms | None = None
    ) -> list[VenueEvent]:
        order = self.order(account_id, market_id, size, price)
        return self.do(PlaceOrder(self.now, order, Terms() if terms is None else terms))

    def trade(self, buyer: int, seller: int, market_id: int, size: int, price: int = DOLLAR) -> None:
        """`size` lots change hands between two accounts, at a price nobody else quotes."""
        maker, taker = self.place(seller, market_id, -size, price), self.place(buyer, market_id, size, price)
        traded = [event for event in taker if type(event).__name__ == "Traded"]
        assert sum(int(event.size) for event in traded) == size, (maker, taker)

    def tick(self, prices: dict[int, int] | None = None, after_ms: int = 1_000) -> list[VenueEvent]:
        """New index prices in micro-dollars a lot; the others stay."""
        self.now = TimeMs(self.now + after_ms)
        for feed, price in (prices or {}).items():
            self.prices[feed] = price << 32
        return self.do(Prices(self.now, self.reports()))

    def reports(self) -> tuple[OracleReport, ...]:
        sequence = self.state.oracle.sequence + 1
        vector = tuple((feed, Price(price)) for feed, price in sorted(self.prices.items()))
        return tuple(
            OracleReport(signer, sequence, self.now, vector, UNSIGNED) for signer in range(len(self.config.oracle_keys))
        )

    def clock(self, after_ms: int) -> list[VenueEvent]:
        self.now = TimeMs(self.now + after_ms)
        return self.do(Clock(self.now))

    def restart(self) -> list[VenueEvent]:
        return self.do(RestartNode(self.now))


def of_kind(events: list[VenueEvent], *kinds: type) -> list[Any]:
    """Events of some kinds."""
    return [event for event in events if isinstance(event, kinds)]
