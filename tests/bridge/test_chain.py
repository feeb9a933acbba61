"""One suite for every L1: what a client reads, sends, and is refused, is the same on each."""

from __future__ import annotations

import pytest
from eth_account.signers.local import LocalAccount

from bulkhead.bridge.chain import Chain, Fees, Prepared, bumped, created_by, signer_of
from bulkhead.bridge.contract import AbiError
from bulkhead.bridge.errors import (
    AlreadyKnown,
    BadSignature,
    BadTransaction,
    BalanceTooLow,
    ChainError,
    FeeTooLow,
    GasAboveCap,
    GasTooLow,
    InitCodeTooLarge,
    NonceTooLow,
    NotIncluded,
    Refused,
    ReplacementTooCheap,
    Reverted,
    RpcError,
    TransactionTooLarge,
    Unreachable,
    WrongChain,
)
from bulkhead.bridge.gas import CODE_BYTES_MAX, GAS_MAX, INIT_CODE_BYTES_MAX, TRANSACTION_BYTES_MAX, floor_gas
from tests.bridge.chains import CHAIN_ID, DEPLOYER, DEPOSITOR, ETHER, STRANGER, token_on, word

NOBODY = "0x" + "00" * 19 + "99"
GWEI = 10**9


def signed(chain: Chain, signer: LocalAccount = DEPLOYER, **changed: object) -> Prepared:
    """A transaction that `Chain.prepare` might refuse to make: signed whatever it says."""
    fields: dict[str, object] = {
        "type": 2, "chainId": CHAIN_ID, "nonce": chain.nonce(str(signer.address)), "maxFeePerGas": 10 * GWEI,
        "maxPriorityFeePerGas": GWEI, "gas": 21_000, "value": 1, "data": b"", "to": NOBODY,
    }  # fmt: skip
    made = signer.sign_transaction({**fields, **changed})
    nonce = int(str(fields["nonce"]))
    return Prepared(bytes(made.raw_transaction), bytes(made.hash), str(signer.address), nonce, 0, Fees(0, 0), "")


def test_a_payment_is_in_a_block(chain: Chain) -> None:
    before, head = chain.balance(str(DEPLOYER.address)), chain.head()
    prepared = chain.prepare(DEPLOYER, NOBODY, value=ETHER)
    assert chain.receipt(prepared.hash) is None and not chain.is_known(prepared.hash)
    assert chain.send(prepared) == prepared.hash
    receipt = chain.wait(prepared.hash)
    assert receipt.succeeded and receipt.gas_used == 21_000 and receipt.block == head.number + 1
    assert chain.is_known(prepared.hash)
    assert chain.balance(NOBODY) == ETHER and chain.balance(NOBODY, head.number) == 0
    assert before - chain.balance(str(DEPLOYER.address)) == ETHER + 21_000 * receipt.price
    block = chain.block(receipt.block)
    assert block is not None and (block.hash, block.parent) == (receipt.block_hash, head.hash)
    assert block.time_s >= head.time_s
    assert receipt.price <= prepared.fees.most and receipt.price >= block.base_fee
    assert chain.block(receipt.block + 1) is None
    assert chain.nonce(str(DEPLOYER.address)) == prepared.nonce + 1


def test_a_contract_is_deployed_called_and_told_of(chain: Chain) -> None:
    token = token_on(chain)
    assert token.address == created_by(str(DEPLOYER.address), 0)
    assert len(chain.code(token.address)) > 100 and chain.code(NOBODY) == b""
    first = chain.head().number
    token.transact(DEPLOYER, "mint", DEPOSITOR.address, 500)
    token.transact(DEPOSITOR, "transfer", STRANGER.address, 120)
    assert token.call("balanceOf", DEPOSITOR.address) == 380
    assert token.call("balanceOf", DEPOSITOR.address, at=first) == 0
    assert token.call("balanceOf", DEPOSITOR.address, at=first + 1) == 500
    with pytest.raises(Reverted):
        token.transact(DEPOSITOR, "transfer", STRANGER.address, 381)  # the estimate says so, nothing is sent
    assert chain.nonce(str(DEPOSITOR.address)) == 1
    with pytest.raises(Reverted):
        token.transact(DEPOSITOR, "transfer", STRANGER.address, 381, gas=100_000)  # sent, and failed in its block
    assert chain.nonce(str(DEPOSITOR.address)) == 2
    assert token.call("balanceOf", STRANGER.address) == 120
    for arguments in (("transfer", 1), ("transfer", NOBODY, -1), ("transfer", NOBODY, 1 << 256), ("nothing",)):
        with pytest.raises(AbiError):
            token.data(*arguments)


