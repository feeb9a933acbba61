"""Every reject an order can meet at the door, with real signatures, and what admission leaves unchanged."""

import pytest

from bulkhead import signing
from bulkhead.engine import command as ask
from bulkhead.engine import event as said
from bulkhead.engine.order import OrderType, Terms, TimeInForce
from bulkhead.engine.sequencer import Sequencer
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.state import State
from bulkhead.ledger.tx import Order, Signature
from bulkhead.limits import EXPIRY_GRACE_S, NOTIONAL_LIMIT, ORDERS_PER_ACCOUNT_MAX, SIZE_LIMIT
from bulkhead.reject import Reject
from bulkhead.signing.keys import public_key, sign
from tests.engine.floor import Floor, config

CURVE_ORDER = 3618502788666131213697322783095070105526743751716087489154079457884512865583
TRADER_KEY, OTHER_KEY = 0x1234, 0x5678


class Door:
    """One account with a real key, and an engine that verifies."""

    def __init__(self) -> None:
        self.floor = Floor("maker")
        self.account_id = self.floor.open_account("trader", 1_000, owner_key=public_key(TRADER_KEY))
        self.floor.authority = Authority(self.floor.config)
        self.floor.sequencer.desk.authority = self.floor.authority

    @property
    def state(self) -> State:
        return self.floor.state

    def order(self, private_key: int = TRADER_KEY, **changes: object) -> Order:
        plain = self.floor.signed("trader", 10, 1000)._replace(**{"public_key": public_key(TRADER_KEY)} | changes)
        return plain._replace(signature=Signature(*sign(private_key, self.floor.authority.order_hash(plain))))

    def answer(self, order: Order, terms: Terms | None = None, **more: object) -> Reject | None:
        """The reason of a refusal, which has changed nothing; None when the order was accepted."""
        before = self.floor.sequencer.dump()
        events = self.floor.send(ask.PlaceOrder(self.floor.time_ms, order, terms or Terms(), **more))
        if isinstance(events[0], said.Rejected):
            assert len(events) == 1
            assert self.floor.sequencer.dump() == before._replace(number=before.number + 1)
            return events[0].reason
        return None


@pytest.fixture(scope="module")
def door() -> Door:
    return Door()


def test_a_signed_order_is_accepted_and_known_by_its_hash(door: Door) -> None:
    order = door.order()
    r, s = order.signature
    twin = order._replace(signature=Signature(r, CURVE_ORDER - s))
    assert signing.keys.verify(order.public_key, door.floor.authority.order_hash(order), *twin.signature)
    assert door.answer(order) is None
    assert door.answer(order) is Reject.DUPLICATE
    assert door.answer(twin) is Reject.DUPLICATE
    door.floor.play("trader cancel_all => cancelled 10 requested")
    assert door.answer(order) is Reject.REPLAYED  # cancelled stays cancelled
    assert door.answer(twin) is Reject.REPLAYED


def test_a_filled_order_cannot_come_back(door: Door) -> None:
    order = door.order()
    assert door.answer(order) is None
    door.floor.sequencer.desk.authority.verify = False
    door.floor.play("maker sell 10 @ 1000 => accepted 10; trades 10 @ 1000 trader maker")
    door.floor.sequencer.desk.authority.verify = True
    assert door.answer(order) is Reject.REPLAYED


def test_a_filled_order_cannot_come_back_to_an_engine_that_forgot_it(door: Door) -> None:
    order = door.order()
    assert door.answer(order) is None
    door.floor.sequencer.desk.authority.verify = False
    door.floor.play("maker sell 4 @ 1000 => accepted 4; trades 4 @ 1000 trader maker")
    fresh = Sequencer(door.state, door.floor.authority)
    events = fresh.handle(ask.PlaceOrder(door.floor.time_ms, order))
    door.floor.sequencer.desk.authority.verify = True
    assert isinstance(events[0], said.Rejected) and events[0].reason is Reject.REPLAYED


