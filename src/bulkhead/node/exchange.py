"""The exchange of one node: a command is journalled and on the disk before it is handled, and handled before it is
acknowledged.

    submit   the door verifies signatures, the codec makes bytes, the journal buffers them
    commit   one sync for everything submitted; then each command is handled, in order, and answered

When to commit (after so many commands, or so many milliseconds) is the caller's choice. Opening again replays what
the newest snapshot does not know, then journals a RestartNode: nothing is liquidated before fresh prices arrive.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from bulkhead.engine.command import Command, RestartNode
from bulkhead.keepers.event import VenueEvent
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import State
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.node import snapshot
from bulkhead.node.door import Door, Question
from bulkhead.node.journal import Journal, TornTail
from bulkhead.node.records import COMMANDS, EXCHANGE
from bulkhead.node.replay import (
    GENESIS_FILE,
    ExchangeError,
    Machine,
    Progress,
    Replayed,
    advance,
    open_journal,
    read_genesis,
    restore,
    write_genesis,
)
from bulkhead.node.snapshot import SnapshotRefused
from bulkhead.reject import Reject
from bulkhead.units import AccountId, Felt, TimeMs

SNAPSHOTS_KEPT = 3


class Answer(NamedTuple):
    """The acknowledgement of one command: its place in the journal, and what it caused."""

    sequence: int
    command: Command
    events: list[VenueEvent]


class Exchange:
    """One node's exchange. Made by `open`; any method may raise JournalError or ExchangeError."""

    def __init__(self, journal: Journal, replayed: Replayed, *, verify: bool) -> None:
        self.journal = journal
        self.machine: Machine = replayed.machine
        self.begun_after = replayed.begun_after
        self.torn: TornTail | None = replayed.torn
        self.refused: tuple[SnapshotRefused, ...] = replayed.refused
        # From here on commands are new: each is verified at the door, and once more (remembered) by the ledger.
        self.machine.authority.verify = verify
        self._door = Door(self.state.config, self.machine.authority)
        self._pending: list[tuple[int, Command]] = []
        self._answers: list[Answer] = []
        self._refusal = ""

    @classmethod
    def open(
        cls,
        folder: Path,
        config: VenueConfig,
        time_ms: TimeMs,
        *,
        verify: bool = True,
        progress: Progress | None = None,
    ) -> Exchange:
        """Open the exchange in a folder, or begin one there. `time_ms` is the node's clock now.

        A torn tail is cut and told in `torn`; snapshots passed over are told in `refused`.
        """
        folder = Path(folder)
        begin = read_genesis(folder) if (folder / GENESIS_FILE).exists() else write_genesis(folder, config, time_ms)
        if begin.config != config:
            raise ExchangeError(
                f"{folder} holds an exchange of another configuration ({_differences(begin.config, config)}); "
                "open it with its own, or begin in another folder"
            )
        journal = open_journal(folder, begin, repair=True)
        try:
            exchange = cls(journal, advance(journal, restore(journal, begin), progress=progress), verify=verify)
            if journal.tip.sequence:
                exchange._restart(time_ms)
        except BaseException:
            journal.close()
            raise
        return exchange

    # -- commands --------------------------------------------------------------------------------------------------

    def submit(self, command: Command) -> int | Reject:
        """Take a command in: its place in the journal, or why the door refused it, which leaves no trace.

        A command whose fields are not what their types say raises CodecError; it never reaches the journal.
        """
        self._check_usable()
        payload = COMMANDS.encode(command)
        objection = self._door.objection(command, self._key_of)
        if objection is Reject.UNKNOWN_ACCOUNT and self._pending:
            self._handle_pending()  # the account may be registered by a command of this very group
            objection = self._door.objection(command, self._key_of)
        if objection is not None:
            return objection
        sequence = self.journal.append(payload)
        self._pending.append((sequence, command))
        return sequence

    def commit(self) -> list[Answer]:
        """Everything submitted becomes durable, then happens, then is answered, in this order."""
        self._check_usable()
        self._handle_pending()
        answers, self._answers = self._answers, []
        return answers

    def signatures_of(self, command: Command) -> list[Question]:
        """The signatures that `submit` will ask of a command, so that a caller may have many verified at once."""
        return self._door.signatures(command, self._key_of)

    def _handle_pending(self) -> None:
        # Whatever stops this half-way leaves the state behind the journal: only opening again brings them together.
        self._refusal = "a group was not handled to its end; open the exchange again"
        self.journal.commit()
        handle, answers = self.machine.handle, self._answers
        for sequence, command in self._pending:
            answers.append(Answer(sequence, command, handle(command)))
        self._pending.clear()
        self._refusal = ""

    def _restart(self, time_ms: TimeMs) -> None:
        """The first record after a stop. The clock of a machine that lags behind the journal does not go back."""
        self.submit(RestartNode(max(time_ms, self.machine.venue.sequencer.time_ms)))
        self.commit()

    def _key_of(self, account_id: AccountId) -> Felt | None:
        """An isolated child has its parent's key, whether or not it exists just now."""
        account = self.state.accounts.get(account_id & -CHILDREN_PER_ACCOUNT)
        return None if account is None else account.owner_key

    def _check_usable(self) -> None:
        if self._refusal:
            raise ExchangeError(f"{self.journal.directory}: {self._refusal}")

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The ledger's state, to be read only."""
        return self.machine.state

    @property
    def sequence(self) -> int:
        """Place of the last command that was handled."""
        return self.journal.tip.sequence

    def root(self) -> int:
        """The state commitment after the last command that was handled."""
        return self.machine.root()

    def digest(self) -> bytes:
        """SHA-256 of everything that decides what the next command does."""
        return self.machine.digest()

    def snapshot(self) -> Path:
        """Write what is known now, so that the next start need not replay it. Commits first."""
        self._check_usable()
        self._handle_pending()
        path = snapshot.write(self.journal, EXCHANGE.encode(self.machine.record()))
        snapshot.prune(self.journal, SNAPSHOTS_KEPT)
        return path

    def close(self) -> None:
        """Handle what was submitted, and let another process open the journal."""
        try:
            if not self._refusal:
                self._handle_pending()
        finally:
            self._refusal = self._refusal or "the exchange is closed"
            self.journal.close()

    def __enter__(self) -> Exchange:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        self._pending.clear()  # nobody was told of these
        self._refusal = self._refusal or "the exchange is closed"
        self.journal.__exit__(kind, error, trace)


def _differences(one: VenueConfig, other: VenueConfig) -> str:
    """Names of the fields in which two configurations differ."""
    names = [name for name in VenueConfig._fields if getattr(one, name) != getattr(other, name)]
    return "different " + ", ".join(names)
