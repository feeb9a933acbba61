"""The demo's last stage: a batch of the crash is proven, verified, and settled on an embedded Ethereum."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:  # what proves, and what talks to Ethereum, takes seconds to import; the stages before need neither
    from bulkhead.lab.proven import Proven
    from bulkhead.lab.settled import Home, Sent
    from bulkhead.node.vouch import Verdict

BATCH = 1
STANDARD, ONCHAIN = "standard", "onchain"
DOLLAR = 1_000_000
WORDS = (
    "an hour and a half of the crash of November 2018 on a venue that settles with proofs.\n"
    "Everybody signs; money, and requests to leave by force, come from Ethereum; a script adds what would not come\n"
    "by itself, so that one batch has every kind of transaction there is."
)


class StageFailed(Exception):
    """The stage cannot go on; the text says why, and what to do."""


def prove_and_settle(console: Console, out: Path) -> None:
    """Play, prove, verify, settle. Raises StageFailed."""
    from bulkhead.bridge.errors import ChainError
    from bulkhead.bridge.open import NotHere
    from bulkhead.lab.proven import ScriptRefused, play
    from bulkhead.lab.settled import address_of
    from bulkhead.node.batches import batch_of
    from bulkhead.node.prove_batch import Unprovable

    console.print(f"\n[bold]Proven and settled[/bold]: {WORDS}\n")
    try:
        world = play(out / "journals" / "proven", address_of)
        batch = batch_of(world.folder, BATCH)
        kinds = Counter(type(each).__name__ for each in batch.transactions)
        console.print(_kinds(kinds))
        verdict = _prove(console, world, STANDARD)[1]
        try:
            _settle(console, world, out / "l1", verdict, kinds["Trade"])
        except NotHere as absent:
            console.print(f"[yellow]Proven, but not settled here: {absent}[/yellow]")
            return
    except (ChainError, ScriptRefused, Unprovable) as problem:
        raise StageFailed(str(problem)) from problem
    _tell(console, out)


def _kinds(kinds: Counter[str]) -> Table:
    """How many transactions of each kind the batch has, in two rows of pairs."""
    table = Table(title=f"One batch of {kinds.total()} transactions", title_justify="left", box=SIMPLE_HEAD)
    pairs = kinds.most_common()
    columns = 3
    for _ in range(columns):
        table.add_column("kind")
        table.add_column("", justify="right")
    height = -(-len(pairs) // columns)
    for row in range(height):
        cells = [pairs[place] for place in range(row, len(pairs), height)]
        table.add_row(*(text for kind, count in cells for text in (kind, str(count))))
    return table


def _prove(console: Console, world: Proven, profile: str) -> tuple[Path, Verdict]:
    """Prove, verify from the file alone, and say what it took."""
    from bulkhead.lab.proven import config
    from bulkhead.node.proof_file import read_proof
    from bulkhead.node.proving import prove_here
    from bulkhead.node.vouch import ProofRefused, check

    cores = os.cpu_count() or 1
    begun = time.monotonic()
    with _bar(console) as report:
        path, _ = prove_here(world.folder, BATCH, profile, cores, report)
    seconds = time.monotonic() - begun
    try:
        verdict = check(read_proof(path), config())
    except ProofRefused as refused:
        raise StageFailed(f"{path} is refused: {refused}") from refused
    table = Table(title=f"The batch, profile {profile}", title_justify="left", box=SIMPLE_HEAD)
    for name in ("transactions", "bytes", "proven bits", "proven in", "cores", "peak memory", "verified in"):
        table.add_column(name, justify="right")
    table.add_row(
        f"{verdict.said.transactions:,}",
        f"{verdict.proof_bytes:,}",
        f"{verdict.bits}",
        f"{seconds:.1f} s",
        str(cores),
        f"{_peak_gigabytes():.1f} GB",
        f"{verdict.seconds:.2f} s",
    )
    console.print(table)
    return path, verdict


def _settle(console: Console, world: Proven, folder: Path, verdict: Verdict, trades: int) -> None:
    """Deploy, make the world's calls, prove for the chain, settle, claim, and rebuild the state from L1 alone."""
    from bulkhead.circuit.batch import SHAPES
    from bulkhead.lab.proven import EXILE, HEDGER, RETAIL, config
    from bulkhead.lab.settled import opened
    from bulkhead.node.on_chain import contracts_of
    from bulkhead.node.proof_file import read_proof
    from bulkhead.node.rebuild import rebuild

    venue = config()
    shape = next(each for each in SHAPES if each.number == verdict.shape)
    owners = sorted({call.owner for call in world.calls})
    with console.status("compiling the verifier of the venue's key (once; then it is kept)"):
        contracts = contracts_of(venue, shape, ONCHAIN)
    with opened(folder, [contracts], venue, world.begin_ms, owners) as home:
        _tell_pace(console)
        home.ask(world.calls)
        path = _prove(console, world, ONCHAIN)[0]
        with console.status("settling"):
            home.settle(read_proof(path), venue, world.end_ms)
        balances = home.claim([HEDGER, EXILE, RETAIL])
        _gas(console, home, trades)
        said = {HEDGER: "withdrew", EXILE: "was forced out with", RETAIL: "had a deposit for nobody sent back:"}
        for owner, words in said.items():
            console.print(f"  account {owner} {words} ${balances[owner] / DOLLAR:,.2f}, claimed on L1", highlight=False)
        found = rebuild(home.chain, home.deployment, venue, world.begin_ms)
        console.print(f"  S is {found.root:#066x}: L1's calldata alone leads to it\n", highlight=False)


