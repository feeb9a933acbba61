"""Refusals have one name each, in whatever words a client puts them."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

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
    NonceTooHigh,
    NonceTooLow,
    ReplacementTooCheap,
    Reverted,
    RpcError,
    TransactionTooLarge,
    WrongChain,
    named,
    revert_reason,
)
from bulkhead.bridge.gas import check_transaction, floor_gas, intrinsic_gas

SAID = bytes.fromhex("08c379a0") + encode(["string"], ["rollup: not proven"])


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("oversized data: transaction size 140000, limit 131072", TransactionTooLarge),
        ("transaction gas limit too high (cap: 16777216, tx: 20000000)", GasAboveCap),
        ("exceeds block gas limit", GasAboveCap),
        ("intrinsic gas too high -- tx.gas_limit > env.cfg.tx_gas_limit_cap", GasAboveCap),
        ("intrinsic gas too low: gas 20000, minimum needed 21000", GasTooLow),
        ("insufficient gas for floor data gas cost: gas 30000, minimum needed 421000", GasTooLow),
        ("max initcode size exceeded: code size 50000, limit 49152", InitCodeTooLarge),
        ("replacement transaction underpriced", ReplacementTooCheap),
        ("transaction underpriced: gas tip cap 1, minimum needed 100", FeeTooLow),
        ("max fee per gas less than block base fee: address 0x12, maxFeePerGas: 1, baseFee: 7", FeeTooLow),
        ("max priority fee per gas higher than max fee per gas: address 0x12", FeeTooLow),
        ("nonce too low: next nonce 5, tx nonce 4", NonceTooLow),
        ("nonce too high: address 0x12, tx: 9 state: 4", NonceTooHigh),
        ("invalid chain id for signer: have 5 want 1", WrongChain),
        ("insufficient funds for gas * price + value: balance 5, tx cost 9, overshot 4", BalanceTooLow),
        ("invalid sender", BadSignature),
        ("already known", AlreadyKnown),
        ("transaction already imported", AlreadyKnown),
        ("transaction type not supported", BadTransaction),
        ("the method eth_nothing does not exist", RpcError),
    ],
)
def test_a_nodes_words_have_a_name(message: str, kind: type[ChainError]) -> None:
    error = named(-32000, message)
    assert type(error) is kind and message in str(error)


@pytest.mark.parametrize(
    ("code", "message", "data", "reason"),
    [
        (3, "execution reverted: rollup: not proven", "0x" + SAID.hex(), "rollup: not proven"),
        (-32000, "execution reverted", None, "execution reverted"),
        (-32000, "execution reverted: rollup: paused", None, "rollup: paused"),
        (-32015, "VM execution error, reverted", {"data": "0x" + SAID.hex()}, "rollup: not proven"),
        (3, "execution reverted", "0x", "execution reverted"),
        (3, "execution reverted", "0x12345678", "0x12345678"),
        (3, "execution reverted", "0x" + SAID[:40].hex(), "0x" + SAID[:40].hex()),
    ],
)
def test_a_revert_keeps_its_reason(code: int, message: str, data: object, reason: str) -> None:
    error = named(code, message, data)
    assert isinstance(error, Reverted) and error.reason == reason


def test_a_reason_that_is_no_text_is_shown_as_it_came() -> None:
    assert revert_reason(b"") == "no reason given"
    broken = bytes.fromhex("08c379a0") + encode(["bytes"], [b"\xff\xfe"])
    assert revert_reason(broken) == "0x" + broken.hex()


@settings(max_examples=300)
@given(st.integers(0, len(SAID) - 5), st.binary(min_size=1, max_size=40))
def test_any_bytes_of_a_revert_have_words(place: int, noise: bytes) -> None:
    spoiled = SAID[:4] + SAID[4 : 4 + place] + noise + SAID[4 + place + len(noise) :]
    assert revert_reason(spoiled)
    assert revert_reason(spoiled[: 4 + place])


def test_gas_before_anything_runs() -> None:
    """Of four bytes, two of them zero: 2 + 2 * 4 tokens; a deployment pays for itself and for each word of its code."""
    data = b"\0\1\0\2"
    assert floor_gas(data) == 21_000 + 100 and intrinsic_gas(data, False) == 21_000 + 40
    assert intrinsic_gas(data, True) == 21_000 + 40 + 32_000 + 2
    check_transaction(b"raw", data, 21_100, False)
    check_transaction(b"raw", data, 53_042, True)
    for gas, is_creation in ((21_099, False), (53_041, True)):
        with pytest.raises(GasTooLow):
            check_transaction(b"raw", data, gas, is_creation)
