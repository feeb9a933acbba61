"""A snapshot of the engine as one tree of frozen values, and the desk it makes again: same orders, same priority."""

from __future__ import annotations

from heapq import heapify
from typing import NamedTuple

from bulkhead.engine.book import BUY, SELL
from bulkhead.engine.desk import Desk
from bulkhead.engine.mark import Quoted
from bulkhead.engine.order import OpenOrder, OrderView, Stage, view_of
from bulkhead.fixed import seconds_floor
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.state import State
from bulkhead.units import MarketId, TimeMs


class Queue(NamedTuple):
    """Ids of the resting orders of a market: buys, then sells, each in priority order."""

    market_id: MarketId
    order_ids: tuple[int, ...]


class Volume(NamedTuple):
    """Value an account traded, by day."""

    account_id: int
    days: tuple[tuple[int, int], ...]


class Snapshot(NamedTuple):
    """Everything the engine knows between two commands. Reserves, triggers and indexes follow from the orders."""

    time_ms: TimeMs
    number: int
    last_order_id: int
    orders: tuple[OrderView, ...]  # by rising id
    queues: tuple[Queue, ...]
    seen: tuple[tuple[int, int, int], ...]  # (book expiry, order id, key), rising
    quoted: tuple[Quoted, ...]
    today: int
    volumes: tuple[Volume, ...]
    dead_men: tuple[tuple[int, int], ...]  # (account, deadline)
    caps: tuple[tuple[int, int, int], ...]  # (account, market, leverage)


def dump(desk: Desk) -> Snapshot:
    """The snapshot of a desk between two commands."""
    assert not (desk.touched or desk.spent or desk.moved), "a snapshot is taken between two commands"
    volumes = desk.volumes
    return Snapshot(
        desk.time_ms,
        desk.number,
        desk.last_order_id,
        tuple(view_of(desk.orders[order_id]) for order_id in sorted(desk.orders)),
        tuple(
            Queue(MarketId(market_id), tuple(resting.order_id for resting in desk.books[market_id]))
            for market_id in sorted(desk.books)
        ),
        tuple(sorted(desk.expiries)),
        tuple(desk.marks.by_market[market_id] for market_id in sorted(desk.marks.by_market)),
        volumes.today,
        tuple(Volume(account_id, tuple(sorted(days.items()))) for account_id, days in sorted(volumes.days.items())),
        tuple(sorted(desk.dead_men.items())),
        tuple((account_id, market_id, cap) for (account_id, market_id), cap in sorted(desk.caps.items())),
    )


def load(state: State, authority: Authority, snapshot: Snapshot) -> Desk:
    """The desk a snapshot was taken of, over the ledger's state of the same moment."""
    desk = Desk(state, authority)
    desk.time_ms, desk.number, desk.last_order_id = snapshot.time_ms, snapshot.number, snapshot.last_order_id
    desk.now_s = seconds_floor(snapshot.time_ms)
    for view in snapshot.orders:
        _restore(desk, OpenOrder(*view))
    for queue in snapshot.queues:
        book = desk.books[queue.market_id]
        for order_id in queue.order_ids:
            order = desk.orders[order_id]
            book.rest(order_id, order.side, order.price, order.left)
    desk.expiries = list(snapshot.seen)
    heapify(desk.expiries)
    desk.seen = {key: order_id for _, order_id, key in snapshot.seen}
    desk.marks.by_market = {quoted.market_id: quoted for quoted in snapshot.quoted}
    desk.volumes.today = snapshot.today
    for account_id, days in snapshot.volumes:
        desk.volumes.days[account_id] = dict(days)
        desk.volumes.totals[account_id] = sum(value for _, value in days)
    desk.dead_men.update(snapshot.dead_men)
    desk.caps.update({(account_id, market_id): cap for account_id, market_id, cap in snapshot.caps})
    return desk


def _restore(desk: Desk, order: OpenOrder) -> None:
    """Put an order into every index but the book, whose order is the queue's."""
    account_id, market_id = order.signed.account_id, order.signed.market_id
    desk.orders[order.order_id] = order
    desk.accounts.setdefault(account_id, {})[order.order_id] = order
    if order.terms.external_id:
        desk.external[account_id, order.terms.external_id] = order.order_id
    if order.reduce_only:
        desk.follow_up(order)
    if order.stage is Stage.RESTING:
        desk.reserve.add(order)
    elif order.stage is Stage.WAITING and order.terms.trigger is not None:
        desk.triggers.add(order.order_id, market_id, order.terms.trigger)


def faults(desk: Desk) -> list[str]:
    """Everything the desk keeps twice and that does not agree; empty when all is well. For tests and simulation."""
    found = desk.reserve.check(desk.orders.values())
    for market_id in sorted(desk.books):
        book = desk.books[market_id]
        book.check()
        resting = {order.order_id: order for order in book}
        live = {
            order.order_id: order
            for order in desk.orders.values()
            if order.signed.market_id == market_id and order.stage is Stage.RESTING
        }
        if resting.keys() != live.keys():
            found.append(f"market {market_id}: the book rests {sorted(resting)}, the desk {sorted(live)}")
        for order_id in sorted(resting.keys() & live.keys()):
            if resting[order_id].size != live[order_id].left:
                found.append(f"order {order_id}: {resting[order_id].size} lots in the book, {live[order_id].left} left")
        best_buy, best_sell = book.best(BUY), book.best(SELL)
        if best_buy is not None and best_sell is not None and best_buy >= best_sell:
            found.append(f"market {market_id} is crossed")
    return found
