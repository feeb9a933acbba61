"""A node that settles: an exchange at small parameters, an embedded L1 with its verifier, and a trader of both."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eth_account import Account as Ethereum
from eth_account.signers.local import LocalAccount

from bulkhead import private
from bulkhead.bridge.deploy import deploy
from bulkhead.bridge.open import new_chain, open_embedded
from bulkhead.bridge.record import write_record
from bulkhead.circuit.batch import SMALL
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.defaults import USD
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.ledger.tx import Register
from bulkhead.node.app import settling_config_of, wall_clock
from bulkhead.node.exchange import Exchange
from bulkhead.node.keys import keys_in
from bulkhead.node.on_chain import beginning_of, contracts_of
from bulkhead.node.replay import read_genesis
from bulkhead.node.settings import (
    ClockSettings,
    FaucetSettings,
    HttpSettings,
    LimitSettings,
    Settings,
    SettlementSettings,
    VenueSettings,
)
from bulkhead.signing import Signature, public_key, sign
from bulkhead.units import AccountId, Felt, TimeMs
from tests.api.live import Live, Trader
from tests.api.remote import CHAIN
from tests.bridge.chains import ETHER

PROFILE = "test"
OPERATOR, FAUCET = (Ethereum.from_key(number.to_bytes(32, "big")) for number in (901, 902))
PATIENCE_S = 60.0


def settings_for(folder: Path, **changes: Any) -> Settings:
    """Ticks seldom, so that a batch of a test stays small; batches end when a test says so."""
    for name, key in (("operator", OPERATOR), ("faucet", FAUCET)):
        private.write(folder / f"{name}.key", f"0x{bytes(key.key).hex()}\n".encode())
    settlement = {
        "l1": str(folder / "chain.sqlite"), "record": str(folder / "deployment.json"), "profile": PROFILE,
        "key_file": str(folder / "operator.key"), "faucet_key_file": str(folder / "faucet.key"), "pause_s": 0.2,
        **changes,
    }  # fmt: skip
    return Settings(
        folder=str(folder / "exchange"),
        venue=VenueSettings(chain_id=CHAIN, oracle_signers=1, settles=True),
        http=HttpSettings(port=0, signing_domain="ours.example"),
        limits=LimitSettings(requests_per_minute=1_000_000, burst=1_000_000, brown_out_batches=1),
        clock=ClockSettings(interval_s=4.0, batch_s=10_000.0),
        faucet=FaucetSettings(enabled=True, dollars=5_000, pause_s=0.0),
        settlement=SettlementSettings(**settlement),
    )


def begin(settings: Settings) -> VenueConfig:
    """The exchange's first state in its folder. Its keys are always the same, and so is its verifier: compiled once."""
    settings.place.mkdir()
    private.write(settings.place / "keys.json", b'{"oracle": ["0x3039"], "backstop": "0xd431"}')
    keys = keys_in(settings.place, settings.venue.oracle_signers)
    config = settling_config_of(keys, settings.venue.chain_id)
    Exchange.open(settings.place, config, wall_clock()).close()
    return config


def put_on_chain(settings: Settings, rich: list[LocalAccount]) -> None:
    """Deploy token, custody, rollup and the small shape's verifier, as `bulkhead l1 deploy` does."""
    from bulkhead.bridge.chain import Chain
    from bulkhead.bridge.embedded.provider import EmbeddedProvider

    begun = read_genesis(settings.place)
    now_s = int(time.time())
    genesis = new_chain({str(role.address): 1_000 * ETHER for role in (OPERATOR, FAUCET, *rich)}, now_s - 60)
    system = contracts_of(begun.config, SMALL, PROFILE)
    with open_embedded(settings.settlement.l1, lambda: now_s - 30, genesis=genesis) as embedded:
        beginning = beginning_of(begun.config, TimeMs(begun.time_ms), council=str(FAUCET.address), fee=1_000)
        made = deploy(Chain(EmbeddedProvider(embedded)), OPERATOR, [system], beginning)
        write_record(Path(settings.settlement.record), made)


class Settling(Trader):
    """A trader whose registration a circuit can check."""

    def onboard(self, **changes: Any) -> Any:
        account_id = self.live.on_loop(self.live.node.next_account_id)  # type: ignore[union-attr]
        wallet = int(self.ethereum.address, 16)
        blank = Register(
            TimeMs(0), account_id, Kind.MAIN, MarginRule.LINEAR, Felt(public_key(self.private)), wallet, AccountId(0),
            USD, Signature(0, 0),
        )  # fmt: skip
        config = self.live.node.exchange.state.config  # type: ignore[union-attr]
        r, s = sign(self.private, Authority(config, verify=False).register_hash(blank))
        more = {"registrationSignature": {"r": hex(r), "s": hex(s)}, "accountId": int(account_id)}
        return super().onboard(**more, **changes)


def until(live: Live, holds: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until something is so; what it was."""
    end_s = time.monotonic() + patience_s
    while not (found := holds()):
        assert time.monotonic() < end_s, f"{what}: not within {patience_s:g} s; {live.node.failures}"
        time.sleep(0.1)
    return found
