"""`bulkhead l1 propose`, `enact`, `withdraw`: other verifiers, and with them other parameters, behind L1's timelock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkhead.cli.l1 import (
    DEFAULT_L1,
    DEFAULT_RECORD,
    Compiled,
    KeyFile,
    RecordFile,
    Shapes,
    VerifierProfile,
    Where,
    clock,
    find_signer,
    proposal_tables,
    refuse,
    verifiers_of,
)

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from bulkhead.bridge.chain import Chain
    from bulkhead.bridge.proposals import Proposal
    from bulkhead.bridge.record import Deployment
    from bulkhead.bridge.upgrade import Aim
    from bulkhead.ledger.config import VenueConfig

ID_DIGITS_MIN = 6

Stops = Annotated[
    bool, typer.Option("--stops-batches", help="Even where no batch of this exchange can follow when it is enacted.")
]
ProposalId = Annotated[str | None, typer.Option("--proposal", help="Its id, or how that begins: `bulkhead l1 status`.")]


def propose(
    *,
    exchange: Annotated[Path, typer.Option(help="The folder of the exchange whose batches settle here.")],
    draft: Annotated[
        Path | None, typer.Option(help="A draft of other parameters; without one, this program's circuits of the same.")
    ] = None,
    from_batch: Annotated[
        int, typer.Option(min=0, help="The first batch of the new verifiers; 0: the next one when enacted.")
    ] = 0,
    retire: Annotated[
        bool, typer.Option("--retire", help="Announce, too, that from then on no other version's batches are taken.")
    ] = False,
    stops_batches: Stops = False,
    where: Where = DEFAULT_L1,
    record: RecordFile = DEFAULT_RECORD,
    key_file: KeyFile = None,
    artifacts: Compiled = None,
    profile: VerifierProfile = "onchain",
    shape: Shapes = None,
) -> None:
    """Compile verifiers, deploy them beside those that the rollup takes, and announce them: the timelock begins."""
    from bulkhead.bridge.artifacts import read_system
    from bulkhead.bridge.record import read_record, write_record
    from bulkhead.bridge.upgrade import propose as run
    from bulkhead.node.replay import read_genesis
    from bulkhead.node.succession import obstacle

    with _told():
        before = read_genesis(exchange).config
        after, aim = _aim(before, draft, from_batch)
        aim = aim._replace(retires=retire)
        began = read_record(record)
        problem = obstacle(began, before, after)
        if problem and not stops_batches:
            raise ValueError(f"not proposed: {problem}. To announce it all the same give --stops-batches")
        if not problem and not artifacts:
            _check_escape(began, before, profile)
        systems = [read_system(path) for path in artifacts or ()] or verifiers_of(after, exchange, profile, shape or ())
        with _opened(where, record, key_file) as (chain, known, signer):
            known = run(
                chain, signer, known, systems, aim, keep=lambda made: write_record(record, made),
                progress=lambda done, gas: typer.echo(f"{done} ({gas:,} gas)"),
            )  # fmt: skip
            _show(chain, known)
        if problem:
            typer.secho(f"announced although {problem}.", fg="red")


def enact(
    *,
    proposal: ProposalId = None,
    stops_batches: Stops = False,
    where: Where = DEFAULT_L1,
    record: RecordFile = DEFAULT_RECORD,
    key_file: KeyFile = None,
) -> None:
    """Have happen what was announced and has waited long enough: one proposal, or all that are ready. Anybody may."""
    from bulkhead.bridge.proposals import Stage
    from bulkhead.bridge.upgrade import enact as run
    from bulkhead.bridge.upgrade import unfollowed

    with _told(), _opened(where, record, key_file) as (chain, known, signer):
        found = _found(chain, known)
        chosen = [_named(found, proposal)] if proposal else [one for one in found if one.stage is Stage.READY]
        if not chosen:
            raise ValueError("no proposal is ready to be enacted")
        for one in chosen:
            problem = unfollowed(chain, known, one, chosen)
            if problem and not stops_batches:
                raise ValueError(f"proposal {one.id[:16]}… is not enacted: {problem}. To do it give --stops-batches")
        for one in chosen:
            typer.echo(f"enacted {one.id} ({run(chain, signer, known, one):,} gas)")
        _show(chain, known)


def withdraw(
    *,
    proposal: ProposalId = None,
    where: Where = DEFAULT_L1,
    record: RecordFile = DEFAULT_RECORD,
    key_file: KeyFile = None,
) -> None:
    """Take back what was announced, as long as it is not enacted. The council may."""
    from bulkhead.bridge.upgrade import withdraw as run

    with _told(), _opened(where, record, key_file) as (chain, known, signer):
        if proposal is None:
            raise ValueError("name one with --proposal; `bulkhead l1 status` lists them")
        one = _named(_found(chain, known), proposal)
        typer.echo(f"withdrawn {one.id} ({run(chain, signer, known, one):,} gas)")


def _check_escape(known: Deployment, config: VenueConfig, profile: str) -> None:
    """The escape stays what was deployed, and whoever leaves must read this program's batches and prove the escape.

    ValueError where no one program would do both. Whoever brings compiled contracts answers for it himself.
    """
    from bulkhead.circuit.escape_batch import ESCAPE_SHAPES
    from bulkhead.node.leave import shape_with

    if known.exit is None or shape_with(known.exit.key, config, ESCAPE_SHAPES.values(), profile) is not None:
        return
    raise ValueError(
        f"not proposed: the escape on L1 takes proofs of the key {known.exit.key[:16]}…, of which this program makes "
        "none. Once its batches settle, a program that proves the escape could not read them, so nobody could leave: "
        "propose with a program whose escape is that of the deployment"
    )


@contextmanager
def _told() -> Iterator[None]:
    """Say what is wrong, without a traceback."""
    from bulkhead.bridge.errors import ChainError
    from bulkhead.client.draft import DraftError
    from bulkhead.node.replay import ExchangeError
    from bulkhead.node.segment import JournalError

    try:
        yield
    except (ChainError, ExchangeError, JournalError, DraftError, ValueError, OSError) as error:
        raise refuse(str(error)) from error


@contextmanager
def _opened(where: str, record: Path, key_file: Path | None) -> Iterator[tuple[Chain, Deployment, LocalAccount]]:
    """The chain of a record, held to it, and who signs."""
    from bulkhead.bridge.open import open_chain
    from bulkhead.bridge.record import check_record, read_record

    known, signer = read_record(record), find_signer(where, key_file)
    with open_chain(where, clock) as chain:
        check_record(chain, known)
        yield chain, known, signer


def _aim(before: VenueConfig, draft: Path | None, from_batch: int) -> tuple[VenueConfig, Aim]:
    """The configuration that a draft leads to, or the same; and what is announced of it."""
    from bulkhead.bridge.upgrade import Aim
    from bulkhead.client.draft import Draft
    from bulkhead.node.succession import digest_of, short

    after: VenueConfig = before
    changes: tuple[str, ...] = ()
    if draft is not None:
        read = Draft.from_json(draft.read_text(encoding="utf-8"))
        after, changes = read.applied(before), read.words(before)
        if not changes:
            raise ValueError(f"{draft} changes nothing")
    typer.echo(f"configuration {short(digest_of(before))}, then {short(digest_of(after))}")
    for each in changes:
        typer.echo(f"  {each}")
    return after, Aim(digest_of(after), changes, from_batch)


def _found(chain: Chain, known: Deployment) -> tuple[Proposal, ...]:
    from bulkhead.bridge.proposals import Proposals

    return Proposals(chain, known).look(clock())


def _named(found: tuple[Proposal, ...], text: str) -> Proposal:
    """The newest proposal of an id, which may be given by its first digits."""
    begins = text.removeprefix("0x").lower()
    ids = {one.id for one in found if one.id.startswith(begins)}
    if len(begins) < ID_DIGITS_MIN or len(ids) != 1:
        known = ", ".join(f"{one.id[:16]}…" for one in found) or "none"
        raise ValueError(f"--proposal {text}: give at least {ID_DIGITS_MIN} digits of one; there are {known}")
    return [one for one in found if one.id in ids][-1]


def _show(chain: Chain, known: Deployment) -> None:
    for title, rows in proposal_tables(known, _found(chain, known)):
        typer.echo(title)
        for name, value in rows:
            typer.echo(f"  {name}: {value}")
