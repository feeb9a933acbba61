"""How a function becomes machine code: typed wrappers around Numba, and a compile cache that cannot go stale.

`@kernel` compiles a whole function; `operation` makes a piece of LLVM code that kernels call on field elements.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

FunctionType = TypeVar("FunctionType", bound=Callable[..., Any])

Felt = tuple[int, int, int, int]  # a field element inside a kernel: four 64-bit limbs, least significant first

# Numba is typed in part, and each version in another part: to the checker these are untyped.
_types: Any = types
_code: Any = cgutils

FELT, WIDE = _types.UniTuple(_types.uint64, 4), _types.UniTuple(_types.uint64, 8)
LIMB_BITS = 64
FELT_BITS = 4 * LIMB_BITS


def kernel(function: FunctionType) -> FunctionType:
    """Compile on the first call, keep the machine code on disk, and run without the interpreter lock.

    Numba refreshes its cache when the file of the function changes, but not when a function called from another
    file does: after an edit of field.py the old hashes would go on being computed. So the stamp by which it judges
    its cache is replaced by a digest of every source that may have been compiled in.
    """
    dispatcher: Any = njit(cache=True, nogil=True)(function)
    dispatcher._cache._cache_file._source_stamp = source_digest(Path(function.__code__.co_filename))
    compiled: FunctionType = dispatcher
    return compiled


def is_compiled(function: Callable[..., Any]) -> bool:
    """Whether a kernel's machine code of this version is in memory or on disk: if not, its first call compiles it."""
    dispatcher: Any = function
    return bool(dispatcher.signatures or dispatcher._cache._cache_file._load_index())


@cache
def source_digest(file: Path) -> str:
    """SHA-256 over the modules beside this one, and over `file` itself."""
    digest = hashlib.sha256()
    for source in [*sorted(Path(__file__).parent.rglob("*.py")), file]:
        text = source.read_bytes()
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.hexdigest()


def operation(arity: int, emit: Callable[..., Any]) -> Any:
    """An operation on `arity` elements for use in kernels: `emit(builder, *integers)` builds one 256-bit integer.

    Wide integers keep the code short, and LLVM lowers them to the carry chains one would write by hand.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return split(builder, emit(builder, *[join(builder, argument) for argument in arguments]))

    if arity == 1:
        return intrinsic(lambda typing, first: (FELT(FELT), generate))
    return intrinsic(lambda typing, first, second: (FELT(FELT, FELT), generate))


def accumulation(emit: Callable[..., Any]) -> Any:
    """An operation on eight limbs and two elements, answering eight limbs: `emit` builds one 512-bit integer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, *sides = arguments
        value = emit(builder, join(builder, total, 8), *[join(builder, side) for side in sides])
        return split(builder, value, 8)

    return intrinsic(lambda typing, total, first, second: (WIDE(WIDE, FELT, FELT), generate))


def settlement(emit: Callable[..., Any]) -> Any:
    """An operation on eight limbs that answers an element."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return split(builder, emit(builder, join(builder, arguments[0], 8)))

    return intrinsic(lambda typing, total: (FELT(WIDE), generate))


def join(builder: Any, limbs: Any, count: int = 4) -> Any:
    """Limbs as one integer."""
    return concatenate(builder, [builder.extract_value(limbs, index) for index in range(count)], LIMB_BITS * count)


def split(builder: Any, value: Any, count: int = 4) -> Any:
    """An integer as limbs."""
    return _code.pack_array(builder, [limb(builder, value, index) for index in range(count)])


def limb(builder: Any, value: Any, index: int) -> Any:
    """64 bits of a wide integer, counted from the least significant."""
    return builder.trunc(shift_right(builder, value, LIMB_BITS * index), ir.IntType(LIMB_BITS))


def concatenate(builder: Any, limbs: list[Any], bits: int) -> Any:
    """Limbs, least significant first, as one integer of `bits` bits."""
    wide = ir.IntType(bits)
    value = builder.zext(limbs[0], wide)
    for index, part in enumerate(limbs[1:], 1):
        value = builder.or_(value, builder.shl(builder.zext(part, wide), wide(LIMB_BITS * index)))
    return value


def shift_left(builder: Any, value: Any, shift: int, bits: int) -> Any:
    """value * 2**shift as an integer of `bits` bits."""
    wide = ir.IntType(bits)
    return builder.shl(builder.zext(value, wide) if value.type.width < bits else value, wide(shift))


def shift_right(builder: Any, value: Any, shift: int) -> Any:
    """value >> shift, of the same width."""
    return builder.lshr(value, value.type(shift))


def limb_product(builder: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Low and high limb of the product of two limbs."""
    double = ir.IntType(2 * LIMB_BITS)
    product = builder.mul(builder.zext(first, double), builder.zext(second, double))
    return limb(builder, product, 0), limb(builder, product, 1)


def row_product(builder: Any, limbs: list[Any], factor: Any) -> Any:
    """Limbs times one limb, one limb wider: low halves plus high halves, so that the carries form a single chain."""
    products = [limb_product(builder, part, factor) for part in limbs]
    bits = LIMB_BITS * (len(limbs) + 1)
    low = concatenate(builder, [product[0] for product in products], bits)
    high = concatenate(builder, [product[1] for product in products], bits)
    return builder.add(low, shift_left(builder, high, LIMB_BITS, bits))
