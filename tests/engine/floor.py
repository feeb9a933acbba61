"""A trading floor for tables: one line per command, what it publishes after the arrow, in a trader's words.

    maker  sell 10 @ 1000          => accepted 10; rests 10
    taker  buy  4 @ 1000 ioc       => accepted 4
           ; trades 4 @ 1000 maker taker

Prices are quote per lot, the index of market 1 is 1000 unless the table moves it, every account has 1,000 USD.
"""

from __future__ import annotations

import re
from dataclasses import replace

from bulkhead.engine import command as ask
from bulkhead.engine import event as said
from bulkhead.engine.order import (
    Direction,
    Execution,
    Leg,
    OrderType,
    PriceSource,
    Protects,
    SelfTrade,
    Terms,
    TimeInForce,
    Trigger,
)
from bulkhead.engine.sequencer import Sequencer
from bulkhead.fixed import ONE
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.defaults import default_config
from bulkhead.ledger.invariants import violations
from bulkhead.ledger.state import Choice, Kind, MarginRule, Mode, State, Status, genesis
from bulkhead.ledger.tx import Configure, Deposit, OracleReport, Order, Register, Signature
from bulkhead.limits import EXPIRY_GRACE_S

START_MS = 1_542_599_999_000  # one second to the hour: the first tick opens it
DOLLAR = 1_000_000
NO_SIGNATURE = Signature(1, 1)


def config() -> VenueConfig:
    """The default venue with one oracle signer and an index that may jump, so that tables stay short."""
    base = default_config((7,), 8)
    markets = tuple(terms._replace(price_step=ONE, price_age_max_ms=1 << 40) for terms in base.markets)
    return base._replace(markets=markets)