def test_a_revert_says_why(chain: Chain) -> None:
    """Code that reverts with Error("custody: amount"), as Vyper writes it; and one that says nothing."""
    said = bytes.fromhex("08c379a0") + word(32) + word(15) + b"custody: amount".ljust(32, b"\0")
    store = b"".join(
        bytes([0x7F]) + said[at : at + 32].ljust(32, b"\0") + bytes([0x60, at, 0x52]) for at in range(0, len(said), 32)
    )
    for runtime, reason in (
        (store + bytes([0x60, len(said), 0x5F, 0xFD]), "custody: amount"),
        (bytes([0x5F, 0x5F, 0xFD]), "no reason given|[Rr]evert"),
    ):
        size = len(runtime)
        code = bytes.fromhex(f"61{size:04x}80600a3d393df3") + runtime
        # PUSH2, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN are ten bytes with a filler.
        code = code[:10].ljust(10, b"\0") + runtime
        created = chain.transact(DEPLOYER, None, code).created
        assert created is not None
        with pytest.raises(Reverted, match=reason) as caught:
            chain.call(created, b"\x01\x02\x03\x04")
        assert caught.value.data == (said if "custody" in reason else b"")
        with pytest.raises(Reverted, match=reason):
            chain.transact(DEPLOYER, created, b"\x01\x02\x03\x04")
        with pytest.raises(Reverted, match=reason):
            chain.transact(DEPLOYER, created, b"\x01\x02\x03\x04", gas=90_000)


def test_calldata_has_a_floor_price(chain: Chain) -> None:
    """EIP-7623: 10 gas a token, and a byte that is not zero is four."""
    receipt = chain.transact(DEPLOYER, NOBODY, b"\1" * 10_000)
    assert receipt.gas_used == 421_000 == floor_gas(b"\1" * 10_000)
    receipt = chain.transact(DEPLOYER, NOBODY, b"\1" * 100 + bytes(1000))
    assert receipt.gas_used == 21_000 + 10 * 1400


def test_code_has_a_limit(chain: Chain) -> None:
    """EIP-170: 24,576 bytes are deployed, one more is not, and takes all gas. RETURN of so many zero bytes."""
    for size, accepted in ((CODE_BYTES_MAX, True), (CODE_BYTES_MAX + 1, False)):
        code = bytes.fromhex(f"61{size:04x}5ff3")
        prepared = chain.prepare(DEPLOYER, None, code, gas=6_000_000)
        receipt = chain.wait(chain.send(prepared))
        assert receipt.succeeded == accepted
        assert len(chain.code(prepared.creates)) == (size if accepted else 0)
        assert accepted or receipt.gas_used == 6_000_000


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"gas": GAS_MAX + 1}, GasAboveCap),
        ({"gas": 20_999}, GasTooLow),
        ({"maxFeePerGas": 1, "maxPriorityFeePerGas": 1}, FeeTooLow),
        ({"maxFeePerGas": 10 * GWEI, "maxPriorityFeePerGas": 11 * GWEI}, FeeTooLow),
        ({"nonce": 0}, NonceTooLow),
        ({"chainId": CHAIN_ID + 1}, WrongChain),
        ({"value": 1001 * ETHER}, BalanceTooLow),
        ({"value": 1000 * ETHER - 21_000 * 9 * GWEI}, BalanceTooLow),
        ({"to": "", "data": b"\0" * (INIT_CODE_BYTES_MAX + 1), "gas": 3_000_000}, InitCodeTooLarge),
    ],
)
def test_what_no_block_may_hold_is_refused_by_name(
    chain: Chain, changed: dict[str, object], error: type[Refused]
) -> None:
    chain.transact(DEPLOYER, NOBODY, value=1)
    prepared = signed(chain, **changed)
    before, head = chain.balance(str(DEPLOYER.address)), chain.head()
    with pytest.raises(error):
        chain.send(prepared)
    assert not chain.is_known(prepared.hash)
    assert (chain.balance(str(DEPLOYER.address)), chain.head()) == (before, head)


