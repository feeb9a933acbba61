"""bulkhead.codec: one byte form per record, and one error for every other byte."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated, Any, NamedTuple

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkhead.codec import Codec, CodecError
from bulkhead.ledger import tx
from bulkhead.units import AccountId, Price, Quote, Size


class Side(IntEnum):
    BUY = 1
    SELL = -1


class Label(StrEnum):
    LIMIT = "limit"
    MARKET = "market"


class Leg(NamedTuple):
    account_id: AccountId
    amount: Quote


class Mark(NamedTuple):
    market_id: int


@dataclass(frozen=True, slots=True)
class Place:
    account_id: AccountId
    side: Side
    label: Label
    size: Size
    price: Price | None
    post_only: bool
    client_id: str | None
    tag: bytes
    legs: tuple[Leg, ...]
    either: Leg | Mark | None
    pair: tuple[int, str]
    counts: tuple[int, ...]
    sides: tuple[Side | None, ...]
    nested: tuple[tuple[int, ...], ...]
    key: Annotated[int, "a field element"]


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True)
class One:
    value: int


@dataclass(frozen=True, slots=True)
class Positive:
    value: int

    def __post_init__(self) -> None:
        if self.value <= 0:
            raise ValueError("not positive")


CODEC: Codec[Any] = Codec([Place, Leg, Nothing, One, Positive])
NUMBERS = st.one_of(
    st.integers(),
    st.integers(0, 300).flatmap(lambda bit: st.sampled_from([1 << bit, (1 << bit) - 1, -(1 << bit), -(1 << bit) - 1])),
)
LEGS = st.builds(Leg, NUMBERS, NUMBERS)
PLACES = st.builds(
    Place,
    NUMBERS,
    st.sampled_from(Side),
    st.sampled_from(Label),
    NUMBERS,
    st.none() | NUMBERS,
    st.booleans(),
    st.none() | st.text(max_size=300),
    st.binary(max_size=300),
    st.lists(LEGS, max_size=30).map(tuple),
    st.none() | LEGS | st.builds(Mark, NUMBERS),
    st.tuples(NUMBERS, st.text(max_size=5)),
    st.lists(NUMBERS, max_size=30).map(tuple),
    st.lists(st.none() | st.sampled_from(Side), max_size=5).map(tuple),
    st.lists(st.lists(NUMBERS, max_size=3).map(tuple), max_size=3).map(tuple),
    NUMBERS,
)
EXAMPLE = Place(
    AccountId(640),
    Side.SELL,
    Label.LIMIT,
    Size(-12340),
    Price(98765 << 32),
    True,
    "order-1",
    b"\x00\xff",
    (Leg(AccountId(64), Quote(-5)), Leg(AccountId(65), Quote(2**70))),
    Mark(3),
    (7, "seven"),
    (1, 2, 3),
    (Side.BUY, None),
    ((), (1,)),
    2**251 + 1,
)


def same_types(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down: True == 1 is not enough."""
    if type(left) is not type(right):
        return False
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same_types, left, right))
    if hasattr(left, "__dataclass_fields__"):
        return all(same_types(getattr(left, name), getattr(right, name)) for name in left.__dataclass_fields__)
    return bool(left == right)


@settings(max_examples=50)
@given(PLACES)
def test_every_record_survives(record: Place) -> None:
    data = CODEC.encode(record)
    assert same_types(CODEC.decode(data), record)
    assert CODEC.encode(CODEC.decode(data)) == data


@given(PLACES, PLACES)
def test_different_records_have_different_bytes(left: Place, right: Place) -> None:
    assert (CODEC.encode(left) == CODEC.encode(right)) == (left == right)


def test_small_records_survive() -> None:
    for record in (Nothing(), One(0), One(-(2**300)), Leg(AccountId(1), Quote(2)), EXAMPLE):
        assert same_types(CODEC.decode(CODEC.encode(record)), record)


def test_the_byte_form_is_pinned() -> None:
    """Journals and snapshots are read by later versions: these bytes may never change."""
    assert CODEC.encode(One(1)).hex() == "82634f6e6501"
    assert CODEC.encode(One(2**64)).hex() == "82634f6e65c249010000000000000000"
    assert CODEC.encode(EXAMPLE).hex() == (
        "9065506c616365190280" + "20" + "656c696d6974" + "393033" + "1b000181cd00000000"
        "f5" + "676f726465722d31" + "4200ff" + "82" + "83634c6567184024" + "83634c65671841c249400000000000000000"
        "82644d61726b03" + "820765736576656e" + "83010203" + "8201f6" + "828081" + "01"
        "c258200800000000000000000000000000000000000000000000000000000000000001"
    )