class Floor:
    """A sequencer over a real ledger, spoken to by names."""

    def __init__(
        self,
        names: str = "maker taker other",
        dollars: float = 1_000,
        venue: VenueConfig | None = None,
        *,
        is_priced: bool = True,
    ) -> None:
        self.config = venue or config()
        self.state: State = genesis(self.config, START_MS)
        self.authority = Authority(self.config, verify=False)
        self.sequencer = Sequencer(self.state, self.authority)
        self.time_ms = START_MS
        self.ids: dict[str, int] = {}
        self.salt = self.deposits = self.ticks = 0
        self.events: list[said.Event] = []
        for name in names.split():
            self.open_account(name, dollars)
        if is_priced:
            self.index(1000)

    # -- the venue -------------------------------------------------------------------------------------------------

    def send(self, command: ask.Command) -> list[said.Event]:
        events = self.sequencer.handle(command)
        self.events += events
        return events

    def open_account(self, name: str, dollars: float, **changes: object) -> int:
        account_id = 128 + 64 * len(self.ids)
        self.ids[name] = account_id
        register = Register(0, account_id, Kind.MAIN, MarginRule.LINEAR, account_id, account_id, 0, 1, NO_SIGNATURE)
        assert_ok(self.send(ask.Submit(self.time_ms, replace(register, **changes))))
        if dollars:
            self.deposit(name, dollars)
        return account_id

    def deposit(self, name: str, dollars: float) -> None:
        self.deposits += 1
        deposit = Deposit(0, self.deposits, self.ids[name], 1, int(dollars * DOLLAR))
        assert_ok(self.send(ask.Submit(self.time_ms, deposit)))

    def configure(self, name: str, mode: Mode, leverage: int, market_id: int = 1) -> list[said.Event]:
        nonce = self.state.accounts[self.ids[name]].nonce + 1
        choice = Choice(market_id, mode, leverage, 0)
        configure = Configure(0, self.ids[name], choice, self.time_ms // 1000 + 60, nonce, NO_SIGNATURE)
        return self.send(ask.Submit(self.time_ms, configure))

    def index(self, price: int) -> list[said.Event]:
        self.ticks += 1
        self.time_ms += 1_000  # the oracle's time rises strictly
        prices = tuple((terms.market_id, price << 32) for terms in self.config.markets)
        report = OracleReport(0, self.ticks, self.time_ms, prices, NO_SIGNATURE)
        events = self.send(ask.Prices(self.time_ms, (report,)))
        assert_ok(events)
        return events

    def signed(self, name: str, size: int, price: int, market_id: int = 1, days: int = 1) -> Order:
        """An order as the client signs it: size above zero buys; expires on the book after `days`."""
        self.salt += 1
        expiration_s = self.time_ms // 1000 + days * 86_400 + EXPIRY_GRACE_S
        fee = abs(size) * price // 1000 + 1
        account_id = self.ids[name]
        key = self.state.accounts[account_id].owner_key
        return Order(account_id, market_id, size, -size * price, fee, expiration_s, self.salt, key, NO_SIGNATURE)

    def place(self, name: str, size: int, price: int, terms: Terms | None = None, **more: object) -> list[said.Event]:
        order = self.signed(name, size, price)
        return self.send(ask.PlaceOrder(self.time_ms, order, terms or Terms(), **more))

    def held(self, name: str, market_id: int = 1) -> int:
        return self.sequencer.desk.held(self.ids[name], market_id)

    def check(self) -> None:
        assert self.sequencer.faults() == []
        assert violations(self.state) == []

    # -- tables ----------------------------------------------------------------------------------------------------

    def play(self, table: str) -> None:
        """Run every line and compare what it publishes."""
        for line in re.sub(r"\s*\n\s*(;|=>)", r"\1", table).strip().splitlines():
            line = line.split("#")[0].strip()
            if not line:
                continue
            asked, _, expected = line.partition("=>")
            events = self.run(asked.split())
            spoken = "; ".join(filter(None, (self.speak(event) for event in events)))
            assert spoken == " ".join(expected.split()), f"\n  {line}\n  said: {spoken}"
            self.check()

    def run(self, words: list[str]) -> list[said.Event]:
        who, verb, *rest = words
        if who == "venue":
            return self.run_venue(verb, rest)
        account_id = self.ids[who]
        if verb in ("buy", "sell"):
            return self.run_order(who, verb, rest)
        if verb == "protect":
            return self.run_protect(who, rest)
        if verb == "cancel":
            return self.send(ask.CancelOrder(self.time_ms, account_id, external_id=rest[0]))
        if verb == "cancel_all":
            return self.send(ask.CancelAll(self.time_ms, account_id))
        if verb == "dead_man":
            return self.send(ask.SetDeadMan(self.time_ms, account_id, int(rest[0])))
        if verb == "cap":
            return self.send(ask.SetLeverageCap(self.time_ms, account_id, 1, int(rest[0])))
        if verb == "isolate":
            return self.configure(who, Mode.ISOLATED, int(rest[0]))
        raise AssertionError(f"the table does not know {verb}")

    def run_venue(self, verb: str, rest: list[str]) -> list[said.Event]:
        if verb == "index":
            return self.index(int(rest[0]))
        if verb == "clock":
            self.time_ms += int(rest[0])
            return self.send(ask.Clock(self.time_ms))
        if verb == "status":
            return self.send(ask.SetStatus(self.time_ms, 1, Status[rest[0].upper()]))
        raise AssertionError(f"the table does not know {verb}")

    def run_order(self, who: str, verb: str, rest: list[str]) -> list[said.Event]:
        size, at, price = rest[:3]
        assert at == "@"
        sign = 1 if verb == "buy" else -1
        terms, more, days = Terms(), {}, 1
        for word in rest[3:]:
            key, _, value = word.partition("=")
            if key in ("ioc", "fok"):
                terms = terms._replace(time_in_force=TimeInForce[key.upper()])
            elif key == "market":
                terms = terms._replace(kind=OrderType.MARKET, time_in_force=TimeInForce.IOC)
            elif key in ("post_only", "reduce_only"):
                terms = terms._replace(**{key: True})
            elif key == "id":
                terms = terms._replace(external_id=value)
            elif key == "stp":
                terms = terms._replace(self_trade=SelfTrade[value.upper()])
            elif key == "replaces":
                more["cancel_external_id"] = value
            elif key == "when":
                terms = terms._replace(kind=OrderType.CONDITIONAL, trigger=trigger_of(value))
            elif key in ("tp", "sl"):
                leg = self.signed(who, -sign * int(size), int(re.split("[<>]", value)[1].split(",")[0]))
                more["take_profit" if key == "tp" else "stop_loss"] = Leg(leg, trigger_of(value))
            elif key == "protects":
                more["protects"] = Protects[value.upper()]
            elif key == "days":
                days = int(value)
            else:
                raise AssertionError(f"the table does not know {word}")
        order = self.signed(who, sign * int(size), int(price), days=days)
        return self.send(ask.PlaceOrder(self.time_ms, order, terms, **more))

    def run_protect(self, who: str, rest: list[str]) -> list[said.Event]:
        """`protect SIZE tp=mark>1100 sl=mark<900`: closes a long; size 0 is the whole position."""
        legs: dict[str, Leg] = {}
        external_id = replaced = ""
        side = -1 if self.held(who) > 0 else 1
        for word in rest[1:]:
            key, _, value = word.partition("=")
            if key in ("id", "replaces"):
                external_id, replaced = (value, replaced) if key == "id" else (external_id, value)
                continue
            price = int(re.split("[<>]", value)[1].split(",")[0])
            legs[key] = Leg(self.signed(who, side * (int(rest[0]) or 10_000), price), trigger_of(value))
        return self.send(
            ask.PlaceProtection(
                self.time_ms, self.ids[who], 1, external_id, int(rest[0]), legs.get("tp"), legs.get("sl"), replaced
            )
        )

    def name(self, account_id: int) -> str:
        for name, known in self.ids.items():
            if known == account_id:
                return name
            if known == account_id & -64:
                return f"{name}/{account_id & 63}"
        return "?"

    def speak(self, event: said.Event) -> str:
        """An event in a trader's words. Marks and ticks say nothing unless a test asks."""
        match event:
            case said.Accepted():
                return f"accepted {event.size}"
            case said.Rested():
                return f"rests {event.size}"
            case said.Traded():
                names = f"{self.name(event.maker_account_id)} {self.name(event.taker_account_id)}"
                return f"trades {event.size} @ {event.price} {names}"
            case said.Cancelled():
                why = event.cause.name.lower() if event.reject is None else event.reject.name.lower()
                return f"cancelled {event.size} {why}"
            case said.Rejected():
                return f"rejected {event.reason.name.lower()}"
            case said.Reduced():
                return f"reduced to {event.size}"
            case said.Expired():
                return f"expired {event.size}"
            case said.Triggered():
                return f"triggered {event.source.name.lower()}"
            case said.Replaced():
                return f"replaced {event.size}"
            case said.StatusChanged():
                return event.status.name.lower()
            case said.DeadManSet():
                return "armed" if event.deadline_ms else "disarmed"
            case said.LeverageCapped():
                return f"capped {event.leverage}"
            case said.StateChanged():
                return "done"
        return ""


def trigger_of(text: str) -> Trigger:
    """`mark>1050`, `last<950,limit`: source, direction, price, and limit execution when asked."""
    source, sign, rest = re.match(r"(\w+)([<>])(.*)", text).groups()
    price, _, execution = rest.partition(",")
    return Trigger(
        PriceSource[source.upper()],
        Direction.UP if sign == ">" else Direction.DOWN,
        int(price),
        Execution.LIMIT if execution == "limit" else Execution.MARKET,
    )


def assert_ok(events: list[said.Event]) -> None:
    refused = [event for event in events if isinstance(event, said.Rejected)]
    assert not refused, refused