def test_the_client_refuses_what_nodes_would_not_pass_on(chain: Chain) -> None:
    """Nodes for tests take any number of bytes; those of the network take 128 KiB."""
    head = chain.head()
    room = TRANSACTION_BYTES_MAX - len(chain.prepare(DEPLOYER, NOBODY, b"\1" * 100_000, gas=9_000_000).raw) + 100_000
    assert len(chain.prepare(DEPLOYER, NOBODY, b"\1" * room, gas=9_000_000).raw) == TRANSACTION_BYTES_MAX
    for data, gas, error in (
        (b"\1" * (room + 1), 9_000_000, TransactionTooLarge),
        (b"", GAS_MAX + 1, GasAboveCap),
        (b"", 20_999, GasTooLow),
        (b"\1" * 10_000, 420_999, GasTooLow),
    ):
        with pytest.raises(error):
            chain.prepare(DEPLOYER, NOBODY, data, gas=gas)
    with pytest.raises(InitCodeTooLarge):
        chain.prepare(DEPLOYER, None, bytes(INIT_CODE_BYTES_MAX + 1), gas=3_000_000)
    assert chain.head() == head


def test_bytes_that_are_no_transaction_are_refused(chain: Chain) -> None:
    good = signed(chain)
    blank = Prepared(b"", bytes(32), "", 0, 0, Fees(0, 0), "")
    for raw in (b"", b"\x00", b"\x02", b"\x7f" + good.raw[1:], good.raw[:-1], b"\xff" * 200):
        with pytest.raises((BadTransaction, BadSignature, RpcError)):
            chain.send(blank._replace(raw=raw))
    assert chain.head().number == 0
    chain.wait(chain.send(good))


def test_logs_are_found_by_block_address_and_topic(chain: Chain) -> None:
    """Two contracts that tell their calldata's first word as a topic, and the second as data."""
    code = bytes.fromhex("600f80600a3d393df300") + bytes.fromhex("6020355f525f3560205fa1")[:15].ljust(15, b"\0")
    tellers = [chain.transact(DEPLOYER, None, code).created for _ in range(2)]
    first = chain.head().number + 1
    for number, teller in ((7, 0), (8, 0), (7, 1), (9, 1)):
        chain.transact(DEPLOYER, tellers[teller], word(number) + word(100 + number))
    last = chain.head().number
    assert last == first + 3

    def found(which: list[int], low: int, high: int, topics: list[list[bytes] | None]) -> list[tuple[int, int, int]]:
        logs = chain.logs([str(tellers[each]) for each in which], low, high, topics)
        assert all(int.from_bytes(log.data, "big") == 100 + int.from_bytes(log.topics[0], "big") for log in logs)
        return [(log.block - first, tellers.index(log.address), int.from_bytes(log.topics[0], "big")) for log in logs]

    everything = [(0, 0, 7), (1, 0, 8), (2, 1, 7), (3, 1, 9)]
    assert found([0, 1], 0, last + 50, []) == everything
    assert found([0, 1], first + 1, first + 2, []) == everything[1:3]
    assert found([1], 0, last, []) == everything[2:]
    assert found([0, 1], 0, last, [[word(7), word(9)]]) == [everything[0], *everything[2:]]
    assert found([0, 1], 0, last, [None]) == everything
    assert found([0, 1], 0, last, [None, [word(7)]]) == []
    receipt = chain.receipt(chain.logs([str(tellers[0])], first, first)[0].transaction)
    assert receipt is not None and receipt.logs == tuple(chain.logs([str(tellers[0])], first, first))


