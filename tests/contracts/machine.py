"""Contracts for tests: compiled by the Vyper of its own environment, run in an EVM that lives for one test."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyrevm

from stark.emit import Emitted, emit
from stark.key import Key
from stark.split import Split
from tests.shared import made_once

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
SENDER = "0x" + "11" * 20
GAS = 10**9
ERROR = bytes.fromhex("08c379a0")  # the selector of a revert with a string
WORDLESS = "no reason"


def word(value: int) -> bytes:
    """An argument as the ABI writes it."""
    return value.to_bytes(32, "big")


def vyper() -> str:
    """The compiler: in an environment of its own, since its pins differ from ours (`make` installs it)."""
    own = Path(sys.prefix) / "vyper" / "bin" / "vyper"
    found = str(own) if own.exists() else shutil.which("vyper")
    if found is None:
        raise RuntimeError("no Vyper compiler: run `make venv`")
    return found


@functools.cache
def compiled(name: str, shape: str = "", statement: str = "", payouts: str = "") -> tuple[bytes, dict[str, bytes]]:
    """Deployment code and selectors of a contract under generated modules."""
    named = "\0".join(("contract", name, shape, statement, payouts))
    return made_once(named, lambda: _compiled(name, shape, statement, payouts))


def _compiled(name: str, shape: str, statement: str, payouts: str) -> tuple[bytes, dict[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "shape.vy").write_text(shape)
        Path(folder, "statement.vy").write_text(statement)
        Path(folder, "payouts.vy").write_text(payouts)
        command = [vyper(), "-f", "bytecode,method_identifiers", "--evm-version", "prague"]
        command += ["-p", str(CONTRACTS), "-p", folder, str(CONTRACTS / f"{name}.vy")]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{name}: {result.stdout}{result.stderr}")
    code, identifiers = result.stdout.strip().split("\n")
    selectors = json.loads(identifiers.replace("'", '"'))
    return bytes.fromhex(code[2:]), {
        signature.split("(")[0]: bytes.fromhex(value[2:].rjust(8, "0")) for signature, value in selectors.items()
    }


class Reverted(Exception):
    """A call that reverted, with its reason."""


class Machine(Protocol):
    """An Ethereum in which contracts run. `gas` is what the last call cost as a transaction."""

    gas: int

    def fund(self, holder: str, amount: int) -> None:
        """Wei from nowhere."""

    def wei(self, holder: str) -> int:
        """What somebody has."""

    def at(self, time_s: int) -> None:
        """Let it be this second."""

    def deploy(self, code: bytes) -> str:
        """The address of a new contract; Reverted with its constructor's reason."""

    def call(self, sender: str, address: str, calldata: bytes, value: int) -> bytes:
        """What a call returns; Reverted with its reason."""


class Revm:
    """A compiled one, which never ends a transaction: what one call touched is warm, and cheap, for the next."""

    def __init__(self) -> None:
        self.evm = pyrevm.EVM()
        self.gas = 0

    def fund(self, holder: str, amount: int) -> None:
        """Wei from nowhere."""
        self.evm.set_balance(holder, amount)

    def wei(self, holder: str) -> int:
        """What somebody has."""
        return int(self.evm.get_balance(holder))

    def at(self, time_s: int) -> None:
        """Let it be this second."""
        block = self.evm.env.block
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=time_s, gas_limit=block.gas_limit))

    def deploy(self, code: bytes) -> str:
        """The address of a new contract; Reverted with its constructor's reason."""
        try:
            return str(self.evm.deploy(SENDER, code))
        except RuntimeError as error:
            raise Reverted(reason(str(error))) from None

    def call(self, sender: str, address: str, calldata: bytes, value: int) -> bytes:
        """What a call returns; Reverted with its reason."""
        try:
            result = self.evm.message_call(sender, address, calldata=calldata, gas=GAS, value=value)
        except RuntimeError as error:
            raise Reverted(reason(str(error))) from None
        self.gas = self.evm.result.gas_used
        return bytes(result)


