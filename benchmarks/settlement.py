"""Gas of settlement, in Ethereum's own specification: deposit, cancel, forced request, batch, claim, freeze; and the
bytes that are published so that the state can be rebuilt.

Every call is a transaction of its own on cold storage, by the rules of Osaka, the floor of calldata included. Batches
have the statement of the middle shape, and the words that trades change; what proving one costs is told by `proving`.
"""

from __future__ import annotations

from ethereum.forks.osaka.fork_types import Address
from ethereum.forks.osaka.state import (
    State,
    TransientStorage,
    begin_transaction,
    commit_transaction,
    get_account,
    increment_nonce,
    rollback_transaction,
    set_account_balance,
)
from ethereum.forks.osaka.transactions import FeeMarketTransaction
from ethereum.forks.osaka.utils.address import compute_contract_address
from ethereum.forks.osaka.utils.message import prepare_message
from ethereum.forks.osaka.vm import BlockEnvironment, TransactionEnvironment
from ethereum.forks.osaka.vm.interpreter import process_message_call
from ethereum_types.bytes import Bytes, Bytes0, Bytes32
from ethereum_types.numeric import U64, U256, Uint

from benchmarks import Row
from benchmarks.circuit import HELD_BY, batch
from bulkhead.bridge.gas import GAS_MAX, floor_gas, intrinsic_gas
from bulkhead.circuit.batch import MEDIUM, names_of
from bulkhead.circuit.packing import pack
from bulkhead.circuit.words import ORDER_RECORD, POSITIONS, WORD_BITS, key_of
from tests.contracts.bridge import (
    CANCEL_DELAY,
    DEPOSITORS,
    ESCAPE,
    FORCED_DEADLINE,
    OWNERS,
    STRANGER,
    Batch,
    Bridge,
    Request,
    number_of,
)
from tests.contracts.machine import SENDER, Reverted
from tests.contracts.statement import Layout

HELD = HELD_BY[MEDIUM]
NAMES = names_of(MEDIUM)
LAYOUT = Layout(MEDIUM.queue, MEDIUM.forced, MEDIUM.changes)
STARKEX_FORCED = 86_185  # the average that StarkEx published, over three months to February 2023
WORD_BYTES = 32
Words = list[tuple[int, int]]


