"""What the exchange answers, typed. Numbers of money and size are `Decimal`; times are milliseconds since the epoch.

Fields that are not named here are ignored, so that a newer exchange can be used.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import field

from bulkhead.client.sane import Sane
from bulkhead.signing import Domain


class Model(Sane, frozen=True, rename="camel", kw_only=True):
    """Names on the wire are camelCase."""


class Contract(Model, frozen=True):
    """How a market's numbers are signed: ids of what is traded and paid with, and smallest units in one unit."""

    synthetic_id: str
    synthetic_resolution: int
    collateral_id: str
    collateral_resolution: int


class DeleverageLevel(Model, frozen=True):
    """A decile of one side, 10 first to give up lots, and the least profit for an unhedged coin in it, in dollars."""

    level: int
    ranking_lower_bound: Decimal


class DeleverageLevels(Model, frozen=True):
    """Deciles of each side, as far as somebody is in profit."""

    short_positions: list[DeleverageLevel] = []
    long_positions: list[DeleverageLevel] = []


class Statistics(Model, frozen=True):
    """A market now and in its last day. Prices are 0 where there is none."""

    mark_price: Decimal
    index_price: Decimal
    last_price: Decimal
    bid_price: Decimal
    ask_price: Decimal
    funding_rate: Decimal
    next_funding_rate: int
    open_interest: Decimal  # dollars
    open_interest_base: Decimal  # coins
    daily_volume: Decimal
    deleverage_levels: DeleverageLevels = DeleverageLevels()


class Limits(Model, frozen=True):
    """What orders must keep to."""

    min_order_size: Decimal
    min_order_size_change: Decimal
    min_price_change: Decimal
    max_leverage: Decimal
    max_position_value: Decimal


class Market(Model, frozen=True):
    """A market. `status` ACTIVE takes every order."""

    name: str
    market_id: int
    status: str
    market_stats: Statistics
    trading_config: Limits
    l2_config: Contract


class Level(Model, frozen=True):
    """A price of a book, and what rests there."""

    price: Decimal
    quantity: Decimal = field(name="qty")


class Depth(Model, frozen=True):
    """Both sides of a book, best first."""

    bid: list[Level]
    ask: list[Level]


class Balance(Model, frozen=True):
    """An account's money. `margin_ratio` is maintenance over equity: it is liquidated at 1."""

    balance: Decimal
    equity: Decimal
    available_for_trade: Decimal
    available_for_withdrawal: Decimal
    unrealised_pnl: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    margin_ratio: Decimal


class Position(Model, frozen=True):
    """A position. `size` is unsigned; `holder_id` the account it lies in: the isolated child where there is one."""

    id: int
    market: str
    status: str
    side: str
    size: Decimal
    open_price: Decimal
    mark_price: Decimal
    unrealised_pnl: Decimal
    realised_pnl: Decimal
    leverage: Decimal
    margin_mode: str = "CROSS"
    liquidation_price: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)
    holder_id: int = 0

    @property
    def signed_size(self) -> Decimal:
        """Above zero for a long position."""
        return self.size if self.side == "LONG" else -self.size


class Waits(Model, frozen=True):
    """What an order, or one of its exits, waits for. `price` and `price_type` are those of an exit, the execution
    that of an order: MARKET or LIMIT."""

    trigger_price: Decimal
    trigger_price_type: str = "MARK"
    direction: str = ""
    price: Decimal | None = None
    price_type: str = "MARKET"
    execution_price_type: str = "LIMIT"


class Order(Model, frozen=True):
    """An order. `sequence` is its place in the exchange's journal."""

    id: int
    external_id: str
    market: str
    type: str
    side: str
    status: str
    quantity: Decimal = field(name="qty")
    price: Decimal | None = None
    average_price: Decimal = Decimal(0)
    filled: Decimal = field(name="filledQty", default=Decimal(0))
    fee_paid: Decimal = field(name="payedFee", default=Decimal(0))
    status_reason: str = "NONE"
    reduce_only: bool = False
    post_only: bool = False
    margin_mode: str = "CROSS"
    sequence: int = 0
    finality: str = ""  # as REST has it: ACCEPTED, SEALED, PROVEN, FINAL; streams leave it out
    order_hash: str = ""
    account_id: int = 0
    time_in_force: str = "GTT"
    created_time: int = 0
    updated_time: int = 0
    expiry_time: int = 0
    trigger: Waits | None = None
    take_profit: Waits | None = None
    stop_loss: Waits | None = None
    tp_sl_type: str = "ORDER"
    is_asleep: bool = False  # an exit that closes nothing until the order that it came with fills more

    @property
    def is_open(self) -> bool:
        """It may still trade."""
        return self.status in ("NEW", "PARTIALLY_FILLED", "UNTRIGGERED")


class Placed(Model, frozen=True):
    """What an order was given."""

    id: int
    external_id: str


class Trade(Model, frozen=True):
    """A fill of an account."""

    id: int
    market: str
    order_id: int
    side: str
    price: Decimal
    quantity: Decimal = field(name="qty")
    value: Decimal
    fee: Decimal
    is_taker: bool
    trade_type: str
    created_time: int


