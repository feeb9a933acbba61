"""One canonical byte form for every frozen record: `Codec(types).encode(record)` and `.decode(data)`.

A record (a NamedTuple or a frozen dataclass) becomes the CBOR array `[class name, field, field, …]` in the
order of its fields. Two different byte strings never decode to the same record: bytes that are not exactly
what `encode` would have written are refused, so a hash of the bytes is a hash of the meaning.

What a field may hold is read once from its annotation: int (of any size), bool, str, bytes, None, IntEnum,
StrEnum, records, `tuple[X, ...]`, `tuple[X, Y]`, unions of these. Units are ints at run time. A bool is
never taken for an int. A record may not contain itself, so the depth of hostile input is bounded by the types.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from enum import Enum, Flag
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

import cbor2

Record = TypeVar("Record")
Convert = Callable[[Any], Any]
BYTES_MAX = 1 << 20  # a command is a few hundred bytes; a snapshot's codec is built with a larger bound
_SCALARS = (int, bool, str, bytes, type(None))


class CodecError(ValueError):
    """Bytes, or a record, that the codec refuses. Nothing else is raised for bad input."""


def _refuse_tag(value: object, immutable: bool) -> object:
    raise CodecError("a CBOR tag other than a big integer")


# The CBOR library would build dates, decimals, patterns, mail messages and shared references from these tags:
# work for an attacker to buy cheaply, and never canonical here. Unknown tags arrive as CBORTag and fail by type.
_TAGS_REFUSED = (0, 1, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_TAG_DECODERS = dict.fromkeys(_TAGS_REFUSED, _refuse_tag)


class _Shape(NamedTuple):
    """What one field may hold. A conversion of None means: as it is."""

    encoders: dict[type, Convert | None]  # by the type of the value
    decoders: dict[type, Convert | None]  # by the type CBOR gives: int, bool, str, bytes, None, list
    plans: dict[str, _Plan]  # the records among them, by tag
    depth: int  # arrays nested inside the field


def _kind(value: object) -> str:
    return type(value).__name__


def _plain(kind: type) -> _Shape:
    return _Shape({kind: None}, {kind: None}, {}, 0)


def _enum_shape(kind: type[Enum], where: str) -> _Shape:
    """An enum travels as its int or str."""
    base = int if issubclass(kind, int) else str
    if not issubclass(kind, (int, str)) or issubclass(kind, Flag):
        raise TypeError(f"{where}: {kind.__name__} must be an IntEnum or a StrEnum")
    members = {member.value: member for member in kind}

    def decode(raw: Any) -> Any:
        member = members.get(raw)
        if member is None:
            raise CodecError(f"{where}: {raw!r} is not a {kind.__name__}")
        return member

    return _Shape({kind: attrgetter("_value_")}, {base: decode}, {}, 0)


def _convert_each(convert: dict[type, Convert | None], where: str, into: type) -> Convert:
    """Every item of a sequence, each checked by its type."""
    plain = {kind for kind, function in convert.items() if function is None}

    def each(items: Any) -> Any:
        if plain.issuperset(map(type, items)):
            return into(items)
        result = []
        for item in items:
            kind = type(item)
            if kind not in convert:
                raise CodecError(f"{where}: an item may not be {kind.__name__}")
            function = convert[kind]
            result.append(item if function is None else function(item))
        return into(result)

    return each


def _convert_places(convert: list[dict[type, Convert | None]], where: str, into: type) -> Convert:
    """The items of a tuple of fixed length, each by its own place."""

    def places(items: Any) -> Any:
        if len(items) != len(convert):
            raise CodecError(f"{where}: {len(items)} items where {len(convert)} belong")
        result = []
        for item, kinds in zip(items, convert, strict=True):
            kind = type(item)
            if kind not in kinds:
                raise CodecError(f"{where}: an item may not be {kind.__name__}")
            function = kinds[kind]
            result.append(item if function is None else function(item))
        return into(result)

    return places


def _decode_record(plans: dict[str, _Plan], where: str) -> Convert:
    """A nested record, found by its tag."""

    def decode(raw: Any) -> Any:
        tag = raw[0] if raw else None
        plan = plans.get(tag) if type(tag) is str else None
        if plan is None:
            raise CodecError(f"{where}: unknown record {tag!r:.60}")
        return plan.decode(raw)

    return decode


class _Plan:
    """How one record class is written and read.

    The types of a record's values decide the conversions they need. Each combination is checked against the
    annotations once and remembered, so that a record of plain values costs one look-up.
    """

    def __init__(self, record: type, names: list[str], shapes: list[_Shape]) -> None:
        self.record, self.tag, self.names, self.shapes = record, record.__name__, names, shapes
        self.depth = 1 + max((shape.depth for shape in shapes), default=0)
        self.values: Callable[[Any], tuple[Any, ...]]
        if issubclass(record, tuple):
            self.values = tuple
        elif len(names) > 1:
            self.values = attrgetter(*names)
        else:
            self.values = lambda record: tuple(getattr(record, name) for name in names)
        self.encode_steps: dict[tuple[type, ...], list[tuple[int, Convert]]] = {}
        self.decode_steps: dict[tuple[type, ...], list[tuple[int, Convert]]] = {}

    def _steps(self, kinds: tuple[type, ...], converts: list[dict[type, Convert | None]]) -> list[tuple[int, Convert]]:
        """The conversions for values of these types, by place in the array (0 is the tag)."""
        if len(kinds) != len(converts):
            raise CodecError(f"{self.tag}: {len(kinds)} fields where {len(converts)} belong")
        steps = []
        for index, (kind, convert) in enumerate(zip(kinds, converts, strict=True)):
            if kind not in convert:
                wanted = " or ".join(sorted(known.__name__ for known in convert))
                raise CodecError(f"{self.tag}.{self.names[index]}: {kind.__name__} where {wanted} belongs")
            function = convert[kind]
            if function is not None:
                steps.append((index + 1, function))
        return steps

    def encode(self, record: Any) -> list[Any]:
        """The array of the record's plain values."""
        values = self.values(record)
        kinds = tuple(map(type, values))
        steps = self.encode_steps.get(kinds)
        if steps is None:
            steps = self._steps(kinds, [shape.encoders for shape in self.shapes])
            self.encode_steps[kinds] = steps
        array = [self.tag, *values]
        for index, convert in steps:
            array[index] = convert(array[index])
        return array

    def decode(self, array: list[Any]) -> Any:
        """The record of an array whose tag is known to be this plan's."""
        kinds = tuple(map(type, array))
        steps = self.decode_steps.get(kinds)
        if steps is None:
            steps = self._steps(kinds[1:], [shape.decoders for shape in self.shapes])
            self.decode_steps[kinds] = steps
        for index, convert in steps:
            array[index] = convert(array[index])
        try:
            return self.record(*array[1:])
        except (ValueError, TypeError) as error:  # the record's own check of its values
            raise CodecError(f"{self.tag}: {error}") from error


