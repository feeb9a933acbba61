"""Openings of states with positions: an isolated one that comes and goes, and batches that nobody asked for."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bulkhead.client.settled import Anchor, Settled, check
from bulkhead.client.signer import MONEY
from bulkhead.engine.command import SealBatch
from bulkhead.engine.event import BatchSealed
from bulkhead.ledger.batch import Sealer
from bulkhead.ledger.commitment import commitment_felts, leaf_of
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import AccountTree
from bulkhead.node import openings as opening
from bulkhead.node.exchange import Answer
from bulkhead.node.liabilities import NotOpen, settled_liabilities, value_of
from bulkhead.node.openings import PARTS, Openings
from bulkhead.node.proof_file import FOLDER
from stark.poseidon import hash_many
from tests.circuit.batches import Recorder, play_all
from tests.client.test_settled import ask

SCRIPTS = (
    """
register maker ok
register taker ok
deposit  maker 100000 ok
deposit  taker 5000   ok
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok
configure taker BTC isolated 10x ok
trade maker sell taker 0.1 ETH @ 3000 ok
trade maker sell taker 0.001 BTC @ 50000 ok
""",
    """
wait 2s
tick BTC 52000 ETH 2900 XRP 0.5 LTC 50 EOS 5 ok
""",
    """
wait 2s
trade taker sell maker 0.001 BTC @ 52000 ok
""",
)


class Venue:
    """A ledger whose batches are sealed, with its openings; statements are made of its states."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.player = Recorder()
        self.sealer = Sealer(self.player.state)
        self.openings = Openings(self.player.state, folder / FOLDER, "any")
        self.said: dict[int, dict[str, int]] = {}
        monkeypatch.setattr(Openings, "_said", lambda _, batch: self.said[batch])
        monkeypatch.setattr(opening, "AGE_S", -1.0)
        monkeypatch.setattr(opening, "REST", 0)

    @property
    def state(self) -> State:
        return self.player.state

    def seal(self, script: str = "") -> int:
        """A batch; its number."""
        play_all(self.player, script)
        self.sealer.seal([])
        number = self.state.counters.batches
        parts = commitment_felts(self.state, self.sealer.tree.root)
        self.said[number] = {**dict(zip(("", "", *PARTS), parts, strict=True)), "state": self.sealer.root}
        sealed: Any = BatchSealed(number, self.state.time_ms, number)
        self.openings.heard([Answer(number, SealBatch(self.state.time_ms), [sealed])])
        return number

    def found(self, batch: int, name: str) -> Settled:
        """What an account's owner computes from the answer about a batch, which is the newest one on L1."""
        account = self.player.names.account(name)
        told = ask(self.openings, self.state.config, batch, account)
        backing = self.state.custody[self.state.config.assets[0].asset_id]
        anchor = Anchor(1, "0x1", 9, batch, self.said[batch]["state"], batch, backing, backing)
        return check(told, anchor, self.state.config, account, self.state.accounts[account].owner_key)


def test_an_isolated_position_comes_is_valued_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = Venue(tmp_path, monkeypatch)
    taker = venue.player.names.account("taker")
    held = []
    for script in SCRIPTS:
        batch = venue.seal(script)
        found, state = venue.found(batch, "taker"), venue.state
        own = [state.accounts[number] for number in range(taker, taker + 64) if number in state.accounts]
        assert found.accounts == tuple(own)
        assert found.owed == Decimal(sum(value_of(state, one) for one in own)) / MONEY
        owed = settled_liabilities(state, venue.sealer.root)
        assert (found.root, found.total) == (owed.root.digest.hex(), Decimal(owed.root.total) / MONEY)
        assert hash_many(commitment_felts(state, venue.sealer.tree.root)) == found.state
        held.append((len(found.accounts), found.owed))
    assert [count for count, _ in held] == [2, 2, 1], "the child is made by the fill, and goes when it is empty"
    assert held[1][1] - held[0][1] == Decimal("0.001") * 2_000 - Decimal("0.1") * 100, "at the new prices"


def test_batches_that_nobody_asked_for_are_gone_through_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BATCHES_MAX", 2)
    venue = Venue(tmp_path, monkeypatch)
    for script in SCRIPTS:
        last = venue.seal(script)
    with pytest.raises(NotOpen, match=f"older than what is kept here .*: ask when batch {last - 1} is final"):
        asyncio.run(venue.openings.newest(last - 2))
    assert venue.found(last, "maker").batch == last
    tree = AccountTree({number: leaf_of(account) for number, account in venue.state.accounts.items()})
    assert venue.openings._tree.root == tree.root == venue.sealer.tree.root


def test_a_statement_of_another_state_is_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What L1 has and this exchange has not, nobody is shown as proven; and what was opened before is gone with it."""
    venue = Venue(tmp_path, monkeypatch)
    first, second = venue.seal(SCRIPTS[0]), venue.seal(SCRIPTS[1])
    asyncio.run(venue.openings.newest(first))
    for name in ("accounts", "markets", "money", "counters"):
        right = venue.said[second][name]
        venue.said[second][name] = right + 1
        with pytest.raises(NotOpen, match="was proven of another state than this exchange has"):
            asyncio.run(venue.openings.newest(second))
        venue.said[second][name] = right
    assert venue.found(second, "taker").batch == second
