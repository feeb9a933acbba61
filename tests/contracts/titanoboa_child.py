"""Titanoboa's EVM, asked over standard input and output: one JSON object a line, and one for each answer.

It runs in the environment that has titanoboa, which pins other libraries than ours; so it imports nothing of ours.

    {"do": "deploy", "sender": "0x..", "code": "hex"}            -> {"address": "0x.."}, or as a call that failed
    {"do": "call", "sender", "to", "data": "hex", "value": 0}    -> {"output": "hex", "failed": "" or why, "gas": 0}
    {"do": "fund", "holder", "amount"}, {"do": "wei", "holder"}, {"do": "at", "time_s"}, {"do": "reset"}
"""

from __future__ import annotations

import json
import sys
from typing import Any

from boa.environment import Env  # type: ignore[import-not-found,unused-ignore]

GAS = 10**9


def deploy(env: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """A new contract, or the error that stopped it."""
    address, ran = env.deploy(sender=asked["sender"], gas=GAS, bytecode=bytes.fromhex(asked["code"]))
    return outcome(ran) if ran.is_error else {"address": str(address)}


def call(env: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """One message on cold storage, as a transaction's is; `failed` is empty for one that went through."""
    env.evm.reset_access_counters()
    data, value = bytes.fromhex(asked["data"]), int(asked["value"])
    ran = env.execute_code(to_address=asked["to"], sender=asked["sender"], gas=GAS, value=value, data=data)
    return outcome(ran)


def outcome(ran: Any) -> dict[str, Any]:
    """What came of running code; `failed` names the error's kind."""
    failed = type(ran.error).__name__ if ran.is_error else ""
    return {"output": ran.output.hex(), "failed": failed, "gas": ran.get_gas_used()}


def answer(env: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """What one request is answered."""
    match asked["do"]:
        case "deploy":
            return deploy(env, asked)
        case "call":
            return call(env, asked)
        case "fund":
            env.set_balance(asked["holder"], int(asked["amount"]))
        case "wei":
            return {"wei": env.get_balance(asked["holder"])}
        case "at":
            env.timestamp = int(asked["time_s"])
        case unknown:
            raise ValueError(f"no such request: {unknown}")
    return {}


def main() -> None:
    """Answer until there is no more to answer."""
    env = Env()
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "reset":
            env, said = Env(), {}
        else:
            said = answer(env, asked)
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
