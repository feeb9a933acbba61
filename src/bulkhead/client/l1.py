"""An owner on Ethereum: deposit, claim what was withdrawn, and leave by force, through the contracts alone.

Nothing here asks the exchange. Calls wait for blocks, so from an event loop they go through `asyncio.to_thread`.
Each may raise what `bridge.chain.Chain` raises, all of it a ChainError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.chain import Chain, Receipt, signer_of
from bulkhead.bridge.errors import ChainError, NotIncluded, Unreachable
from bulkhead.bridge.open import is_url, open_chain
from bulkhead.bridge.proposals import Kind, Proposal, Proposals
from bulkhead.bridge.proposals import Stage as ProposalStage
from bulkhead.bridge.record import Deployment, check_record, read_record
from bulkhead.client.settled import Settled, anchored, batch_of, check
from bulkhead.client.signer import MONEY, units_of
from bulkhead.client.solvency import SolvencyError
from bulkhead.fixed import quote_floor
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.node import leave
from bulkhead.node.leave import Errand, NoExit, Terms
from bulkhead.node.liabilities import settled_liabilities
from bulkhead.node.rebuild import NotRebuilt, rebuild
from bulkhead.node.replay import ExchangeError, read_genesis
from bulkhead.signing import SigningError

__all__ = [
    "FAILURES", "L1", "UNSURE", "FromCalldata", "Kind", "Proposal", "ProposalStage", "Proposals", "Proven", "Standing",
]  # fmt: skip
FAILURES: tuple[type[Exception], ...] = (
    ChainError, NoExit, NotRebuilt, ExchangeError, SigningError, SolvencyError, ValueError, OSError,
)  # fmt: skip
"""What any call here may raise; each says what to do."""
UNSURE: tuple[type[Exception], ...] = (Unreachable, NotIncluded)
"""Those after which a transaction may or may not have been sent."""
WEI = 10**18  # in an ether
CONFIRMATIONS = 12  # of what is not read again
Report = Callable[[str, int], None]  # what was done, and the gas it took


class Standing(NamedTuple):
    """What L1 says at one block: of the rollup, and of one owner. Amounts in dollars, ether in ether."""

    block: int
    time_s: int
    batches: int  # settled
    requested: int  # forced requests so far, and how many of them were processed
    processed: int
    is_overdue: bool  # one of them waits for longer than a week: anybody may freeze
    is_frozen: bool
    is_finished: bool  # after a freeze, every account's worth is proven
    fee_wei: int  # of a forced request
    custody: Decimal
    balance: Decimal
    claimable: Decimal
    ether: Decimal


class Proven(NamedTuple):
    """An owner's account as L1's calldata alone tells it."""

    account_id: int
    kind: str
    value: Decimal  # at the last proven prices
    balance: Decimal


class FromCalldata(NamedTuple):
    """What was rebuilt: up to which batch and block, the owner's accounts in it, and what is owed to all accounts. An
    exchange that shows another `liabilities` for this batch (`client.settled`) has told somebody what is not so."""

    batches: int
    block: int
    root: int
    accounts: tuple[Proven, ...]
    total: Decimal
    liabilities: str  # the root of the tree of sums


class L1:
    """One owner's view of one deployment."""

    def __init__(
        self, chain: Chain, deployment: Deployment, signer: LocalAccount, report: Report = lambda done, gas: None
    ) -> None:
        self.chain = chain
        self.deployment = deployment
        self.signer = signer
        self._report = report

    @classmethod
    def connect(cls, url: str, record: Path, ethereum_key: str, report: Report = lambda done, gas: None) -> L1:
        """By a node's URL and the deployment's record. Raises ChainError, and ValueError for what is no key."""
        deployment, signer = read_record(record), signer_of(ethereum_key)
        return cls(Chain.connect(url, chain_id=deployment.chain_id), deployment, signer, report)

    @classmethod
    @contextmanager
    def opened(
        cls, word: str, record: Path, ethereum_key: str, report: Report = lambda done, gas: None
    ) -> Iterator[L1]:
        """While inside. `word` is a node's URL, or the file of an embedded chain that nobody holds. The contracts' code
        is held to the record. Raises ChainError, and ValueError for what is no key."""
        deployment, signer = read_record(record), signer_of(ethereum_key)
        chain_id = deployment.chain_id if is_url(word) else None
        with open_chain(word, lambda: int(time.time()), chain_id=chain_id) as chain:
            check_record(chain, deployment)
            yield cls(chain, deployment, signer, report)

    def standing(self) -> Standing:
        """How rollup, custody and the owner stand in the newest block."""
        head, address = self.chain.head(), str(self.signer.address)
        rollup, custody, token = (
            self.deployment.contract(self.chain, name) for name in ("rollup", "custody", "token")
        )
        exit_ = self.deployment.exit
        is_finished = exit_ is not None and bool(self._errand().escape.call("is_finished"))
        return Standing(
            head.number,
            head.time_s,
            int(rollup.call("batches")),
            int(rollup.call("requested")),
            int(rollup.call("counters")[2]),
            bool(rollup.call("is_overdue")),
            bool(rollup.call("frozen")),
            is_finished,
            int(rollup.call("FEE")),
            Decimal(token.call("balanceOf", self.deployment.custody.address)) / MONEY,
            Decimal(token.call("balanceOf", address)) / MONEY,
            Decimal(custody.call("claimable", address)) / MONEY,
            Decimal(self.chain.balance(address)) / WEI,
        )

    def proposals(self, known: Proposals | None = None) -> Proposals:
        """What L1's council has announced, read from L1 itself: ask the result to `look`. `known` is one of before,
        which goes on where it was."""
        return Proposals(self.chain, self.deployment, CONFIRMATIONS) if known is None else known.over(self.chain)

    def from_calldata(self, exchange: Path) -> FromCalldata:
        """The state that L1's calldata leads to, which is held to the rollup's root; the owner's accounts in it.

        `exchange` is a folder with the exchange's genesis. Raises NotRebuilt.
        """
        begun, owner = read_genesis(exchange), int(str(self.signer.address), 16)
        found = rebuild(self.chain, self.deployment, begun.config, begun.time_ms)
        accounts = []
        for account in sorted(found.state.accounts.values(), key=lambda one: one.account_id):
            if account.l1_owner == owner:
                now = settled(found.state, account)[0]
                worth = Decimal(int(quote_floor(health_of(found.state, now).value))) / MONEY
                accounts.append(
                    Proven(int(account.account_id), account.kind.name, worth, Decimal(int(now.balance)) / MONEY)
                )
        owed = settled_liabilities(found.state, found.root).root
        total = Decimal(owed.total) / MONEY
        return FromCalldata(found.batches, found.block, found.root, tuple(accounts), total, owed.digest.hex())

    def settled(self, told: Mapping[str, Any], exchange: Path, account_id: int, key: int) -> Settled:
        """Hold what the exchange tells of an account of this owner (`Trader.settled_solvency`) to L1's state.

        `exchange` is a folder with the exchange's genesis; `key` the account's. Raises SolvencyError.
        """
        anchor = anchored(self.chain, self.deployment, batch_of(told))
        owner = int(str(self.signer.address), 16)
        return check(told, anchor, read_genesis(exchange).config, account_id, key, owner)

    # -- money in and out ----------------------------------------------------------------------------------------------

    def balance(self) -> Decimal:
        """Dollars of the owner's own on L1."""
        token = self.deployment.contract(self.chain, "token")
        return Decimal(token.call("balanceOf", str(self.signer.address))) / MONEY

    def deposit(self, account_id: int, amount: Decimal) -> int:
        """Dollars to an account; the place in the queue. They are there when a batch has taken the deposit. ValueError
        where the owner has less on L1."""
        units, custody = units_of(amount), self.deployment.contract(self.chain, "custody")
        token = self.deployment.contract(self.chain, "token")
        held = int(token.call("balanceOf", str(self.signer.address)))
        if held < units:
            raise ValueError(f"{Decimal(held) / MONEY:,.2f} USD are on L1 in this wallet, less than the deposit")
        if token.call("allowance", str(self.signer.address), custody.address) < units:
            self._done("approved", token.transact(self.signer, "approve", custody.address, units))
        receipt = custody.transact(self.signer, "deposit", account_id, units)
        self._done(f"deposited {amount}", receipt)
        [event] = [each for each in custody.read(receipt.logs) if each.name == "Deposited"]
        return int(event.values["number"])

    def claimable(self) -> Decimal:
        """Dollars that were withdrawn and proven, and can be claimed."""
        custody = self.deployment.contract(self.chain, "custody")
        return Decimal(custody.call("claimable", str(self.signer.address))) / MONEY

    def claim(self) -> Decimal:
        """Have custody send what it owes to the owner; how much that was."""
        owed = self.claimable()
        if owed:
            custody = self.deployment.contract(self.chain, "custody")
            self._done(f"claimed {owed}", custody.transact(self.signer, "claim", str(self.signer.address)))
        return owed

    # -- by force ------------------------------------------------------------------------------------------------------

    def force_withdrawal(self, account_id: int, amount: Decimal) -> int:
        """Ask for a withdrawal that the operator can neither refuse nor forget; the request's number."""
        return leave.ask(self._errand(), account_id, units_of(amount))

    def force_close(self, account_id: int, market_id: int) -> int:
        """Ask that a position be closed, whatever the operator thinks of it; the request's number."""
        rollup = self.deployment.contract(self.chain, "rollup")
        receipt = rollup.transact(self.signer, "request_close", account_id, market_id, value=rollup.call("FEE"))
        self._done(f"asked for market {market_id} of account {account_id} to be closed", receipt)
        [event] = [each for each in rollup.read(receipt.logs) if each.name == "Requested"]
        return int(event.values["number"])

    def exit(self, exchange: Path, terms: Terms | None = None) -> Decimal:
        """Leave with the operator gone, when a forced request is overdue: freeze, prove every account's worth, claim.

        `exchange` is a folder with the exchange's genesis; nothing else of it is read. What others have done already
        is not done again. Raises NoExit, which says what is missing, and NotRebuilt.
        """
        errand, begun = self._errand(), read_genesis(exchange)
        chosen = Terms() if terms is None else terms
        leave.freeze(errand)
        found = rebuild(self.chain, self.deployment, begun.config, begun.time_ms)
        leave.settle(errand, found, chosen)
        owner = str(self.signer.address)
        leave.take_back(errand, owner)
        return Decimal(leave.claim(errand, leave.shape_of(errand, found, chosen), owner)) / MONEY

    def _errand(self) -> Errand:
        return Errand(self.chain, self.deployment, self.signer, self._report)

    def _done(self, done: str, receipt: Receipt) -> None:
        self._report(done, receipt.gas_used)