class Osaka:
    """Messages that nobody signed, each begun and ended as a transaction is."""

    def __init__(self) -> None:
        self.state = State()
        self.time_s = 0
        self.gas = 0

    def fund(self, holder: str, amount: int) -> None:
        """Wei from nowhere."""
        set_account_balance(self.state, _address(holder), U256(amount))

    def wei(self, holder: str) -> int:
        """What somebody has."""
        return int(get_account(self.state, _address(holder)).balance)

    def at(self, time_s: int) -> None:
        """Let it be this second."""
        self.time_s = time_s

    def deploy(self, code: bytes) -> str:
        """The address of a new contract."""
        made = compute_contract_address(_address(SENDER), get_account(self.state, _address(SENDER)).nonce)
        self._run(SENDER, None, code, 0)
        return "0x" + bytes(made).hex()

    def call(self, sender: str, address: str, calldata: bytes, value: int) -> bytes:
        """What a call returns; Reverted with its words."""
        return self._run(sender, address, calldata, value)

    def _run(self, sender: str, to: str | None, data: bytes, value: int) -> bytes:
        block, before = self._block(), intrinsic_gas(data, to is None)
        gas = Uint(GAS_MAX - before)
        transaction = FeeMarketTransaction(
            chain_id=U64(1), nonce=U256(0), max_priority_fee_per_gas=Uint(0), max_fee_per_gas=Uint(0), gas=gas,
            to=Bytes0(b"") if to is None else _address(to), value=U256(value), data=Bytes(data), access_list=(),
            y_parity=U256(0), r=U256(0), s=U256(0),
        )  # fmt: skip
        transient = TransientStorage()
        around = TransactionEnvironment(
            origin=_address(sender), gas_price=Uint(0), gas=gas, access_list_addresses={block.coinbase},
            access_list_storage_keys=set(), transient_storage=transient, blob_versioned_hashes=(), authorizations=(),
            index_in_block=None, tx_hash=None,
        )  # fmt: skip
        begin_transaction(self.state, transient)
        increment_nonce(self.state, _address(sender))
        ran = process_message_call(prepare_message(block, around, transaction))
        if ran.error is not None:
            rollback_transaction(self.state, transient)
            raise Reverted(f"{type(ran.error).__name__}: {bytes(ran.return_data)!r}")
        commit_transaction(self.state, transient)
        used = GAS_MAX - int(ran.gas_left)
        self.gas = max(used - min(used // 5, int(ran.refund_counter)), floor_gas(data))
        return bytes(ran.return_data)

    def _block(self) -> BlockEnvironment:
        return BlockEnvironment(
            chain_id=U64(1), state=self.state, block_gas_limit=Uint(60_000_000), block_hashes=[],
            coinbase=Address(b"\1" * 20), number=Uint(1), base_fee_per_gas=Uint(0), time=U256(self.time_s),
            prev_randao=Bytes32(bytes(32)), excess_blob_gas=U64(0), parent_beacon_block_root=Bytes32(bytes(32)),
        )  # fmt: skip


def _address(text: str) -> Address:
    return Address(bytes.fromhex(text[2:]))


def row(figure: str, value: float, reference: float | str = "", unit: str = "gas") -> Row:
    """A line of the table; the ratio says how many times cheaper ours is."""
    ratio = reference / value if isinstance(reference, int | float) else ""
    return {"figure": figure, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def transfer(bridge: Bridge, holder: str) -> int:
    """Gas of a plain transfer of the token between two who have some."""
    bridge.call(bridge.token, "transfer", [number_of(DEPOSITORS[2]), 1], sender=holder)
    return bridge.gas


def asked(bridge: Bridge) -> list[Row]:
    """What users pay before a batch. Each second time: the first writes what later ones only change."""
    plain = transfer(bridge, DEPOSITORS[1])
    for _ in range(2):
        bridge.deposit()
    rows = [row("Deposit (a transfer of the token)", bridge.gas, plain)]
    bridge.call(bridge.custody, "announce_cancel", [2], sender=DEPOSITORS[0])
    rows.append(row("Cancelling a deposit: announced", bridge.gas))
    bridge.later(CANCEL_DELAY)
    bridge.call(bridge.custody, "finish_cancel", [2])
    rows.append(row("Cancelling a deposit: finished (a transfer of the token)", bridge.gas, plain))
    for _ in range(2):
        bridge.request()
    rows.append(row("Forced request (StarkEx, measured on chain)", bridge.gas, STARKEX_FORCED))
    return rows


def published(public: list[int], words: Words) -> list[Row]:
    """Bytes that a batch of trades publishes, beside what its elements and words take as words of 32 bytes."""
    of_words = pages_bytes(words)
    packed, plain = len(pack(public[: len(NAMES)], MEDIUM)) + of_words, WORD_BYTES * len(public)
    # The largest there can be: the last account's, in the last market, and far from the word before it.
    position, first = (key_of((1 << WORD_BITS) - 1, POSITIONS + 63), (64 << 224) - 1), (1, 0)
    return [
        row(f"Published by a batch of {HELD} trades (its elements)", packed, plain, "bytes"),
        row("Published, a trade (its elements)", packed / HELD, plain / HELD, "bytes"),
        row(f"A changed word of the {len(words)}, with its key", of_words / len(words), 2 * WORD_BYTES, "bytes"),
        row(
            "A changed position, its key with it, at most", pages_bytes([first, position]) - pages_bytes([first]),
            2 * WORD_BYTES, "bytes",
        ),
    ]  # fmt: skip


def pages_bytes(words: Words) -> int:
    """What the pages of words take."""
    return sum(map(len, MEDIUM.listing.pack([value for word in words for value in word])))


def words_of(public: list[int]) -> Words:
    """The words that a batch changed."""
    listed = public[len(NAMES) :]
    return list(zip(listed[::2], listed[1::2], strict=True))


def filled(words: Words) -> Words:
    """As many words as a statement holds: these, and those of more orders."""
    orders = [word for word in words if word[0] >= key_of(ORDER_RECORD, 0)]
    found = dict(words)
    for place in range(MEDIUM.changes - len(words)):
        key, value = orders[place % len(orders)]
        found[key ^ (place // len(orders) + 1) << 64] = value
    return sorted(found.items())


def settled(bridge: Bridge, deposits: int, paid: int, forced: int, words: Words) -> int:
    """Gas of the transaction that settles a batch of these. Recipients and settler are known from batches before."""
    taken = [bridge.deposit(64 * (1 + place)) for place in range(deposits)]
    requests = [bridge.request(account=64 * (1 + place)) for place in range(forced)]
    paying = [(0xABC00 + place, 1) for place in range(paid)]
    bridge.settle(Batch(taken, paying, requests, changed=words))
    return bridge.gas


def run() -> list[Row]:
    """Every figure of settlement."""
    bridge = Bridge(layout=LAYOUT, machine=Osaka())
    public = batch(HELD).tables(MEDIUM).public
    words = words_of(public)
    rows = published(public, words) + asked(bridge)
    # The first batch takes what `asked` left in the queues, and makes every slot that later ones change.
    left = [(64, 100, number_of(DEPOSITORS[0]))]
    waiting = [Request(1, 64, 5, number_of(OWNERS[0]), bridge.now_s * 1000)] * 2
    bridge.settle(Batch(left, [(0xABC00 + place, 1) for place in range(MEDIUM.queue)], waiting))
    for deposits, paid, forced, changed in (
        (0, 0, 0, words[:1]), (1, 1, 1, words), (0, 0, 0, filled(words)),
        (MEDIUM.queue, MEDIUM.queue, MEDIUM.forced, filled(words)),
    ):  # fmt: skip
        counts = f"{deposits} deposits, {paid} payments, {forced} requests, {len(changed)} words"
        rows.append(row(f"Settling a proven batch: {counts}", settled(bridge, deposits, paid, forced, changed)))
    bridge.call(bridge.custody, "claim", [0xABC00])
    rows.append(row("Claim, by one who had none of the token", bridge.gas))
    bridge.settle(Batch(paid=[(0xABC00, 1)]))
    bridge.call(bridge.custody, "claim", [0xABC00])
    rows.append(row("Claim (a transfer of the token)", bridge.gas, transfer(bridge, DEPOSITORS[1])))
    bridge.request()
    bridge.later(FORCED_DEADLINE + 1)
    bridge.call(bridge.rollup, "freeze", [], sender=STRANGER)
    rows.append(row("Freeze", bridge.gas))
    bridge.call(bridge.rollup, "return_fee", [bridge.number(bridge.rollup, "requested")], sender=STRANGER)
    rows.append(row("Fee of a forced request returned", bridge.gas))
    bridge.call(bridge.rollup, "release", [32, 1, 0xABC00, 1], sender=ESCAPE)
    rows.append(row("Release of one account's money by the escape", bridge.gas))
    return rows
