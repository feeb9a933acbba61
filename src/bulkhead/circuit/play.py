"""Playing transactions on words of memory: the rows of the rules table, and all that they ask of other tables."""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.circuit.operations import (
    CHECKED,
    HALF,
    OPERATIONS,
    PORT_A,
    PORT_B,
    PRIME_HIGH,
    REGISTERS,
    Venue,
)
from bulkhead.circuit.rules import SLOTS, slot_of
from bulkhead.circuit.words import (
    CHOICES,
    COLLATERAL,
    EXPIRY_BITS,
    FIXED_WORDS,
    HEAD,
    MONEY,
    MONEY_RECORD,
    ORDER_RECORD,
    OWNER_KEY,
    POSITIONS,
    key_of,
)
from bulkhead.fixed import seconds_floor
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.commitment import account_felts, money_felts
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.ledger.orders import key_of as order_key
from bulkhead.ledger.state import Account, State
from bulkhead.ledger.tx import Deposit, Transaction, Transfer, Withdrawal
from bulkhead.limits import QUOTE_LIMIT, TIME_S_BITS
from bulkhead.signing.messages import MESSAGE_PREFIX, TRANSFER_SELECTOR, WITHDRAWAL_SELECTOR, struct_hash
from stark.chips.poseidon import Sponge, list_sponge
from stark.ecdsa import Signed
from stark.prime import PRIME


class NotProvable(Exception):
    """A transaction that the circuits do not cover yet."""


def account_words(account: Account | None) -> dict[int, int]:
    """An account's words by number; none of an account that does not exist."""
    if account is None:
        return {}
    numbers = [
        *range(FIXED_WORDS),
        *(COLLATERAL + asset_id for asset_id, _ in account.collateral),
        *(POSITIONS + position.market_id for position in account.positions),
        *(CHOICES + choice.market_id for choice in account.choices),
    ]
    return dict(zip(numbers, account_felts(account), strict=True))


def money_words(state: State) -> dict[int, int]:
    """The venue's money by word."""
    return dict(enumerate(money_felts(state)))


