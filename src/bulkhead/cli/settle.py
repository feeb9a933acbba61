"""`bulkhead settle`: take an exchange's proven batches to L1, and feed L1's queues back where it is asked to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch
from pathlib import Path
from time import sleep, time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bulkhead.cli.l1 import DEFAULT_L1, DEFAULT_RECORD, KeyFile, RecordFile, Where, clock, find_signer, refuse
from bulkhead.node.replay import ExchangeError, read_genesis
from bulkhead.node.segment import JournalError
from bulkhead.node.settling import events
from bulkhead.units import TimeMs

if TYPE_CHECKING:  # what talks to Ethereum takes seconds to import; the other commands need not wait for it
    from bulkhead.bridge.chain import Chain
    from bulkhead.node.settlement import Settlement, Terms
    from bulkhead.node.settling.intake import Intake

GWEI = 10**9
PAUSE_S = 2.0
SHOWN = 20  # batches in the summary


def settle(
    *,
    journal: Annotated[Path, typer.Option(help="The folder of an exchange; it may be running.")],
    where: Where = DEFAULT_L1,
    record: RecordFile = DEFAULT_RECORD,
    key_file: KeyFile = None,
    profile: Annotated[str, typer.Option(help="Which proofs: those that the verifiers on L1 take.")] = "onchain",
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left to do but to wait.")] = False,
    feed: Annotated[
        bool, typer.Option("--feed", help="Open the exchange, too, and feed it what L1 was sent; not while it runs.")
    ] = False,
    confirmations: Annotated[
        int, typer.Option(min=0, help="Blocks that make it final; 0: 12 at a node, 1 on an embedded chain.")
    ] = 0,
    fee_max: Annotated[int, typer.Option(min=0, help="Gwei for a unit of gas at most; 0: as L1 asks.")] = 0,
) -> None:
    """Settle proven batches on L1, until interrupted: publish proofs, follow L1, say how far each has come."""
    from bulkhead.bridge.errors import ChainError
    from bulkhead.bridge.open import is_url, open_chain
    from bulkhead.node.proving import profiles
    from bulkhead.node.settlement import CONFIRMATIONS, Terms

    if profile not in profiles():
        raise refuse(f"{profile!r} is no profile; there are {', '.join(profiles())}")
    depth = confirmations or (CONFIRMATIONS if is_url(where) else 1)
    terms = Terms(profile, depth, fee_max=fee_max * GWEI or None)
    try:
        with open_chain(where, clock) as chain, _intake(journal, feed=feed) as intake:
            with _service(journal, chain, record, _Signing(where, key_file), terms, intake) as service:
                end = _run(service, once=once)
                _summarize(service)
    except (ChainError, ExchangeError, JournalError, events.SettlementError, ValueError, OSError) as error:
        raise refuse(str(error)) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if isinstance(end, events.Halted | events.OutOfFunds):
        raise typer.Exit(1)


class _Signing:
    """Where the key is."""

    def __init__(self, where: str, key_file: Path | None) -> None:
        self.where, self.key_file = where, key_file


@contextmanager
def _intake(journal: Path, *, feed: bool) -> Iterator[Intake | None]:
    """The exchange, opened in this process, where L1's queues are to be fed to it."""
    if not feed:
        yield None
        return
    from bulkhead.node.exchange import Exchange
    from bulkhead.node.settling.intake import ExchangeIntake

    with Exchange.open(journal, read_genesis(journal).config, _now()) as exchange:
        yield ExchangeIntake(exchange, _now)


def _service(
    journal: Path, chain: Chain, record: Path, signing: _Signing, terms: Terms, intake: Intake | None
) -> Settlement:
    from bulkhead.bridge.record import read_record
    from bulkhead.node.settlement import Settlement

    signer = find_signer(signing.where, signing.key_file)
    return Settlement(journal, chain, read_record(record), signer, intake=intake, terms=terms, report=_tell)


def _run(service: Settlement, *, once: bool) -> events.Event | None:
    """Go on until halted or interrupted; `once`, until nothing is left but to wait for more than a block."""
    if not once:
        return service.follow(PAUSE_S)
    while True:
        event = service.step(_now())
        if isinstance(event, events.Waiting) and event.cause in (events.Cause.INCLUSION, events.Cause.REFUSED):
            sleep(PAUSE_S)
        elif isinstance(event, events.Idle | events.Waiting | events.OutOfFunds | events.Held | events.Halted):
            return event


def _summarize(service: Settlement) -> None:
    for each in service.statuses(SHOWN):
        parts = f", {each.published} of {each.parts} parts" if each.stage is events.Stage.PUBLISHED else ""
        typer.echo(f"batch {each.number}: {each.stage}{parts}")


def _now() -> TimeMs:
    return TimeMs(int(time() * 1000))


def _tell(event: events.Event) -> None:
    """One line of what happened, in red where somebody must do something."""
    is_bad = isinstance(event, events.Halted | events.OutOfFunds | events.Held)
    Console(soft_wrap=True, highlight=False).print(_words(event), style="red" if is_bad else None, markup=False)


@singledispatch
def _words(event: events.Event) -> str:
    return str(event)


@_words.register
def _(event: events.Waiting) -> str:
    return f"waiting: {event.cause}" + (f" ({event.detail})" if event.detail else "")


@_words.register
def _(event: events.OutOfFunds) -> str:
    return f"the account that settles is empty: {event.address} needs {event.needed:,} wei and has {event.held:,}"


@_words.register
def _(event: events.Sent) -> str:
    again = "again " if event.is_repeated else f"for the {event.attempt}. time, " if event.attempt > 1 else ""
    return f"sent {again}{_named(event)}: nonce {event.nonce}, 0x{event.hash.hex()}"


@_words.register
def _(event: events.Included) -> str:
    done = "" if event.succeeded else " and failed"
    return f"{_named(event)} is in block {event.block}{done}: {event.gas_used:,} gas"


@_words.register
def _(event: events.Displaced) -> str:
    return f"nonce {event.nonce} was used by another transaction of this account"


@_words.register
def _(event: events.Followed) -> str:
    counts = (("deposits", event.deposits), ("cancelled", event.cancelled), ("forced requests", event.requests))
    told = [f"{count} {name}" for name, count in counts if count]
    told += [f"batch {number} is final" for number in event.final]
    return f"read L1 up to block {event.block}" + (f": {', '.join(told)}" if told else "")


@_words.register
def _(event: events.Reorganised) -> str:
    return f"L1 was reorganised behind block {event.block}"


@_words.register
def _(event: events.Fed) -> str:
    failed = f", which fails: {event.failed}" if event.failed else ""
    return f"{event.queue} {event.l1_number} is {event.transaction} {event.l2_number} of the exchange{failed}"


@_words.register
def _(event: events.Held) -> str:
    return f"{event.queue} {event.l1_number} and those behind it wait: {event.reason}"


@_words.register
def _(event: events.Halted) -> str:
    return f"stopped{f' at batch {event.batch}' if event.batch else ''}: {event.reason}"


def _named(event: events.Sent | events.Included) -> str:
    step = events.Step
    names = {
        step.OPEN: f"opening of batch {event.batch}",
        step.ANSWER: f"part {event.part + 1} of batch {event.batch}",
        step.SETTLE: f"settling of batch {event.batch}",
        step.STEP_OVER: f"stepping over {event.part} cancelled deposits",
        step.FINISH_CANCEL: f"giving back of deposit {event.part}",
    }
    return names[event.step]