def test_a_waiting_transaction_is_replaced_by_one_that_pays_more(chain: Chain) -> None:
    chain.ask("evm_setAutomine", False)
    fees = Fees(20 * GWEI, GWEI)
    slow = chain.prepare(DEPLOYER, NOBODY, value=1, gas=21_000, fees=fees)
    chain.send(slow)
    assert chain.is_known(slow.hash) and chain.receipt(slow.hash) is None
    assert chain.nonce(str(DEPLOYER.address)) == slow.nonce + 1 == chain.nonce(str(DEPLOYER.address), "latest") + 1
    with pytest.raises(AlreadyKnown):
        chain.send(slow)
    cheap = chain.prepare(DEPLOYER, NOBODY, value=2, gas=21_000, nonce=slow.nonce, fees=fees)
    with pytest.raises(ReplacementTooCheap):
        chain.send(cheap)
    assert bumped(fees, Fees(5, 5)) == Fees(22_500_000_000, 1_125_000_000)
    assert bumped(fees, Fees(90 * GWEI, 5)) == Fees(90 * GWEI, 1_125_000_000)
    fast = chain.prepare(DEPLOYER, NOBODY, value=3, gas=21_000, nonce=slow.nonce, fees=bumped(fees, fees))
    chain.send(fast)
    chain.ask("evm_mine")
    assert chain.wait(fast.hash).succeeded and chain.balance(NOBODY) == 3
    assert chain.receipt(slow.hash) is None and not chain.is_known(slow.hash)


def test_a_dropped_transaction_is_not_known(chain: Chain) -> None:
    chain.ask("evm_setAutomine", False)
    prepared = chain.prepare(DEPLOYER, NOBODY, value=1, gas=21_000)
    chain.send(prepared)
    chain.ask("anvil_dropTransaction", "0x" + prepared.hash.hex())
    chain.ask("evm_mine")
    assert not chain.is_known(prepared.hash)
    waits: list[float] = []
    chain._sleep = waits.append
    with pytest.raises(NotIncluded, match="0 confirmations|not 1 confirmations"):
        chain.wait(prepared.hash, timeout_s=2)
    assert sum(waits) == 2
    chain.send(prepared)  # the same bytes, once more
    chain.ask("evm_mine")
    assert chain.wait(prepared.hash).succeeded


def test_confirmations_are_counted_in_blocks(chain: Chain) -> None:
    receipt = chain.transact(DEPLOYER, NOBODY, value=1)
    chain._sleep = lambda seconds: chain.ask("evm_mine") and None
    assert chain.wait(receipt.hash, confirmations=4) == receipt
    assert chain.head().number == receipt.block + 3


def test_blocks_can_be_taken_back(chain: Chain) -> None:
    chain.transact(DEPLOYER, NOBODY, value=1)
    kept, snapshot = chain.head(), chain.ask("evm_snapshot")
    prepared = chain.prepare(DEPLOYER, NOBODY, value=5)
    chain.send(prepared)
    chain.wait(prepared.hash)  # a node may mine after it has answered
    lost = chain.head()
    assert chain.balance(NOBODY) == 6
    assert chain.ask("evm_revert", snapshot) is True
    assert chain.head() == kept and chain.balance(NOBODY) == 1
    assert chain.receipt(prepared.hash) is None and chain.block(lost.number) is None
    again = chain.prepare(DEPLOYER, NOBODY, value=7)
    chain.send(again)
    chain.wait(again.hash)
    head = chain.head()
    assert head.number == lost.number and head.parent == kept.hash and head.hash != lost.hash
    assert chain.balance(NOBODY) == 8


def test_time_is_that_of_blocks(chain: Chain) -> None:
    later = chain.time_s() + 1000
    chain.ask("evm_setNextBlockTimestamp", hex(later))
    chain.ask("evm_mine")
    assert chain.time_s() == later
    chain.ask("evm_increaseTime", hex(86_400))
    chain.ask("evm_mine")
    assert chain.time_s() >= later
    # The contract of one instruction sequence: return the block's time.
    code = bytes.fromhex("600880600a3d393df300") + bytes.fromhex("425f5260205ff300")
    created = chain.transact(DEPLOYER, None, code).created
    assert created is not None
    assert int.from_bytes(chain.call(created, b""), "big") == chain.time_s()


def test_another_chain_and_no_node_are_named(chain: Chain) -> None:
    with pytest.raises(WrongChain, match="is of chain 31337, not 1"):
        Chain(chain.provider, chain_id=1)
    with pytest.raises(Unreachable):
        Chain.connect("http://127.0.0.1:1")
    with pytest.raises(Unreachable, match="no URL"):
        Chain.connect("localhost:8545")
    with pytest.raises(ChainError):
        chain.ask("eth_nothing")
    for key in ("", "0x12", "0x" + "00" * 32, "0x" + "ff" * 32, "zz" * 32):
        with pytest.raises(ValueError, match="not a private key") as caught:
            signer_of(key)
        assert not key or key not in str(caught.value)
