"""Numbers as people read them: each market's precision, thousands apart, signs that line up, ages.

Every number on a screen is made here, so that `read` finds it again and tests can hold it to the API's.
"""

from __future__ import annotations

import re
import time
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from bulkhead.client import Market
from bulkhead.limits import TIME_MS_BITS

MINUS = "\u2212"  # as wide as a plus and a digit
NONE = "\u2013"  # where there is no number
TYPED = re.compile(r"-?(([1-9]\d{0,2}(,\d{3}){1,5}|\d{1,18})(\.\d{0,18})?|\.\d{1,18})", re.ASCII)
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000


def places_of(step: Decimal) -> int:
    """Decimal places of the multiples of a step."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def fixed(value: Decimal, places: int, *, sign: bool = False) -> str:
    """So many places, half to even; with a plus before gains where `sign`."""
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    text = f"{abs(rounded):,.{places}f}"
    if rounded < 0:
        return MINUS + text
    return "+" + text if sign and rounded > 0 else text


def price(market: Market, value: Decimal | None) -> str:
    """A price at the market's step; a dash where there is none (0 on the wire)."""
    return NONE if not value else fixed(value, places_of(market.trading_config.min_price_change))


def size_places(market: Market) -> int:
    """Places after which a size is worth ten dollars or less: what one reads. The market's step may be finer."""
    price = market.market_stats.index_price or Decimal(1)
    finest = places_of(market.trading_config.min_order_size_change)
    return max(0, min(finest, price.adjusted() - 1 + (price >= 10)))


def size(market: Market, value: Decimal) -> str:
    """A size without sign of side, whole: as many places as it has, and no fewer than one reads."""
    return fixed(value, max(size_places(market), places_of(value) if value else 0))


def rough_size(market: Market, value: Decimal) -> str:
    """A size of somebody else's, to the places that one reads; whole where nothing would be left."""
    places = size_places(market)
    return fixed(value, places) if value >= Decimal(1).scaleb(-places) else size(market, value)


def dollars(value: Decimal, *, places: int = 2, sign: bool = False) -> str:
    """Dollars and cents; what is less than a cent is rounded to it."""
    return fixed(value, places, sign=sign)


def short_dollars(value: Decimal) -> str:
    """Millions and thousands, three digits: for volumes, never for one's own money."""
    for limit, letter in ((Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(10**3), "k")):
        if abs(value) >= limit:
            shown = value / limit
            return fixed(shown, 2 if abs(shown) < 10 else 1 if abs(shown) < 100 else 0) + letter
    return fixed(value, 0)


def percent(share: Decimal, *, places: int = 2, sign: bool = False) -> str:
    """A share of 1 in percent."""
    return fixed(100 * share, places, sign=sign) + "%"


def floored(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of a step at or below."""
    return (value / step).to_integral_value(ROUND_DOWN) * step


def age(duration_ms: int) -> str:
    """How long ago, in the largest unit that leaves two digits."""
    if duration_ms < 10 * SECOND_MS:
        return f"{max(0, duration_ms) / SECOND_MS:.1f} s"
    for unit_ms, letter, most in ((SECOND_MS, "s", 120), (MINUTE_MS, "min", 120), (HOUR_MS, "h", 48)):
        if duration_ms < most * unit_ms:
            return f"{duration_ms // unit_ms} {letter}"
    return f"{duration_ms // DAY_MS} d"


def moment(time_ms: int) -> str:
    """A time with its day, for what is days away.

    >>> moment(1_800_000_000_000)
    '15.01.2027 08:00 UTC'
    """
    return dated(time_ms, "%d.%m.%Y %H:%M UTC")


def dated(time_ms: int, form: str, today: str = "") -> str:
    """A time in UTC as `strftime` has it; where it is of today, in the form `today`, if there is one. A dash for what
    no exchange counts: it has come from one, and a calendar raises whatever it likes of it.

    >>> dated(10**30, "%Y")
    '–'
    """
    if not 0 <= time_ms < 1 << TIME_MS_BITS:
        return NONE
    when = time.gmtime(time_ms // 1000)
    is_today = bool(today) and time.strftime("%Y%j", when) == time.strftime("%Y%j", time.gmtime())
    return time.strftime(today if is_today else form, when)


def recent(time_ms: int, now_ms: int) -> str:
    """For a narrow column of the newest: the time of what is younger than a day, and of what is older its day.

    >>> recent(1_800_000_000_000, 1_800_000_000_000 + DAY_MS - 1), recent(1_800_000_000_000, 1_800_000_000_000 + DAY_MS)
    ('08:00:00', '15.01.')
    """
    return dated(time_ms, "%H:%M:%S" if now_ms - time_ms < DAY_MS else "%d.%m.")


def typed(text: str) -> Decimal | None:
    """A number as people type it, up to 18 digits before and after the point; None for what is none. Commas part
    thousands and nothing else: what is half typed, or has a decimal comma, is none rather than ten times as much.

    >>> typed(" 1,234.5 "), typed("1,5"), typed("0,500")
    (Decimal('1234.5'), None, None)
    """
    plain = "".join(letter for letter in text if letter not in "_ \u202f").replace(MINUS, "-")
    return Decimal(plain.replace(",", "")) if TYPED.fullmatch(plain) else None


def read(text: str) -> Decimal:
    """The number in a text of this module, without its unit. ValueError where there is none."""
    kept = "".join(letter for letter in text.replace(MINUS, "-") if letter.isdigit() or letter in ".-")
    try:
        return Decimal(kept)
    except ArithmeticError as error:
        raise ValueError(f"{text!r} shows no number") from error
