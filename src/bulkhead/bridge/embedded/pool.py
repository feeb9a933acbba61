"""Transactions on their way into a block: decoded, held to the rules of mempools, and waiting in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from eth_utils.crypto import keccak
from ethereum.exceptions import EthereumException, InvalidSignatureError
from ethereum.forks.osaka.transactions import (
    AccessListTransaction,
    FeeMarketTransaction,
    LegacyTransaction,
    calculate_intrinsic_cost,
    recover_sender,
)
from ethereum_rlp import rlp
from ethereum_rlp.exceptions import RLPException
from ethereum_types.bytes import Bytes, Bytes0
from ethereum_types.numeric import U64, Uint

from bulkhead.bridge.embedded.machine import Record
from bulkhead.bridge.errors import (
    AlreadyKnown,
    BadSignature,
    BadTransaction,
    BalanceTooLow,
    FeeTooLow,
    GasTooLow,
    NonceTooHigh,
    NonceTooLow,
    ReplacementTooCheap,
    WrongChain,
)
from bulkhead.bridge.gas import check_transaction

Kind = LegacyTransaction | AccessListTransaction | FeeMarketTransaction
KINDS: dict[int, type[Kind]] = {0: LegacyTransaction, 1: AccessListTransaction, 2: FeeMarketTransaction}
REPLACEMENT_TENTHS = 11  # a replacement pays at least a tenth more, in both of its prices


class Signed(NamedTuple):
    """A transaction as it was sent, and what can be read off it. Fees in wei for a unit of gas."""

    raw: bytes
    hash: bytes
    transaction: Kind
    sender: bytes
    nonce: int
    gas: int
    fee_max: int
    tip_max: int
    value: int
    kind: int

    def price(self, base_fee: int) -> int:
        """Wei for a unit of gas in a block of this base fee."""
        return min(self.fee_max, base_fee + self.tip_max)


def decode(raw: bytes, chain_id: int) -> Signed:
    """A signed transaction from its bytes. Raises the `Refused` that says what is wrong with it in any block."""
    kind = raw[0] if raw and raw[0] < 0x80 else 0
    if not raw:
        raise BadTransaction("failed to decode signed transaction: no bytes")
    if kind not in KINDS:
        raise BadTransaction(f"transaction type {kind} is not taken here, only 0, 1 and 2")
    try:
        transaction = rlp.decode_to(KINDS[kind], Bytes(raw[1:] if kind else raw))
    except (EthereumException, RLPException, ValueError, TypeError, OverflowError) as error:
        raise BadTransaction(f"failed to decode signed transaction: {error}") from error
    to, data, gas = transaction.to, bytes(transaction.data), int(transaction.gas)
    check_transaction(raw, data, gas, isinstance(to, Bytes0))
    needed = max(int(each) for each in calculate_intrinsic_cost(transaction))  # with its access list
    if gas < needed:
        raise GasTooLow(f"intrinsic gas too low: {gas:,} given, {needed:,} needed")
    # What a signature covers is the transaction's own chain id, so the specification takes any that is consistent.
    named = int(transaction.chain_id) if not isinstance(transaction, LegacyTransaction) else _chain(int(transaction.v))
    if named != chain_id:
        raise WrongChain(f"invalid chain id: signed for {named}, and this is {chain_id}")
    try:
        sender = bytes(recover_sender(U64(chain_id), transaction))
    except (InvalidSignatureError, ValueError) as error:
        raise BadSignature(f"invalid sender: {error}") from error
    if isinstance(transaction, FeeMarketTransaction):
        fee_max, tip_max = int(transaction.max_fee_per_gas), int(transaction.max_priority_fee_per_gas)
    else:
        fee_max = tip_max = int(transaction.gas_price)
    if tip_max > fee_max:
        raise FeeTooLow("max priority fee per gas higher than max fee per gas")
    nonce, value = int(transaction.nonce), int(transaction.value)
    return Signed(raw, keccak(raw), transaction, sender, nonce, gas, fee_max, tip_max, value, kind)


def _chain(parity: int) -> int | None:
    """The chain a legacy signature names; None for one of before they did, which any chain could replay."""
    return (parity - 35) // 2 if parity >= 35 else None


class Pool:
    """What waits, at most one transaction for each sender and nonce, without gaps."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, dict[int, Signed]] = {}

    def add(self, signed: Signed, account: Record, base_fee: int) -> None:
        """Take a transaction in. Raises the `Refused` that says why not; `base_fee` is the next block's."""
        mine = self._waiting.get(signed.sender, {})
        if signed.nonce < account.nonce:
            raise NonceTooLow(f"nonce too low: {signed.nonce}, and the next is {account.nonce}")
        following = account.nonce + len(mine)
        if signed.nonce > following:
            raise NonceTooHigh(f"nonce too high: {signed.nonce}, and the next is {following}")
        if signed.fee_max < base_fee:
            raise FeeTooLow(f"max fee per gas less than block base fee: {signed.fee_max} and {base_fee} wei")
        owed = sum(_cost(each) for each in mine.values() if each.nonce != signed.nonce) + _cost(signed)
        if owed > account.balance:
            raise BalanceTooLow(f"insufficient funds: {owed} wei with all that waits, and there are {account.balance}")
        old = mine.get(signed.nonce)
        if old is not None:
            if old.hash == signed.hash:
                raise AlreadyKnown("already known")
            pairs = ((old.fee_max, signed.fee_max), (old.tip_max, signed.tip_max))
            if any(10 * new < REPLACEMENT_TENTHS * was for was, new in pairs):
                raise ReplacementTooCheap("replacement transaction underpriced: it pays less than a tenth more")
        self._waiting.setdefault(signed.sender, {})[signed.nonce] = signed

    def following(self, sender: bytes, nonce: int) -> int:
        """The sender's next nonce after all that waits, if the chain's is `nonce`."""
        return nonce + len(self._waiting.get(sender, {}))

    def find(self, digest: bytes) -> Signed | None:
        """A waiting transaction by hash."""
        return next((each for each in self if each.hash == digest), None)

    def drop(self, digest: bytes) -> bool:
        """Forget a transaction, and those of its sender that follow it; whether there was one."""
        found = self.find(digest)
        if found is not None:
            mine = self._waiting[found.sender]
            for nonce in [nonce for nonce in mine if nonce >= found.nonce]:
                del mine[nonce]
        return found is not None

    def choose(self, base_fee: int, gas_limit: int) -> list[Signed]:
        """What goes into a block: the best payers first, each sender's in order, as far as the gas reaches."""
        heads = {sender: sorted(mine.values(), key=_nonce) for sender, mine in self._waiting.items() if mine}
        chosen: list[Signed] = []
        while heads:
            # Among equal payers the sender's address decides, so that a block depends on nothing but its pool.
            sender = max(heads, key=lambda each: (heads[each][0].price(base_fee), each))
            head = heads[sender].pop(0)
            if head.fee_max < base_fee or head.gas > gas_limit:
                del heads[sender]
                continue
            chosen.append(head)
            gas_limit -= head.gas
            if not heads[sender]:
                del heads[sender]
        return chosen

    def settle(self, nonce_of: Callable[[bytes], int]) -> None:
        """Forget what is in blocks by now, and what can no longer be: `nonce_of` tells a sender's next nonce."""
        for sender, mine in list(self._waiting.items()):
            following = nonce_of(sender)
            kept: dict[int, Signed] = {}
            while following in mine:
                kept[following] = mine[following]
                following += 1
            self._waiting[sender] = kept
            if not kept:
                del self._waiting[sender]

    def __iter__(self) -> Iterator[Signed]:
        return (each for mine in self._waiting.values() for each in mine.values())

    def __len__(self) -> int:
        return sum(len(mine) for mine in self._waiting.values())


def _cost(signed: Signed) -> int:
    return signed.value + signed.gas * signed.fee_max


def _nonce(signed: Signed) -> int:
    return signed.nonce


def index_key(place: int) -> bytes:
    """The key of a block's list in the tree that its header names the root of."""
    return bytes(rlp.encode(Uint(place)))