@settings(max_examples=1000)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_a_codec_error(data: bytes) -> None:
    try:
        record = CODEC.decode(data)
    except CodecError:
        return
    assert CODEC.encode(record) == data


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(cbor2.CBORTag, st.integers(0, 70000), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=300)
@given(st.sampled_from(["Place", "Leg", "Nothing", "One", "Positive", "Mark", ""]), st.lists(VALUES, max_size=16))
def test_any_cbor_is_a_record_or_a_codec_error(tag: str, values: list[Any]) -> None:
    data = cbor2.dumps([tag, *values])
    try:
        record = CODEC.decode(data)
    except CodecError:
        return
    assert CODEC.encode(record) == data


def test_every_flipped_bit_is_another_record_or_a_codec_error() -> None:
    data = CODEC.encode(EXAMPLE)
    refused = 0
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        try:
            record = CODEC.decode(bytes(flipped))
        except CodecError:
            refused += 1
            continue
        assert record != EXAMPLE
        assert CODEC.encode(record) == bytes(flipped)
    assert refused > 3 * len(data)


def test_every_truncation_and_every_extension_is_refused() -> None:
    data = CODEC.encode(EXAMPLE)
    for end in range(len(data)):
        with pytest.raises(CodecError):
            CODEC.decode(data[:end])
    for more in (b"\x00", b"\xf6", b"\xff", data):
        with pytest.raises(CodecError, match="after the end"):
            CODEC.decode(data + more)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "not CBOR"),
        ("80", "begins with the name"),
        ("01", "begins with the name"),
        ("f6", "begins with the name"),
        ("8101", "begins with the name"),
        ("a0", "begins with the name"),
        ("816548656c6c6f", "unknown record 'Hello'"),
        ("82644d61726b01", "unknown record 'Mark'"),  # known only inside another
        ("81634f6e65", "0 fields where 1 belong"),
        ("83634f6e650102", "2 fields where 1 belong"),
        ("82634f6e65f5", "One.value: bool where int belongs"),
        ("82634f6e65f6", "One.value: NoneType where int belongs"),
        ("82634f6e656131", "One.value: str where int belongs"),
        ("82634f6e654101", "One.value: bytes where int belongs"),
        ("82634f6e658101", "One.value: list where int belongs"),
        ("82634f6e65f93c00", "canonical"),  # 1.0 as a half
        ("82634f6e65fb3ff0000000000000", "One.value: float where int belongs"),
        ("82634f6e65a0", "One.value: dict where int belongs"),
        ("82634f6e65f7", "One.value: .* where int belongs"),  # undefined
        ("82634f6e65e0", "One.value: .* where int belongs"),  # simple value 0
        ("82634f6e651801", "canonical"),  # one as two bytes
        ("9a00000002634f6e6501", "canonical"),  # a length of four bytes
        ("8278034f6e6501", "canonical"),
        ("82634f6e65c24101", "canonical"),  # a big integer that is small
        ("82634f6e65c24a00010000000000000000", "canonical"),  # a big integer that begins with zero
        ("82634f6e65c240", "canonical"),
        ("9f634f6e6501ff", "not CBOR"),  # indefinite length
        ("827f634f6e65ff01", "not CBOR"),
        ("82634f6e65d9d9f701", "not CBOR"),  # self-described
        ("82634f6e65d9123401", "One.value: CBORTag where int belongs"),
        ("82634f6e65c482011b00000000ffffffff", "not CBOR"),  # decimal fraction
        ("82634f6e65c5821a7fffffff01", "not CBOR"),  # 2^(2^31) as a bigfloat
        ("82634f6e65d82363612a2a", "not CBOR"),  # a regular expression
        ("82634f6e65d82444746578", "not CBOR"),
        ("82634f6e65d81c81d81d00", "not CBOR"),  # an array that contains itself
        ("d9010082634f6e65d81900", "not CBOR"),  # string references
        ("82634f6e65c074323031332d30332d32315432303a30343a30305a", "not CBOR"),
        ("8261ff01", "not CBOR"),  # not UTF-8
        ("9b7fffffffffffffff634f6e65", "not CBOR"),  # an array of 2^63 items
        ("82634f6e655b7fffffffffffffff00", "not CBOR"),
        ("68506f736974697665" + "00", "begins with the name|canonical"),
        ("8268506f73697469766500", "Positive: not positive"),
    ],
)
def test_hostile_bytes_are_named(data: str, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        CODEC.decode(bytes.fromhex(data))


def test_depth_is_bounded_by_the_types() -> None:
    for depth in (5, 100, 100_000):
        with pytest.raises(CodecError, match="not CBOR.*depth"):
            CODEC.decode(b"\x82\x63One" + b"\x81" * depth + b"\x00")


def test_bytes_are_bounded_both_ways() -> None:
    small: Codec[One] = Codec([One], bytes_max=64)
    assert small.decode(small.encode(One(2**400))) == One(2**400)
    with pytest.raises(CodecError, match="more than 64"):
        small.encode(One(2**600))
    with pytest.raises(CodecError, match="more than 64"):
        small.decode(bytes(65))


def test_only_bytes_are_decoded() -> None:
    for data in (bytearray(b"\x82\x63One\x01"), memoryview(b""), "x", None, 5):
        with pytest.raises(CodecError, match="where bytes belong"):
            CODEC.decode(data)  # type: ignore[arg-type]


WRONG_FIELDS = [
    ("account_id", True),
    ("account_id", Side.BUY),
    ("account_id", 1.0),
    ("account_id", None),
    ("side", 1),
    ("side", Label.LIMIT),
    ("label", "limit"),
    ("price", False),
    ("post_only", 1),
    ("client_id", b"x"),
    ("client_id", "\ud800"),
    ("tag", "x"),
    ("tag", bytearray(b"x")),
    ("legs", [Leg(AccountId(1), Quote(1))]),
    ("legs", (Mark(1),)),
    ("legs", ((1, 2),)),
    ("legs", (Leg(AccountId(1), True),)),
    ("either", One(1)),
    ("either", (1, 2)),
    ("pair", (1,)),
    ("pair", (1, "x", 2)),
    ("pair", ("x", 1)),
    ("counts", (1, True)),
    ("counts", Leg(AccountId(1), Quote(1))),
    ("sides", (1,)),
    ("nested", ((True,),)),
    ("nested", (1,)),
]


@pytest.mark.parametrize(("name", "value"), WRONG_FIELDS)
def test_a_wrong_value_is_not_encoded(name: str, value: Any) -> None:
    fields = {field: getattr(EXAMPLE, field) for field in Place.__dataclass_fields__}
    with pytest.raises(CodecError, match="Place|Leg"):
        CODEC.encode(Place(**(fields | {name: value})))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, True),
        (2, 2),
        (2, True),
        (3, "LIMIT"),
        (8, "x"),
        (9, [["Mark", 1]]),
        (9, [["Leg", 1]]),
        (9, [["Leg", 1, True]]),
        (9, [[]]),
        (9, [[1]]),
        (9, [[["Leg"], 1, 2]]),
        (10, ["One", 1]),
        (10, []),
        (11, [1]),
        (11, [1, 2]),
        (12, [1, None]),
        (13, [0]),
        (14, [[True]]),
    ],
)
def test_a_wrong_value_is_not_decoded(place: int, value: Any) -> None:
    array = cbor2.loads(CODEC.encode(EXAMPLE))
    array[place] = value
    with pytest.raises(CodecError):
        CODEC.decode(cbor2.dumps(array))


def test_what_is_not_a_record_of_the_codec_is_not_encoded() -> None:
    for record in (Mark(1), (1, 2), 5, None, One):
        with pytest.raises(CodecError, match="is not a record of this codec"):
            CODEC.encode(record)


def test_every_transaction_of_the_ledger_has_a_byte_form() -> None:
    codec: Codec[Any] = Codec(tx.Transaction.__args__)
    signature = tx.Signature(2**250, 3)
    leg = tx.AssetLeg(AccountId(64), AccountId(128), 1, 5)
    move = tx.Move(1, AccountId(64), (leg,), (), (), 2, 3, signature)
    for record in (move, tx.Restart(1), tx.TopUp(1, AccountId(65))):
        assert same_types(codec.decode(codec.encode(record)), record)
