"""What S of a settled batch is made of: the parts that it hashes, every account's path to it, and all that it owes.

L1 has one S for everybody, and a settled statement names its parts. So an account that is shown its path in the tree of
accounts, and that tree's root among the parts, sees what everybody else is shown. The sums over all accounts are not
part of S; but here they are a function of it: the salts are made from S, so whoever rebuilds the state from L1 gets the
same root, and an exchange that tells two customers two roots tells at least one of them what L1 contradicts.

Kept are the accounts as the newest batch that was asked for left them, and what batches after it changed.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bulkhead.circuit.batch import BOTH
from bulkhead.circuit.words import account_words
from bulkhead.engine.event import BatchSealed
from bulkhead.ledger.commitment import VERSION, config_root, counters_felts, leaf_of, markets_felts, money_felts
from bulkhead.ledger.state import Account, Market, State, genesis, put_market
from bulkhead.ledger.tree import AccountTree
from bulkhead.node.exchange import Answer
from bulkhead.node.liabilities import Liabilities, NotOpen, settled_liabilities
from bulkhead.node.proof_file import ProofFileError, Proofs, read_proof
from bulkhead.units import TimeMs
from stark.poseidon import hash_many

BATCHES_MAX = 1_000  # sealed and not yet opened
AGE_S = 5.0
REST = 20  # and no newer than so many times what the last one took: see `api.moments`
PARTS = ("accounts", "orders", "markets", "money", "oracle", "counters")  # behind version and configuration


class Opened(NamedTuple):
    """A settled batch. `parts` are hashed to `state`, which is S; `markets`, `money`, `counters` to three of them."""

    batch: int
    state: int
    parts: tuple[int, ...]
    markets: tuple[int, ...]
    money: tuple[int, ...]
    counters: tuple[int, ...]
    owed: Liabilities


class Place(NamedTuple):
    """An account in the tree of accounts: its words by number, none of one that is not there, and its siblings."""

    account_id: int
    words: dict[int, int]
    path: tuple[int, ...]


class _Sealed(NamedTuple):
    """What a batch left: accounts that it changed, None where one is gone; and the venue's records."""

    batch: int
    accounts: dict[int, Account | None]
    markets: tuple[Market, ...]
    records: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


class _Kept(NamedTuple):
    opened: Opened
    made_s: float
    took_s: float


class Openings:
    """Of one exchange. `heard` is a listener of its writer, behind a gate: a seal ends its group, so what the state is
    then is what the batch left."""

    def __init__(self, state: State, folder: Path, profile: str) -> None:
        """`folder` has the proofs, of this profile."""
        self._state, self._proofs, self._profile = state, Proofs(folder), profile
        self._sealed: deque[_Sealed] = deque()
        self._before: dict[int, Account] = {}  # accounts at the newest seal
        # As the batch that was opened last left them, and what is still to be changed in them for `_last`.
        self._venue, self._tree = genesis(state.config, TimeMs(0)), AccountTree()
        self._venue.accounts.clear()
        self._changes: dict[int, Account | None] = {}
        self._last: _Sealed | None = None
        self._kept: _Kept | None = None
        self._working = asyncio.Lock()

    def heard(self, answers: Sequence[Answer]) -> None:
        """A group was handled. The first seal since the start is taken as a change of everything."""
        sealed = [event for answer in answers for event in answer.events if isinstance(event, BatchSealed)]
        if not sealed:
            return
        state, before = self._state, self._before
        assert [each.batch for each in sealed] == [state.counters.batches], "a seal ends its group"
        changed: dict[int, Account | None] = {
            number: account for number, account in state.accounts.items() if before.get(number) is not account
        }
        changed |= dict.fromkeys(before.keys() - state.accounts.keys())
        self._before = dict(state.accounts)
        records = tuple(markets_felts(state)), tuple(money_felts(state)), tuple(counters_felts(state))
        self._sealed.append(_Sealed(state.counters.batches, changed, tuple(state.markets.values()), records))
        if len(self._sealed) > BATCHES_MAX:  # the oldest can be opened no more
            oldest = self._sealed.popleft()
            self._sealed[0] = self._sealed[0]._replace(accounts=oldest.accounts | self._sealed[0].accounts)

    async def newest(self, final: int) -> Opened:
        """Batch `final`, or one before it that was opened some seconds ago. Raises NotOpen."""
        async with self._working:
            return await self._newest(final)

    async def family(self, final: int, numbers: Sequence[int]) -> tuple[Opened, list[Place]]:
        """The same with some accounts' places, of those too that are not there."""
        async with self._working:
            opened, accounts = await self._newest(final), self._venue.accounts
            places = [Place(one, account_words(accounts.get(one)), self._tree.path(one)) for one in numbers]
            return opened, places

    async def _newest(self, final: int) -> Opened:
        kept = self._kept
        if kept is None or (kept.opened.batch != final and self._is_old(kept)):
            self._take(final)
            self._kept = None  # accounts and tree are not its any more
            kept = self._kept = await asyncio.to_thread(self._open, final)
        return kept.opened

    @staticmethod
    def _is_old(kept: _Kept) -> bool:
        return time.monotonic() - kept.made_s >= max(AGE_S, REST * kept.took_s)

    def _take(self, final: int) -> None:
        """Gather what is to be changed."""
        if not final:
            raise NotOpen("no batch is final on L1 yet")
        at = 0 if self._last is None else self._last.batch
        if final < at:
            raise NotOpen(f"L1 went back to batch {final}, and batch {at} was opened already: it will come again")
        if final > at and not (self._sealed and self._sealed[0].batch <= final <= self._sealed[-1].batch):
            first = self._sealed[0].batch if self._sealed else self._state.counters.batches + 1
            raise NotOpen(
                f"batch {final} is final on L1, and older than what is kept here since this exchange was started: "
                f"ask when batch {first} is final"
            )
        while self._sealed and self._sealed[0].batch <= final:
            self._last = self._sealed.popleft()
            self._changes |= self._last.accounts

    def _open(self, final: int) -> _Kept:
        began_s, last = time.monotonic(), self._last
        assert last is not None and last.batch == final, "it was taken"
        self._apply(last)
        said = self._said(final)
        parts = (VERSION, config_root(self._state.config), *(said[name] for name in PARTS))
        here = (self._tree.root, *(hash_many(list(record)) for record in last.records))
        if here != tuple(said[name] for name in ("accounts", "markets", "money", "counters")):
            raise NotOpen(f"batch {final} was proven of another state than this exchange has: tell its operator")
        owed = settled_liabilities(self._venue, said["state"])
        now_s = time.monotonic()
        return _Kept(Opened(final, said["state"], parts, *last.records, owed), now_s, now_s - began_s)

    def _apply(self, last: _Sealed) -> None:
        """Bring accounts and their tree to what a batch left."""
        for number, account in self._changes.items():
            if account is None:
                self._venue.accounts.pop(number, None)
            else:
                self._venue.accounts[number] = account
        self._tree.update({number: leaf_of(account) for number, account in self._changes.items()})
        self._changes.clear()
        for market in last.markets:
            put_market(self._venue, market)

    def _said(self, batch: int) -> dict[str, int]:
        """What the batch's statement says of the state after it, by name. L1 has the same statement."""
        try:
            statement = read_proof(self._proofs.path(batch, self._profile)).statement
        except ProofFileError as error:
            raise NotOpen(f"the statement of batch {batch} is not at hand: {error}") from error
        return {name: statement[2 * place + 1] for place, name in enumerate(BOTH)}
