"""`bulkhead l1`: put the contracts on a chain, look at them, and serve the embedded chain to other programs."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bulkhead import private

if TYPE_CHECKING:  # what talks to Ethereum takes seconds to import; the other commands need not wait for it
    from eth_account.signers.local import LocalAccount

    from bulkhead.bridge.artifacts import SystemArtifacts
    from bulkhead.bridge.chain import Chain
    from bulkhead.bridge.deploy import Beginning
    from bulkhead.bridge.embedded.node import Genesis
    from bulkhead.bridge.proposals import Proposal
    from bulkhead.bridge.record import Deployment
    from bulkhead.bridge.status import Pin, Status
    from bulkhead.ledger.config import VenueConfig

ETHER = 10**18
RICH = 10_000 * ETHER  # what an embedded chain gives to whoever deploys on it
KEY_VARIABLE = "BULKHEAD_L1_KEY"

l1 = typer.Typer(help="Ethereum: deploy the contracts, look at them, serve the embedded chain.", no_args_is_help=True)

Where = Annotated[
    str, typer.Option("--l1", envvar="BULKHEAD_L1", help="A node's URL, or the file of an embedded chain.")
]
RecordFile = Annotated[Path, typer.Option("--record", help="The deployment record.")]
KeyFile = Annotated[
    Path | None,
    typer.Option(help=f"A file with the private key that signs; or set {KEY_VARIABLE}.", show_default=False),
]

Compiled = Annotated[
    list[Path] | None, typer.Option(help="Compiled contracts, taken at their word; else they are compiled here.")
]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--shape", help="Of batches: small, middle, large; again for each. Without: small, middle."),
]
VerifierProfile = Annotated[str, typer.Option(help="Which proofs its verifiers take.")]

DEFAULT_L1, DEFAULT_RECORD = "l1/chain.sqlite", Path("l1/deployment.json")


@l1.command()
def deploy(
    *,
    exchange: Annotated[Path, typer.Option(help="The folder of the exchange whose batches will settle here.")],
    where: Where = DEFAULT_L1,
    record: RecordFile = DEFAULT_RECORD,
    key_file: KeyFile = None,
    artifacts: Compiled = None,
    profile: VerifierProfile = "onchain",
    shape: Shapes = None,
    token: Annotated[str | None, typer.Option(help="The collateral; without one a test token is deployed.")] = None,
    council: Annotated[str | None, typer.Option(help="Who may pause and propose; the deployer if nobody.")] = None,
    fee: Annotated[int, typer.Option(min=0, help="What a forced request costs, in wei.")] = 0,
    escape: Annotated[str, typer.Option(help="How large the escape's statements are: usual, or large.")] = "usual",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a record that is there.")] = False,
) -> None:
    """Deploy token, custody, verifiers and rollup for an exchange, and write the record that other commands read."""
    from eth_utils.address import to_checksum_address

    from bulkhead.bridge.deploy import deploy as run
    from bulkhead.bridge.errors import ChainError
    from bulkhead.bridge.open import open_chain
    from bulkhead.bridge.record import write_record
    from bulkhead.node.replay import ExchangeError, read_genesis
    from bulkhead.node.segment import JournalError

    if record.exists() and not overwrite:
        raise refuse(f"{record} is there: it is of a deployment; name another with --record, or give --overwrite")
    try:
        for option, address in (("--council", council), ("--token", token)):
            _check_address(option, address)
        asked = (profile, escape, shape or [])
        systems, leaving = _systems(read_genesis(exchange).config, exchange, asked, artifacts or [])
        beginning = _beginning(exchange, fee)
        signer = find_signer(where, key_file)
        beginning = beginning._replace(council=to_checksum_address(council or str(signer.address)))
        with open_chain(where, clock, genesis=_genesis(where, str(signer.address))) as chain:
            _tell_pace(where)
            made = run(chain, signer, systems, beginning, token=token, escape=leaving, progress=_report)
            write_record(record, made)
            _show(chain, record)
    except (ChainError, ExchangeError, JournalError, ValueError, OSError) as error:
        raise refuse(str(error)) from error


@l1.command()
def status(where: Where = DEFAULT_L1, record: RecordFile = DEFAULT_RECORD) -> None:
    """Addresses, state, counters, queues, pinned verifiers, what waits behind the timelock, and balances."""
    from bulkhead.bridge.errors import ChainError
    from bulkhead.bridge.open import open_chain

    try:
        with open_chain(where, clock, read_only=True) as chain:
            is_sound = _show(chain, record)
    except (ChainError, OSError) as error:
        raise refuse(str(error)) from error
    if not is_sound:
        raise typer.Exit(1)


@l1.command()
def serve(
    where: Where = DEFAULT_L1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of this machine alone; 0: any that is free.")] = 8545,
    block_s: Annotated[int, typer.Option(min=0, help="A block at least so often, in seconds; 0: when asked.")] = 12,
) -> None:
    """Serve an embedded chain as JSON-RPC on 127.0.0.1 until interrupted, so that other programs reach it by URL."""
    from bulkhead.bridge.errors import ChainError
    from bulkhead.bridge.open import is_url, open_embedded

    if is_url(where):
        raise refuse(f"{where} is a node already; what is served is an embedded chain's file")
    from bulkhead.bridge.embedded.provider import serving

    try:
        with open_embedded(where, clock) as embedded, serving(embedded, port) as url:
            _tell_pace(where)
            typer.echo(f"chain {embedded.chain_id}, block {embedded.tip.number}: {url}")
            while True:
                time.sleep(1)
                if block_s and clock() - embedded.tip.fields["timestamp"] >= block_s:
                    embedded.mine()
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except (ChainError, OSError) as error:
        raise refuse(str(error)) from error


def _tell_pace(where: str) -> None:
    """Of an embedded chain: say it when proofs will take minutes to verify."""
    from bulkhead.bridge.open import is_url

    if is_url(where):
        return
    from bulkhead.bridge.embedded.native import is_available

    if not is_available():
        typer.echo("verifying a batch will take minutes here; seconds with `pip install 'bulkhead[native]'`")


def clock() -> int:
    """Seconds since 1970."""
    return int(time.time())


def _report(done: str, gas: int) -> None:
    typer.echo(f"{done} ({gas:,} gas)")


def _check_address(option: str, text: str | None) -> None:
    from eth_utils.address import is_checksum_address, is_hex_address

    if text is None:
        return
    has_checksum = is_hex_address(text) and text[2:] not in (text[2:].lower(), text[2:].upper())
    if not is_hex_address(text) or (has_checksum and not is_checksum_address(text)):
        raise ValueError(f"{option}: {text!r} is no address: 0x, 40 hexadecimal digits, capitals as its checksum says")


def find_signer(where: str, key_file: Path | None) -> LocalAccount:
    """The deployer's key. An embedded chain has one in a file beside it if nobody names another."""
    from bulkhead.bridge.chain import signer_of
    from bulkhead.bridge.open import is_url

    named = os.environ.get(KEY_VARIABLE)
    if key_file is not None:
        return signer_of(private.read(key_file, is_named=True).decode().strip())
    if named:
        return signer_of(named.strip())
    if is_url(where):
        raise ValueError(f"no key to sign with: give --key-file, or set {KEY_VARIABLE}")
    beside = Path(where).with_suffix(".key")
    if not beside.exists():
        beside.parent.mkdir(parents=True, exist_ok=True)
        private.write(beside, f"0x{secrets.token_hex(32)}\n".encode(), is_new=True)
        typer.echo(f"no key was named: made one in {beside}, for this embedded chain")
    return signer_of(private.read(beside).decode().strip())


