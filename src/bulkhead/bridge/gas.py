"""What Ethereum lets one transaction be: bytes and gas. Checked before sending: nodes differ in what they enforce."""

from __future__ import annotations

from bulkhead.bridge.errors import GasAboveCap, GasTooLow, InitCodeTooLarge, TransactionTooLarge

TRANSACTION_BYTES_MAX = 128 * 1024  # signed and encoded: what mempools pass on
GAS_MAX = 1 << 24  # of one transaction (EIP-7825)
CODE_BYTES_MAX = 24_576  # of a contract (EIP-170)
INIT_CODE_BYTES_MAX = 2 * CODE_BYTES_MAX  # of a deployment (EIP-3860)

BASE_GAS = 21_000
CREATION_GAS = 32_000
INIT_CODE_WORD_GAS = 2
TOKEN_GAS, TOKEN_FLOOR_GAS = 4, 10  # of a zero byte; any other byte is four tokens
TOKENS = 4


def tokens(data: bytes) -> int:
    """Calldata as EIP-7623 counts it."""
    zeros = data.count(0)
    return zeros + TOKENS * (len(data) - zeros)


def floor_gas(data: bytes) -> int:
    """The least gas that a transaction with this calldata costs, however little it does."""
    return BASE_GAS + TOKEN_FLOOR_GAS * tokens(data)


def intrinsic_gas(data: bytes, is_creation: bool) -> int:
    """Gas charged before anything runs, without an access list."""
    gas = BASE_GAS + TOKEN_GAS * tokens(data)
    return gas + CREATION_GAS + INIT_CODE_WORD_GAS * (-(-len(data) // 32)) if is_creation else gas


def check_transaction(raw: bytes, data: bytes, gas: int, is_creation: bool) -> None:
    """Refuse what no node of Ethereum would take: raises the `Refused` that says which limit it passes."""
    if len(raw) > TRANSACTION_BYTES_MAX:
        raise TransactionTooLarge(f"transaction is too large: {len(raw):,} bytes of at most {TRANSACTION_BYTES_MAX:,}")
    if gas > GAS_MAX:
        raise GasAboveCap(f"the gas limit of a transaction is {GAS_MAX:,}, and this asks for {gas:,}")
    if is_creation and len(data) > INIT_CODE_BYTES_MAX:
        raise InitCodeTooLarge(f"init code of {len(data):,} bytes, of at most {INIT_CODE_BYTES_MAX:,}")
    needed = max(floor_gas(data), intrinsic_gas(data, is_creation))
    if gas < needed:
        raise GasTooLow(f"intrinsic gas too low: {gas:,} given, {needed:,} needed")