class Chain:
    """Contracts in a machine."""

    def __init__(self, machine: Machine | None = None) -> None:
        self.machine = Revm() if machine is None else machine
        self.machine.fund(SENDER, 10**24)
        self.selectors: dict[str, dict[str, bytes]] = {}

    @property
    def gas(self) -> int:
        """What the last call cost."""
        return self.machine.gas

    @property
    def evm(self) -> pyrevm.EVM:
        """The compiled machine itself."""
        assert isinstance(self.machine, Revm)
        return self.machine.evm

    def place(self, code: tuple[bytes, dict[str, bytes]], arguments: Sequence[int]) -> str:
        """Deploy compiled code with the words of its constructor."""
        address = self.machine.deploy(code[0] + b"".join(map(word, arguments)))
        self.selectors[address] = code[1]
        return address

    def at(self, time_s: int) -> None:
        """Let it be this second on L1."""
        self.machine.at(time_s)

    def call(
        self,
        address: str,
        method: str,
        static: Sequence[int],
        data: bytes | None = None,
        sender: str = SENDER,
        value: int = 0,
    ) -> bytes:
        """Words, then perhaps bytes; what comes back."""
        return self.machine.call(sender, address, self.calldata(address, method, static, data), value)

    def calldata(self, address: str, method: str, static: Sequence[int], data: bytes | None = None) -> bytes:
        """A call as bytes."""
        tail = b"" if data is None else word(32 * len(static) + 32) + word(len(data)) + data
        return self.selectors[address][method] + b"".join(map(word, static)) + tail

    def number(self, address: str, method: str, *arguments: int) -> int:
        """The first word of what a contract answers."""
        return int.from_bytes(self.call(address, method, list(arguments))[:32], "big")


class Deployed(Chain):
    """The contracts of a key in a fresh machine."""

    def __init__(self, key: Key, statement: str = "", machine: Machine | None = None):
        super().__init__(machine)
        self.emitted: Emitted = emit(key)
        self.statement = statement
        data = [self.machine.deploy(as_code(each)) for each in [*self.emitted.tapes, self.emitted.constants]]
        self.opening = self.deploy("verifier/Opening", data)
        self.queries = self.deploy("verifier/Queries", [])
        self.pages = self.deploy("verifier/Pages", [])
        self.verifier = self.deploy("Verifier", [self.opening, self.queries, self.pages])

    def deploy(self, name: str, addresses: list[str], words: Sequence[int] = ()) -> str:
        """A contract whose constructor takes addresses, then words."""
        return self.place(
            compiled(name, self.emitted.shape, self.statement), [*(int(each, 16) for each in addresses), *words]
        )

    def open(self, said: list[int], split: Split, address: str | None = None) -> list[int]:
        """The claim of a proof's head; `said` is the statement as its key says it."""
        answer = self.call(address or self.verifier, "open", [*said, *split.hints], split.head)
        return [int.from_bytes(answer[at : at + 32], "big") for at in range(0, len(answer), 32)]


def reason(error: str) -> str:
    """What a revert said, from what revm prints of it; that print itself where it was no revert."""
    if "Revert" not in error or "output: 0x" not in error:
        return error
    said = error.split("output: 0x")[1]
    return revert_of(bytes.fromhex("".join(character for character in said if character in "0123456789abcdef")))


def revert_of(output: bytes) -> str:
    """The reason in what a revert returns; its bytes where that is no string, and WORDLESS where there are none."""
    if output[:4] != ERROR:
        return "0x" + output.hex() if output else WORDLESS
    return output[68 : 68 + int.from_bytes(output[36:68], "big")].decode()


def as_code(data: bytes) -> bytes:
    """Deployment code of a contract that is data behind a byte that stops any call."""
    size = len(data) + 1
    return bytes.fromhex(f"61{size:04x}80600a3d393df300") + data
