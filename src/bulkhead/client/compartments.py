"""An owner's compartments as the exchange shows them, typed; and what it thinks of a move before that is signed."""

from __future__ import annotations

from decimal import Decimal

from bulkhead.client.models import Model


class Stress(Model, frozen=True):
    """One move of the markets: what the owner loses of what lies there, and what would be lost `beyond_account`."""

    name: str
    kind: str
    loss: Decimal
    move: Decimal
    exit_costs: Decimal
    beyond_account: Decimal


class Distance(Model, frozen=True):
    """How far all markets of a compartment must fall or rise together, as a part of their price, until maintenance is
    `level` hundredths of its value. 0: it is so now; None: no move does it."""

    level: int
    fall: Decimal | None
    rise: Decimal | None

    @property
    def nearest(self) -> Decimal | None:
        """The smaller of the two."""
        known = [move for move in (self.fall, self.rise) if move is not None]
        return min(known) if known else None


class Held(Model, frozen=True):
    """A position. `size` is above zero when long; `lots` is the size in a market's smallest units."""

    market: str
    size: Decimal
    lots: int
    value: Decimal
    open_price: Decimal
    index_price: Decimal
    liquidation_price: Decimal | None
    unrealised_pnl: Decimal


class Compartment(Model, frozen=True):
    """An account, and how well it is. `used` is maintenance over value, liquidated at 1; None where nothing is left.

    `kind` is MAIN, STRATEGY, or CHILD for an isolated position, which lies in `market` and has no money of its own to
    withdraw. `call` is the margin call in force: 66, 80, or 0.
    """

    account_id: int
    parent_id: int
    kind: str
    margin_rule: str
    name: str
    market: str
    balance: Decimal
    value: Decimal
    initial: Decimal
    maintenance: Decimal
    close_out: Decimal
    used: Decimal | None
    condition: str
    call: int
    has_fresh_prices: bool
    topped_up: Decimal
    positions: list[Held]
    distances: list[Distance]
    worst: list[Stress]
    free: Decimal | None = None
    withdrawable: Decimal | None = None

    def distance(self, level: int) -> Distance | None:
        """Of a level; None where nothing is held."""
        return next((one for one in self.distances if one.level == level), None)

    @property
    def worst_loss(self) -> Decimal:
        """Of every stress, broken correlations among them."""
        return max((one.loss for one in self.worst), default=Decimal(0))


class Compartments(Model, frozen=True):
    """Everything below an account, its own money first. `together`: what all of it loses in each joint move, worst
    first; empty where nothing is held."""

    account_id: int
    time: int
    compartments: list[Compartment]
    together: list[Stress]

    @property
    def value(self) -> Decimal:
        """Of everything; a compartment that owes more than it holds counts nothing, for it is not topped up."""
        return sum((max(Decimal(0), one.value) for one in self.compartments), Decimal(0))

    def of(self, account_id: int) -> Compartment:
        """One of them. KeyError where there is none."""
        for one in self.compartments:
            if one.account_id == account_id:
                return one
        raise KeyError(account_id)


class Judged(Model, frozen=True):
    """An account before or after a planned move; without numbers where it is not there."""

    account_id: int
    is_there: bool
    balance: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    initial: Decimal = Decimal(0)
    maintenance: Decimal = Decimal(0)
    close_out: Decimal = Decimal(0)
    used: Decimal | None = None
    condition: str = ""


class MovePlan(Model, frozen=True):
    """A move as it would be judged now. `reject`: why it would be refused, None where it would not."""

    reject: str | None
    before: list[Judged]
    after: list[Judged]