class _Planner:
    """Reads annotations into plans, once per class."""

    def __init__(self) -> None:
        self.plans: dict[type, _Plan] = {}
        self.open: list[type] = []

    def plan(self, record: type) -> _Plan:
        """The plan of a record class."""
        if record in self.plans:
            return self.plans[record]
        name = record.__name__
        if record in self.open:
            raise TypeError(f"{name} contains itself; the codec needs records of bounded depth")
        if any(known.__name__ == name for known in [*self.plans, *self.open]):
            raise TypeError(f"two record classes are called {name}; the name is the tag, so it must be unique")
        self.open.append(record)
        names = _field_names(record)
        try:
            hints = typing.get_type_hints(record)
        except NameError as error:
            raise TypeError(f"{name}: {error}; import the type where the class is defined, at run time") from error
        shapes = [self.shape(hints[field], f"{name}.{field}") for field in names]
        self.open.pop()
        self.plans[record] = _Plan(record, names, shapes)
        return self.plans[record]

    def shape(self, annotation: Any, where: str) -> _Shape:
        """What an annotation allows."""
        while isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        origin = typing.get_origin(annotation)
        if annotation is None or annotation in _SCALARS:
            return _plain(annotation or type(None))
        if origin in (typing.Union, types.UnionType):
            return self.union([self.shape(member, where) for member in typing.get_args(annotation)], where)
        if origin is tuple:
            return self.sequence(typing.get_args(annotation), where)
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return _enum_shape(annotation, where)
        if isinstance(annotation, type) and (is_dataclass(annotation) or issubclass(annotation, tuple)):
            plan = self.plan(annotation)
            plans = {plan.tag: plan}
            return _Shape({annotation: plan.encode}, {list: _decode_record(plans, where)}, plans, plan.depth)
        raise TypeError(f"{where}: {annotation!r} has no canonical form here; see the module's docstring")

    def sequence(self, members: tuple[Any, ...], where: str) -> _Shape:
        """`tuple[X, ...]` or `tuple[X, Y]`: an array without a tag."""
        if len(members) == 2 and members[1] is Ellipsis:
            shape = self.shape(members[0], where)
            encode = _convert_each(shape.encoders, where, list)
            return _Shape({tuple: encode}, {list: _convert_each(shape.decoders, where, tuple)}, {}, shape.depth + 1)
        shapes = [self.shape(member, where) for member in members]
        encode = _convert_places([shape.encoders for shape in shapes], where, list)
        decode = _convert_places([shape.decoders for shape in shapes], where, tuple)
        return _Shape({tuple: encode}, {list: decode}, {}, 1 + max((shape.depth for shape in shapes), default=0))

    def union(self, shapes: list[_Shape], where: str) -> _Shape:
        """Members must differ in how they look on the wire; records differ by their tags."""
        encoders: dict[type, Convert | None] = {}
        decoders: dict[type, Convert | None] = {}
        plans: dict[str, _Plan] = {}
        for shape in shapes:
            for kind in shape.decoders:
                if kind in decoders and not (shape.plans and plans and kind is list):
                    raise TypeError(f"{where}: two members of the union both travel as {kind.__name__}")
            encoders |= shape.encoders
            decoders |= shape.decoders
            plans |= shape.plans
        if plans:
            decoders[list] = _decode_record(plans, where)
        return _Shape(encoders, decoders, plans, max(shape.depth for shape in shapes))


