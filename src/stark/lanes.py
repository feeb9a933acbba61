"""Eight words side by side, as LLVM vectors: what kernels call to work on eight rows at once.

An array holds such words one after the other. LLVM makes of them what the machine has: one register of 512 bits, or
several smaller ones, so nothing here depends on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from stark.kernels import LIMB_BITS

LANES = 8

_types: Any = types
_code: Any = cgutils
WORD = ir.IntType(LIMB_BITS)
VECTOR = ir.VectorType(WORD, LANES)


def splat(value: int) -> Any:
    """The same word eight times."""
    return ir.Constant(VECTOR, [ir.Constant(WORD, value)] * LANES)


def spread(builder: Any, value: Any) -> Any:
    """A word that is known later, eight times."""
    first = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), value, ir.IntType(32)(0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [ir.IntType(32)(0)] * LANES)
    return builder.shuffle_vector(first, first, places)


def data_of(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Where an array's words begin."""
    return context.make_array(kind)(context, builder, array).data


def place(builder: Any, start: Any, index: Any) -> Any:
    """Where the vector `index` words behind a start stands."""
    found = builder.gep(start, [index if isinstance(index, ir.Value) else ir.Constant(WORD, index)])
    return builder.bitcast(found, VECTOR.as_pointer())


def take(builder: Any, start: Any, index: Any) -> Any:
    """The vector `index` words behind a start."""
    return builder.load(place(builder, start, index), align=LIMB_BITS // 8)


def put(builder: Any, start: Any, index: Any, value: Any) -> None:
    """Write a vector `index` words behind a start."""
    builder.store(value, place(builder, start, index), align=LIMB_BITS // 8)


def rotate(builder: Any, value: Any, count: int) -> Any:
    """Each word turned to the left."""
    if count == 0:
        return value
    left = builder.shl(value, splat(count))
    return builder.or_(left, builder.lshr(value, splat(LIMB_BITS - count)))


def repeated(builder: Any, times: Any, values: list[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
    """A loop of at least one turn: `body(number, values)` emits one and answers what the values become."""
    before = builder.block
    turn, after = builder.append_basic_block("turn"), builder.append_basic_block("after")
    builder.branch(turn)
    builder.position_at_end(turn)
    number = builder.phi(WORD)
    carried = [builder.phi(value.type) for value in values]
    number.add_incoming(WORD(0), before)
    for phi, value in zip(carried, values, strict=True):
        phi.add_incoming(value, before)
    found = body(number, carried)
    following = builder.add(number, WORD(1))
    number.add_incoming(following, builder.block)
    for phi, value in zip(carried, found, strict=True):
        phi.add_incoming(value, builder.block)
    last = times if isinstance(times, ir.Value) else WORD(times)
    builder.cbranch(builder.icmp_unsigned("<", following, last), turn, after)
    builder.position_at_end(after)
    return found


def on_two_arrays(emit: Callable[[Any, Any, Any], None]) -> Any:
    """For kernels: what `emit(builder, first, second)` does with the words of two arrays."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        starts = [data_of(context, builder, *each) for each in zip(signature.args, arguments, strict=True)]
        emit(builder, *starts)
        return context.get_dummy_value()

    return intrinsic(lambda typing, first, second: (_types.void(first, second), generate))