class Play:
    """Memory as the rows leave it, and everything they ask for."""

    def __init__(self, before: State, venue: Venue):
        self.before, self.venue = before, venue
        self.authority = Authority(before.config, verify=False)
        self.memory: dict[int, tuple[int, int]] = {}  # key to value and the time it was written
        self.accounts: dict[int, None] = {}  # touched, in order
        self.spent: dict[int, tuple[int, int, int]] = {}  # orders: amount, expiry and time
        self.rows: list[list[int]] = []
        self.asked: list[int] = []
        self.hashed: list[Sponge] = []
        self.signed: list[Signed] = []
        self.width = len(OPERATIONS) + len(REGISTERS) + CHECKED + len(PORT_A) + len(PORT_B)
        self.deposits, self.withdrawals = before.counters.deposits, before.counters.withdrawals
        self.time_ms = int(before.time_ms)

    def take(self, number: int, transaction: Transaction) -> None:
        """Add the rows of a transaction."""
        registers = dict.fromkeys(REGISTERS, 0) | {
            "number": number,
            "time_ms": int(transaction.time_ms),
            "deposits": self.deposits,
            "withdrawals": self.withdrawals,
        }
        if isinstance(transaction, Deposit) and transaction.asset_id == NUMERAIRE:
            self._deposit(transaction, registers)
        elif isinstance(transaction, Withdrawal | Transfer) and transaction.asset_id == NUMERAIRE:
            self._signed(transaction, registers)
        else:
            raise NotProvable(f"transaction {number} of the batch: {type(transaction).__name__} has no circuit yet")
        self.time_ms = int(transaction.time_ms)

    # --- transactions -------------------------------------------------------------------------------------------------

    def _deposit(self, transaction: Deposit, registers: dict[str, int]) -> None:
        account, amount = int(transaction.account_id), transaction.amount
        registers |= {"account": account, "amount": amount}
        self._head("deposit", registers, account)
        old, topped_up, money = self._money(account, amount)
        word = key_of(MONEY_RECORD, self.venue.custody_word)
        held = self._read(word) + amount
        spare = self.venue.cap - (held - int(NUMERAIRE) * HALF)
        self._row("credit", registers, [old, topped_up, old + amount, spare], [money, (word, held)])
        self.deposits += 1

    def _signed(self, transaction: Withdrawal | Transfer, registers: dict[str, int]) -> None:
        is_transfer = isinstance(transaction, Transfer)
        account = int(transaction.source if isinstance(transaction, Transfer) else transaction.account_id)
        recipient = int(transaction.target if isinstance(transaction, Transfer) else transaction.recipient)
        key = self._read(key_of(account, OWNER_KEY))
        selector = TRANSFER_SELECTOR if is_transfer else WITHDRAWAL_SELECTOR
        amount, expiry_s, salt = transaction.amount, int(transaction.expiration_s), transaction.salt
        members = (recipient, account, self.venue.collateral_id, amount, expiry_s, salt)
        if isinstance(transaction, Transfer):
            digest = self.authority.transfer_hash(transaction, key)  # type: ignore[arg-type]
        else:
            digest = self.authority.withdrawal_hash(transaction, key)  # type: ignore[arg-type]
        struct = struct_hash(selector, *members)
        registers |= {
            "account": account, "amount": amount, "recipient": recipient, "expiry_s": expiry_s, "salt": salt,
            "key": key, "struct": struct, "digest": digest, "is_transfer": int(is_transfer),
        }  # fmt: skip
        if is_transfer:
            self._pay(registers, account, recipient, amount)
        else:
            self._debit(registers, account, amount)
            self.withdrawals += 1
        self.hashed.append(list_sponge((selector, *members)))
        self._sign(registers, struct)
        self.signed.append(Signed(key, digest, transaction.signature.r, transaction.signature.s))

    def _debit(self, registers: dict[str, int], account: int, amount: int) -> None:
        self._head("withdraw", registers, account)
        old, topped_up, money = self._money(account, -amount)
        word = key_of(MONEY_RECORD, self.venue.custody_word)
        held = self._read(word) - amount
        checked = [old, topped_up, old - amount, old - amount - QUOTE_LIMIT, amount - 1, held - int(NUMERAIRE) * HALF]
        self._row("debit", registers, checked, [money, (word, held)])

    def _pay(self, registers: dict[str, int], account: int, recipient: int, amount: int) -> None:
        self._head("transfer", registers, account)
        differs = pow(account - recipient, -1, PRIME) if account != recipient else 0
        self._head("target", registers, recipient, spare={"before_b": differs})
        old, topped_up, money = self._money(account, -amount)
        other, other_topped_up, paid = self._money(recipient, amount)
        checked = [old, topped_up, old - amount, other, other_topped_up, other + amount]
        checked += [old - amount - QUOTE_LIMIT, amount - 1]
        self._row("pay", registers, checked, [money, paid])

    def _sign(self, registers: dict[str, int], struct: int) -> None:
        """The four operations of a signed message."""
        time_ms, expiry_s, key = registers["time_ms"], registers["expiry_s"], registers["key"]
        now_s = seconds_floor(time_ms)  # type: ignore[arg-type]
        ms, ahead = time_ms - 1000 * now_s, expiry_s - now_s
        checked = [
            now_s, ms, 999 - ms, ahead, self.venue.expiry_max_s - ahead, registers["salt"], expiry_s,
            expiry_s << (64 - TIME_S_BITS),
        ]  # fmt: skip
        self._row("sign", registers, checked, [(key_of(registers["account"], OWNER_KEY), key)])
        self._row("sign_rest", registers, [], [])
        self._row("message", registers, [], [])
        digest = registers["digest"]
        high, low = digest >> 128, order_key(digest)
        below = PRIME_HIGH - high
        word = key_of(ORDER_RECORD, low)
        self.memory.setdefault(word, (expiry_s, 0))
        self.hashed.append(list_sponge((MESSAGE_PREFIX, self.venue.domain_hash, key, struct)))
        spare = {"before_b": pow(below, -1, PRIME) if below else 0}
        checked = [*divmod(high, HALF), *divmod(low, HALF), *divmod(below, HALF)]
        after = (registers["amount"] << EXPIRY_BITS) + expiry_s
        self._row("spend", registers, checked, [(word, after)], spare)
        self.spent[low] = registers["amount"], expiry_s, self.memory[word][1]

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _head(
        self, operation: str, registers: dict[str, int], account: int, spare: dict[str, int] | None = None
    ) -> None:
        """A row that reads an account's head and shows what it must be."""
        word = key_of(account, HEAD)
        head = self._read(word)
        settings, rest = head >> 170, head & ((1 << 138) - 1)
        passed = registers["time_ms"] - self.time_ms if not OPERATIONS[operation].after else 0
        upper, lower = rest >> 74, rest & ((1 << 74) - 1)
        liquidated, counts = lower >> 24, lower & ((1 << 24) - 1)
        checked = [passed, settings >> 24 & 255, settings >> 16 & 255, upper, liquidated, counts, account]
        if OPERATIONS[operation].checked == CHECKED:  # money leaves: the account must be flat
            if counts >> 8:
                raise NotProvable(f"account {account} holds more than its balance: margin has no circuit yet")
            checked.append(counts << 56)
        self._row(operation, registers, checked, [(word, head)], spare or {})

    def _money(self, account: int, change: int) -> tuple[int, int, tuple[int, int]]:
        """An account's biased balance, what it was topped up with, and the word's key with its new value."""
        word = key_of(account, MONEY)
        old, topped_up = divmod(self._read(word), HALF)
        return old, topped_up, (word, (old + change) * HALF + topped_up)

    def _read(self, word: int) -> int:
        """What memory holds; an account or the venue's money is brought in when it is first read."""
        if word not in self.memory:
            record = word >> 32
            if record == MONEY_RECORD:
                words = money_words(self.before)
            else:
                words = account_words(self.before.accounts.get(record))
                if not words:
                    raise NotProvable(f"account {record} does not exist before the batch")
                self.accounts[record] = None
            for number, value in words.items():
                self.memory.setdefault(key_of(record, number), (value, 0))
        return self.memory[word][0]

    def _row(
        self,
        operation: str,
        registers: dict[str, int],
        checked: Sequence[int],
        ports: Sequence[tuple[int, int]],
        spare: dict[str, int] | None = None,
    ) -> None:
        """One row: reads each port's word and leaves the value given with it."""
        cells = spare.copy() if spare else {}
        for port, (names, (word, value)) in enumerate(zip((PORT_A, PORT_B), ports, strict=False)):
            before, written = self.memory[word]
            time = SLOTS * registers["number"] + slot_of(operation, port)
            cells |= dict(zip(names, (before, value, written), strict=True))
            self.memory[word] = value, time
            self.asked.append(time - written - 1)
        used = OPERATIONS[operation].registers
        numbers = [*checked, *[0] * (CHECKED - len(checked))]
        self.asked += numbers
        self.rows.append([
            *(int(name == operation) for name in OPERATIONS),
            *(registers[name] if name in used else 0 for name in REGISTERS),
            *numbers,
            *(cells.get(name, 0) for name in (*PORT_A, *PORT_B)),
        ])  # fmt: skip
