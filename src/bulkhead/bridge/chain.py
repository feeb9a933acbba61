"""A client of Ethereum: the same for a node by URL and for the embedded chain. Blocking; errors have names (`errors`).

Whoever sends keeps his own keys: a transaction is signed here and given away as bytes. `prepare` makes it, `send` gives
it away, `wait` follows it into a block; a service that must survive a crash keeps the bytes between the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar, cast

import requests
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.exceptions import Web3Exception
from web3.providers import HTTPProvider
from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint

from bulkhead.bridge.errors import NotIncluded, Reverted, RpcError, Unreachable, WrongChain, named
from bulkhead.bridge.gas import GAS_MAX, check_transaction

Tag = int | str  # a block's number, or "latest", "safe", "finalized", "pending"

Parsed = TypeVar("Parsed")

LATEST, PENDING = "latest", "pending"
REQUEST_TIMEOUT_S = 30
POLL_S = 0.5
BUMP_NUMERATOR, BUMP_DENOMINATOR = 9, 8  # nodes take a replacement that pays at least a tenth more
GAS_MARGIN = 20  # one part in so many is added to an estimate


class Block(NamedTuple):
    """A block's head. `time_s` is in seconds since 1970, `base_fee` in wei."""

    number: int
    hash: bytes
    parent: bytes
    time_s: int
    base_fee: int


class Fees(NamedTuple):
    """What a sender pays for a unit of gas, in wei: at most `most`, and the tip above the base fee at most `tip`."""

    most: int
    tip: int


class Prepared(NamedTuple):
    """A signed transaction, ready to be sent, as often as one likes. `creates` is the address of what it deploys."""

    raw: bytes
    hash: bytes
    sender: str
    nonce: int
    gas: int
    fees: Fees
    creates: str


