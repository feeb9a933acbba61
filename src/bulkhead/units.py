"""Units of money and size: plain integers at run time, distinct types to the type checker.

`Price * Size` is a `Worth`; a `Worth` becomes a `Quote` only through `fixed`, which names the rounding.
Mixing two units (`Quote + Size`) is an error of mypy, and costs nothing while running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from typing import Self, overload

    class _Unit:
        """What every unit can do with itself and with a plain count."""

        def __new__(cls, value: int, /) -> Self: ...
        def __add__(self, other: Self, /) -> Self: ...
        def __sub__(self, other: Self, /) -> Self: ...
        def __neg__(self) -> Self: ...
        def __abs__(self) -> Self: ...
        def __lt__(self, other: Self, /) -> bool: ...
        def __le__(self, other: Self, /) -> bool: ...
        def __gt__(self, other: Self, /) -> bool: ...
        def __ge__(self, other: Self, /) -> bool: ...
        def __int__(self) -> int: ...
        def __index__(self) -> int: ...

    class Quote(_Unit):
        """Settlement asset, 10**-6 of a dollar, signed."""

    class Worth(_Unit):
        """Quote with 32 fraction bits, exact: never paid out before `fixed` rounds it."""

        def __mul__(self, fraction: Fraction, /) -> Requirement: ...

    class Requirement(_Unit):
        """Quote with 64 fraction bits, exact: what a margin rule asks for; only ever compared."""

    class Fraction(_Unit):
        """A dimensionless share with 32 fraction bits; `fixed.ONE` is the whole."""

    class Size(_Unit):
        """Lots of a market's base asset, signed: long is positive."""

        @overload
        def __mul__(self, price: Price | FundingIndex, /) -> Worth: ...
        @overload
        def __mul__(self, price: BookPrice, /) -> Quote: ...
        def __mul__(self, price: Price | FundingIndex | BookPrice, /) -> Worth | Quote: ...

    class Price(_Unit):
        """Quote per lot with 32 fraction bits: index and mark prices."""

        def __mul__(self, size: Size, /) -> Worth: ...

    class BookPrice(_Unit):
        """Whole quote per lot: what orders rest and fill at, so that a fill's value is exact."""

        def __mul__(self, size: Size, /) -> Quote: ...

    class FundingIndex(_Unit):
        """Quote per lot paid by a long since the market began, 32 fraction bits, signed."""

        def __mul__(self, size: Size, /) -> Worth: ...

else:
    Quote = Worth = Requirement = Fraction = Size = Price = BookPrice = FundingIndex = int

AccountId = NewType("AccountId", int)
"""u32. Multiples of 64 can sign; `a + k` is the isolated child of `a` on market `k`."""
MarketId = NewType("MarketId", int)
"""1…63."""
AssetId = NewType("AssetId", int)
"""A small number that names an asset of the configuration; 1 is the first settlement asset."""
Felt = NewType("Felt", int)
"""An element of the proof field, 0 ≤ value < P."""
TimeMs = NewType("TimeMs", int)
"""Milliseconds since 1970-01-01 UTC."""
TimeS = NewType("TimeS", int)
"""Seconds since 1970-01-01 UTC: the unit in which traders sign expirations."""
