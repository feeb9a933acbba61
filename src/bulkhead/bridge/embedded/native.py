"""Pure contracts run by a compiled machine: a verifier's loops take milliseconds instead of seconds, at the same gas.

Optional (`pip install 'bulkhead[native]'`). Whoever names a contract here vouches that it reads no state but the code
of the contracts named with it; Vyper holds `@pure` functions to that. The compiled machine has the prices of Cancun:
they are those of Osaka for all that such code may use, but for modular exponentiation, which it must not use.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ethereum.forks.osaka.fork_types import Address
from ethereum.forks.osaka.state import get_account
from ethereum.forks.osaka.vm import Evm, interpreter
from ethereum.forks.osaka.vm.exceptions import InvalidOpcode, OutOfGasError, Revert
from ethereum.forks.osaka.vm.instructions import Ops, op_implementation
from ethereum_types.numeric import Uint, ulen

from bulkhead.bridge.gas import BASE_GAS, TOKENS, tokens

try:
    import pyrevm
except ImportError:
    pyrevm = None  # type: ignore[assignment]

GAS = 1 << 40  # given to the compiled machine: what code uses does not depend on it, and is compared afterwards
REVERT = re.compile(r"Revert \{ gas_used: (\d+), output: 0x([0-9a-f]*) \}")
_LOCK = threading.RLock()  # the table below is one for the whole process
_NAMES = vars(interpreter)
_TABLE_NAME = "PRE_COMPILED_CONTRACTS"
_ORIGINAL: dict[Address, Callable[[Evm], None]] = _NAMES[_TABLE_NAME]

Reads = tuple[bytes, ...]


def is_available() -> bool:
    """Whether the compiled machine is installed."""
    return pyrevm is not None


class Natives:
    """The contracts that run natively: address → addresses whose code they read."""

    def __init__(self, contracts: Mapping[bytes, Reads] | None = None) -> None:
        self.contracts: dict[bytes, Reads] = dict(contracts or {})

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While inside, calls to these contracts run natively.

        The specification looks a call's target up among the precompiled contracts of its interpreter; these are put
        into a copy of that table. What is warm at the start of a transaction is read from another name and unchanged.
        """
        if not self.contracts or pyrevm is None:
            yield
            return
        table = _ORIGINAL | {Address(address): _native(reads) for address, reads in self.contracts.items()}
        with _LOCK:
            _NAMES[_TABLE_NAME] = table
            try:
                yield
            finally:
                _NAMES[_TABLE_NAME] = _ORIGINAL


def _native(reads: Reads) -> Callable[[Evm], None]:
    """The contract as a precompiled one: it takes the frame of a call, and ends it as the specification would."""
    others = tuple(Address(each) for each in reads)

    def run(evm: Evm) -> None:
        # The compiled machine begins with everything cold. Where a code was read before, the specification counts.
        if any(other in evm.accessed_addresses for other in others):
            _interpret(evm)
            return
        used, output, reverted = _compiled(evm, others)
        if used > int(evm.gas_left):
            raise OutOfGasError
        evm.gas_left -= Uint(used)
        evm.accessed_addresses.update(others)
        evm.output = output
        if reverted:
            raise Revert

    return run


def _compiled(evm: Evm, others: tuple[Address, ...]) -> tuple[int, bytes, bool]:
    """Gas, output and whether it reverted."""
    message = evm.message
    machine = pyrevm.EVM(spec_id="CANCUN", gas_limit=GAS)
    target = "0x" + bytes(message.current_target).hex()
    machine.insert_account_info(target, pyrevm.AccountInfo(code=bytes(message.code)))
    for other in others:
        code = bytes(get_account(message.block_env.state, other).code)
        machine.insert_account_info("0x" + other.hex(), pyrevm.AccountInfo(code=code))
    data = bytes(message.data)
    before = BASE_GAS + TOKENS * tokens(data)
    try:
        output = bytes(machine.message_call("0x" + message.caller.hex(), target, calldata=data, gas=GAS))
    except RuntimeError as error:
        told = REVERT.search(str(error))
        if told is None:
            raise InvalidOpcode(0xFE) from error  # it halted, whatever for: all gas is gone
        return int(told[1]) - before, bytes.fromhex(told[2]), True
    result = machine.result
    assert result is not None  # there is one after a call
    return int(result.gas_used) - before, output, False


def _interpret(evm: Evm) -> None:
    """The frame by the specification, instruction by instruction."""
    while evm.running and evm.pc < ulen(evm.code):
        try:
            operation = Ops(evm.code[evm.pc])
        except ValueError as error:
            raise InvalidOpcode(evm.code[evm.pc]) from error
        op_implementation[operation](evm)