class Log(NamedTuple):
    """An event of a contract, by place: block, transaction, and its place among the block's logs."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    block_hash: bytes
    transaction: bytes
    place: int


class Receipt(NamedTuple):
    """A transaction in a block. `price` is the wei that was paid for each unit of gas."""

    hash: bytes
    block: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    price: int
    created: str | None
    logs: tuple[Log, ...]


class Chain:
    """One chain, through one node. Every method may raise Unreachable, or RpcError for what has no name."""

    def __init__(
        self, provider: BaseProvider, *, chain_id: int | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """`chain_id`: the chain that is expected, WrongChain when the node is of another."""
        self.provider, self._sleep = provider, sleep
        self.chain_id = self.read(_int, "eth_chainId")
        if chain_id is not None and chain_id != self.chain_id:
            raise WrongChain(f"the node is of chain {self.chain_id}, not {chain_id}")

    @classmethod
    def connect(cls, url: str, *, chain_id: int | None = None) -> Chain:
        """A node by URL, such as http://127.0.0.1:8545."""
        if not url.startswith(("http://", "https://")):
            raise Unreachable(f"{url!r} is no URL of a node: it begins with http:// or https://")
        # No retries down there: whoever follows a chain asks again anyway, and others want to know at once.
        options = {"timeout": REQUEST_TIMEOUT_S}
        return cls(HTTPProvider(url, options, exception_retry_configuration=None), chain_id=chain_id)

    def _why(self, error: Exception) -> str:
        """Why there was no answer; what never got through in words, for a library's own are a page of its insides."""
        where = getattr(self.provider, "endpoint_uri", "the node")
        if isinstance(error, requests.Timeout):
            return f"{where} said nothing for {REQUEST_TIMEOUT_S:g} s"
        return f"nobody listens at {where}" if isinstance(error, requests.ConnectionError) else str(error)

    def ask(self, method: str, *params: Any) -> Any:
        """One JSON-RPC request; its result, or the named error."""
        try:
            answer = cast(dict[str, Any], self.provider.make_request(RPCEndpoint(method), params))
        except (requests.RequestException, Web3Exception, OSError, ValueError) as error:
            raise Unreachable(f"no answer to {method}: {self._why(error)}") from error
        if "error" in answer:
            told = answer["error"]
            if not isinstance(told, dict):
                raise RpcError(0, str(told))
            raise named(int(told.get("code", 0)), str(told.get("message", "")), told.get("data"))
        return answer.get("result")

    def read(self, parse: Callable[[Any], Parsed], method: str, *params: Any) -> Parsed:
        """One request and its result, parsed; RpcError when the node answers with something else."""
        result = self.ask(method, *params)
        try:
            return parse(result)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RpcError(0, f"{method} is answered with something else: {result!r:.100}") from error

    # -- reading ---------------------------------------------------------------------------------------------------

    def block(self, at: Tag = LATEST) -> Block | None:
        """A block's head, None when it is not there (yet, or any more)."""
        return self.read(_block, "eth_getBlockByNumber", _tag(at), False)

    def head(self) -> Block:
        """The newest block."""
        found = self.block()
        if found is None:
            raise Unreachable("the node has no blocks")
        return found

    def time_s(self) -> int:
        """Seconds since 1970 of the newest block: what contracts call the time."""
        return self.head().time_s

    def balance(self, address: str, at: Tag = LATEST) -> int:
        """Wei of an account."""
        return self.read(_int, "eth_getBalance", to_checksum_address(address), _tag(at))

    def nonce(self, address: str, at: Tag = PENDING) -> int:
        """The nonce of an account's next transaction; by default after those that wait."""
        return self.read(_int, "eth_getTransactionCount", to_checksum_address(address), _tag(at))

    def code(self, address: str, at: Tag = LATEST) -> bytes:
        """The code of a contract, empty where there is none."""
        return self.read(_bytes, "eth_getCode", to_checksum_address(address), _tag(at))

    def call(self, to: str, data: bytes, *, sender: str | None = None, value: int = 0, at: Tag = LATEST) -> bytes:
        """What a contract answers, changing nothing. Reverted with its reason when it refuses."""
        fields = {"to": to_checksum_address(to), "data": "0x" + data.hex()}
        if sender is not None:
            fields["from"] = to_checksum_address(sender)
        if value:
            fields["value"] = hex(value)
        return self.read(_bytes, "eth_call", fields, _tag(at))

    def logs(
        self, addresses: Iterable[str], first: int, last: int, topics: Iterable[Iterable[bytes] | None] = ()
    ) -> list[Log]:
        """Events of contracts in blocks `first` to `last`, in order. A topic is one of a list, or any (None)."""
        wanted = [None if each is None else ["0x" + topic.hex() for topic in each] for each in topics]
        fields = {
            "address": [to_checksum_address(each) for each in addresses],
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "topics": wanted,
        }
        return self.read(_logs, "eth_getLogs", fields)

    def receipt(self, digest: bytes) -> Receipt | None:
        """What became of a transaction; None while it is in no block."""
        return self.read(_receipt, "eth_getTransactionReceipt", "0x" + digest.hex())

    def calldata(self, digest: bytes) -> bytes:
        """What a transaction in a block was sent with. Unreachable where the node does not have it (any more)."""
        found = self.read(_input, "eth_getTransactionByHash", "0x" + digest.hex())
        if found is None:
            raise Unreachable(f"the node has no transaction 0x{digest.hex()}: it needs one that keeps all of them")
        return found

    def is_known(self, digest: bytes) -> bool:
        """Whether the node has a transaction, in a block or waiting; one it dropped it has not."""
        return self.ask("eth_getTransactionByHash", "0x" + digest.hex()) is not None

    # -- sending ---------------------------------------------------------------------------------------------------

    def fees(self) -> Fees:
        """Enough for the next blocks, though the base fee doubles: what is not needed is not paid."""
        tip = self.read(_int, "eth_maxPriorityFeePerGas")
        return Fees(2 * self.head().base_fee + tip, tip)

    def estimate(self, sender: str, to: str | None, data: bytes, value: int = 0) -> int:
        """Gas for a transaction, with a margin. Reverted with its reason when it would fail."""
        fields = {"from": to_checksum_address(sender), "data": "0x" + data.hex(), "value": hex(value)}
        if to is not None:
            fields["to"] = to_checksum_address(to)
        gas = self.read(_int, "eth_estimateGas", fields)
        return min(gas + gas // GAS_MARGIN, max(gas, GAS_MAX))

    def prepare(
        self,
        signer: LocalAccount,
        to: str | None,
        data: bytes = b"",
        *,
        value: int = 0,
        gas: int | None = None,
        nonce: int | None = None,
        fees: Fees | None = None,
    ) -> Prepared:
        """A signed transaction (`to` None deploys). Raises the `Refused` that says which limit it passes.

        Gas is estimated where none is given, so that what would fail raises Reverted and costs nothing.
        """
        sender = str(signer.address)
        gas = self.estimate(sender, to, data, value) if gas is None else gas
        nonce = self.nonce(sender) if nonce is None else nonce
        fees = self.fees() if fees is None else fees
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": nonce,
            "maxFeePerGas": fees.most,
            "maxPriorityFeePerGas": fees.tip,
            "gas": gas,
            "value": value,
            "data": data,
        }
        if to is not None:
            fields["to"] = to_checksum_address(to)
        signed = signer.sign_transaction(fields)
        raw = bytes(signed.raw_transaction)
        check_transaction(raw, data, gas, to is None)
        return Prepared(raw, bytes(signed.hash), sender, nonce, gas, fees, created_by(sender, nonce))

    def send(self, prepared: Prepared) -> bytes:
        """Give a transaction to the node: its hash. Raises the `Refused` that says why the node does not take it."""
        self.ask("eth_sendRawTransaction", "0x" + prepared.raw.hex())
        return prepared.hash

    def wait(self, digest: bytes, *, timeout_s: float = 120, confirmations: int = 1) -> Receipt:
        """A transaction's receipt once so many blocks hold it, its own the first. NotIncluded when time is up."""
        waited = 0.0
        while True:
            found = self.receipt(digest)
            if found is not None and self.head().number - found.block + 1 >= confirmations:
                return found
            if waited >= timeout_s:
                raise NotIncluded(f"0x{digest.hex()} has not {confirmations} confirmations after {waited:.0f} s")
            self._sleep(POLL_S)
            waited += POLL_S

    def transact(
        self,
        signer: LocalAccount,
        to: str | None,
        data: bytes = b"",
        *,
        value: int = 0,
        gas: int | None = None,
        timeout_s: float = 120,
    ) -> Receipt:
        """Prepare, send and wait. Reverted when it is in a block and failed there."""
        prepared = self.prepare(signer, to, data, value=value, gas=gas)
        receipt = self.wait(self.send(prepared), timeout_s=timeout_s)
        if not receipt.succeeded:
            at = receipt.block - 1
            if to is not None:
                # The same call on the state before its block says why, unless others of that block decided it.
                self.call(to, data, sender=prepared.sender, value=value, at=at)
            used = f"{receipt.gas_used:,} of {prepared.gas:,} gas"
            raise Reverted(f"0x{receipt.hash.hex()} failed in block {receipt.block}, after {used}")
        return receipt


