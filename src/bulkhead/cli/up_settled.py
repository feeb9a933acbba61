"""`bulkhead up --settle`: an L1 of its own in the folder, with the contracts that verify this exchange's batches.

    folder/l1/chain.sqlite       the embedded Ethereum          folder/l1/chain.key, faucet.key    who pays, who gives
    folder/l1/deployment.json    addresses and verifiers
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.status import Status

from bulkhead import private

if TYPE_CHECKING:  # what proves, and what talks to Ethereum, takes seconds to import
    from eth_account.signers.local import LocalAccount

    from bulkhead.bridge.artifacts import SystemArtifacts
    from bulkhead.ledger.config import VenueConfig
    from bulkhead.node.app import Node
    from bulkhead.node.keys import Keys
    from bulkhead.node.settings import ClockSettings, Settings, SettlementSettings, VenueSettings

CHAIN_ID = "BH_31337_local"
PROFILE = "onchain"
ETHER = 10**18
FEE = 10**15  # wei, of a forced request
TICK_S = 15.0  # each tick is signed thrice and proven; prices may be a minute old
BATCH_S, BATCH_TRANSACTIONS, LARGE_TRANSACTIONS = 120.0, 60, 1_500
BEHIND_MAX = 8  # batches without a proof, until only cancels and reduce-only orders are taken
MakeConfig = Callable[["Keys", str], "VenueConfig"]


def place(folder: Path) -> Path:
    """Where L1 is."""
    return folder / "l1"


def tables(folder: Path, shapes: tuple[str, ...] = ()) -> tuple[VenueSettings, SettlementSettings]:
    """Settings of such a venue: what it is, where it settles, and in which shapes: those deployed if none are named."""
    from bulkhead.bridge.record import read_record
    from bulkhead.circuit.batch import SHAPE_NAMES
    from bulkhead.node.settings import SettlementSettings, VenueSettings

    l1 = place(folder)
    record = l1 / "deployment.json"
    if record.exists() and not shapes:
        numbers = {door.shape for door in read_record(record).doors}
        shapes = tuple(name for name, shape in SHAPE_NAMES.items() if shape.number in numbers)
    return VenueSettings(chain_id=CHAIN_ID, settles=True), SettlementSettings(
        l1=str(l1 / "chain.sqlite"),
        record=str(record),
        key_file=str(l1 / "chain.key"),
        faucet_key_file=str(l1 / "faucet.key"),
        profile=PROFILE,
        shapes=shapes,
    )


def pace(tick_s: float, shapes: Sequence[str] = ()) -> ClockSettings:
    """Batches small enough for the small shape, seldom enough that two cores keep up with proving them.

    With the largest a busy batch may grow until that is full; one that is sealed on time goes out as small as it is.
    """
    from bulkhead.node.settings import ClockSettings

    most = LARGE_TRANSACTIONS if "large" in shapes else BATCH_TRANSACTIONS
    return ClockSettings(interval_s=tick_s, batch_s=BATCH_S, batch_transactions=most)


def deploy_once(
    console: Console, folder: Path, make_config: MakeConfig, wallet: str, shapes: tuple[str, ...] = ()
) -> None:
    """At the first start: begin the exchange, compile its verifiers, deploy everything. `wallet` is given ether.

    Raises SettlementError where the machine cannot hold what a shape takes; ChainError without a compiler, in a Python
    without an embedded chain, or when the file is held elsewhere.
    """
    from bulkhead.bridge.deploy import deploy
    from bulkhead.bridge.open import new_chain, open_chain
    from bulkhead.bridge.record import write_record
    from bulkhead.node.app import wall_clock
    from bulkhead.node.exchange import Exchange
    from bulkhead.node.keys import keys_in
    from bulkhead.node.on_chain import beginning_of
    from bulkhead.node.replay import read_genesis
    from bulkhead.node.settings import VenueSettings

    l1, record = place(folder), place(folder) / "deployment.json"
    l1.mkdir(parents=True, exist_ok=True)
    signers = [_key(l1 / name) for name in ("chain.key", "faucet.key")]
    if record.exists():
        return
    config = make_config(keys_in(folder, VenueSettings().oracle_signers), CHAIN_ID)
    Exchange.open(folder, config, wall_clock()).close()
    systems, leaving = _systems(console, config, shapes)
    for old in l1.glob("chain.sqlite*"):  # of a start that did not get this far
        old.unlink()
    rich = [str(each.address) for each in signers] + ([wallet] if wallet else [])
    genesis = new_chain(dict.fromkeys(rich, 1_000_000 * ETHER), _now())
    operator = signers[0]
    with console.status("deploying") as status, open_chain(str(l1 / "chain.sqlite"), _now, genesis=genesis) as chain:
        beginning = beginning_of(config, read_genesis(folder).time_ms, council=str(operator.address), fee=FEE)

        def told(done: str, gas: int) -> None:
            status.update(done)

        made = deploy(chain, operator, systems, beginning, escape=leaving, progress=told)
        write_record(record, made)
    console.print(f"  L1 is in {l1}: custody {made.custody.address}, rollup {made.rollup.address}", highlight=False)


def _systems(
    console: Console, config: VenueConfig, shapes: tuple[str, ...]
) -> tuple[list[SystemArtifacts], SystemArtifacts]:
    """Compiled: a verifier for each shape of batch, and the escape."""
    from bulkhead.bridge.artifacts import compile_escape
    from bulkhead.bridge.embedded.native import is_available
    from bulkhead.circuit.batch import name_of, shapes_of
    from bulkhead.circuit.escape_batch import USUAL, escape_module
    from bulkhead.node.leave import escape_key
    from bulkhead.node.on_chain import contracts_of
    from bulkhead.node.prove_batch import NotEnoughMemory, check_room, forget_keys
    from bulkhead.node.settling.events import SettlementError

    if not is_available():
        console.print("[yellow]Verifying takes minutes here; seconds with pip install 'bulkhead\\[native]'[/yellow]")
    made = []
    chosen = shapes_of(shapes)
    try:
        check_room(config, chosen, PROFILE)
    except NotEnoughMemory as error:
        raise SettlementError(f"--shape: {error}") from error
    for shape in chosen:
        text = f"the verifier of batches of shape {name_of(shape)} (once; then it is kept)"
        with console.status(text) as status:

            def told(share: float, text: str = text, status: Status = status) -> None:
                status.update(f"{text}: its key, {share:.0%}")

            made.append(contracts_of(config, shape, PROFILE, told))
    forget_keys()  # the prover is a process of its own
    with console.status("compiling the verifier of the escape"):
        return made, compile_escape(escape_key(config, USUAL, PROFILE).key, escape_module(USUAL))


@contextmanager
def served(node: Node, port: int) -> Iterator[str]:
    """The node's embedded L1 as JSON-RPC while inside, for wallets and other programs: its URL."""
    from bulkhead.bridge.embedded.provider import EmbeddedProvider, serving

    assert node.settles is not None and isinstance(node.settles.chain.provider, EmbeddedProvider)
    with serving(node.settles.chain.provider.embedded, port) as url:
        yield url


def lines(node: Node, url: str, settings: Settings) -> tuple[tuple[str, str], ...]:
    """What to print of L1."""
    assert node.settles is not None
    deployment = node.settles.deployment
    return (
        ("L1", f"{url} (chain {deployment.chain_id})"),
        ("Custody", deployment.custody.address),
        ("Rollup", deployment.rollup.address),
        ("Test token", deployment.token.address),
        ("Record", settings.settlement.record),
        ("Batches", f"sealed every {BATCH_S:g} s, then proven and settled: /api/v1/info/settlement"),
        ("", ""),
    )


def new_wallet() -> tuple[str, str]:
    """An owner's address on L1, and its key."""
    from bulkhead.bridge.chain import signer_of

    key = "0x" + secrets.token_hex(32)
    return str(signer_of(key).address), key


def _key(path: Path) -> LocalAccount:
    """The key in a file, made where there is none."""
    from bulkhead.bridge.chain import signer_of

    if not path.exists():
        private.write(path, f"0x{secrets.token_hex(32)}\n".encode(), is_new=True)
    return signer_of(private.read(path).decode().strip())


def _now() -> int:
    return int(time.time())
