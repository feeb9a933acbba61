"""Rows of positions from their first lot to their last, of the funding they paid, and of liquidations."""

from __future__ import annotations

from collections.abc import Iterator

from bulkhead.codec import Codec
from bulkhead.engine.event import StateChanged
from bulkhead.keepers.event import FundingMoved
from bulkhead.keepers.witness import Part, Step, Witness
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.tx import ForcedClose, Move
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.node.store.candles import dollars_of
from bulkhead.node.store.staging import Row, Staging
from bulkhead.node.store.tables import place_id

WITNESSES: Codec[Witness] = Codec([Witness])
EXITS = {"TRADE": "TRADE", "LIQUIDATION": "LIQUIDATION", "DELEVERAGE": "ADL"}
RATE_PLACES = 12
PAYMENT_BITS = 20  # positions that one funding event may pay


class Held:
    """Open positions by (signable account, market): an account has one of them there, in itself or in its child."""

    def __init__(self, config: VenueConfig, staging: Staging) -> None:
        self.open: dict[tuple[int, int], Row] = {}
        self.prices: dict[int, int] = {}  # last index by feed
        self._staging = staging
        self._resolutions = {int(terms.market_id): terms.resolution for terms in config.markets}
        self._indices: dict[int, int] = {}

    def load(self, rows: list[Row], progress: dict[str, str]) -> None:
        """Go on from open positions, and from the funding indices and prices that were noted."""
        self.open = {(row["account_id"], row["market_id"]): row for row in rows}
        for name, value in progress.items():
            kind, _, market_id = name.partition(".")
            if kind == "index":
                self._indices[int(market_id)] = int(value)
            elif kind == "price":
                self.prices[int(market_id)] = int(value)

    # -- fills -----------------------------------------------------------------------------------------------------

    def filled(self, fill: Row, change: int, trade_type: str) -> None:
        """A fill of `change` signed lots: it opens, grows, shrinks, closes or turns a position."""
        place = (fill["account_id"], fill["market_id"])
        row = self.open.get(place)
        left, fee, value = change, fill["fee"], fill["value"]
        if row is not None and (change > 0) != (row["side"] == "LONG"):
            closed = min(abs(change), row["size"])
            part = fee * closed // abs(change)
            row["size"] -= closed
            row["closed_size"] += closed
            row["closed_value"] += value * closed // abs(change)
            row["trade_profit"] += fill["profit"]
            row["close_fees"] += part
            self._touch(row, fill["created_ms"])
            if not row["size"]:
                row["closed_ms"], row["exit_type"] = fill["created_ms"], EXITS[trade_type]
                del self.open[place]
                row = None
            left, fee = (abs(change) - closed) * (1 if change > 0 else -1), fee - part
            value = value * abs(left) // abs(change)
        if left:
            row = row if row is not None else self._opened(place, fill["fill_id"], left, fill["created_ms"])
            row["size"] += abs(left)
            row["size_max"] = max(row["size_max"], row["size"])
            row["opened_size"] += abs(left)
            row["opened_value"] += value
            row["open_fees"] += fee
            self._touch(row, fill["created_ms"])

    def _opened(self, place: tuple[int, int], position_id: int, change: int, time_ms: int) -> Row:
        row: Row = {
            "position_id": position_id,
            "account_id": place[0],
            "market_id": place[1],
            "side": "LONG" if change > 0 else "SHORT",
            "size": 0,
            "size_max": 0,
            "opened_size": 0,
            "opened_value": 0,
            "closed_size": 0,
            "closed_value": 0,
            "trade_profit": 0,
            "funding": 0,
            "open_fees": 0,
            "close_fees": 0,
            "created_ms": time_ms,
            "updated_ms": time_ms,
            "closed_ms": 0,
            "exit_type": "",
        }
        self.open[place] = row
        return row

    def _touch(self, row: Row, time_ms: int) -> None:
        row["updated_ms"] = time_ms
        self._staging.put("positions", row["position_id"], row)

    # -- liquidations ----------------------------------------------------------------------------------------------

    def liquidated(self, witness: Witness, sequence: int) -> None:
        """A step: its row for each close, and the fills that no trade has told of."""
        held = {int(position.market_id): int(position.size) for position in witness.account.positions}
        marks = {int(seen.terms.market_id): int(seen.mark) for seen in witness.markets}
        octets = WITNESSES.encode(witness)
        place = 0
        for number, part in enumerate(witness.parts):
            market_id = int(part.market_id)
            self._step(witness, part, number, marks[market_id], held[market_id] > 0, octets)
            if int(part.charges.penalty):
                self._insured(witness, place_id(witness.number, number), "penalty", int(part.charges.penalty))
            if witness.step is Step.BOOK:
                continue
            sign = 1 if held[market_id] > 0 else -1
            for account_id, change, profit in (
                (witness.account.account_id, -sign, int(part.profit)),
                (part.taker_id, sign, int(part.taker_profit)),
            ):
                self._taken(witness, part, (int(account_id), change * int(part.size), profit, place), sequence)
                place += 1
        if int(witness.covered):
            self._insured(witness, place_id(witness.number, 4095), "covered", -int(witness.covered))

    def _taken(self, witness: Witness, part: Part, side: tuple[int, int, int, int], sequence: int) -> None:
        """One side of a close without a book."""
        account_id, change, profit, place = side
        is_victim = account_id == int(witness.account.account_id)
        kind = "LIQUIDATION" if witness.step is Step.BACKSTOP else "DELEVERAGE"
        fill = {
            "fill_id": place_id(witness.number, place),
            "account_id": account_id & -CHILDREN_PER_ACCOUNT,
            "holder_id": account_id,
            "market_id": int(part.market_id),
            "order_id": 0,
            "external_id": "",
            "side": "BUY" if change > 0 else "SELL",
            "price": int(part.price),
            "size": abs(change),
            "value": int(part.price) * abs(change),
            "fee": int(part.charges.fee) if is_victim else 0,
            "l1_share": 0,
            "profit": profit,
            "is_taker": is_victim,
            "trade_type": kind,
            "created_ms": int(witness.time_ms),
            "sequence": sequence,
        }
        self._staging.put("fills", fill["fill_id"], fill)
        self.filled(fill, change, kind)

    def _step(self, witness: Witness, part: Part, number: int, mark: int, was_long: bool, octets: bytes) -> None:
        account_id, market_id = int(witness.account.account_id), int(part.market_id)
        resolution = self._resolutions[market_id]
        worse = (mark - (int(part.price) << 32)) if was_long else ((int(part.price) << 32) - mark)
        row = {
            "step_id": place_id(witness.number, number),
            "account_id": account_id & -CHILDREN_PER_ACCOUNT,
            "holder_id": account_id,
            "step": witness.step.name,
            "market_id": market_id,
            "size": int(part.size),
            "price": dollars_of(int(part.price), resolution),
            "zero_price": dollars_of(int(part.zero), resolution),
            "mark_price": dollars_of(mark, resolution, 32),
            "slippage_bp": worse * 10_000 // mark if mark else 0,
            "fee": int(part.charges.fee),
            "penalty": int(part.charges.penalty),
            "covered": int(witness.covered),
            "time_ms": int(witness.time_ms),
            "witness": octets,
        }
        self._staging.put("liquidations", row["step_id"], row)

    def _insured(self, witness: Witness, entry_id: int, reason: str, amount: int) -> None:
        row = {
            "entry_id": entry_id,
            "reason": reason,
            "account_id": int(witness.account.account_id),
            "amount": amount,
            "time_ms": int(witness.time_ms),
        }
        self._staging.put("insurance", entry_id, row)

    # -- funding, moves, forced closes ---------------------------------------------------------------------------------

    def funded(self, event: FundingMoved) -> None:
        """An hour's funding of every market that moved: its rate, and what each position paid."""
        place = 0
        for market_id, index in event.indices:
            price, moved = self.prices.get(market_id, 0), int(index) - self._indices.get(market_id, 0)
            self._indices[market_id] = int(index)
            self._staging.note(f"index.{market_id}", int(index))
            self._staging.note(f"price.{market_id}", price)
            rate = _decimal(moved, price)
            shown = dollars_of(price, self._resolutions[market_id], 32)
            holders = list(self._of_market(market_id))
            self._staging.put(
                "funding_rates",
                place_id(event.number, market_id),
                {
                    "rate_id": place_id(event.number, market_id),
                    "market_id": int(market_id),
                    "rate": rate,
                    "index_price": shown,
                    "open_lots": sum(row["size"] for row in holders if row["side"] == "LONG"),
                    "time_ms": int(event.time_ms),
                },
            )
            for row in holders:
                size = row["size"] if row["side"] == "LONG" else -row["size"]
                amount = (-size * moved) >> 32  # rounded against the account, as settling does
                payment = {
                    "payment_id": (event.number << PAYMENT_BITS) + place,
                    "account_id": row["account_id"],
                    "market_id": int(market_id),
                    "position_id": row["position_id"],
                    "size": size,
                    "amount": amount,
                    "rate": rate,
                    "index_price": shown,
                    "time_ms": int(event.time_ms),
                }
                place += 1
                self._staging.put("funding_payments", payment["payment_id"], payment)
                row["funding"] += amount
                self._touch(row, int(event.time_ms))

    def _of_market(self, market_id: int) -> Iterator[Row]:
        return (row for (_, market), row in sorted(self.open.items()) if market == market_id)

    def moved(self, event: StateChanged, move: Move) -> None:
        """Positions carried between families of one owner, with their part of what they were opened at."""
        for number, leg in enumerate(move.positions):
            source, target = (int(each) & -CHILDREN_PER_ACCOUNT for each in (leg.source, leg.target))
            row = self.open.get((source, int(leg.market_id)))
            if source == target or row is None:
                continue
            lots, time_ms = abs(int(leg.size)), int(event.time_ms)
            value = row["opened_value"] * lots // row["opened_size"]
            row["size"] -= lots
            self._touch(row, time_ms)
            if row["size"] <= 0:
                row["closed_ms"], row["exit_type"] = time_ms, "TRADE"
                del self.open[source, int(leg.market_id)]
            place = (target, int(leg.market_id))
            other = self.open.get(place) or self._opened(place, place_id(event.number, number), int(leg.size), time_ms)
            other["size"] += lots
            other["size_max"] = max(other["size_max"], other["size"])
            other["opened_size"] += lots
            other["opened_value"] += value
            self._touch(other, time_ms)

    def forced(self, event: StateChanged, close: ForcedClose, sequence: int) -> None:
        """A position closed on request from L1: one fill for each account it touched."""
        price = self.prices.get(close.market_id, 0) >> 32
        for place, flow in enumerate(event.flows):
            fill = {
                "fill_id": place_id(event.number, place),
                "account_id": int(flow.account_id) & -CHILDREN_PER_ACCOUNT,
                "holder_id": int(flow.account_id),
                "market_id": int(close.market_id),
                "order_id": 0,
                "external_id": "",
                "side": "BUY" if int(flow.change) > 0 else "SELL",
                "price": price,
                "size": abs(int(flow.change)),
                "value": price * abs(int(flow.change)),
                "fee": 0,
                "l1_share": 0,
                "profit": int(flow.profit),
                "is_taker": place == 0,
                "trade_type": "DELEVERAGE" if place else "TRADE",
                "created_ms": int(event.time_ms),
                "sequence": sequence,
            }
            self._staging.put("fills", fill["fill_id"], fill)
            self.filled(fill, int(flow.change), str(fill["trade_type"]))


def _decimal(moved: int, price: int) -> str:
    """A funding rate as a decimal, toward zero at twelve places."""
    if not price:
        return "0"
    scaled = abs(moved) * 10**RATE_PLACES // price
    text = f"{scaled // 10**RATE_PLACES}.{scaled % 10**RATE_PLACES:0{RATE_PLACES}d}".rstrip("0").rstrip(".")
    return f"-{text}" if moved < 0 and scaled else text
