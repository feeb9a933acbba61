"""The embedded chain: takes transactions, makes blocks, answers what was and what is.

    send      decode, hold to the rules, wait in the pool; with `automine` a block is made at once
    mine      run what waits, write the block to the store, and only then say that it is there

A block's state root is not a tree's: it is a digest of the root before and of what the block changed, for a tree costs
a third of a second for two thousand words. All else in a header is as on Ethereum, and so is a block's hash.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from eth_utils.crypto import keccak
from ethereum.crypto.hash import Hash32
from ethereum.forks.osaka.blocks import Header
from ethereum.forks.osaka.bloom import logs_bloom
from ethereum.forks.osaka.fork import EMPTY_OMMER_HASH, calculate_base_fee_per_gas
from ethereum.forks.osaka.requests import compute_requests_hash
from ethereum.forks.osaka.trie import EMPTY_TRIE_ROOT, Trie, root
from ethereum_rlp import rlp
from ethereum_types.bytes import Bytes, Bytes8, Bytes32
from ethereum_types.numeric import U64, U256, Uint

from bulkhead.bridge.embedded.machine import COINBASE, Block, Call, Changes, Machine, Outcome, Ran, Record
from bulkhead.bridge.embedded.native import Natives
from bulkhead.bridge.embedded.pool import Pool, Signed, decode, index_key
from bulkhead.bridge.embedded.store import BlockRow, LogRow, Store, StoreError, TransactionRow
from bulkhead.bridge.errors import BadTransaction, ChainError
from bulkhead.bridge.gas import GAS_MAX

GAS_LIMIT = 60_000_000  # of a block
BASE_FEE = 1_000_000_000  # wei, of the first block; the fullness of blocks moves it from there
HASHES = 256  # blocks whose hashes code can ask for

Clock = Callable[[], int]


class Genesis(NamedTuple):
    """What an embedded chain begins with."""

    chain_id: int
    time_s: int
    balances: Mapping[bytes, int]  # wei


class Embedded:
    """One embedded chain. Made by `open`; its methods may be called from several threads.

    `clock` tells seconds since 1970 and is all that is known of time: a block is at the clock's second, or one after
    the block before it where that is later.
    """

    def __init__(self, store: Store, clock: Clock, automine: bool) -> None:
        self.store, self.clock, self.automine = store, clock, automine
        self.chain_id = int(store.meta("chain_id"))
        self.pool = Pool()
        self.lock = threading.RLock()
        self.time_ahead_s = 0  # added to the clock
        self.time_next_s: int | None = None  # of the next block alone
        self._refusal = ""
        natives = {bytes.fromhex(key): tuple(map(bytes.fromhex, each)) for key, each in store.meta("natives").items()}
        self.machine = Machine(self.chain_id, Natives(natives))
        self._load()

    @classmethod
    def open(
        cls,
        path: Path | None,
        clock: Clock,
        genesis: Genesis | None = None,
        *,
        automine: bool = True,
        read_only: bool = False,
    ) -> Embedded:
        """Open the chain in a file, or begin one there (None: in memory, gone at the end).

        Raises StoreError when the file is another chain's, damaged or open elsewhere, or when there is nothing to begin
        with.
        """
        store = Store(path, read_only=read_only)
        try:
            if store.block() is None:
                if genesis is None:
                    raise StoreError(f"{path}: no embedded chain is here, and nothing was given to begin one with")
                _begin(store, genesis)
            elif genesis is not None and store.meta("chain_id") != genesis.chain_id:
                raise StoreError(f"{path} holds chain {store.meta('chain_id')}, not {genesis.chain_id}")
            return cls(store, clock, automine)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Give the file back. What only waits in the pool is gone, as when any node stops."""
        with self.lock:
            self._refusal = "closed"
            self.store.close()

    def _load(self) -> None:
        for address, record in self.store.accounts():
            self.machine.put_account(address, record)
        for address, slot, value in self.store.words():
            self.machine.put_word(address, slot, value)

    # -- blocks ----------------------------------------------------------------------------------------------------

    @property
    def tip(self) -> BlockRow:
        """The last block."""
        found = self.store.block()
        assert found is not None  # there is one from the beginning on
        return found

    def next_block(self) -> Block:
        """The block that would be made now."""
        tip = self.tip
        time_s = self.time_next_s if self.time_next_s is not None else self.clock() + self.time_ahead_s
        return Block(
            tip.number + 1,
            max(time_s, tip.fields["timestamp"] + 1),
            _base_fee(tip.fields),
            GAS_LIMIT,
            keccak(tip.hash),
            self.store.hashes(tip.number + 1, HASHES),
        )

    def send(self, raw: bytes) -> bytes:
        """Take a signed transaction: its hash. Raises a `Refused` when no block can hold it as it is."""
        with self.lock:
            self._check_writable()
            signed = decode(raw, self.chain_id)
            account = self.machine.account(signed.sender)
            if account.code:
                raise BadTransaction("sender is a contract")
            self.pool.add(signed, account, _base_fee(self.tip.fields))
            if self.automine:
                self.mine()
            return signed.hash

    def mine(self) -> BlockRow:
        """Make the next block of what waits, and write it."""
        with self.lock:
            self._check_writable()
            block = self.next_block()
            chosen = self.pool.choose(block.base_fee, block.gas_limit)
            self._refusal = "a block was not written; open it again to see what is on the disk"
            with self.machine.recorded() as changes:
                outcomes, refused = self.machine.execute(block, [each.transaction for each in chosen])
            included = [each for place, each in enumerate(chosen) if place not in refused]
            made = self._write(block, included, outcomes, changes)
            self._refusal, self.time_next_s = "", None
            for place in refused:
                self.pool.drop(chosen[place].hash)
            self.pool.settle(lambda sender: self.machine.account(sender).nonce)
            return made

    def grant(self, address: bytes, balance: int) -> BlockRow:
        """Let an account have so many wei, in a block of its own. Only an embedded chain can do that."""
        if not 0 <= balance < 1 << 256:
            raise ChainError(f"no balance: {balance} wei")
        with self.lock:
            self._check_writable()
            block = self.next_block()
            self._refusal = "a block was not written; open it again to see what is on the disk"
            with self.machine.recorded() as changes:
                self.machine.put_account(address, self.machine.account(address)._replace(balance=balance))
            made = self._write(block, [], [], changes)
            self._refusal, self.time_next_s = "", None
            return made

    def revert(self, number: int) -> None:
        """Go back to the end of an earlier block, as a reorganisation does. What waits is kept if it still can be.

        The transactions of the blocks that are gone do not wait again: their senders see them lost, the worse case.
        """
        with self.lock:
            self._check_writable()
            if self.store.block(number) is None:
                raise ChainError(f"no block {number} to go back to")
            self._refusal = "going back was not finished; open it again to see what is on the disk"
            accounts, words = self.store.accounts_at(number), self.store.words_at(number)
            self.store.revert(number)
            for address, record in accounts:
                self.machine.put_account(address, record)
            for address, slot, value in words:
                self.machine.put_word(address, slot, value)
            self._refusal = ""
            self.pool.settle(lambda sender: self.machine.account(sender).nonce)

    def run_natively(self, address: bytes, reads: tuple[bytes, ...] = ()) -> None:
        """Vouch that a contract is pure but for the code of the contracts it reads: see `native`."""
        with self.lock:
            self._check_writable()
            contracts = self.machine.natives.contracts | {address: reads}
            named = {key.hex(): [each.hex() for each in value] for key, value in contracts.items()}
            self.store.put_meta("natives", named)
            self.machine.natives.contracts = contracts

    def _check_writable(self) -> None:
        if self.store.read_only:
            raise StoreError(f"{self.store.path} was opened to read")
        if self._refusal:
            raise StoreError(f"{self.store.path}: {self._refusal}")

    def _write(self, block: Block, included: list[Signed], outcomes: list[Outcome], changes: Changes) -> BlockRow:
        tip = self.tip
        header = _header(block, tip, included, outcomes, changes)
        digest = keccak(rlp.encode(header))
        made = BlockRow(block.number, digest, _fields(header))
        transactions, logs = _rows(block, included, outcomes)
        self.store.commit(made, transactions, logs, changes)
        return made

    # -- looking ---------------------------------------------------------------------------------------------------

    def machine_at(self, number: int) -> Machine:
        """The state at the end of a block: of the last one the machine itself, of an earlier one a copy."""
        if number >= self.tip.number:
            return self.machine
        machine = self.machine.copy()
        for address, record in self.store.accounts_at(number):
            machine.put_account(address, record)
        for address, slot, value in self.store.words_at(number):
            machine.put_word(address, slot, value)
        return machine

    def call(self, call: Call, number: int | None = None) -> Ran:
        """Run a call on the state after a block, as if in that block; None: in the block that would be made now."""
        with self.lock:
            if number is None:
                return self.machine.call(self.next_block(), call)
            row = self.store.block(number)
            if row is None:
                raise ChainError(f"no block {number}")
            fields = row.fields
            hashes = self.store.hashes(number, HASHES)
            block = Block(number, fields["timestamp"], fields["baseFeePerGas"], GAS_LIMIT, row.hash, hashes)
            return self.machine_at(number).call(block, call)

    def estimate(self, call: Call) -> tuple[Ran, int]:
        """What a call comes to, and the gas to give a transaction that does the same: enough, seldom far too much."""
        with self.lock:
            first = self.call(call)
            if first.failed:
                return first, 0
            # A call may use less than it must be given: refunds, and the 64th that each inner call leaves behind.
            gas = min(first.gas_used * 64 // 63 + 5_000, call.gas)
            while gas < call.gas and self.call(call._replace(gas=gas)).failed:
                gas = min(gas * 5 // 4, call.gas)
            return first, min(gas, GAS_MAX)


def _begin(store: Store, genesis: Genesis) -> None:
    """The first block: balances, and nothing before it."""
    machine = Machine(genesis.chain_id, Natives())
    with machine.recorded() as changes:
        for address, balance in genesis.balances.items():
            machine.put_account(address, Record(0, balance, b""))
    block = Block(0, genesis.time_s, BASE_FEE, GAS_LIMIT, keccak(genesis.chain_id.to_bytes(32, "big")), ())
    header = _header(block, None, [], [], changes)
    store.put_meta("chain_id", genesis.chain_id)
    store.put_meta("natives", {})
    store.commit(BlockRow(0, keccak(rlp.encode(header)), _fields(header)), [], [], changes)


def _base_fee(fields: Mapping[str, Any]) -> int:
    """The base fee of the block after one with these fields."""
    limit = Uint(fields["gasLimit"])
    return int(calculate_base_fee_per_gas(limit, limit, Uint(fields["gasUsed"]), Uint(fields["baseFeePerGas"])))


def _digest(before: bytes, changes: Changes) -> bytes:
    """In place of a state root: what was before, and every change, in order of address."""
    parts = [before]
    for address, (_, now) in sorted(changes.accounts.items()):
        parts.append(address)
        if now is not None:
            parts += [now.nonce.to_bytes(8, "big"), now.balance.to_bytes(32, "big"), keccak(now.code)]
    for (address, slot), (_, value) in sorted(changes.words.items()):
        parts += [address, slot, value.to_bytes(32, "big")]
    return keccak(b"".join(keccak(part) for part in parts))


def _root(items: list[bytes]) -> bytes:
    tree: Trie[Bytes, Bytes | None] = Trie(secured=False, default=None)
    for place, item in enumerate(items):
        tree._data[Bytes(index_key(place))] = Bytes(item)
    return bytes(root(tree))


def _header(
    block: Block, tip: BlockRow | None, included: list[Signed], outcomes: list[Outcome], changes: Changes
) -> Header:
    before = bytes(32) if tip is None else bytes.fromhex(tip.fields["stateRoot"])
    return Header(
        parent_hash=Hash32(bytes(32) if tip is None else tip.hash),
        ommers_hash=EMPTY_OMMER_HASH,
        coinbase=COINBASE,
        state_root=Hash32(_digest(before, changes)),
        transactions_root=Hash32(_root([each.raw for each in included])),
        receipt_root=Hash32(_root([each.receipt for each in outcomes])),
        bloom=logs_bloom(tuple(log for each in outcomes for log in each.logs)),
        difficulty=Uint(0),
        number=Uint(block.number),
        gas_limit=Uint(block.gas_limit),
        gas_used=Uint(sum(each.gas_used for each in outcomes)),
        timestamp=U256(block.time_s),
        extra_data=Bytes(b""),
        prev_randao=Bytes32(block.randao),
        nonce=Bytes8(bytes(8)),
        base_fee_per_gas=Uint(block.base_fee),
        withdrawals_root=EMPTY_TRIE_ROOT,
        blob_gas_used=U64(0),
        excess_blob_gas=U64(0),
        parent_beacon_block_root=Hash32(bytes(32)),
        requests_hash=Hash32(compute_requests_hash([])),
    )


def _fields(header: Header) -> dict[str, Any]:
    """A header in JSON-RPC's names; numbers stay numbers, bytes are in hexadecimal."""
    return {
        "parentHash": header.parent_hash.hex(),
        "stateRoot": header.state_root.hex(),
        "transactionsRoot": header.transactions_root.hex(),
        "receiptsRoot": header.receipt_root.hex(),
        "logsBloom": header.bloom.hex(),
        "gasLimit": int(header.gas_limit),
        "gasUsed": int(header.gas_used),
        "timestamp": int(header.timestamp),
        "mixHash": header.prev_randao.hex(),
        "baseFeePerGas": int(header.base_fee_per_gas),
        "size": len(rlp.encode(header)),
    }


def _rows(block: Block, included: list[Signed], outcomes: list[Outcome]) -> tuple[list[TransactionRow], list[LogRow]]:
    """A block's transactions and logs as the store takes them."""
    transactions: list[TransactionRow] = []
    logs: list[LogRow] = []
    used = 0
    for place, (signed, outcome) in enumerate(zip(included, outcomes, strict=True)):
        used += outcome.gas_used
        receipt = {
            "status": int(outcome.succeeded),
            "gasUsed": outcome.gas_used,
            "cumulativeGasUsed": used,
            "effectiveGasPrice": signed.price(block.base_fee),
            "from": signed.sender.hex(),
            "bloom": logs_bloom(outcome.logs).hex(),
            "firstLog": len(logs),
            "logs": len(outcome.logs),
        }
        transactions.append(TransactionRow(signed.hash, block.number, place, signed.raw, receipt))
        for log in outcome.logs:
            topics = tuple(bytes(topic) for topic in log.topics)
            head = (block.number, len(logs), signed.hash, place)
            logs.append(LogRow(*head, bytes(log.address), topics, bytes(log.data)))
    return transactions, logs
