"""Which numbers of an exchange are taken for numbers."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

DIGITS_MAX = 40  # before the point, and after it


def is_sane(value: Decimal) -> bool:
    """Finite, and neither larger nor finer than anything that an exchange counts."""
    if not value.is_finite():
        return False
    exponent = value.as_tuple().exponent
    return value.adjusted() <= DIGITS_MAX and -DIGITS_MAX <= int(exponent) <= DIGITS_MAX


class Sane(Struct, frozen=True, kw_only=True):
    """A number that is none, or that no market has, makes the answer unreadable: it would spread to whatever is
    reckoned with it, and writing it out may take all memory there is."""

    def __post_init__(self) -> None:
        """msgspec makes a ValidationError of what this raises, which names the field's place."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) is Decimal and not is_sane(value):
                raise ValueError(f"{name} is no number of a market")