def _genesis(where: str, deployer: str) -> Genesis | None:
    """How an embedded chain begins, where there is none; its deployer is rich."""
    from bulkhead.bridge.open import is_url, new_chain

    if is_url(where) or Path(where).exists():
        return None
    return new_chain({deployer: RICH}, clock())


def _beginning(exchange: Path, fee: int) -> Beginning:
    """The exchange's first state, without a council: batches begin there, however far it has come since."""
    from bulkhead.node.on_chain import beginning_of
    from bulkhead.node.replay import read_genesis

    begin = read_genesis(exchange)
    return beginning_of(begin.config, begin.time_ms, fee=fee)


def _systems(
    config: VenueConfig, exchange: Path, asked: tuple[str, str, list[str]], files: list[Path]
) -> tuple[list[SystemArtifacts], SystemArtifacts | None]:
    """A verifier for each shape of batch, and the escape: as somebody compiled them, or compiled here.

    `asked`: the profile of proofs, the shape of the escape's, and those of batches. ValueError where there are none of
    these names.
    """
    from bulkhead.bridge.artifacts import compile_escape, read_system

    if files:
        read = [read_system(path) for path in files]
        return [each for each in read if not each.is_escape], next((each for each in read if each.is_escape), None)
    from bulkhead.circuit.escape_batch import ESCAPE_SHAPES, escape_module
    from bulkhead.node.leave import escape_key

    profile, named, shapes = asked
    if named not in ESCAPE_SHAPES:
        raise ValueError(f"an escape of {named!r} statements: there are {', '.join(ESCAPE_SHAPES)} ones")
    made, shape = verifiers_of(config, exchange, profile, shapes), ESCAPE_SHAPES[named]
    typer.echo("compiling the verifier of the escape")
    return made, compile_escape(escape_key(config, shape, profile).key, escape_module(shape))


