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
from typing import TYPE_CHECKING, NamedTuple

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
COLUMNS = 3
WORDS = (
    "an hour and a half of the crash of November 2018 on a venue that settles with proofs. Everybody signs; money, "
    "and requests to leave by force, come from Ethereum; a script adds what would not come by itself, so that one "
    "batch has every kind of transaction there is."
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
        made = _prove(console, world, STANDARD)
        console.print(_batch(kinds, made))
        try:
            _settle(console, world, out / "l1", made.verdict, kinds["Trade"])
        except NotHere as absent:
            console.print(f"[yellow]Proven, but not settled here: {absent}[/yellow]")
            return
    except (ChainError, ScriptRefused, Unprovable) as problem:
        raise StageFailed(str(problem)) from problem
    _tell(console, out)


class Made(NamedTuple):
    """A proof that was made and verified here, and what that took."""

    path: Path
    verdict: Verdict
    seconds: float
    gigabytes: float  # the most that this process had until then


def _batch(kinds: Counter[str], made: Made) -> Table:
    """How many transactions of each kind the batch has, and what its proof took: pairs in three columns."""
    title = f"One batch of {kinds.total()} transactions, proven"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_header=False)
    for _ in range(COLUMNS):
        table.add_column("")
        table.add_column("", justify="right")
    verdict = made.verdict
    spent = {
        "bytes": f"{verdict.proof_bytes:,}",
        "proven bits": f"{verdict.bits}",
        "peak memory": f"{made.gigabytes:.1f} GB",
        "proven in": f"{made.seconds:.1f} s",
        "on cores": f"{os.cpu_count()}",
        "verified in": f"{verdict.seconds:.2f} s",
    }
    for pairs in ([(kind, str(count)) for kind, count in kinds.most_common()], list(spent.items())):
        for row in range(0, len(pairs), COLUMNS):
            table.add_row(*(text for pair in pairs[row : row + COLUMNS] for text in pair))
        table.add_section()
    return table


def _prove(console: Console, world: Proven, profile: str) -> Made:
    """Prove, and verify from the file alone."""
    from bulkhead.lab.proven import config
    from bulkhead.node.proof_file import read_proof
    from bulkhead.node.proving import prove_here
    from bulkhead.node.vouch import ProofRefused, check

    begun = time.monotonic()
    with _bar(console) as report:
        path, _ = prove_here(world.folder, BATCH, profile, os.cpu_count() or 1, report)
    seconds = time.monotonic() - begun
    try:
        return Made(path, check(read_proof(path), config()), seconds, _peak_gigabytes())
    except ProofRefused as refused:
        raise StageFailed(f"{path} is refused: {refused}") from refused


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
        made = _prove(console, world, ONCHAIN)
        console.print(
            f"  Proven again for the chain: {made.verdict.proof_bytes:,} bytes, {made.verdict.bits} bits, "
            f"{made.seconds:.1f} s, {made.gigabytes:.1f} GB\n",
            highlight=False,
        )
        with console.status("settling"):
            home.settle(read_proof(made.path), venue, world.end_ms)
        balances = home.claim([HEDGER, EXILE, RETAIL])
        _gas(console, home, trades)
        said = {HEDGER: "withdrew", EXILE: "was forced out with", RETAIL: "had a deposit for nobody sent back:"}
        for owner, words in said.items():
            console.print(f"  account {owner} {words} ${balances[owner] / DOLLAR:,.2f}, claimed on L1", highlight=False)
        found = rebuild(home.chain, home.deployment, venue, world.begin_ms)
        console.print("  L1's calldata alone leads to the state that the rollup has now:", highlight=False)
        console.print(f"  {found.root:#066x}\n", highlight=False)


def _tell_pace(console: Console) -> None:
    """Say it when verifying will take minutes."""
    from bulkhead.bridge.embedded.native import is_available

    if not is_available():
        console.print("[yellow]Verifying takes minutes here; seconds with pip install 'bulkhead\\[native]'[/yellow]")


def _gas(console: Console, home: Home, trades: int) -> None:
    """Every kind of transaction on L1, and what the batch cost."""
    table = Table(title="On L1", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("transactions", no_wrap=True)
    for name in ("count", "bytes", "gas", "seconds"):
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
    most, largest = max(each.gas for each in verifying), max(each.octets for each in verifying)
    for line in (
        f"The batch took {gas:,} gas, {gas // trades:,} for each of {trades} trades, in {len(verifying)} transactions",
        f"of at most {most:,} gas and {largest:,} bytes.",
    ):
        console.print(f"  {line}", highlight=False)


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