class PublicTrade(Sane, frozen=True, kw_only=True):
    """A fill as everybody sees it; `side` is the taker's."""

    id: int = field(name="i")
    market: str = field(name="m")
    side: str = field(name="S")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="q")
    trade_type: str = field(name="tT")
    time_ms: int = field(name="T")

    def is_after(self, other: PublicTrade) -> bool:
        """It was made later. Numbers alone do not say so: an exchange whose history was lost counts from one again."""
        return (self.time_ms, self.id) > (other.time_ms, other.id)


class FundingRate(Sane, frozen=True, kw_only=True):
    """What longs pay shorts for an hour, as a part of the position's value."""

    market: str = field(name="m")
    rate: Decimal = field(name="f")
    time_ms: int = field(name="T")


class Price(Sane, frozen=True, kw_only=True):
    """A mark or index price."""

    market: str = field(name="m")
    price: Decimal = field(name="p")
    time_ms: int = field(name="ts")


class Candle(Sane, frozen=True, kw_only=True):
    """Prices of a span; `volume` where trades made them."""

    open: Decimal = field(name="o")
    high: Decimal = field(name="h")
    low: Decimal = field(name="l")
    close: Decimal = field(name="c")
    time_ms: int = field(name="T")
    volume: Decimal | None = field(name="v", default=None)


class Fees(Model, frozen=True):
    """Rates of an account in a market."""

    market: str
    maker_fee_rate: Decimal
    taker_fee_rate: Decimal


class Account(Model, frozen=True):
    """An account. `l2_vault` is its number in everything that is signed."""

    id: int
    description: str
    account_index: int
    l2_key: str
    l2_vault: int
    kind: str = "MAIN"
    parent_id: int = 0
    nonce: int = 0


class Onboarded(Model, frozen=True):
    """An owner's main account."""

    default_account: Account


class Strategies(Model, frozen=True):
    """Strategy accounts, and the number that the next one would have."""

    strategies: list[Account]
    next_account_id: int


class Choice(Model, frozen=True):
    """The margin mode of a market, as it was signed."""

    market: str
    margin_mode: str
    leverage: int
    top_up_cap: Decimal


class Configuration(Model, frozen=True):
    """What was signed so far, and the least nonce that the next signature may carry."""

    account_id: int
    next_nonce: int
    choices: list[Choice]


class Leverage(Model, frozen=True):
    """Leverage and margin mode in force."""

    market: str
    leverage: Decimal
    margin_mode: str = "CROSS"


class Stress(Model, frozen=True):
    """A joint move of the stress grid. `loss` ends where the account does; what is beyond falls on others."""

    name: str
    kind: str  # NONE: as the grid has it; OPPOSITE: a group against it; ALONE: one market
    loss: Decimal
    exit_costs: Decimal
    beyond_account: Decimal


class ModePreview(Model, frozen=True):
    """An order in one margin mode: what it asks, what it costs, and what one bad position could take.

    `reject` refuses it at once, `reject_later` when its rest fills. `liquidation_distance` is a share of the index.
    `shared_with` are the markets that one liquidation takes together, `worst` the worst stress of each kind.
    """

    margin_mode: str
    is_current: bool
    needs_move: bool
    reject: str | None
    reject_later: str | None
    margin: Decimal
    fee: Decimal
    l1_share: Decimal
    position_size: Decimal
    liquidation_price: Decimal | None
    close_out_price: Decimal | None
    liquidation_distance: Decimal | None
    at_stake: Decimal
    shared_with: list[str]
    worst: list[Stress]
    free_after: Decimal


class Preview(Model, frozen=True):
    """An order in every mode. `reject`: why it would be refused now, None where it would not."""

    market: str
    size: Decimal
    reject: str | None
    modes: list[ModePreview]


class Paid(Model, frozen=True):
    """Where custody has paid a withdrawal on L1."""

    block: int
    time: int
    transaction: str


class Operation(Model, frozen=True):
    """Money that came, went or moved; a negative amount left. A withdrawal is IN_PROGRESS until its batch is final on
    L1, then READY_FOR_CLAIM, and COMPLETED with its `claim`; where L1 takes the claim back, so does this."""

    id: int
    type: str
    status: str
    amount: Decimal
    time: int
    sequence: int = 0
    finality: str = ""  # as of orders; CLAIMED when custody has paid
    account_id: int = 0
    recipient: str = ""
    claim: Paid | None = None


class MarginCall(Model, frozen=True):
    """Maintenance has reached `level` hundredths of the value of the account `holder_id`."""

    id: int
    level: int
    holder_id: int
    value: Decimal
    maintenance: Decimal
    time: int


class SigningDomain(Model, frozen=True):
    """Where signatures count, and the name in which owners onboard."""

    name: str
    version: str
    chain_id: str
    revision: int
    signing_domain: str = ""
    state_version: int = 0  # of what batches prove; 0: not told

    @property
    def named(self) -> Domain:
        """As messages are hashed in it."""
        return Domain(self.chain_id, self.name, self.version, self.revision)
