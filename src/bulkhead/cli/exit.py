"""`bulkhead rebuild` makes the exchange's state from L1 alone; `bulkhead exit` leaves it with the operator gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkhead.cli.l1 import DEFAULT_L1, DEFAULT_RECORD, KeyFile, RecordFile, Where, clock, find_signer, refuse
from bulkhead.node.replay import GENESIS_FILE

if TYPE_CHECKING:  # what talks to Ethereum and what proves take seconds to import
    from bulkhead.bridge.chain import Chain
    from bulkhead.bridge.record import Deployment
    from bulkhead.node.rebuild import FromL1

Exchange = Annotated[Path, typer.Option(help=f"A folder with the exchange's {GENESIS_FILE}; nothing else is read.")]


def rebuild(*, exchange: Exchange, where: Where = DEFAULT_L1, record: RecordFile = DEFAULT_RECORD) -> None:
    """Make the full state from L1's calldata, and see that it is the state that the rollup has."""
    from bulkhead.node.liabilities import settled_liabilities, settlement_asset

    with _telling(), _opened(where, record, read_only=True) as (chain, deployment):
        found = _rebuilt(chain, deployment, exchange)
    state = found.state
    held = sum(len(account.positions) for account in state.accounts.values())
    typer.echo(f"block {found.block:,}: {found.batches:,} batches lead to {found.root:#066x}, as the rollup has it")
    typer.echo(f"{len(state.accounts):,} accounts with {held:,} positions in {len(state.markets):,} markets")
    owed = settled_liabilities(state, found.root).root
    backed = state.custody[settlement_asset(state)]
    typer.echo(f"owed to accounts: {owed.total:,} of the {backed:,} smallest units that custody backs")
    typer.echo(f"root of what is owed: {owed.digest.hex()}, as the exchange must show it to everybody")


def leave(
    *,
    exchange: Exchange,
    owner: Annotated[str, typer.Option(help="Who is to be paid: an address of L1; the signer if nobody.")] = "",
    ask: Annotated[int, typer.Option(min=0, help="First ask for a withdrawal from this account, by force.")] = 0,
    amount: Annotated[int, typer.Option(min=0, help="Of --ask, in smallest units of the token.")] = 1,
    where: Where = DEFAULT_L1,
    record: RecordFile = DEFAULT_RECORD,
    key_file: KeyFile = None,
    profile: Annotated[str, typer.Option(help="Of the proofs, as the escape was deployed.")] = "onchain",
) -> None:
    """Leave with the operator gone: freeze, rebuild the state, prove every account's worth, claim.

    Whatever others did already is not done again, and what was interrupted goes on. Begin with --ask: a request that is
    not served within seven days is what lets anybody freeze.
    """
    from eth_utils.address import is_hex_address, to_checksum_address

    from bulkhead.node import leave as steps
    from bulkhead.node.proving import profiles

    if profile not in profiles():
        raise refuse(f"{profile!r} is no profile; there are {', '.join(profiles())}")
    if owner and not is_hex_address(owner):
        raise refuse(f"--owner: {owner!r} is no address")
    with _telling(), _opened(where, record) as (chain, deployment):
        errand = steps.Errand(chain, deployment, find_signer(where, key_file), _report)
        if ask:
            number = steps.ask(errand, ask, amount)
            typer.echo(f"request {number}: come back without --ask when it is overdue")
            return
        steps.freeze(errand)
        found = _rebuilt(chain, deployment, exchange)
        terms = steps.Terms(profile=profile)
        steps.settle(errand, found, terms)
        paid = to_checksum_address(owner or str(errand.signer.address))
        steps.take_back(errand, paid)
        sent = steps.claim(errand, steps.shape_of(errand, found, terms), paid)
    typer.secho(f"{paid} was sent {sent:,} smallest units" if sent else f"nothing is owed to {paid}", fg="green")


def _rebuilt(chain: Chain, deployment: Deployment, exchange: Path) -> FromL1:
    from bulkhead.node.rebuild import rebuild as run
    from bulkhead.node.replay import read_genesis

    begin = read_genesis(exchange)
    return run(chain, deployment, begin.config, begin.time_ms, lambda number: typer.echo(f"followed batch {number:,}"))


@contextmanager
def _opened(where: str, record: Path, *, read_only: bool = False) -> Iterator[tuple[Chain, Deployment]]:
    """The chain, and what is deployed there."""
    from bulkhead.bridge.open import open_chain
    from bulkhead.bridge.record import read_record

    deployment = read_record(record)
    with open_chain(where, clock, read_only=read_only, chain_id=deployment.chain_id) as chain:
        yield chain, deployment


@contextmanager
def _telling() -> Iterator[None]:
    """What goes wrong is told without a traceback."""
    from bulkhead.bridge.errors import ChainError
    from bulkhead.circuit.venue import NotProvable
    from bulkhead.node.leave import NoExit
    from bulkhead.node.rebuild import NotRebuilt
    from bulkhead.node.replay import ExchangeError
    from bulkhead.node.segment import JournalError

    try:
        yield
    except (ChainError, NotRebuilt, NoExit, NotProvable, ExchangeError, JournalError, ValueError, OSError) as error:
        raise refuse(str(error)) from error


def _report(done: str, gas: int) -> None:
    typer.echo(f"{done} ({gas:,} gas)" if gas else done)
