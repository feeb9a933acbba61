"""The state of the embedded chain and what runs on it: Ethereum's own specification of Osaka, called, not copied.

Blocks are executed in memory; `changes` says what a block changed, for the store. Nothing here knows of files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

from ethereum.crypto.hash import Hash32
from ethereum.exceptions import EthereumException, InvalidBlock
from ethereum.forks.osaka.blocks import Log, decode_receipt
from ethereum.forks.osaka.fork import process_transaction
from ethereum.forks.osaka.fork_types import Account, Address
from ethereum.forks.osaka.state import (
    State,
    TransientStorage,
    begin_transaction,
    get_account,
    get_storage,
    increment_nonce,
    rollback_transaction,
)
from ethereum.forks.osaka.transactions import FeeMarketTransaction, Transaction
from ethereum.forks.osaka.trie import Trie
from ethereum.forks.osaka.utils.message import prepare_message
from ethereum.forks.osaka.vm import BlockEnvironment, BlockOutput, TransactionEnvironment, interpreter
from ethereum.forks.osaka.vm.exceptions import Revert
from ethereum.forks.osaka.vm.interpreter import MessageCallOutput, process_message_call
from ethereum_rlp import rlp
from ethereum_types.bytes import Bytes, Bytes0, Bytes32
from ethereum_types.numeric import U64, U256, Uint

from bulkhead.bridge.embedded.native import Natives
from bulkhead.bridge.errors import BalanceTooLow, GasTooLow
from bulkhead.bridge.gas import floor_gas, intrinsic_gas

COINBASE = Address(b"bulkhead:embedded:l1".ljust(20, b"\0"))
CODES_KEPT = 128

# Where a code may jump follows from its bytes alone; the specification looks it up anew for every call, which takes it
# half of its time. What it gets back it only reads.
_NAMES, _JUMPS = vars(interpreter), "get_valid_jump_destinations"
_NAMES[_JUMPS] = lru_cache(CODES_KEPT)(_NAMES[_JUMPS])


class Block(NamedTuple):
    """What code can see of the block that it runs in. Times in seconds, fees in wei."""

    number: int
    time_s: int
    base_fee: int
    gas_limit: int
    randao: bytes
    hashes: tuple[bytes, ...]  # of the blocks before it, at most 256, the newest last


class Call(NamedTuple):
    """A message from outside that is no transaction: nobody signed it, and it leaves nothing behind."""

    sender: bytes
    to: bytes | None  # None deploys
    data: bytes
    value: int
    gas: int


class Ran(NamedTuple):
    """What a call came to: what it returned, the gas it used with all that is charged before, and whether it failed."""

    output: bytes
    gas_used: int
    failed: bool
    halted: bool  # it failed, and not because the code said so: out of gas, or an instruction that is none


class Outcome(NamedTuple):
    """A transaction in a block. `receipt` is encoded as the receipts' tree takes it."""

    succeeded: bool
    gas_used: int
    logs: tuple[Log, ...]
    receipt: bytes


class Record(NamedTuple):
    """An account in the store's words."""

    nonce: int
    balance: int
    code: bytes


class Changes(NamedTuple):
    """What differs between two states: old and new value of each account and each word of storage."""

    accounts: dict[bytes, tuple[Record | None, Record | None]]
    words: dict[tuple[bytes, bytes], tuple[int, int]]