def verifiers_of(
    config: VenueConfig, exchange: Path, profile: str, shapes: Sequence[str] = ()
) -> list[SystemArtifacts]:
    """A verifier for each of these shapes of batch, by name, compiled here.

    ValueError where there are none of this configuration or shape, or the machine has too little memory for one.
    """
    from bulkhead.circuit.batch import name_of, shapes_of
    from bulkhead.circuit.venue import NotProvable
    from bulkhead.node.on_chain import contracts_of
    from bulkhead.node.prove_batch import NotEnoughMemory
    from bulkhead.node.proving import profiles

    if profile not in profiles():
        raise ValueError(f"{profile!r} is no profile; there are {', '.join(profiles())}")
    made = []
    for shape in shapes_of(shapes):
        typer.echo(f"making the key of shape {name_of(shape)}, and compiling its verifier")
        try:
            with _bar() as report:
                made.append(contracts_of(config, shape, profile, report))
        except NotProvable as error:
            raise ValueError(f"{exchange}: {error}") from error
        except NotEnoughMemory as error:
            raise ValueError(f"--shape {name_of(shape)}: {error}") from error
    return made


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    """How far a key is made, where somebody looks."""
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), transient=True) as progress:
        bar = progress.add_task("the key", total=1.0)
        yield lambda share: progress.update(bar, completed=share)


def _show(chain: Chain, record: Path) -> bool:
    """Print the status; whether the contracts are those of the record, and pinned."""
    from bulkhead.bridge.record import read_record
    from bulkhead.bridge.status import status as read

    known = read_record(record)
    found = read(chain, known, clock())
    console = Console()
    for title, rows in [*_tables(found), *proposal_tables(known, found.proposals)]:
        table = Table(title=title, title_justify="left", show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(name, value)
        console.print(table)
    for name in found.changed:
        console.print(f"[bold red]{name}: another contract than the one of the record[/bold red]")
    for pin in found.pins:
        if not pin.is_pinned and not pin.is_closed:
            text = f"version {pin.version}, shape {pin.shape}: the rollup takes {pin.pinned}, not the record's reader"
            console.print(f"[bold red]{text}[/bold red]")
    if all(pin.is_closed for pin in found.pins):
        console.print("[bold red]the rollup takes the next batch from no reader of the record[/bold red]")
    return not found.changed and any(pin.is_pinned for pin in found.pins) and _are_known(found)


def _pinned(pin: Pin) -> str:
    if pin.is_closed:
        return "no batch of it is taken: not yet, or no more"
    return f"key 0x{pin.key}, reader {pin.pinned}"


def _are_known(found: Status) -> bool:
    """Whether every reader that the rollup takes, of those versions and shapes, is in the record."""
    return all(pin.is_pinned or pin.is_closed for pin in found.pins)


def _tables(found: Status) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The status in words."""
    block = found.block
    number = f"{block.number:,}, 0x{block.hash.hex()}"
    yield "Chain", [("id", str(found.chain_id)), ("block", number), ("time", _utc(block.time_s))]
    yield "Addresses", list(found.addresses.items())
    for name, values in found.views.items():
        yield name.capitalize(), [(key, _value(key, value)) for key, value in values.items()]
    doors = [(f"version {pin.version}, shape {pin.shape}", pin) for pin in found.pins]
    yield "Pinned", [(name, _pinned(pin)) for name, pin in doors]
    yield (
        "Balances",
        [
            ("custody", f"{found.custody_balance:,} smallest units of the token"),
            (f"deployer {found.deployer}", f"{found.deployer_wei / ETHER:,.4f} ether"),
        ],
    )


def proposal_tables(known: Deployment, found: Sequence[Proposal]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each proposal in words, the newest first."""
    from bulkhead.bridge.proposals import Kind, Stage
    from bulkhead.node.succession import short

    for one in reversed(found):
        rows = [("id", one.id), ("stage", one.stage.value)]
        if one.kind is Kind.READER:
            later = next((each for each in known.proposed if each.door.reader.address == one.address), None)
            rows += [("version, shape", f"{one.version}, {one.shape}"), ("reader", one.address)]
            rows += [("from batch", f"{one.from_batch:,}" if one.from_batch else "the next one when enacted")]
            if later is None:
                rows += [("configuration", "not known: the reader is not in the record")]
            else:
                rows += [("configuration", short(later.configuration)), *(("change", each) for each in later.changes)]
        else:
            rows += [("council", one.address)]
        rows += [("proposed", _utc(one.proposed_s))]
        if one.stage in (Stage.WAITING, Stage.READY):
            rows += [
                ("may be enacted from", _utc(one.ready_s)), ("and until", _utc(one.until_s)),
                ("ask to leave before", f"{_utc(one.leave_before_s)}, to be out by force before it happens"),
            ]  # fmt: skip
        yield f"Proposal: another {one.kind.value}", rows


def _value(name: str, value: object) -> str:
    if name == "state" and isinstance(value, int):
        return f"{value:#066x}"
    if isinstance(value, bool) or not isinstance(value, int):
        return str(value)
    return f"{value:,}"


def _utc(time_s: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time_s))


def refuse(reason: str) -> typer.Exit:
    """Say what is wrong, without a traceback, and end with status 1."""
    typer.secho(reason, err=True, fg="red")
    return typer.Exit(1)
