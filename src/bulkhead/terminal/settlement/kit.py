"""What an owner needs to leave when nobody answers any more, kept on his machine while somebody does: the genesis, the
record of the contracts, and where L1 is. And the connection to L1 itself.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

from bulkhead import private
from bulkhead.client import ClientError, Refused
from bulkhead.client.l1 import FAILURES, L1, UNSURE, Proposal, Proposals, Standing
from bulkhead.client.signer import MONEY
from bulkhead.terminal import numbers, words
from bulkhead.terminal.live.asked import Asked
from bulkhead.terminal.live.topic import Topic
from bulkhead.terminal.session import NotReady, Session

FOLDER = "leaving"  # beside the keys
GENESIS, RECORD, WHERE = "genesis.bin", "deployment.json", "l1.txt"
STANDING_S, ANNOUNCED_S = 3.0, 10.0
LOOK = "It may or may not have been done: look at L1 before you repeat it."
DOLLARS = re.compile(r"^(deposited|claimed) ([0-9.]+)$")
AMOUNT = re.compile(r"(?P<before>sent |withdrawal of )(?P<units>[0-9][0-9,]*)(?: smallest units)?")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\b")
Answer = TypeVar("Answer")


class Unsure(NotReady):
    """No answer while something was done on L1: it may or may not have been."""


class Kit(Topic):
    """Of one session. `problem` says why there is none, or no newer one. Made by `kit_of`."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.folder = session.settings.keys.parent / FOLDER / _slug(session.exchange.transport.url)
        self.problem = ""
        self.told: list[str] = []  # what L1 did for this owner, newest last
        self.doing = ""
        self.standing: Asked[Standing] = Asked("L1", STANDING_S, self._stand)
        self.announced: Asked[tuple[Proposal, ...]] = Asked("L1's proposals", ANNOUNCED_S, self._announce)
        self._follower: Proposals | None = None
        self._looking = asyncio.Lock()  # an embedded chain's file is open once at a time

    # -- what is kept ----------------------------------------------------------------------------------------------

    @property
    def is_whole(self) -> bool:
        """Genesis and record are here."""
        return (self.folder / GENESIS).is_file() and (self.folder / RECORD).is_file()

    @property
    def kept_ms(self) -> int:
        """When the record was kept last; 0 where it never was."""
        path = self.folder / RECORD
        return int(path.stat().st_mtime * 1000) if path.is_file() else 0

    @property
    def where(self) -> str:
        """L1: a node's URL, or the file of an embedded chain."""
        path = self.folder / WHERE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else self._session.settings.l1

    async def refresh(self) -> None:
        """Ask the exchange for genesis and record, and keep them. One that is gone leaves what was kept."""
        books = self._session.exchange.books
        try:
            genesis, record = await books.genesis(), await books.deployment()
        except Refused as error:
            self.problem = error.message
        except ClientError as error:
            self.problem = f"The exchange gives no answer ({error}); what was kept before is used"
        else:
            try:
                await asyncio.to_thread(self._keep, {GENESIS: genesis, RECORD: json.dumps(record, indent=1).encode()})
                self.problem = ""
            except OSError as error:
                self.problem = f"{self.folder} cannot be written: {error.strerror or error}"
        self.tell()

    async def look_at(self, where: str) -> None:
        """Use another L1. Raises OSError."""
        await asyncio.to_thread(self._keep, {WHERE: where.strip().encode()})
        self.standing.value = self._follower = None
        await self.standing.refresh()

    def _keep(self, files: dict[str, bytes]) -> None:
        """No keys are in it; but the address of one's node of L1 may hold what opens it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=private.FOLDER_MODE)
        for name, data in files.items():
            private.write(self.folder / name, data)

    # -- L1 --------------------------------------------------------------------------------------------------------

    async def ask(self, work: Callable[[L1], Answer]) -> Answer:
        """Do something on L1 as the owner, beside the event loop. NotReady says what is missing, or what L1 said;
        Unsure that L1 said nothing after it was asked."""
        unlocked = self._session.unlocked
        if unlocked is None:
            raise NotReady("unlock an account first")
        key = unlocked.kept.ethereum_key
        if not key:
            raise NotReady("this account was imported without its Ethereum key, and L1 knows nobody else")
        if not self.is_whole:
            raise NotReady(self.problem or "no record of the contracts is kept here yet")

        def run() -> Answer:
            with L1.opened(self.where, self.folder / RECORD, key, self._done) as chain:
                try:
                    return work(chain)
                except UNSURE as error:
                    raise Unsure(f"{words.sentence(str(error))} {LOOK}") from error

        try:
            return await asyncio.to_thread(run)
        except Unsure:
            raise
        except FAILURES as error:
            raise NotReady(str(error)) from error

    async def do(self, doing: str, work: Callable[[L1], Answer]) -> Answer:
        """The same, told while it goes on. One at a time: an owner's transactions are numbered."""
        if self.doing:
            raise NotReady(f"wait: {self.doing}")
        self.doing = doing
        self.tell()
        try:
            return await self.ask(work)
        finally:
            self.doing = ""
            await self.standing.refresh()
            self.tell()

    def _done(self, done: str, gas: int) -> None:
        """Heard in the thread that works; it is painted with the next telling."""
        now = time.strftime("%H:%M:%S")
        self.told.append(f"{now}  {in_dollars(done)}" + (f" ({gas:,} gas)" if gas else ""))
        del self.told[:-200]

    async def _stand(self) -> Standing:
        async with self._looking:
            return await self.ask(lambda chain: chain.standing())

    async def _announce(self) -> tuple[Proposal, ...]:
        """Read from L1 itself, for whoever runs the exchange may have announced it."""

        def look(chain: L1) -> tuple[Proposal, ...]:
            self._follower = chain.proposals(self._follower)
            return self._follower.look()

        async with self._looking:
            return await self.ask(look)


_kits: WeakKeyDictionary[Session, Kit] = WeakKeyDictionary()


def kit_of(session: Session) -> Kit:
    """The same for all tabs of a session."""
    if session not in _kits:
        _kits[session] = Kit(session)
    return _kits[session]


def in_dollars(done: str) -> str:
    """What L1 did, with amounts of smallest units in dollars and addresses cut short, as everywhere on the screens.

    >>> in_dollars("custody sent 1,250,500,000 smallest units to 0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")
    'custody sent 1,250.50 USD to 0x19E7E376…DAff2A'
    """

    def shown(found: re.Match[str]) -> str:
        return found["before"] + _dollars(Decimal(found["units"].replace(",", "")) / MONEY) + " USD"

    cut = ADDRESS.sub(lambda found: f"{found[0][:10]}…{found[0][-6:]}", done)
    return DOLLARS.sub(lambda found: f"{found[1]} {_dollars(Decimal(found[2]))} USD", AMOUNT.sub(shown, cut))


def _dollars(amount: Decimal) -> str:
    """With as many places as it needs, two at least."""
    return numbers.dollars(amount, places=2 if amount == round(amount, 2) else 6)


def _slug(url: str) -> str:
    """A folder's name for an exchange."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", url.split("://")[-1]).strip("-") or "exchange"


def command(kit: Kit) -> str:
    """The same without this terminal, for a shell."""
    folder = kit.folder
    key = Path("KEY-FILE")
    return (
        f"bulkhead exit --exchange {folder} --record {folder / RECORD} --l1 {kit.where} --key-file {key}"
    )