def _tell_pace(console: Console) -> None:
    """Say it when verifying will take minutes."""
    from bulkhead.bridge.embedded.native import is_available

    if not is_available():
        console.print("[yellow]Verifying takes minutes here; seconds with pip install 'bulkhead\\[native]'[/yellow]")


def _gas(console: Console, home: Home, trades: int) -> None:
    """Every kind of transaction on L1, and what the batch cost."""
    table = Table(title="On L1", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("transactions")
    for name in ("count", "calldata bytes", "gas", "seconds here"):
        table.add_column(name, justify="right")
    groups: dict[str, list[Sent]] = {}
    for sent in home.chain.sent:
        groups.setdefault(sent.what, []).append(sent)
    for what, group in groups.items():
        numbers = (sum(each.octets for each in group), sum(each.gas for each in group))
        spent = sum(each.seconds for each in group)
        table.add_row(what, str(len(group)), *(f"{number:,}" for number in numbers), f"{spent:.2f}")
    console.print(table)
    verifying = home.verifying()
    gas = sum(each.gas for each in verifying)
    console.print(
        f"  The batch settled in {len(verifying)} transactions, of at most {max(each.gas for each in verifying):,} gas "
        f"and {max(each.octets for each in verifying):,} bytes:\n  {gas:,} gas, {gas // trades:,} for each of "
        f"{trades} trades",
        highlight=False,
    )


def _tell(console: Console, out: Path) -> None:
    """How to look for oneself."""
    journal, chain = out / "journals" / "proven", out / "l1" / "chain.sqlite"
    record = out / "l1" / "deployment.json"
    console.print("Look for yourself:")
    for command in (
        f"bulkhead verify {journal}/proofs/batch-{BATCH:010d}.{STANDARD}.proof",
        f"bulkhead rebuild --exchange {journal} --l1 {chain} --record {record}",
        f"bulkhead l1 status --l1 {chain} --record {record}",
    ):
        console.print(f"  [bold]{command}[/bold]", soft_wrap=True, highlight=False)


def _peak_gigabytes() -> float:
    """The most memory that this process ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 30 if sys.platform == "darwin" else 1 << 20)  # bytes there, kibibytes elsewhere


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[str, float], None]]:
    """A bar for the proof that is being made."""
    columns = TextColumn("proving  {task.description:32}"), BarColumn(bar_width=32), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=1.0)

        def report(step: str, share: float) -> None:
            progress.update(bar, description=step, completed=share)

        yield report
