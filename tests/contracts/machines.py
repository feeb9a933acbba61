"""Every machine that contracts are tested in: revm in this process, and titanoboa's where it is installed."""

from __future__ import annotations

import atexit
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.contracts.machine import SENDER, Machine, Reverted, Revm, revert_of
from tests.programs import find_titanoboa

CHILD = Path(__file__).with_name("titanoboa_child.py")
INTRINSIC, BYTE, ZERO_BYTE = 21_000, 16, 4  # gas of a transaction, and of its calldata
REVERT = "Revert"  # what the machine calls a revert; all else it fails with breaks a rule of the machine
KINDS = ("revm", *(["titanoboa"] if find_titanoboa() else []))


class Titanoboa:
    """Titanoboa's, which is py-evm: another program than revm, and by the rules of a later fork."""

    def __init__(self) -> None:
        self.gas = 0
        _ask(do="reset")

    def fund(self, holder: str, amount: int) -> None:
        """Wei from nowhere."""
        _ask(do="fund", holder=holder, amount=amount)

    def wei(self, holder: str) -> int:
        """What somebody has."""
        return int(_ask(do="wei", holder=holder)["wei"])

    def at(self, time_s: int) -> None:
        """Let it be this second."""
        _ask(do="at", time_s=time_s)

    def deploy(self, code: bytes) -> str:
        """The address of a new contract; Reverted with its constructor's reason."""
        made = _ask(do="deploy", sender=SENDER, code=code.hex())
        if "address" not in made:
            raise _refused(made)
        return str(made["address"])

    def call(self, sender: str, address: str, calldata: bytes, value: int) -> bytes:
        """What a call returns; Reverted with its reason."""
        ran = _ask(do="call", sender=sender, to=address, data=calldata.hex(), value=value)
        if ran["failed"]:
            raise _refused(ran)
        zeros = calldata.count(0)
        self.gas = INTRINSIC + ZERO_BYTE * zeros + BYTE * (len(calldata) - zeros) + int(ran["gas"])
        return bytes.fromhex(ran["output"])


def _refused(ran: dict[str, Any]) -> Reverted:
    """What a call that failed is told as: its words where it reverted, the machine's error where it broke."""
    if ran["failed"] != REVERT:
        return Reverted(str(ran["failed"]))
    return Reverted(revert_of(bytes.fromhex(ran["output"])))


def machine_of(kind: str) -> Machine:
    """A fresh machine. Titanoboa's is one for a process: who asks for the next one lets go of the last."""
    return Titanoboa() if kind == "titanoboa" else Revm()


def _ask(**request: Any) -> dict[str, Any]:
    """One request, and its answer."""
    child = _child()
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(json.dumps(request) + "\n")
    child.stdin.flush()
    line = child.stdout.readline()
    if not line:
        raise RuntimeError(f"titanoboa ended at {request['do']}: its own words are on standard error")
    found: dict[str, Any] = json.loads(line)
    return found


@cache
def _child() -> subprocess.Popen[str]:
    """Started by the first who asks; it takes a second and a half to import."""
    program = find_titanoboa()
    assert program is not None
    # Our own PYTHONPATH and warning filters are nothing to it.
    command = [program, "-E", "-W", "ignore", str(CHILD)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(_end, child)
    return child


def _end(child: subprocess.Popen[str]) -> None:
    """Nothing more is asked: it ends by itself."""
    assert child.stdin is not None and child.stdout is not None
    child.stdin.close()
    child.wait()
    child.stdout.close()