class Machine:
    """One state, changed by blocks."""

    def __init__(self, chain_id: int, natives: Natives) -> None:
        self.chain_id, self.natives = chain_id, natives
        self.state = State()

    # -- the state -------------------------------------------------------------------------------------------------

    def account(self, address: bytes) -> Record:
        """An account; one that does not exist has nothing."""
        account = get_account(self.state, Address(address))
        return Record(int(account.nonce), int(account.balance), bytes(account.code))

    def word(self, address: bytes, slot: bytes) -> int:
        """A word of a contract's storage."""
        return int(get_storage(self.state, Address(address), Bytes32(slot)))

    def put_account(self, address: bytes, record: Record | None) -> None:
        """Set an account, as it comes from the store; None: it does not exist."""
        accounts = self.state._main_trie._data
        if record is None:
            accounts.pop(Address(address), None)
        else:
            accounts[Address(address)] = Account(Uint(record.nonce), U256(record.balance), Bytes(record.code))

    def put_word(self, address: bytes, slot: bytes, value: int) -> None:
        """Set a word of storage; zero: it does not exist."""
        tries = self.state._storage_tries
        if value:
            trie = tries.setdefault(Address(address), Trie(secured=True, default=U256(0)))
            trie._data[Bytes32(slot)] = U256(value)
        elif (found := tries.get(Address(address))) is not None:
            found._data.pop(Bytes32(slot), None)
            if not found._data:
                del tries[Address(address)]  # a contract without storage is one that has no tree

    def copy(self) -> Machine:
        """The same state in a machine of its own, to look at what was or what would be."""
        made = Machine(self.chain_id, self.natives)
        made.state = _copy(self.state)
        return made

    @contextmanager
    def recorded(self) -> Iterator[Changes]:
        """What the block inside changes; filled in at its end."""
        before = _copy(self.state)
        changes = Changes({}, {})
        yield changes
        changes.accounts.update(_account_changes(before, self.state))
        changes.words.update(_word_changes(before, self.state))

    # -- execution -------------------------------------------------------------------------------------------------

    def execute(self, block: Block, transactions: list[Transaction]) -> tuple[list[Outcome], dict[int, str]]:
        """Run transactions in order. Those that cannot be in this block change nothing: their place, and why."""
        environment = self._environment(block)
        output = BlockOutput()
        outcomes: list[Outcome] = []
        refused: dict[int, str] = {}
        with self.natives.installed():
            for place, transaction in enumerate(transactions):
                used = int(output.block_gas_used)
                try:
                    process_transaction(environment, output, transaction, Uint(len(outcomes)))
                except (EthereumException, InvalidBlock) as error:
                    refused[place] = str(error) or type(error).__name__
                    continue
                encoded = output.receipts_trie._data[rlp.encode(Uint(len(outcomes)))]
                assert encoded is not None
                receipt = decode_receipt(encoded)
                raw = encoded if isinstance(encoded, bytes) else rlp.encode(encoded)
                outcomes.append(
                    Outcome(bool(receipt.succeeded), int(output.block_gas_used) - used, receipt.logs, bytes(raw))
                )
        return outcomes, refused

    def call(self, block: Block, call: Call) -> Ran:
        """Run a call and forget what it changed. Raises BalanceTooLow, and GasTooLow before anything runs."""
        sender = Address(call.sender)
        if self.account(call.sender).balance < call.value:
            raise BalanceTooLow(f"insufficient funds for a call with a value of {call.value} wei")
        before = intrinsic_gas(call.data, call.to is None)
        if call.gas < before:
            raise GasTooLow(f"intrinsic gas too low: {call.gas:,} given, {before:,} needed")
        environment, transient = self._environment(block), TransientStorage()
        begin_transaction(self.state, transient)
        try:
            increment_nonce(self.state, sender)  # as a transaction does: the address of what it deploys depends on it
            with self.natives.installed():
                ran = _run(environment, call, call.gas - before)
        finally:
            rollback_transaction(self.state, transient)
        used = call.gas - int(ran.gas_left)
        refund = min(used // 5, int(ran.refund_counter))
        spent = max(used - refund, floor_gas(call.data))
        failed = ran.error is not None
        return Ran(bytes(ran.return_data), spent, failed, failed and not isinstance(ran.error, Revert))

    def _environment(self, block: Block) -> BlockEnvironment:
        return BlockEnvironment(
            chain_id=U64(self.chain_id),
            state=self.state,
            block_gas_limit=Uint(block.gas_limit),
            block_hashes=[Hash32(each) for each in block.hashes],
            coinbase=COINBASE,
            number=Uint(block.number),
            base_fee_per_gas=Uint(block.base_fee),
            time=U256(block.time_s),
            prev_randao=Bytes32(block.randao),
            excess_blob_gas=U64(0),
            parent_beacon_block_root=Hash32(bytes(32)),
        )


def _run(environment: BlockEnvironment, call: Call, gas: int) -> MessageCallOutput:
    """A call as the message of a transaction that nobody has to sign."""
    transaction = FeeMarketTransaction(
        chain_id=environment.chain_id,
        nonce=U256(0),
        max_priority_fee_per_gas=Uint(0),
        max_fee_per_gas=environment.base_fee_per_gas,
        gas=Uint(gas),
        to=Bytes0(b"") if call.to is None else Address(call.to),
        value=U256(call.value),
        data=Bytes(call.data),
        access_list=(),
        y_parity=U256(0),
        r=U256(0),
        s=U256(0),
    )
    around = TransactionEnvironment(
        origin=Address(call.sender),
        gas_price=environment.base_fee_per_gas,
        gas=Uint(gas),
        access_list_addresses={environment.coinbase},
        access_list_storage_keys=set(),
        transient_storage=TransientStorage(),
        blob_versioned_hashes=(),
        authorizations=(),
        index_in_block=None,
        tx_hash=None,
    )
    return process_message_call(prepare_message(environment, around, transaction))


def _copy(state: State) -> State:
    made = State()
    made._main_trie._data.update(state._main_trie._data)
    for address, trie in state._storage_tries.items():
        made._storage_tries[address] = Trie(trie.secured, trie.default, dict(trie._data))
    return made


def _record(account: Account | None) -> Record | None:
    if account is None:
        return None
    return Record(int(account.nonce), int(account.balance), bytes(account.code))


def _account_changes(before: State, after: State) -> Iterator[tuple[bytes, tuple[Record | None, Record | None]]]:
    old, new = before._main_trie._data, after._main_trie._data
    for address in old.keys() | new.keys():
        was, now = old.get(address), new.get(address)
        if was is not now and was != now:
            yield bytes(address), (_record(was), _record(now))


def _word_changes(before: State, after: State) -> Iterator[tuple[tuple[bytes, bytes], tuple[int, int]]]:
    """Words by address and slot. What was not written is the same object before and after, which is quick to see."""
    empty: dict[Bytes32, U256] = {}
    for address in before._storage_tries.keys() | after._storage_tries.keys():
        old = before._storage_tries[address]._data if address in before._storage_tries else empty
        new = after._storage_tries[address]._data if address in after._storage_tries else empty
        for slot, now in new.items():
            was = old.get(slot)
            if was is not now and was != now:
                yield (bytes(address), bytes(slot)), (0 if was is None else int(was), int(now))
        for slot in old.keys() - new.keys():
            yield (bytes(address), bytes(slot)), (int(old[slot]), 0)
