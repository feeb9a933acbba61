"""An owner on Ethereum: deposit, claim what was withdrawn, and leave by force, through the contracts alone.

Nothing here asks the exchange. Calls wait for blocks, so from an event loop they go through `asyncio.to_thread`.
Each may raise what `bridge.chain.Chain` raises, all of it a ChainError.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.chain import Chain, Receipt, signer_of
from bulkhead.bridge.record import Deployment, read_record
from bulkhead.client.signer import units_of
from bulkhead.node import leave
from bulkhead.node.leave import Errand, Terms
from bulkhead.node.rebuild import rebuild
from bulkhead.node.replay import read_genesis

MONEY = 1_000_000  # smallest units of a dollar
Report = Callable[[str, int], None]  # what was done, and the gas it took


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

    # -- money in and out ----------------------------------------------------------------------------------------------

    def balance(self) -> Decimal:
        """Dollars of the owner's own on L1."""
        token = self.deployment.contract(self.chain, "token")
        return Decimal(token.call("balanceOf", str(self.signer.address))) / MONEY

    def deposit(self, account_id: int, amount: Decimal) -> int:
        """Dollars to an account; the place in the queue. They are there when a batch has taken the deposit."""
        units, custody = units_of(amount), self.deployment.contract(self.chain, "custody")
        token = self.deployment.contract(self.chain, "token")
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
        return Decimal(leave.claim(errand, found, chosen.shape, owner)) / MONEY

    def _errand(self) -> Errand:
        return Errand(self.chain, self.deployment, self.signer, self._report)

    def _done(self, done: str, receipt: Receipt) -> None:
        self._report(done, receipt.gas_used)
