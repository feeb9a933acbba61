"""An exchange and an L1 on which nothing is proven: what the ways between their queues are tested with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.artifacts import Artifact, SystemArtifacts
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import Beginning, deploy
from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.embedded.provider import EmbeddedProvider
from bulkhead.bridge.open import new_chain
from bulkhead.bridge.record import Deployment
from bulkhead.engine.command import Command, Prices, Submit
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.ledger.tx import OracleReport, Register
from bulkhead.node.exchange import Exchange
from bulkhead.node.settlement import Settlement, Terms
from bulkhead.node.settling.intake import ExchangeIntake
from bulkhead.units import AccountId, Felt, Price, TimeMs
from tests.bridge.chains import CHAIN_ID, DEPLOYER, DEPOSITOR, ETHER, ROLES, on_anvil
from tests.node.exchange_world import OPENING, START_MS, UNSIGNED, USD, small_config

START_S = START_MS // 1000
FEE = 1000
OWNER = DEPOSITOR
TRADER, NOBODY = AccountId(128), 64 * 999
BELIEVER = bytes.fromhex("600a600c600039600a6000f3600160005260206000f3")  # answers every call with 1
TERMS = Terms(confirmations=1)


class Between(NamedTuple):
    """Both sides."""

    folder: Path
    chain: Chain
    deployment: Deployment
    exchange: Exchange

    @property
    def custody(self) -> Contract:
        return self.deployment.contract(self.chain, "custody")

    @property
    def rollup(self) -> Contract:
        return self.deployment.contract(self.chain, "rollup")

    def mine(self) -> None:
        """Make a block, a second after the last: anvil's may be of the same second."""
        self.pass_time(1)

    def now(self) -> TimeMs:
        """The exchange's clock is L1's."""
        return TimeMs(self.chain.time_s() * 1000)

    def service(self, **options: Any) -> Settlement:
        """The service with the exchange in its thread."""
        given: dict[str, Any] = {"intake": ExchangeIntake(self.exchange, self.now), "terms": TERMS, **options}
        return Settlement(self.folder, self.chain, self.deployment, DEPLOYER, **given)

    def do(self, make: Callable[[TimeMs], Command]) -> None:
        """A command of somebody else."""
        ExchangeIntake(self.exchange, self.now).submit(make)

    def register(self, account_id: int, l1_owner: LocalAccount = OWNER) -> None:
        """A new account."""
        owner = int(str(l1_owner.address), 16)
        self.do(
            lambda time_ms: Submit(
                time_ms,
                Register(
                    time_ms, AccountId(account_id), Kind.MAIN, MarginRule.LINEAR, Felt(account_id), owner,
                    AccountId(0), USD, UNSIGNED,
                ),
            )
        )  # fmt: skip

    def tick(self, sequence: int) -> None:
        """Prices signed now, which is a second after the last block."""
        self.mine()
        prices = tuple((market_id, Price(price << 32)) for market_id, price in OPENING.items())
        self.do(
            lambda time_ms: Prices(
                time_ms, tuple(OracleReport(signer, sequence, time_ms, prices, UNSIGNED) for signer in range(3))
            )
        )

    def deposit(self, account: int, amount: int, depositor: LocalAccount = DEPOSITOR) -> None:
        """Into custody's queue."""
        token = self.deployment.contract(self.chain, "token")
        token.transact(depositor, "mint", depositor.address, amount)
        token.transact(depositor, "approve", self.custody.address, amount)
        if account:
            self.custody.transact(depositor, "deposit", account, amount)
        else:
            self.custody.transact(depositor, "deposit_for_insurance", amount)

    def balance(self, account_id: int = TRADER) -> int:
        """Of an account on L2."""
        return int(self.exchange.state.accounts[AccountId(account_id)].balance)

    def pass_time(self, seconds: int) -> None:
        """On L1."""
        self.chain.ask("evm_mine", hex(self.chain.time_s() + seconds))


@contextmanager
def between(
    folder: Path, config: VenueConfig | None = None, *, settled: int = 0, kind: str = "embedded"
) -> Iterator[Between]:
    """A fresh exchange with one trader, and fresh contracts that know of nothing but `settled` batches.

    `kind`: one of L1_KINDS.
    """
    begin = new_chain({str(role.address): 1000 * ETHER for role in ROLES}, START_S, CHAIN_ID)
    embedded = Embedded.open(None, lambda: START_S, begin)
    exchange = Exchange.open(folder / "exchange", config or small_config(), START_MS, verify=False)
    begun = ExitStack()
    try:
        is_embedded = kind == "embedded"
        chain = Chain(EmbeddedProvider(embedded)) if is_embedded else begun.enter_context(on_anvil(embedded))
        names = ("Opening", "Queries", "Pages", "Verifier", "Reader")
        believer = {name: Artifact(name, [], BELIEVER) for name in names}
        system = SystemArtifacts("", "00" * 32, 1, 1, believer, (), b"")
        counters = {
            "deposits": 0, "withdrawals": 0, "forced": 0, "transactions": 0, "fresh_after_ms": 0, "time_ms": 0
        }  # fmt: skip
        deployment = deploy(chain, DEPLOYER, [system], Beginning(1, counters, settled, str(DEPLOYER.address), FEE))
        made = Between(folder / "exchange", chain, deployment, exchange)
        made.register(TRADER)
        yield made
    finally:
        begun.close()
        exchange.close()
        embedded.close()
