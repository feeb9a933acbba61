"""The embedded chain alone: its file, its clock, its pool, what it refuses, and what survives a kill."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkhead.bridge.artifacts import shared_artifacts
from bulkhead.bridge.chain import Chain, Fees, Prepared
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.embedded.node import BASE_FEE, GAS_LIMIT, Embedded
from bulkhead.bridge.embedded.provider import EmbeddedProvider
from bulkhead.bridge.embedded.store import StoreError
from bulkhead.bridge.errors import (
    BadSignature,
    BadTransaction,
    BalanceTooLow,
    ChainError,
    FeeTooLow,
    GasTooLow,
    NonceTooHigh,
    ReplacementTooCheap,
    Reverted,
    TransactionTooLarge,
    WrongChain,
)
from bulkhead.bridge.gas import GAS_MAX, TRANSACTION_BYTES_MAX
from bulkhead.bridge.open import new_chain, open_chain
from tests.bridge.chains import CHAIN_ID, DEPLOYER, DEPOSITOR, ETHER, START_S, STRANGER, embedded, genesis, token_on
from tests.bridge.test_chain import NOBODY, signed

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of the curve that signs transactions
GWEI = 10**9


def client(node: Embedded) -> Chain:
    return Chain(EmbeddedProvider(node))


def everything(node: Embedded) -> tuple[object, ...]:
    """The whole state and the last block."""
    state = node.machine.state
    words = {bytes(address): dict(trie._data) for address, trie in state._storage_tries.items()}
    return dict(state._main_trie._data), words, node.tip


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    node = embedded(path)
    chain = client(node)
    token = token_on(chain)
    token.transact(DEPLOYER, "mint", DEPOSITOR.address, 500)
    token.transact(DEPOSITOR, "transfer", STRANGER.address, 500)  # a word becomes zero again
    node.run_natively(b"\x77" * 20, (bytes(20),))
    before = everything(node)
    receipts = [chain.receipt(bytes(row.hash)) for number in range(4) for row in node.store.transactions(number)]
    assert len(receipts) == 3
    node.close()
    with pytest.raises(StoreError, match="closed"):
        node.mine()
    node = embedded(path)
    chain = client(node)
    assert everything(node) == before
    assert [chain.receipt(each.hash) for each in receipts if each] == receipts
    assert node.machine.natives.contracts == {b"\x77" * 20: (bytes(20),)}
    again = Contract(chain, token.address, token.abi)
    assert again.call("balanceOf", STRANGER.address) == 500 and again.call("balanceOf", DEPOSITOR.address) == 0
    again.transact(STRANGER, "transfer", DEPOSITOR.address, 1)
    assert chain.head().number == 4
    node.close()


def test_what_was_taken_survives_a_kill(tmp_path: Path) -> None:
    """Killed at several moments: whatever was told is there, and the state is that of the last block, whole."""
    draw = random.Random(5)
    for attempt in range(3):
        path = tmp_path / f"chain-{attempt}.sqlite"
        command = [sys.executable, "-m", "tests.bridge.writer", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            told = int(process.stdout.readline())
            time.sleep(draw.random() / 2)
            process.kill()
            rest = process.stdout.read().split("\n")
        told = max([told, *(int(line) for line in rest[:-1])])
        node = embedded(path)
        chain = client(node)
        nonce = chain.nonce(str(DEPLOYER.address), "latest")
        assert told < nonce <= told + 2 and chain.head().number == nonce
        token = Contract(chain, address, shared_artifacts()["Token"].abi)
        for number in (1, told, nonce - 1, nonce):
            assert token.call("balanceOf", f"0x{number:040x}") == (1000 + number if number < nonce else 0)
        replayed = replay(node, tmp_path / f"replayed-{attempt}.sqlite")
        assert replayed == everything(node)
        node.close()


def replay(node: Embedded, path: Path) -> tuple[object, ...]:
    """A chain from the first block on, of the same transactions at the same times."""
    fresh = embedded(path)
    fresh.automine = False
    for number in range(1, node.tip.number + 1):
        for row in node.store.transactions(number):
            fresh.send(row.raw)
        block = node.store.block(number)
        assert block is not None
        fresh.time_next_s = block.fields["timestamp"]
        fresh.mine()
    made = everything(fresh)
    fresh.close()
    return made


def test_a_block_is_written_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write fails in its middle: the file is as before, and the chain takes nothing more until it is opened."""
    path = tmp_path / "chain.sqlite"
    node = embedded(path)
    token = token_on(client(node))
    before = everything(node)
    put, count = node.store._put_word, 0

    def fail(address: bytes, slot: bytes, value: bytes) -> None:
        nonlocal count
        count += 1
        put(address, slot, value)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(node.store, "_put_word", fail)
    prepared = client(node).prepare(DEPLOYER, token.address, token.data("mint", DEPOSITOR.address, 5), gas=100_000)
    with pytest.raises(sqlite3.OperationalError):
        node.send(prepared.raw)
    assert count == 1
    with pytest.raises(StoreError, match="a block was not written; open it again"):
        node.send(prepared.raw)
    node.close()
    node = embedded(path)
    assert everything(node) == before
    client(node).send(prepared)
    assert Contract(client(node), token.address, token.abi).call("balanceOf", DEPOSITOR.address) == 5
    node.close()


