"""Why L1 said no, as exceptions with a name each: the same whichever node said it."""

from __future__ import annotations

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

UNREADABLE = (DecodingError, ValueError, OverflowError)
"""What the ABI's decoder raises over a stranger's bytes: lengths out of all bounds, text that is no text."""
ERROR_STRING = bytes.fromhex("08c379a0")  # the selector of Error(string), in which contracts give their reasons


class ChainError(Exception):
    """L1 said no, or nothing."""


class Unreachable(ChainError):
    """No node answers at this address, or what answers is none."""


class RpcError(ChainError):
    """A node's error that has no name here; `code` is JSON-RPC's."""

    def __init__(self, code: int, message: str, data: str = "") -> None:
        super().__init__(f"{message} (code {code})")
        self.code, self.message, self.data = code, message, data


class Reverted(ChainError):
    """A contract refused; `reason` is what it said, in its own words."""

    def __init__(self, reason: str, data: bytes = b"") -> None:
        super().__init__(f"reverted: {reason}")
        self.reason, self.data = reason, data


class NotIncluded(ChainError):
    """A transaction that is in no block after the time that was given to it."""


class Refused(ChainError):
    """A transaction that no block will ever hold as it is: nothing was changed."""


class TransactionTooLarge(Refused):
    """More bytes than nodes pass on to each other."""


class GasAboveCap(Refused):
    """More gas than one transaction may ask for (EIP-7825)."""


class GasTooLow(Refused):
    """Less gas than a transaction costs before anything runs, at the floor price of its calldata (EIP-7623)."""


class InitCodeTooLarge(Refused):
    """Deployment code of more bytes than may be run (EIP-3860)."""


class FeeTooLow(Refused):
    """A fee below the base fee, or a tip above the whole fee."""


class ReplacementTooCheap(Refused):
    """A transaction of this nonce waits, and the new one does not pay a tenth more."""


class NonceTooLow(Refused):
    """The sender's transaction of this nonce is in a block already."""


class NonceTooHigh(Refused):
    """The sender's transactions before this one are missing."""


class WrongChain(Refused):
    """Signed for another chain, or a node of another chain than expected."""


class BalanceTooLow(Refused):
    """The sender cannot pay value and gas at the highest price he offers."""


class BadSignature(Refused):
    """The signature is none, or not in the one form that is accepted."""


class BadTransaction(Refused):
    """Bytes that are no transaction, or one of a kind that is not taken here."""


class AlreadyKnown(Refused):
    """This very transaction waits already."""


# Parts of nodes' messages, in lower case, the more special first: each client has words of its own.
WORDS: tuple[tuple[str, type[Refused]], ...] = (
    ("oversized data", TransactionTooLarge),
    ("exceeds max transaction size", TransactionTooLarge),
    ("transaction is too large", TransactionTooLarge),
    ("gas limit of a transaction", GasAboveCap),
    ("gas limit too high", GasAboveCap),
    ("tx_gas_limit_cap", GasAboveCap),
    ("greater than the cap", GasAboveCap),
    ("exceeds transaction gas limit", GasAboveCap),
    ("exceeds block gas limit", GasAboveCap),
    ("intrinsic gas too low", GasTooLow),
    ("intrinsic gas too high", GasTooLow),  # what is needed is higher than what is given
    ("floor data gas", GasTooLow),
    ("gas floor", GasTooLow),
    ("initcode size", InitCodeTooLarge),
    ("init code", InitCodeTooLarge),
    ("replacement transaction underpriced", ReplacementTooCheap),
    ("max fee per gas less than block base fee", FeeTooLow),
    ("fee cap less than block base fee", FeeTooLow),
    ("less than the base fee", FeeTooLow),
    ("max priority fee per gas higher than max fee", FeeTooLow),
    ("higher than max fee per gas", FeeTooLow),
    ("transaction underpriced", FeeTooLow),
    ("nonce too low", NonceTooLow),
    ("nonce too high", NonceTooHigh),
    ("invalid chain id", WrongChain),
    ("chain id", WrongChain),
    ("insufficient funds", BalanceTooLow),
    ("invalid sender", BadSignature),
    ("signature", BadSignature),
    ("already known", AlreadyKnown),
    ("already imported", AlreadyKnown),
    ("failed to decode", BadTransaction),
    ("transaction type", BadTransaction),
)


def revert_reason(data: bytes) -> str:
    """The words in what a revert returned; the bytes themselves where it says none."""
    if data.startswith(ERROR_STRING):
        try:
            return str(decode(["string"], data[4:])[0])
        except UNREADABLE:
            pass  # not the string it claims to be: shown as it came
    return f"0x{data.hex()}" if data else "no reason given"


def named(code: int, message: str, data: object = None) -> ChainError:
    """The exception for a JSON-RPC error. A revert comes with its data, as code 3 or in words."""
    if isinstance(data, dict):  # some nodes wrap the data once more
        data = data.get("data")
    text = data if isinstance(data, str) and data.startswith("0x") else ""
    if code == 3 or "revert" in message.lower():
        raw = bytes.fromhex(text[2:])
        words = message.partition("reverted:")[2].strip()  # the nodes' own words stand before
        return Reverted(revert_reason(raw) if raw else words or message, raw)
    for words, kind in WORDS:
        if words in message.lower():
            return kind(message)
    return RpcError(code, message, text)