def bumped(fees: Fees, now: Fees) -> Fees:
    """Fees for a replacement: what is asked now, and at least an eighth more than before, which nodes insist on."""
    most, tip = (-(-each * BUMP_NUMERATOR // BUMP_DENOMINATOR) for each in fees)
    return Fees(max(most, now.most), max(tip, now.tip))


def signer_of(key: str) -> LocalAccount:
    """A signer from a private key in hexadecimal. ValueError when it is none; the key is not in the message."""
    try:
        return cast(LocalAccount, Account.from_key(key))
    except Exception:
        raise ValueError("not a private key: 64 hexadecimal digits of a number below the curve's order") from None


def created_by(sender: str, nonce: int) -> str:
    """The address of what an account deploys with a transaction of this nonce."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    item = number if len(number) == 1 and number[0] < 0x80 else bytes([0x80 + len(number)]) + number
    body = bytes([0x80 + 20]) + bytes.fromhex(sender[2:]) + item  # a list of two strings, as RLP writes it
    return to_checksum_address(keccak(bytes([0xC0 + len(body)]) + body)[12:])


def _tag(at: Tag) -> str:
    return hex(at) if isinstance(at, int) else at


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("bytes begin with 0x")
    return bytes.fromhex(text[2:])


def _int(text: str) -> int:
    return int(text, 16)


def _block(told: dict[str, Any] | None) -> Block | None:
    if told is None:
        return None
    number, time_s, base_fee = (_int(told[name]) for name in ("number", "timestamp", "baseFeePerGas"))
    return Block(number, _bytes(told["hash"]), _bytes(told["parentHash"]), time_s, base_fee)


def _input(told: dict[str, Any] | None) -> bytes | None:
    return None if told is None else _bytes(told["input"])


def _receipt(told: dict[str, Any] | None) -> Receipt | None:
    if told is None or told["blockHash"] is None:
        return None
    created = told.get("contractAddress")
    return Receipt(
        _bytes(told["transactionHash"]),
        _int(told["blockNumber"]),
        _bytes(told["blockHash"]),
        _int(told["status"]) == 1,
        _int(told["gasUsed"]),
        _int(told["effectiveGasPrice"]),
        None if created is None else to_checksum_address(created),
        tuple(_logs(told["logs"])),
    )


def _logs(told: object) -> list[Log]:
    if not isinstance(told, list):
        raise ValueError("logs are a list")
    return [_log(each) for each in told]


def _log(told: dict[str, Any]) -> Log:
    return Log(
        to_checksum_address(told["address"]),
        tuple(_bytes(topic) for topic in told["topics"]),
        _bytes(told["data"]),
        int(told["blockNumber"], 16),
        _bytes(told["blockHash"]),
        _bytes(told["transactionHash"]),
        int(told["logIndex"], 16),
    )
