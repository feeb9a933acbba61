"""A what-if as a link: all that decides what the screen shows is in the address, so that it opens the same again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal
from urllib.parse import urlencode

from bulkhead.client import Market, NewOrder
from bulkhead.client.orders import Side
from bulkhead.terminal import numbers
from bulkhead.terminal.compare.moments import SHARE_LEAST, SHARE_MOST, Correlation

MODES = ("isolated", "cross", "strategy", "scenario")
REACHES = {"10": (Decimal(10), Decimal("0.2")), "50": (Decimal(50), Decimal(1)), "80": (Decimal(80), Decimal(2))}
"""How far the slider goes to each side, and its step, in percent."""
LEVERAGE_MAX = 100
NAME_MAX = 128  # characters of an order's external id


class BadLink(ValueError):
    """An address or an entry that is no what-if; `field` says which part, the text why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An order that is looked at, and a price that is imagined. Money and sizes are decimals, exactly as entered."""

    market: str
    side: Side = "BUY"
    kind: Literal["LIMIT", "MARKET"] = "LIMIT"
    size: Decimal
    price: Decimal
    post_only: bool = False
    reduce_only: bool = False
    leverage: int = 0  # as if it were signed; 0: what was
    move: Decimal = Decimal(0)  # share of the price at which the slider stands
    reach: str = "50"
    correlation: Correlation = Correlation.INTACT
    loss: Decimal = Decimal(0)  # to be sized for; 0: nobody asked
    account: int = 0  # whose what-if it is; 0: whoever opens it
    replaces: str = ""  # external id of the open order whose place it would take

    @property
    def order(self) -> NewOrder:
        """As the exchange is asked."""
        return NewOrder(
            market=self.market, side=self.side, quantity=self.size, price=self.price, kind=self.kind,
            post_only=self.post_only, reduce_only=self.reduce_only, replaces=self.replaces,
        )  # fmt: skip

    def at(self, move: Decimal) -> Question:
        """The same with the slider elsewhere."""
        return replace(self, move=move)

    def query(self) -> dict[str, str]:
        """Parts of the address. What stands as it does without being said is left out."""
        said = {
            "market": self.market, "side": self.side, "type": self.kind, "size": text_of(self.size),
            "price": text_of(self.price), "leverage": str(self.leverage or ""),
            "postOnly": "1" if self.post_only else "", "reduceOnly": "1" if self.reduce_only else "",
            "move": text_of(100 * self.move) if self.move else "", "reach": self.reach,
            "correlation": self.correlation.value, "loss": text_of(self.loss) if self.loss else "",
            "account": str(self.account or ""), "replaces": self.replaces,
        }  # fmt: skip
        return {name: text for name, text in said.items() if text}

    def ticket(self, mode: str) -> dict[str, str]:
        """The address's parts that fill the ticket of the trade screen with this order in a mode."""
        kept = ("market", "side", "type", "size", "price", "leverage", "postOnly", "reduceOnly", "account", "replaces")
        said = {name: text for name, text in self.query().items() if name in kept}
        return {**said, "mode": mode}

    def address(self, path: str = "/compare") -> str:
        """The link that opens it again."""
        return f"{path}?{urlencode(self.query())}"

    @property
    def grid(self) -> list[Decimal]:
        """Shares at which the slider can stand, rising; the one at which it stands is among them."""
        most, step = REACHES[self.reach]
        count = int(most / step)
        found = {Decimal(place) * step / 100 for place in range(-count, count + 1)}
        return sorted(share for share in found | {self.move} if SHARE_LEAST <= share <= SHARE_MOST)


def text_of(value: Decimal) -> str:
    """A decimal without an exponent, and without zeros at its end."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def question_of(query: Mapping[str, str], markets: Sequence[str]) -> Question:
    """The what-if of an address. Raises BadLink by the part that is wrong."""
    market = query.get("market", "")
    if market not in markets:
        raise BadLink("market", f"there is no market {market[:40]!r} here")
    return Question(
        market=market,
        side="BUY" if _one_of(query, "side", ("BUY", "SELL"), "BUY") == "BUY" else "SELL",
        kind="LIMIT" if _one_of(query, "type", ("LIMIT", "MARKET"), "LIMIT") == "LIMIT" else "MARKET",
        size=above_zero("size", query.get("size", "")),
        price=above_zero("price", query.get("price", "")),
        post_only=_one_of(query, "postOnly", ("0", "1"), "0") == "1",
        reduce_only=_one_of(query, "reduceOnly", ("0", "1"), "0") == "1",
        leverage=whole("leverage", query.get("leverage", "") or "0", LEVERAGE_MAX),
        move=share_in_percent("move", query.get("move", "") or "0"),
        reach=_one_of(query, "reach", tuple(REACHES), "50"),
        correlation=Correlation(
            _one_of(query, "correlation", tuple(one.value for one in Correlation), Correlation.INTACT.value)
        ),
        loss=above_zero("loss", query["loss"]) if query.get("loss") else Decimal(0),
        account=whole("account", query.get("account", "") or "0", 1 << 32),
        replaces=query.get("replaces", "")[:NAME_MAX],
    )


def check_steps(question: Question, market: Market) -> None:
    """Raises BadLink where the market takes no such size or price, in the words of the ticket."""
    limits = market.trading_config
    steps = (
        ("size", question.size, limits.min_order_size_change), ("price", question.price, limits.min_price_change),
    )  # fmt: skip
    for name, value, step in steps:
        if value % step:
            raise BadLink(name, f"in steps of {step.normalize():f}")
    if question.size < limits.min_order_size:
        raise BadLink("size", f"at least {numbers.size(market, limits.min_order_size)}")


def _one_of(query: Mapping[str, str], name: str, values: tuple[str, ...], otherwise: str) -> str:
    found = query.get(name, otherwise) or otherwise
    if found not in values:
        raise BadLink(name, f"{name} is one of {', '.join(values)}, not {found[:40]!r}")
    return found


def number(field: str, text: str) -> Decimal:
    """A decimal number as people write it: thousands apart by commas, a real minus. BadLink for anything else."""
    found = numbers.typed(text.strip().removesuffix("%"))
    if found is None:
        said = f"{field} is a number, not {text[:40]!r}" + (": a comma parts thousands" if "," in text else "")
        raise BadLink(field, said if text.strip() else f"enter a {field}")
    return found


def above_zero(field: str, text: str) -> Decimal:
    """A number above zero."""
    found = number(field, text)
    if found <= 0:
        raise BadLink(field, f"{field} must be above zero")
    return found


def share_in_percent(field: str, text: str) -> Decimal:
    """A move in percent as a share of the price, within what the exchange lets be asked."""
    found = number(field, text) / 100
    if not SHARE_LEAST <= found <= SHARE_MOST:
        least, most = text_of(-100 * SHARE_LEAST), text_of(100 * SHARE_MOST)
        raise BadLink(field, f"a price falls by at most {least}% and rises by at most {most}%")
    return found


def whole(field: str, text: str, most: int) -> int:
    """A whole number from 0 to `most`."""
    found = number(field, text)
    if found != int(found) or not 0 <= found <= most:
        raise BadLink(field, f"{field} is a whole number up to {most}")
    return int(found)
