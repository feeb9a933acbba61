"""`bulkhead prove` makes proofs of a journal's batches; `bulkhead verify` looks at one and says what it proves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.node.proof_file import ProofFileError, read_proof, write_proof
from bulkhead.node.replay import GENESIS_FILE, ExchangeError
from bulkhead.node.segment import JournalError

if TYPE_CHECKING:  # what proves takes seconds to import; the other commands need not wait for it
    from bulkhead.node.proving import Outcome, Report
    from bulkhead.node.vouch import Verdict
    from bulkhead.node.workers import Pool, Word

SHOWN_MAX = 8  # entries of a list
FOLLOW_PAUSE_S = 1.0


def prove(
    *,
    journal: Annotated[Path, typer.Option(help="The folder of an exchange; it may be running.")],
    batch: Annotated[int, typer.Option(min=0, help="Which sealed batch; 0: each that has no proof yet.")] = 0,
    profile: Annotated[str, typer.Option(help="How sure: standard, high, onchain, or test.")] = "standard",
    out: Annotated[Path | None, typer.Option(help="Where to put the proof of one batch, too.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Batches at once, each in a process.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Of each batch; 0: the cores there are, shared.")] = 0,
    shape: Annotated[
        list[str] | None,
        typer.Option(help="One of these: small, middle, large. Without: all; for onchain, small and middle."),
    ] = None,
    cluster: Annotated[str, typer.Option(help="A Ray cluster's address; empty: on this machine.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Go on as batches are sealed, until interrupted.")] = False,
) -> None:
    """Prove sealed batches of a journal. Proofs are kept in its folder, and what is proven is not proven again."""
    from bulkhead.node.cluster import ClusterError
    from bulkhead.node.proving import Prover, profiles

    console = Console()
    if profile not in profiles():
        raise _refuse(f"{profile!r} is no profile; there are {', '.join(profiles())}")
    if (out is not None or batch) and follow or (out is not None and not batch):
        raise _refuse("--out goes with --batch, and --follow with neither")
    try:
        with _pool(cluster, workers, threads, shape or []) as pool, _bars(console) as report:
            prover = Prover(journal, profile, pool, report)
            if follow:
                prover.follow(FOLLOW_PAUSE_S)
            outcomes = [prover.prove(batch)] if batch else prover.catch_up()
        path = outcomes[0].path if outcomes else None
        if out is not None and path is not None:
            write_proof(out, read_proof(path))
        behind = prover.lag()
    except (JournalError, ExchangeError, ProofFileError, ClusterError, ValueError) as error:
        raise _refuse(str(error)) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    console.print(f"Sealed batches without a proof of profile {profile}: {behind}")
    if any(outcome.path is None for outcome in outcomes):
        raise typer.Exit(1)


def verify(
    file: Annotated[Path, typer.Argument(help="A proof of a batch, from whoever.")],
    journal: Annotated[
        Path | None, typer.Option(help="The folder of the exchange that is meant.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help=f"Its {GENESIS_FILE}, where that is all you have.", show_default=False)
    ] = None,
    bits: Annotated[float, typer.Option(min=0, help="How many proven bits it must be worth.")] = 100,
) -> None:
    """Verify a batch from its statement and proof alone, under the key of a venue's configuration."""
    from bulkhead.node.vouch import ProofRefused, check, config_in, genesis_near

    if journal is not None and config is not None:
        raise _refuse("--journal and --config name the venue twice")
    try:
        record = read_proof(file)
        genesis = config or (journal / GENESIS_FILE if journal is not None else genesis_near(file))
        venue = config_in(genesis)
        verdict = check(record, venue, bits)
    except (ProofFileError, ExchangeError) as error:
        raise _refuse(str(error)) from error
    except ProofRefused as error:
        raise _refuse(f"{file} is refused: {error}") from error
    for name, value in _words(verdict, venue, genesis):
        typer.echo(f"{name:15} {value}")
    typer.secho("Proven, of the venue with this configuration and of no other.", fg="green")