def _field_names(record: type) -> list[str]:
    """The fields of a NamedTuple or dataclass, in the order in which its constructor takes them."""
    if issubclass(record, tuple) and hasattr(record, "_fields"):
        return list(record._fields)
    if not is_dataclass(record) or not record.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise TypeError(f"{record.__name__} is neither a NamedTuple nor a frozen dataclass")
    for field in dataclass_fields(record):
        if not field.init or field.kw_only:
            raise TypeError(f"{record.__name__}.{field.name}: the constructor must take every field by position")
    return [field.name for field in dataclass_fields(record)]


class Codec(Generic[Record]):
    """Writes and reads the given record classes, and whatever records their fields hold."""

    def __init__(self, records: Sequence[type[Record]], *, bytes_max: int = BYTES_MAX) -> None:
        planner = _Planner()
        self._by_type = {record: planner.plan(record) for record in records}
        self._by_tag = {plan.tag: plan for plan in self._by_type.values()}
        # The library counts the tag of a big integer as a level of its own.
        self._depth_max = 1 + max((plan.depth for plan in self._by_type.values()), default=1)
        self._bytes_max = bytes_max

    def encode(self, record: Record) -> bytes:
        """The canonical bytes of a record."""
        plan = self._by_type.get(type(record))
        if plan is None:
            raise CodecError(f"{_kind(record)} is not a record of this codec")
        try:
            data = cbor2.dumps(plan.encode(record))
        except (cbor2.CBOREncodeError, UnicodeEncodeError) as error:  # a lone surrogate in a str
            raise CodecError(f"{plan.tag}: {error}") from error
        if len(data) > self._bytes_max:
            raise CodecError(f"{plan.tag}: {len(data)} bytes, more than {self._bytes_max}")
        return data

    def decode(self, data: bytes) -> Record:
        """The record of canonical bytes, from whoever sent them; CodecError for any other bytes."""
        if type(data) is not bytes:
            raise CodecError(f"{_kind(data)} where bytes belong")
        if len(data) > self._bytes_max:
            raise CodecError(f"{len(data)} bytes, more than {self._bytes_max}")
        try:
            array = cbor2.loads(
                data, max_depth=self._depth_max, allow_indefinite=False, semantic_decoders=_TAG_DECODERS
            )
            canonical = cbor2.dumps(array)
        except Exception as error:  # whatever a library makes of hostile bytes, the verdict is ours
            raise CodecError(f"not CBOR of a record: {error}") from error
        if canonical != data:
            raise CodecError("not in canonical form, or bytes after the end")
        if type(array) is not list or not array or type(array[0]) is not str:
            raise CodecError("not an array that begins with the name of a record")
        plan = self._by_tag.get(array[0])
        if plan is None:
            raise CodecError(f"unknown record {array[0]!r:.60}")
        record: Record = plan.decode(array)
        return record
