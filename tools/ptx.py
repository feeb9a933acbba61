"""Compile the field, transforms, Poseidon and the tape for CUDA, as they stand: what a GPU would run, without a GPU.

    python tools/ptx.py

Needs packages that nothing else here does: numba-cuda, nvidia-cuda-nvcc-cu12, nvidia-cuda-runtime-cu12 and
nvidia-cuda-nvrtc-cu12, in an environment of their own with the pinned numba and numpy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from numba import types

from stark import field, ntt, poseidon
from stark.air import tape

CAPABILITY = (8, 0)
_types: Any = types
INTEGER, FLAG = _types.int64, _types.boolean
FELTS, COLUMNS, TABLES = (_types.Array(_types.uint64, dimensions, "C") for dimensions in (2, 3, 4))
OPERATIONS = _types.Array(_types.int32, 2, "C")


def unary(operation: Callable[[Any], Any]) -> Callable[..., None]:
    """A function that a compiler can be given: the operation on a row of an array."""

    def apply(first: Any, second: Any, result: Any) -> None:
        field.store(result, 0, operation(field.load(first, 0)))

    return apply


def binary(operation: Callable[[Any, Any], Any]) -> Callable[..., None]:
    """The same of two."""

    def apply(first: Any, second: Any, result: Any) -> None:
        field.store(result, 0, operation(field.load(first, 0), field.load(second, 0)))

    return apply


def functions() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Names, functions, and the types of their arguments."""
    three = (FELTS, FELTS, FELTS)
    for name in ("multiply", "multiply_loose", "add", "add_loose", "subtract", "subtract_loose"):
        yield f"field.{name}", binary(getattr(field, name)), three
    for name in ("square", "square_loose", "fold", "reduce", "double_loose", "invert"):
        yield f"field.{name}", unary(getattr(field, name)), three
    run = (FELTS, FELTS, INTEGER, INTEGER, INTEGER, INTEGER)
    ends = (INTEGER, INTEGER, INTEGER)
    for module, name, arguments in (
        (field, "_each", (INTEGER, *three)),
        (field, "_invert_each", (FELTS, FELTS)),
        (ntt, "_forward_run", (*run, FLAG)),
        (ntt, "_backward_run", run),
        (ntt, "_forward_blocks", (*three, *ends, FLAG)),
        (ntt, "_backward_blocks", (*three, *ends)),
        (ntt, "_fill_powers", (FELTS, FELTS, INTEGER, INTEGER)),
        (ntt, "_evaluate", (*three, FELTS)),
        (poseidon, "_sponge", (FELTS, INTEGER, FELTS, INTEGER, FLAG, FELTS)),
        (tape, "run_tape", (OPERATIONS, FELTS, _types.UniTuple(TABLES, 5), *ends, COLUMNS, COLUMNS)),
    ):
        yield f"{module.__name__.removeprefix('stark.')}.{name}", getattr(module, name).py_func, arguments


def main() -> int:
    """Compile each; answers 1 if one was refused."""
    if find_spec("numba_cuda") is None:
        sys.exit("numba-cuda is not installed: see the head of this file for what to install, and where")
    from numba import cuda
    from numba.cuda import dispatcher as functions_on_device

    code: Any = cuda
    dispatcher: Any = functions_on_device
    # A function that calls another asks the device for its capability; there is none, and none is needed.
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=CAPABILITY)
    failed = 0
    for name, function, arguments in functions():
        try:
            text, _ = code.compile_ptx(function, arguments, device=True, cc=CAPABILITY)
        except Exception as error:  # whatever the compiler says
            failed += 1
            print(f"{name:24} refused: {str(error).splitlines()[0]}")
        else:
            print(f"{name:24} {len(text.splitlines()):6,} lines of PTX")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
