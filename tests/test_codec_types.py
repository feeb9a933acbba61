"""bulkhead.codec: what has no canonical byte form is refused when the codec is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum, IntFlag, StrEnum
from typing import Any, NamedTuple

import pytest

from bulkhead.codec import Codec


class Side(IntEnum):
    BUY = 1


class Label(StrEnum):
    LIMIT = "limit"


class Leg(NamedTuple):
    amount: int


class Colour(Enum):
    RED = 1


class Bits(IntFlag):
    ONE = 1


@dataclass
class Thawed:
    value: int


@dataclass(frozen=True)
class Computed:
    value: int
    other: int = field(init=False, default=0)


@dataclass(frozen=True, kw_only=True)
class KeywordOnly:
    value: int


class Tree(NamedTuple):
    children: tuple[Tree, ...]


class Unresolved(NamedTuple):
    value: Missing  # type: ignore[name-defined]  # noqa: F821


def holder(annotation: Any) -> type:
    """A record class with one field of this annotation."""
    return NamedTuple("Holder", [("value", annotation)])


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Thawed, "neither a NamedTuple nor a frozen dataclass"),
        (int, "neither a NamedTuple nor a frozen dataclass"),
        (tuple, "neither a NamedTuple nor a frozen dataclass"),
        (KeywordOnly, "by position"),
        (Computed, "Computed.other.*by position"),
        (Tree, "contains itself"),
        (Unresolved, "Missing.*at run time"),
        (holder(float), "no canonical form"),
        (holder(list[int]), "no canonical form"),
        (holder(dict[str, int]), "no canonical form"),
        (holder(object), "no canonical form"),
        (holder(Colour), "IntEnum or a StrEnum"),
        (holder(Bits), "IntEnum or a StrEnum"),
        (holder(int | Side), "both travel as int"),
        (holder(str | Label), "both travel as str"),
        (holder(Leg | tuple[int, ...]), "both travel as list"),
        (holder(tuple[int, ...] | tuple[str, ...]), "both travel as list"),
    ],
)
def test_what_has_no_byte_form_is_refused_at_once(record: type, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        Codec([record])


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="two record classes are called Holder"):
        Codec([holder(int), holder(str)])