def test_one_writes_and_others_read(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    with pytest.raises(StoreError, match="no embedded chain is here"):
        Embedded.open(path, lambda: START_S, read_only=True)
    with pytest.raises(StoreError, match="nothing was given to begin one with"):
        Embedded.open(path, lambda: START_S)
    node = embedded(path)
    chain = client(node)
    chain.transact(DEPLOYER, NOBODY, value=5)
    with pytest.raises(StoreError, match="is open in another process"):
        embedded(path)
    with open_chain(str(path), lambda: START_S, read_only=True) as reader:
        assert reader.head() == chain.head() and reader.balance(NOBODY) == 5
        prepared = chain.prepare(DEPLOYER, NOBODY, value=6)
        with pytest.raises(ChainError, match="was opened to read"):
            reader.send(prepared)
        head = reader.head()
        chain.send(prepared)
        assert reader.head() == head and reader.balance(NOBODY) == 5  # one moment, whatever is written
    with open_chain(str(path), lambda: START_S, read_only=True) as reader:
        assert reader.balance(NOBODY) == 11
    node.close()
    with pytest.raises(StoreError, match="holds chain 31337, not 1"):
        Embedded.open(path, lambda: START_S, new_chain({}, START_S, 1))
    with pytest.raises(WrongChain), open_chain(str(path), lambda: START_S, chain_id=1):
        pass


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for name, content in (("text", b"not a database, but longer than its header" * 9), ("cut", b"")):
        path = tmp_path / name
        if name == "cut":
            made = tmp_path / "whole"
            embedded(made).close()
            content = made.read_bytes()[:5000]
        path.write_bytes(content)
        with pytest.raises(StoreError, match="not an embedded chain, or damaged"):
            embedded(path)
    path = tmp_path / "version"
    embedded(path).close()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE meta SET value = '9' WHERE name = 'version'")
    file.close()
    with pytest.raises(StoreError, match="version 9 of the file, and this program has 1"):
        embedded(path)


def test_what_the_network_would_not_pass_on_is_refused() -> None:
    node = embedded()
    chain = client(node)
    data = b"\1" * (TRANSACTION_BYTES_MAX - 100)
    with pytest.raises(TransactionTooLarge, match="131,0.. bytes of at most 131,072|131,1.. bytes of at most 131,072"):
        chain.send(signed(chain, data=data, gas=9_000_000))
    with pytest.raises(GasTooLow, match="420,999 given, 421,000 needed"):
        chain.send(signed(chain, data=b"\1" * 10_000, gas=420_999))
    with pytest.raises(NonceTooHigh, match="nonce too high: 1, and the next is 0"):
        chain.send(signed(chain, nonce=1))
    access = [{"address": NOBODY, "storageKeys": ["0x" + "00" * 32]}]
    with pytest.raises(GasTooLow, match="25,299 given, 25,300 needed"):
        chain.send(signed(chain, accessList=access, gas=25_299))
    good = signed(chain)
    for raw in (good.raw + b"\0", b"\x03" + good.raw[1:], b"\x04" + good.raw[1:]):
        with pytest.raises(BadTransaction):
            chain.send(good._replace(raw=raw))
    # The same transaction with the other signature that the curve allows.
    made = DEPLOYER.sign_transaction(
        {"nonce": 0, "gasPrice": 2 * GWEI, "gas": 21_000, "to": NOBODY, "value": 1, "data": b"", "chainId": CHAIN_ID}
    )
    raw, low = bytes(made.raw_transaction), made.s.to_bytes(32, "big")
    assert raw.endswith(low)
    with pytest.raises(BadSignature, match="bad s"):
        node.send(raw[:-32] + (ORDER - made.s).to_bytes(32, "big"))
    with pytest.raises(WrongChain, match="signed for None"):
        node.send(bytes(DEPLOYER.sign_transaction({"nonce": 0, "gasPrice": 2 * GWEI, "gas": 21_000, "to": NOBODY,
                                                   "value": 1, "data": b""}).raw_transaction))  # fmt: skip
    assert node.tip.number == 0
    node.send(raw)
    receipt = chain.receipt(bytes(made.hash))
    assert receipt is not None and receipt.succeeded and receipt.price == 2 * GWEI


def test_the_pool_chooses_by_price_and_keeps_order() -> None:
    node = embedded(automine=False)
    chain = client(node)
    low, high = Fees(20 * GWEI, GWEI), Fees(20 * GWEI, 3 * GWEI)

    def sent(signer: object, nonce: int, fees: Fees) -> Prepared:
        prepared = chain.prepare(signer, NOBODY, value=1, gas=21_000, nonce=nonce, fees=fees)  # type: ignore[arg-type]
        chain.send(prepared)
        return prepared

    order = [sent(DEPOSITOR, 0, high), sent(DEPLOYER, 0, low), sent(DEPLOYER, 1, high)]
    node.mine()
    assert [row.hash for row in node.store.transactions(1)] == [each.hash for each in order]
    assert len(node.pool) == 0
    fees = Fees(20 * GWEI, GWEI)
    sent(STRANGER, 0, fees)
    for most, tip in ((21 * GWEI, 2 * GWEI), (22 * GWEI, GWEI), (22 * GWEI - 1, 11 * GWEI // 10)):
        with pytest.raises(ReplacementTooCheap):
            sent(STRANGER, 0, Fees(most, tip))
    sent(STRANGER, 0, Fees(22 * GWEI, 11 * GWEI // 10))
    rest = chain.balance(str(STRANGER.address)) - 1 - 21_000 * 22 * GWEI
    with pytest.raises(BalanceTooLow, match="with all that waits"):
        chain.send(chain.prepare(STRANGER, NOBODY, value=rest, gas=21_000, nonce=1, fees=fees))
    assert node.pool.drop(bytes(32)) is False
    assert len(node.pool) == 1


def test_a_block_has_no_more_gas_than_it_may() -> None:
    node = embedded(automine=False)
    chain = client(node)
    for nonce in range(5):
        chain.send(chain.prepare(DEPLOYER, NOBODY, value=1, gas=GAS_MAX, nonce=nonce))
    node.mine()
    assert len(node.store.transactions(1)) == GAS_LIMIT // GAS_MAX == 3
    node.mine()
    assert len(node.store.transactions(2)) == 2 and len(node.pool) == 0


def test_the_base_fee_follows_how_full_blocks_are() -> None:
    """Full blocks: an eighth more; empty ones: an eighth less (EIP-1559). A fee below it waits, or is refused."""
    node = embedded(automine=False)
    chain = client(node)
    calldata = b"\1" * 130_000  # 5.2 million gas at the floor
    waiting = chain.prepare(STRANGER, NOBODY, value=1, gas=900_000, fees=Fees(BASE_FEE * 9 // 10, 0))
    chain.send(waiting)
    for nonce in range(11):
        chain.send(chain.prepare(DEPLOYER, NOBODY, calldata, gas=5_400_000, nonce=nonce, fees=Fees(20 * GWEI, GWEI)))
    full = node.mine()
    first, following = full.fields["baseFeePerGas"], node.next_block().base_fee
    assert first == BASE_FEE * 7 // 8  # after an empty one
    assert full.fields["gasUsed"] > GAS_LIMIT * 9 // 10 and first * 11 // 10 < following <= first * 9 // 8
    assert len(node.pool) == 1  # it pays no tip, so it came last, and there was no room
    node.mine()
    assert not node.store.transactions(2)
    with pytest.raises(FeeTooLow):
        chain.send(chain.prepare(DEPLOYER, NOBODY, value=1, gas=21_000, fees=Fees(GWEI // 2, 0)))
    while node.next_block().base_fee > BASE_FEE * 9 // 10:
        node.mine()
    node.mine()
    assert chain.wait(waiting.hash).succeeded


def test_time_is_the_clocks_and_never_stands_still() -> None:
    now = START_S
    node = Embedded.open(None, lambda: now, genesis())
    assert [node.mine().fields["timestamp"] - START_S for _ in range(3)] == [1, 2, 3]
    now += 100
    assert node.mine().fields["timestamp"] == START_S + 100
    now -= 50  # a clock that is set back does not take the chain with it
    assert node.mine().fields["timestamp"] == START_S + 101
    with pytest.raises(ChainError, match="later than the last"):
        client(node).ask("evm_setNextBlockTimestamp", START_S + 101)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=12), st.data())
def test_any_block_can_be_looked_at_and_gone_back_to(steps: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """After payments, mints and transfers: each block's state is found again, by copy and by going back."""
    node = embedded()
    chain = client(node)
    token = token_on(chain)
    holders = [str(role.address) for role in (DEPLOYER, DEPOSITOR, STRANGER)]
    seen = [states(node, token)] * 2
    for kind, holder, amount in steps:
        if kind == 0:
            chain.transact(DEPLOYER, holders[holder], value=amount)
        elif kind == 1:
            token.transact(DEPLOYER, "mint", holders[holder], amount)
        elif kind == 2:
            prepared = chain.prepare(
                DEPOSITOR, token.address, token.data("transfer", holders[holder], amount), gas=100_000
            )
            chain.send(prepared)
        else:
            node.grant(bytes.fromhex(holders[holder][2:]), (1000 + amount) * ETHER)
        seen.append(states(node, token))
    for number in range(1, node.tip.number + 1):
        machine = node.machine_at(number)
        assert machine is node.machine or everything_of(machine) == seen[number][0]
        assert [token.call("balanceOf", holder, at=number) for holder in holders] == seen[number][1]
    number = data.draw(st.integers(1, node.tip.number))
    node.revert(number)
    assert everything_of(node.machine) == seen[number][0] and node.tip.number == number
    stored = dict(node.store.accounts())
    assert all(node.machine.account(address) == record for address, record in stored.items())
    assert len(stored) == len(node.machine.state._main_trie._data)
    node.mine()


def everything_of(machine: object) -> tuple[object, object]:
    state = machine.state  # type: ignore[attr-defined]
    return (
        dict(state._main_trie._data),
        {address: dict(trie._data) for address, trie in state._storage_tries.items() if trie._data},
    )


def states(node: Embedded, token: Contract) -> tuple[tuple[object, object], list[int]]:
    roles = (DEPLOYER, DEPOSITOR, STRANGER)
    return everything_of(node.machine), [token.call("balanceOf", str(role.address)) for role in roles]


def test_requests_that_are_none_are_answered_with_an_error() -> None:
    node = embedded()
    provider = EmbeddedProvider(node)
    for method, params in (
        ("eth_getBalance", []), ("eth_getBalance", ["0x12"]), ("eth_getBalance", [5]), ("eth_getBalance", ["zz" * 21]),
        ("eth_getBalance", [NOBODY, "0x99"]), ("eth_getBalance", [NOBODY, "soon"]), ("eth_call", [{"to": NOBODY[:-1]}]),
        ("eth_call", [None]), ("eth_getTransactionReceipt", ["0x12"]), ("eth_sendRawTransaction", ["0x1"]),
        ("eth_sendRawTransaction", [None]), ("eth_getLogs", [{"fromBlock": "x"}]), ("eth_getLogs", [7]),
        ("eth_getStorageAt", [NOBODY, hex(1 << 256)]), ("evm_revert", ["0x77"]), ("anvil_setBalance", [NOBODY, -1]),
        ("eth_call", [{"value": hex(1), "from": NOBODY}]), ("eth_nothing", []),
    ):  # fmt: skip
        answer = provider.make_request(method, params)  # type: ignore[arg-type]
        assert "result" not in answer and answer["error"]["message"], (method, params)
    assert node.tip.number == 0
    node.mine()


def test_calls_see_the_block_they_ask_for() -> None:
    """A contract that returns the block's number: of the last block, of an earlier one, of the one to come."""
    node = embedded()
    chain = client(node)
    code = bytes.fromhex("600880600a3d393df300") + bytes.fromhex("435f5260205ff300")
    created = chain.transact(DEPLOYER, None, code).created
    assert created is not None
    node.mine()
    for at, number in (("latest", 2), (1, 1), ("pending", 3)):
        assert int.from_bytes(chain.call(created, b"", at=at), "big") == number
    endless = chain.transact(DEPLOYER, None, bytes.fromhex("600380600a3d393df300") + b"\x5b\x5f\x56").created
    with pytest.raises(ChainError, match="out of gas"):
        chain.ask("eth_call", {"to": endless, "gas": hex(30_000)}, "latest")
    with pytest.raises(Reverted):
        chain.transact(DEPLOYER, created, value=1 << 60, gas=21_010)
