"""Numbers between the wire and the ledger: decimal strings outside, integers inside, exact in both directions."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.api.errors import PARAMETERS, ApiError
from bulkhead.ledger.config import VenueConfig
from bulkhead.rules.terms import MarketTerms
from bulkhead.signing import Exact, SigningError, exact
from bulkhead.units import BookPrice

MONEY_PLACES = 6
SHARE_PLACES = 8
INDEX_PLACES = 8


def scaled(value: int, places: int) -> str:
    """value · 10^-places, without zeros at the end."""
    if not places:
        return str(value)
    sign, magnitude = ("-", -value) if value < 0 else ("", value)
    digits = str(magnitude)
    if len(digits) <= places:
        digits = "0" * (places + 1 - len(digits)) + digits
    part = digits[-places:].rstrip("0")
    return f"{sign}{digits[:-places]}.{part}" if part else f"{sign}{digits[:-places]}"


def money(amount: int) -> str:
    """10^-6 USD in dollars, exact."""
    return scaled(int(amount), MONEY_PLACES)


def ratio(numerator: int, denominator: int, places: int = SHARE_PLACES) -> str:
    """numerator / denominator, toward zero; 0 where there is nothing to divide by."""
    if not denominator:
        return "0"
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    cut = abs(numerator) * 10**places // denominator
    return scaled(-cut if numerator < 0 else cut, places)


def share(fraction: int) -> str:
    """A fraction with 32 bits as a decimal of eight places, rounded to the nearest: 0.0005 is shown as that."""
    return scaled((int(fraction) * 10**SHARE_PLACES + (1 << 31)) >> 32, SHARE_PLACES)


def decimal(text: object, name: str) -> Exact:
    """A decimal string, not negative; anything else is refused by the field's name."""
    if not isinstance(text, str):
        raise ApiError(400, PARAMETERS, f"{name}: a decimal in a string is expected")
    try:
        return exact(text)
    except SigningError as error:
        raise ApiError(400, PARAMETERS, f"{name}: {error}") from error


class Wire(NamedTuple):
    """A market and what its numbers look like outside: its lots and prices in powers of ten."""

    terms: MarketTerms
    size_places: int

    def size(self, lots: int) -> str:
        """Lots in whole coins, exact."""
        return scaled(int(lots), self.size_places)

    def price(self, price: int) -> str:
        """A book price in dollars for one coin, exact."""
        return scaled(int(price) * self.terms.resolution, MONEY_PLACES)

    def index_price(self, price: int) -> str:
        """An index or mark price in dollars for one coin, toward zero at eight places."""
        return scaled(int(price) * self.terms.resolution * 10 ** (INDEX_PLACES - MONEY_PLACES) >> 32, INDEX_PLACES)

    def average(self, value: int, lots: int) -> str:
        """Average price in dollars of lots worth `value`, toward zero at eight places."""
        return ratio(abs(value) * self.terms.resolution, abs(lots) * 10**MONEY_PLACES, INDEX_PLACES)

    def lots(self, quantity: Exact) -> int | None:
        """Whole lots of a quantity; None where it is no multiple of one lot."""
        lots, rest = divmod(quantity.numerator * self.terms.resolution, quantity.denominator)
        return None if rest else lots

    def book_price(self, price: Exact) -> BookPrice | None:
        """A book price from dollars; None where it is no whole quote per lot, or off the tick."""
        over = price.numerator * 10**MONEY_PLACES
        found, rest = divmod(over, price.denominator * self.terms.resolution)
        return None if rest or found % int(self.terms.tick) else BookPrice(found)


class Markets:
    """The venue's markets by name and by id."""

    def __init__(self, config: VenueConfig) -> None:
        self.all: list[Wire] = []
        for terms in config.markets:
            digits = str(terms.resolution)
            if digits.strip("0") != "1":
                raise ValueError(f"{terms.name}: the wire needs a resolution that is a power of ten, not {digits}")
            self.all.append(Wire(terms, len(digits) - 1))
        self.by_name = {wire.terms.name: wire for wire in self.all}
        self.by_id = {int(wire.terms.market_id): wire for wire in self.all}