def test_who_signed(door: Door) -> None:
    assert door.answer(door.order(OTHER_KEY)) is Reject.WRONG_SIGNATURE
    assert door.answer(door.order()._replace(signature=Signature(0, 0))) is Reject.WRONG_SIGNATURE
    assert door.answer(door.order()._replace(salt=99_999)) is Reject.WRONG_SIGNATURE
    assert door.answer(door.order(OTHER_KEY, public_key=public_key(OTHER_KEY))) is Reject.WRONG_KEY


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"base_amount": 0}, Reject.SIZE_IS_ZERO),
        ({"quote_amount": 0}, Reject.PRICE_IS_ZERO),
        ({"quote_amount": 10_000}, Reject.WRONG_SIDE),
        ({"base_amount": SIZE_LIMIT}, Reject.OUT_OF_RANGE),
        ({"base_amount": -SIZE_LIMIT, "quote_amount": 10_000}, Reject.OUT_OF_RANGE),
        ({"quote_amount": -NOTIONAL_LIMIT}, Reject.OUT_OF_RANGE),
        ({"fee_amount": -1}, Reject.OUT_OF_RANGE),
        ({"fee_amount": NOTIONAL_LIMIT}, Reject.OUT_OF_RANGE),
        ({"salt": -1}, Reject.OUT_OF_RANGE),
        ({"salt": 1 << 64}, Reject.OUT_OF_RANGE),
        ({"expiration_s": -1}, Reject.OUT_OF_RANGE),
        ({"expiration_s": 1 << 64}, Reject.OUT_OF_RANGE),
        ({"market_id": 0}, Reject.UNKNOWN_MARKET),
        ({"market_id": 63}, Reject.UNKNOWN_MARKET),
        ({"account_id": 0}, Reject.UNKNOWN_ACCOUNT),
        ({"account_id": 1 << 40}, Reject.UNKNOWN_ACCOUNT),
        ({"expiration_s": EXPIRY_GRACE_S}, Reject.EXPIRED),
        ({"expiration_s": 1 << 39}, Reject.EXPIRY_TOO_FAR),
    ],
)
def test_numbers_out_of_bounds(door: Door, changes: dict[str, object], reason: Reject) -> None:
    assert door.answer(door.order()._replace(**changes)) is reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quote_amount": -10_001}, Reject.PRICE_OFF_TICK),
        ({"quote_amount": -10 << 32}, Reject.PRICE_OFF_TICK),  # no price of the book is that high
        ({"quote_amount": -11_000}, Reject.OUTSIDE_PRICE_BAND),
        ({"quote_amount": -9_000}, Reject.OUTSIDE_PRICE_BAND),
        ({"base_amount": 10**13, "quote_amount": -(10**16)}, Reject.VALUE_ABOVE_MAXIMUM),
        ({"fee_amount": 0}, Reject.FEE_ABOVE_CAP),
        ({"base_amount": 10**8, "quote_amount": -(10**11), "fee_amount": 10**8}, Reject.INSUFFICIENT_MARGIN),
    ],
)
def test_what_the_market_and_the_account_allow(door: Door, changes: dict[str, object], reason: Reject) -> None:
    if reason is Reject.FEE_ABOVE_CAP:
        changes = changes | {"base_amount": 1_000, "quote_amount": -1_000_000}
    assert door.answer(door.order(**changes)) is reason


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (Terms(kind=OrderType.CONDITIONAL), Reject.TRIGGER_INVALID),
        (Terms(kind=OrderType.TPSL), Reject.TRIGGER_INVALID),
        (Terms(kind=OrderType.MARKET, post_only=True), Reject.POST_ONLY_WOULD_TRADE),
        (Terms(kind=OrderType.MARKET), Reject.NO_LIQUIDITY),
        (Terms(time_in_force=TimeInForce.FOK), Reject.FILL_OR_KILL_UNFILLED),
        (Terms(reduce_only=True), Reject.REDUCE_ONLY_WOULD_GROW),
        (Terms(external_id="x" * 200), Reject.OUT_OF_RANGE),
    ],
)
def test_attributes_that_do_not_fit(terms: Terms, reason: Reject) -> None:
    assert Door().answer(Door().order(), terms) is reason


def test_a_small_order_is_refused_below_the_minimum() -> None:
    venue = config()
    venue = venue._replace(markets=tuple(terms._replace(size_min=5, tick=10) for terms in venue.markets))
    Floor(venue=venue).play(
        """
        maker  buy 4 @ 1000   => rejected size_below_minimum
        maker  buy 5 @ 1001   => rejected price_off_tick
        maker  buy 5 @ 1000   => accepted 5; rests 5
        """
    )


def test_prices_that_are_unknown_or_stale() -> None:
    venue = config()
    venue = venue._replace(markets=tuple(terms._replace(price_age_max_ms=60_000) for terms in venue.markets))
    floor = Floor(venue=venue)
    floor.play(
        """
        venue  clock 60000    =>
        maker  buy 5 @ 1000   => accepted 5; rests 5
        venue  clock 1        =>
        maker  buy 5 @ 1000   => rejected price_stale
        """
    )
    Floor(is_priced=False).play("maker buy 5 @ 1000 => rejected price_unknown")


def test_an_account_has_only_so_many_open_orders() -> None:
    floor = Floor("maker")
    for _ in range(ORDERS_PER_ACCOUNT_MAX - 1):
        floor.place("maker", 1, 990)
    floor.play(
        """
        maker  buy 1 @ 990 id=a             => accepted 1; rests 1
        maker  buy 1 @ 990                  => rejected too_many_orders
        maker  buy 1 @ 990 ioc              => rejected too_many_orders
        maker  buy 1 @ 991 replaces=a       => replaced 1; accepted 1; rests 1
        """
    )


def test_the_clock_does_not_go_back() -> None:
    floor = Floor()
    before = floor.sequencer.dump()
    for time_ms, reason in (
        (floor.time_ms - 1, Reject.CLOCK_WENT_BACK),
        (-1, Reject.OUT_OF_RANGE),
        (1 << 60, Reject.OUT_OF_RANGE),
    ):
        (event,) = floor.send(ask.Clock(time_ms))
        assert isinstance(event, said.Rejected) and event.reason is reason
    assert floor.sequencer.dump() == before._replace(number=before.number + 3)