def _words(verdict: Verdict, venue: VenueConfig, genesis: Path) -> Iterator[tuple[str, str]]:
    """What was proven, line by line."""
    said = verdict.said
    yield "venue", f"{verdict.chain_id!r}, as {genesis} has it"
    yield "configuration", f"{verdict.config:#066x}"
    yield "batch", f"{said.batch:,}, with {said.transactions:,} transactions"
    yield "time", f"{_time(said.time_before_ms)} to {_time(said.time_after_ms)}"
    yield "state before", f"{said.state_before:#066x}"
    yield "state after", f"{said.state_after:#066x}"
    for name, entries in said.lists.items():
        yield LABELS.get(name, name), f"{len(entries):,}"
        if name != "changed":
            yield from (("", _entry(name, entry, venue)) for entry in entries[:SHOWN_MAX])
            if len(entries) > SHOWN_MAX:
                yield "", f"and {len(entries) - SHOWN_MAX:,} more"
    yield "proof", f"{verdict.proof_bytes:,} bytes, shape {verdict.shape}, key 0x{verdict.key.hex()}"
    yield "worth", f"{verdict.bits} bits, proven (profile {verdict.profile})"
    yield "verified in", f"{verdict.seconds:.2f} s"


LABELS = {"deposit": "deposits", "paid": "payments", "forced": "forced requests", "changed": "words changed"}


def _entry(name: str, entry: dict[str, int], venue: VenueConfig) -> str:
    """One entry of a list of the statement."""
    if name == "deposit":
        credited = f"account {entry['account']}" if entry["account"] else "the insurance fund"
        return f"{credited} is credited {_money(entry['amount'], venue)}"
    if name == "paid":
        return f"{entry['recipient']:#x} on L1 is paid {_money(entry['amount'], venue)}"
    return ", ".join(f"{field} {value}" for field, value in entry.items())


def _time(time_ms: int) -> str:
    """A time of the ledger; its numbers of 50 bits reach beyond the years that have names here."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"


def _money(amount: int, venue: VenueConfig) -> str:
    asset = venue.asset(NUMERAIRE)
    if asset is None:
        return f"{amount} smallest units"
    whole, part = divmod(amount, asset.resolution)
    return f"{whole:,}.{part:0{len(str(asset.resolution)) - 1}d} {asset.name}"


@contextmanager
def _pool(cluster: str, workers: int, threads: int, names: list[str]) -> Iterator[Pool]:
    from bulkhead.circuit.batch import shapes_of
    from bulkhead.node.cluster import ClusterPool
    from bulkhead.node.workers import LocalPool

    each = threads or max(1, (os.cpu_count() or 1) // workers)
    shapes = shapes_of(names) if names else ()
    pool = ClusterPool(cluster, workers, each, shapes) if cluster else LocalPool(workers, each, shapes)
    try:
        yield pool
    finally:
        pool.close()


@contextmanager
def _bars(console: Console) -> Iterator[Report]:
    """A bar for each batch that is being proven, and a line for each that is done."""
    from bulkhead.node.proving import Outcome
    from bulkhead.node.workers import Died, Progressed

    columns = TextColumn("batch {task.fields[number]}  {task.description:32}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bars: dict[int, TaskID] = {}

        def report(word: Word | Outcome) -> None:
            if isinstance(word, Progressed):
                if word.number not in bars:
                    bars[word.number] = progress.add_task("", total=1.0, number=word.number)
                progress.update(bars[word.number], description=word.step, completed=word.share)
            elif isinstance(word, Died):
                console.print(f"[yellow]batch {word.number}: {escape(word.reason)}[/yellow]")
            elif isinstance(word, Outcome):
                if word.number in bars:
                    progress.remove_task(bars.pop(word.number))
                console.print(_line(word), soft_wrap=True, highlight=False)

        yield report


def _line(outcome: Outcome) -> str:
    if outcome.path is None:
        return f"[red]batch {outcome.number} is not proven: {escape(outcome.reason)}[/red]"
    spent = f"proven in {outcome.seconds:.1f} s" if outcome.seconds else "was proven before"
    return f"batch {outcome.number} {spent}: {escape(str(outcome.path))}"


def _refuse(reason: str) -> typer.Exit:
    """Say what is wrong, without a traceback, and end with status 1."""
    typer.secho(reason, err=True, fg="red")
    return typer.Exit(1)
