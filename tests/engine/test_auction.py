"""Liquidation through the book: offers maker by maker, and what becomes of orders that cannot take them."""

from bulkhead.engine.auction import Closing, Offer, Step, Taken
from bulkhead.engine.book import BUY, SELL
from bulkhead.engine.order import Cause
from bulkhead.ledger.apply import apply
from bulkhead.ledger.tx import Order, Trade
from bulkhead.reject import Reject
from bulkhead.rules.fees import FeeSplit
from tests.engine.floor import Floor

FEES = FeeSplit(1, 2, 0, 3)


class Keeper:
    """Closes by plain trades against a signed order of the account: the engine asks only that the ledger moved."""

    def __init__(self, floor: Floor, order: Order, enough: int) -> None:
        self.floor, self.order, self.enough = floor, order, enough
        self.asked: list[tuple[int, int]] = []

    def close(self, offer: Offer) -> Step | Reject:
        self.asked.append((int(offer.price), int(offer.size)))
        size = min(offer.size, self.enough)
        fee = offer.order_fee(size)
        trade = Trade(self.floor.time_ms, 1, offer.order, self.order, size, offer.price, fee, 0)
        receipt = apply(self.floor.state, trade, self.floor.authority)
        if receipt.reject is not None:
            return receipt.reject
        self.enough -= size
        return Step(size, FEES, 7)


def floor_with_bids() -> Floor:
    floor = Floor()
    floor.open_account("thin", 25)
    floor.play(
        """
        maker  sell 100 @ 1000     => accepted 100; rests 100
        taker  buy 100 @ 1000      => accepted 100; trades 100 @ 1000 maker taker
        maker  buy 30 @ 999        => accepted 30; rests 30
        other  buy 30 @ 998        => accepted 30; rests 30
        other  buy 30 @ 980        => accepted 30; rests 30
        """
    )
    return floor


def auction(floor: Floor, enough: int, size: int = 100, price: int = 990) -> tuple[int, Reject | None, str, Keeper]:
    keeper = Keeper(floor, floor.signed("taker", -100, price), enough)
    closing = Closing(floor.ids["taker"], 1, SELL, price, size)
    left, stopped, events = floor.sequencer.take_for_liquidation(closing, keeper.close)
    floor.check()
    return int(left), stopped, "; ".join(filter(None, map(floor.speak, events))), keeper


def test_makers_are_asked_best_first_until_the_price_is_beyond_the_limit() -> None:
    floor = floor_with_bids()
    left, stopped, said, keeper = auction(floor, enough=100)
    assert said == "trades 30 @ 999 maker taker; trades 30 @ 998 other taker"
    assert (left, stopped, floor.held("taker")) == (40, None, 40)
    assert keeper.asked == [(999, 30), (998, 30)]


def test_the_rule_may_take_less_than_an_offer_and_the_maker_keeps_the_rest() -> None:
    floor = floor_with_bids()
    left, stopped, said, _ = auction(floor, enough=40)
    assert said == "trades 30 @ 999 maker taker; trades 10 @ 998 other taker"
    assert (left, stopped) == (60, None)
    assert floor.sequencer.best_bid_ask(1)[0] == 998
    assert floor.sequencer.desk.reserve.of(floor.ids["other"], 1)[0] == 50


def test_a_maker_who_cannot_bear_it_loses_his_place_and_the_next_is_asked() -> None:
    floor = floor_with_bids()
    floor.play("thin buy 50 @ 999 => accepted 50; rests 50")
    account = floor.state.accounts[floor.ids["thin"]]
    floor.state.accounts[floor.ids["thin"]] = account._replace(balance=0)  # as if another market had taken it
    keeper = Keeper(floor, floor.signed("taker", -100, 990), 100)
    closing = Closing(floor.ids["taker"], 1, SELL, 990, 100)
    left, stopped, events = floor.sequencer.take_for_liquidation(closing, keeper.close)
    assert "; ".join(map(floor.speak, events)) == (
        "trades 30 @ 999 maker taker; cancelled 50 insufficient_margin; trades 30 @ 998 other taker"
    )
    assert (int(left), stopped) == (40, None)


def test_a_reject_that_is_not_the_makers_doing_ends_the_auction() -> None:
    floor = floor_with_bids()

    def refuse(offer: Offer) -> Step | Reject:
        return Reject.NOT_LIQUIDATABLE

    closing = Closing(floor.ids["taker"], 1, SELL, 990, 100)
    assert floor.sequencer.take_for_liquidation(closing, refuse) == (100, Reject.NOT_LIQUIDATABLE, [])
    assert len(floor.sequencer.book(1)) == 3


def test_a_liquidation_applied_elsewhere_is_taken_from_the_book() -> None:
    floor = floor_with_bids()
    (best_id, best), (_, second) = floor.sequencer.offers(1, SELL, 990)
    assert (int(best.price), int(best.size), int(second.price)) == (999, 30, 998)
    assert floor.sequencer.offers(1, BUY, 2000) == []
    events = floor.sequencer.taken(floor.ids["taker"], (Taken(best_id, 999, 10, FEES, 0, 0),))
    assert [floor.speak(event) for event in events] == ["trades 10 @ 999 maker taker"]
    events = floor.sequencer.taken(floor.ids["taker"], (Taken(best_id, 999, 20, FEES, 0, 0),))
    assert floor.sequencer.best_bid_ask(1)[0] == 998
    assert floor.sequencer.faults() == []


def test_the_orders_of_a_liquidated_account_go_but_not_its_protection() -> None:
    floor = floor_with_bids()
    floor.play(
        """
        taker  sell 5 @ 1010                        => accepted 5; rests 5
        taker  sell 5 @ 1011 reduce_only            => accepted 5; rests 5
        taker  sell 5 @ 990 when=index<980 reduce_only => accepted 5
        """
    )
    events = floor.sequencer.cancel_account(floor.ids["taker"])
    assert [event.cause for event in events] == [Cause.LIQUIDATED] * 2
    assert len(floor.sequencer.open_orders(floor.ids["taker"])) == 1


def test_the_orders_of_a_liquidated_child_are_its_parents_in_that_market() -> None:
    floor = floor_with_bids()
    floor.play("other sell 5 @ 1010 => accepted 5; rests 5")
    assert floor.sequencer.cancel_account(floor.ids["other"] + 2) == []
    assert len(floor.sequencer.cancel_account(floor.ids["other"] + 1)) == 3
