"""Blocks, transactions, receipts and logs as JSON-RPC shows them, and its values read."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak
from ethereum_rlp import rlp
from ethereum_types.bytes import Bytes
from ethereum_types.numeric import Uint

from bulkhead.bridge.embedded.machine import COINBASE, Call
from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.embedded.pool import Signed, decode
from bulkhead.bridge.embedded.store import BlockRow, LogRow, TransactionRow
from bulkhead.bridge.errors import RpcError

INVALID_PARAMS, METHOD_NOT_FOUND, SERVER_ERROR, REVERTED = -32602, -32601, -32000, 3
LOGS_MAX = 20_000


def as_hex(data: bytes) -> str:
    return "0x" + data.hex()


def bytes_of(text: str, size: int | None = None) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("bytes begin with 0x")
    data = bytes.fromhex(text[2:])
    if size is not None and len(data) != size:
        raise ValueError(f"{len(data)} bytes where {size} belong")
    return data


def address_of(text: str) -> bytes:
    return bytes_of(text, 20)


def number_of(value: str | int) -> int:
    return value if isinstance(value, int) else int(value, 16)


def block_of(chain: Embedded, tag: Any) -> BlockRow:
    """A block by number, name or hash."""
    if isinstance(tag, dict):
        tag = tag.get("blockHash", tag.get("blockNumber"))
    if tag in (None, "latest", "safe", "finalized", "pending"):
        return chain.tip
    if isinstance(tag, str) and len(tag) == 66:
        found = chain.store.block(digest=bytes_of(tag))
    else:
        found = chain.store.block(0 if tag == "earliest" else number_of(tag))
    if found is None:
        raise RpcError(SERVER_ERROR, f"no block {tag}")
    return found


def call_of(fields: dict[str, Any], gas: int) -> Call:
    to = fields.get("to")
    data = fields.get("input") or fields.get("data") or "0x"
    given = number_of(fields["gas"]) if fields.get("gas") else gas
    sender = address_of(fields["from"]) if fields.get("from") else bytes(20)
    return Call(
        sender, address_of(to) if to else None, bytes_of(data), number_of(fields.get("value", 0)), min(given, gas)
    )


QUANTITIES = ("gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "size")


def block_fields(chain: Embedded, row: BlockRow, full: bool) -> dict[str, Any]:
    fields = {key: hex(value) if key in QUANTITIES else "0x" + value for key, value in row.fields.items()}
    inside = chain.store.transactions(row.number)
    return fields | {
        "number": hex(row.number),
        "hash": as_hex(row.hash),
        "miner": as_hex(bytes(COINBASE)),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": "0x",
        "nonce": as_hex(bytes(8)),
        "sha3Uncles": as_hex(keccak(rlp.encode([]))),
        "uncles": [],
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "transactions": [
            transaction_fields(decode(each.raw, chain.chain_id), row, each.place) if full else as_hex(each.hash)
            for each in inside
        ],
    }


def transaction_fields(signed: Signed, block: BlockRow | None, place: int | None) -> dict[str, Any]:
    transaction = signed.transaction
    to = bytes(transaction.to)
    parity = getattr(transaction, "y_parity", getattr(transaction, "v", 0))
    made: dict[str, Any] = {
        "hash": as_hex(signed.hash),
        "type": hex(signed.kind),
        "from": as_hex(signed.sender),
        "to": as_hex(to) if to else None,
        "nonce": hex(signed.nonce),
        "gas": hex(signed.gas),
        "gasPrice": hex(signed.fee_max if block is None else signed.price(block.fields["baseFeePerGas"])),
        "value": hex(signed.value),
        "input": as_hex(bytes(transaction.data)),
        "v": hex(int(parity)),
        "r": hex(int(transaction.r)),
        "s": hex(int(transaction.s)),
        "blockHash": None if block is None else as_hex(block.hash),
        "blockNumber": None if block is None else hex(block.number),
        "transactionIndex": None if place is None else hex(place),
    }
    if signed.kind:
        made |= {"chainId": hex(int(getattr(transaction, "chain_id", 0))), "accessList": _access(transaction)}
    if signed.kind == 2:
        made |= {"maxFeePerGas": hex(signed.fee_max), "maxPriorityFeePerGas": hex(signed.tip_max)}
    return made


def _access(transaction: Any) -> list[dict[str, Any]]:
    return [
        {"address": as_hex(bytes(each.account)), "storageKeys": [as_hex(bytes(slot)) for slot in each.slots]}
        for each in transaction.access_list
    ]


def receipt_fields(chain: Embedded, row: TransactionRow) -> dict[str, Any]:
    block = chain.store.block(row.block)
    assert block is not None  # a transaction is stored with its block
    told, signed = row.receipt, decode(row.raw, chain.chain_id)
    to = bytes(signed.transaction.to)
    created = keccak(rlp.encode((Bytes(bytes.fromhex(told["from"])), Uint(signed.nonce))))[12:] if not to else None
    mine = [log for log in chain.store.logs(row.block, row.block, [], []) if log.transaction_place == row.place]
    return {
        "transactionHash": as_hex(row.hash),
        "transactionIndex": hex(row.place),
        "blockHash": as_hex(block.hash),
        "blockNumber": hex(row.block),
        "from": "0x" + told["from"],
        "to": as_hex(to) if to else None,
        "contractAddress": None if created is None else as_hex(created),
        "cumulativeGasUsed": hex(told["cumulativeGasUsed"]),
        "gasUsed": hex(told["gasUsed"]),
        "effectiveGasPrice": hex(told["effectiveGasPrice"]),
        "logs": [_log(block, log) for log in mine],
        "logsBloom": "0x" + told["bloom"],
        "status": hex(told["status"]),
        "type": hex(signed.kind),
    }


def _log(block: BlockRow, log: LogRow) -> dict[str, Any]:
    return {
        "address": as_hex(log.address),
        "topics": [as_hex(topic) for topic in log.topics],
        "data": as_hex(log.data),
        "blockNumber": hex(log.block),
        "blockHash": as_hex(block.hash),
        "blockTimestamp": hex(block.fields["timestamp"]),
        "transactionHash": as_hex(log.hash),
        "transactionIndex": hex(log.transaction_place),
        "logIndex": hex(log.place),
        "removed": False,
    }


def _wanted(value: Any) -> list[bytes]:
    """One or several, as filters give them; none means any."""
    if value is None:
        return []
    return [bytes_of(each) for each in ([value] if isinstance(value, str) else value)]


def logs_of(chain: Embedded, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    if wanted.get("blockHash"):
        first = last = block_of(chain, wanted["blockHash"]).number
    else:
        first, last = (_bound(chain, wanted.get(each)) for each in ("fromBlock", "toBlock"))
    topics = [_wanted(each) for each in wanted.get("topics") or []]
    found: list[dict[str, Any]] = []
    blocks: dict[int, BlockRow] = {}
    for log in chain.store.logs(first, last, _wanted(wanted.get("address")), topics[0] if topics else []):
        if len(log.topics) < len(topics):
            continue
        if any(each and log.topics[place] not in each for place, each in enumerate(topics)):
            continue
        if len(found) == LOGS_MAX:
            raise RpcError(SERVER_ERROR, f"query returned more than {LOGS_MAX} results: ask for fewer blocks")
        if log.block not in blocks:
            blocks[log.block] = block_of(chain, log.block)
        found.append(_log(blocks[log.block], log))
    return found


def _bound(chain: Embedded, tag: Any) -> int:
    """A block's number in a range: one that is not there yet is only far away."""
    if isinstance(tag, int) or (isinstance(tag, str) and tag.startswith("0x")):
        return number_of(tag)
    return block_of(chain, tag).number
