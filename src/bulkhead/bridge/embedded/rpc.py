"""JSON-RPC of the embedded chain: the methods of Ethereum's nodes that clients use, and a test network's own.

Every method is a function from the chain and the parameters to a result, found by name in `METHODS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.embedded.pool import decode
from bulkhead.bridge.embedded.shown import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    REVERTED,
    SERVER_ERROR,
    address_of,
    as_hex,
    block_fields,
    block_of,
    bytes_of,
    call_of,
    logs_of,
    number_of,
    receipt_fields,
    transaction_fields,
)
from bulkhead.bridge.errors import ChainError, Reverted, RpcError, revert_reason
from bulkhead.bridge.gas import GAS_MAX

TIP = 1_000_000  # wei: suggested, for nobody competes for a place in these blocks

Method = Callable[[Embedded, list[Any]], Any]


def answer(chain: Embedded, method: str, params: list[Any]) -> dict[str, Any]:
    """The body of a JSON-RPC answer: `result`, or `error` with code, message and perhaps data."""
    run = METHODS.get(method)
    if run is None:
        return _error(METHOD_NOT_FOUND, f"the method {method} does not exist")
    try:
        with chain.lock:
            return {"result": run(chain, list(params))}
    except Reverted as error:
        return _error(REVERTED, f"execution reverted: {error.reason}", as_hex(error.data))
    except RpcError as error:
        return _error(error.code, error.message)
    except ChainError as error:
        return _error(SERVER_ERROR, str(error))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        return _error(INVALID_PARAMS, f"{method}: invalid parameters ({type(error).__name__}: {error})")


def _error(code: int, message: str, data: str | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message} | ({} if data is None else {"data": data})}


def _eth_call(chain: Embedded, params: list[Any]) -> str:
    tag = params[1] if len(params) > 1 else "latest"
    ran = chain.call(call_of(params[0], GAS_MAX), None if tag == "pending" else block_of(chain, tag).number)
    if ran.halted:
        raise RpcError(SERVER_ERROR, "out of gas, or an instruction that is none")
    if ran.failed:
        raise Reverted(revert_reason(ran.output), ran.output)
    return as_hex(ran.output)


def _estimate(chain: Embedded, params: list[Any]) -> str:
    ran, gas = chain.estimate(call_of(params[0], GAS_MAX))
    if ran.failed:
        raise Reverted(revert_reason(ran.output), ran.output)
    return hex(gas)


def _get_block(chain: Embedded, params: list[Any]) -> dict[str, Any] | None:
    try:
        return block_fields(chain, block_of(chain, params[0]), bool(params[1]) if len(params) > 1 else False)
    except RpcError:
        return None  # a block that is not there is no error to Ethereum's nodes


def _get_transaction(chain: Embedded, params: list[Any]) -> dict[str, Any] | None:
    digest = bytes_of(params[0], 32)
    row = chain.store.transaction(digest)
    if row is not None:
        return transaction_fields(decode(row.raw, chain.chain_id), block_of(chain, row.block), row.place)
    waiting = chain.pool.find(digest)
    return None if waiting is None else transaction_fields(waiting, None, None)


def _get_receipt(chain: Embedded, params: list[Any]) -> dict[str, Any] | None:
    row = chain.store.transaction(bytes_of(params[0], 32))
    return None if row is None else receipt_fields(chain, row)


def _nonce(chain: Embedded, params: list[Any]) -> str:
    address, tag = address_of(params[0]), params[1] if len(params) > 1 else "latest"
    nonce = chain.machine_at(block_of(chain, tag).number).account(address).nonce
    return hex(chain.pool.following(address, nonce) if tag == "pending" else nonce)


def _at(chain: Embedded, params: list[Any], place: int) -> Any:
    """The state after the block that the parameter at a place names."""
    return chain.machine_at(block_of(chain, params[place] if len(params) > place else "latest").number)


def _fee_history(chain: Embedded, params: list[Any]) -> dict[str, Any]:
    last = block_of(chain, params[1])
    first = max(last.number - number_of(params[0]) + 1, 0)
    rows = [block_of(chain, number) for number in range(first, last.number + 1)]
    following = hex(chain.next_block().base_fee) if last.number == chain.tip.number else None
    fees = [hex(row.fields["baseFeePerGas"]) for row in rows]
    percentiles = params[2] if len(params) > 2 and params[2] else []
    return {
        "oldestBlock": hex(first),
        "baseFeePerGas": [*fees, following or hex(block_of(chain, last.number + 1).fields["baseFeePerGas"])],
        "gasUsedRatio": [row.fields["gasUsed"] / row.fields["gasLimit"] for row in rows],
        "reward": [[hex(TIP)] * len(percentiles) for _ in rows],
    }


def _mine(chain: Embedded, params: list[Any]) -> str:
    if params:
        chain.time_next_s = number_of(params[0])
    chain.mine()
    return "0x0"


def _mine_many(chain: Embedded, params: list[Any]) -> None:
    for _ in range(number_of(params[0]) if params else 1):
        chain.mine()


def _next_time(chain: Embedded, params: list[Any]) -> None:
    time_s = number_of(params[0])
    if time_s <= chain.tip.fields["timestamp"]:
        raise RpcError(INVALID_PARAMS, "the next block is later than the last")
    chain.time_next_s = time_s


def _increase_time(chain: Embedded, params: list[Any]) -> str:
    chain.time_ahead_s += number_of(params[0])
    return hex(chain.time_ahead_s)


def _revert(chain: Embedded, params: list[Any]) -> bool:
    chain.revert(number_of(params[0]))
    return True


def _set_automine(chain: Embedded, params: list[Any]) -> None:
    chain.automine = bool(params[0])


def _grant(chain: Embedded, params: list[Any]) -> None:
    chain.grant(address_of(params[0]), number_of(params[1]))


def _run_natively(chain: Embedded, params: list[Any]) -> None:
    chain.run_natively(address_of(params[0]), tuple(address_of(each) for each in params[1]))


METHODS: dict[str, Method] = {
    "web3_clientVersion": lambda chain, params: "bulkhead/embedded",
    "net_version": lambda chain, params: str(chain.chain_id),
    "eth_chainId": lambda chain, params: hex(chain.chain_id),
    "eth_syncing": lambda chain, params: False,
    "eth_accounts": lambda chain, params: [],
    "eth_blockNumber": lambda chain, params: hex(chain.tip.number),
    "eth_getBlockByNumber": _get_block,
    "eth_getBlockByHash": _get_block,
    "eth_getTransactionByHash": _get_transaction,
    "eth_getTransactionReceipt": _get_receipt,
    "eth_getTransactionCount": _nonce,
    "eth_getBalance": lambda chain, params: hex(_at(chain, params, 1).account(address_of(params[0])).balance),
    "eth_getCode": lambda chain, params: as_hex(_at(chain, params, 1).account(address_of(params[0])).code),
    "eth_getStorageAt": lambda chain, params: as_hex(
        _at(chain, params, 2).word(address_of(params[0]), number_of(params[1]).to_bytes(32, "big")).to_bytes(32, "big")
    ),
    "eth_call": _eth_call,
    "eth_estimateGas": _estimate,
    "eth_gasPrice": lambda chain, params: hex(chain.next_block().base_fee + TIP),
    "eth_maxPriorityFeePerGas": lambda chain, params: hex(TIP),
    "eth_feeHistory": _fee_history,
    "eth_sendRawTransaction": lambda chain, params: as_hex(chain.send(bytes_of(params[0]))),
    "eth_getLogs": lambda chain, params: logs_of(chain, params[0]),
    "evm_mine": _mine,
    "anvil_mine": _mine_many,
    "evm_snapshot": lambda chain, params: hex(chain.tip.number),
    "evm_revert": _revert,
    "evm_increaseTime": _increase_time,
    "evm_setNextBlockTimestamp": _next_time,
    "evm_setAutomine": _set_automine,
    "anvil_setBalance": _grant,
    "anvil_dropTransaction": lambda chain, params: chain.pool.drop(bytes_of(params[0], 32)) and params[0],
    "bulkhead_runNatively": _run_natively,
}


def answer_text(chain: Embedded, body: bytes) -> bytes:
    """A request in JSON, one or a list of them, and the answer in JSON."""
    try:
        asked = json.loads(body)
    except ValueError:
        return json.dumps({"jsonrpc": "2.0", "id": None} | _error(-32700, "not JSON")).encode()
    several = asked if isinstance(asked, list) else [asked]
    answers = []
    for each in several:
        known = isinstance(each, dict) and isinstance(each.get("method"), str)
        if known and isinstance(each.get("params", []), list):
            answered = answer(chain, each["method"], each.get("params", []))
        else:
            answered = _error(-32600, "no JSON-RPC request")
        answers.append({"jsonrpc": "2.0", "id": each.get("id") if isinstance(each, dict) else None} | answered)
    return json.dumps(answers if isinstance(asked, list) else answers[0]).encode()
