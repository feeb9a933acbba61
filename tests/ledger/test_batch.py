"""Batches: the root kept is the root of the leaves, S binds every field, and published bytes rebuild the state."""

from __future__ import annotations

from copy import deepcopy
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from bulkhead.ledger.availability import AvailabilityError, Rebuilt
from bulkhead.ledger.batch import Batch, PaidOut, Sealer
from bulkhead.ledger.commitment import biased, commitment, config_root, leaf_of, packed
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.orders import FilledOrders
from bulkhead.ledger.state import Choice, Mode, State
from bulkhead.ledger.tree import AccountTree
from bulkhead.units import Quote
from tests.play import Player

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
RICH = """
register maker                                              ok
register owner                                              ok
register taker                                              ok
register strategy strategy of owner key=owner signer=owner  ok
deposit  maker 100000                                       ok
deposit  owner 5000                                         ok
deposit  taker 5000                                         ok
deposit  taker 2 WBTC                                       ok
fund     100                                                ok
tick     BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 WBTC 50000 ok
configure owner BTC isolated 10x cap 40                     ok
trade    maker sell owner 0.1 BTC @ 50000 fees=1,2          ok
trade    maker sell taker 0.1 ETH @ 3000                    ok
"""


def rich() -> Player:
    """A state with something in every record."""
    player = Player({"assets": "WBTC"})
    for line in RICH.splitlines():
        player.play(line)
    return player


def root_of(state: State) -> int:
    """S from the leaves, without a sealer."""
    return commitment(state, AccountTree({key: leaf_of(account) for key, account in state.accounts.items()}).root)


def mutations(value: Any) -> list[Any]:
    """The same value with one thing different, for every field of every record in it."""
    if isinstance(value, IntEnum):
        return [next(other for other in type(value) if other is not value)]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, str):
        return [value + "x"]
    assert isinstance(value, tuple)
    found = []
    for place, part in enumerate(value):
        for other in mutations(part):
            parts = [*value[:place], other, *value[place + 1 :]]
            found.append(type(value)(*parts) if hasattr(value, "_fields") else tuple(parts))
    return found


def test_every_field_of_the_state_enters_the_commitment() -> None:
    state = rich().state
    seen = {root_of(state)}
    tried = 0

    def differs(changed: State) -> None:
        nonlocal tried
        tried += 1
        root = root_of(changed)
        assert root not in seen
        seen.add(root)

    for name in ("accounts", "markets", "funds"):
        for key, record in getattr(state, name).items():
            for other in mutations(record):
                if name == "markets" and other.market_id != key:
                    continue  # a market's id is its place in the list, under which it is kept
                changed = deepcopy(state)
                getattr(changed, name)[key] = other
                differs(changed)
    for name in ("oracle", "counters"):
        for other in mutations(getattr(state, name)):
            changed = deepcopy(state)
            setattr(changed, name, other)
            differs(changed)
    for asset_id in state.custody:
        changed = deepcopy(state)
        changed.custody[asset_id] += 1
        differs(changed)
    changed = deepcopy(state)
    changed.time_ms += 1
    differs(changed)
    for entry in state.filled:
        for other in mutations(entry):
            changed = deepcopy(state)
            changed.filled = FilledOrders([each for each in state.filled if each != entry] + [other])
            differs(changed)
    assert tried > 150


def test_every_field_of_the_configuration_enters_the_commitment() -> None:
    config = rich().config
    roots = {config_root(config)}
    changed: list[VenueConfig] = [other for other in mutations(config) if isinstance(other, VenueConfig)]
    for other in changed:
        roots.add(config_root(other))
    assert len(roots) == len(changed) + 1 > 300


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_published_bytes_alone_rebuild_every_leaf_and_the_root(path: Path) -> None:
    """Sealed after every few lines: the tree kept, the tree made anew and the tree of the reader are one."""
    lines = path.read_text().splitlines()
    options = dict(word.split("=", 1) for text in lines if text.startswith("venue ") for word in text.split()[1:])
    player = Player(options)
    sealer = Sealer(player.state)
    reader = Rebuilt()
    reader.apply(sealer.snapshot())
    root = sealer.root
    for number, text in enumerate(lines):
        if not text.startswith("venue "):
            player.play(text)
        if number % 7 == 0 or number == len(lines) - 1:
            batch = sealer.seal([])
            assert batch.statement.state_before == root
            root = batch.statement.state_after
            reader.apply(batch.octets)
            assert root == root_of(player.state)
            assert reader.accounts == player.state.accounts
            rebuilt = State(player.config, time_ms=reader.time_ms)
            for name in ("accounts", "markets", "funds", "custody", "oracle", "counters", "filled"):
                setattr(rebuilt, name, getattr(reader, name))
            assert root_of(rebuilt) == root


def test_a_statement_says_what_l1_must_know() -> None:
    player = rich()
    sealer = Sealer(player.state)
    applied = []
    for line in (
        "deposit taker 5 ok",
        "withdraw taker 7 ok",
        "force-withdraw owner 3 raw.included_ms=0 ok",
        "force-withdraw owner 99999 raw.included_ms=0 failed:insufficient_balance",
    ):
        player.play(line)
        applied.append((player.last[line.split()[0]], player.receipts[-1]))
    first: Batch = sealer.seal(applied)
    assert first.statement.deposits == (5, 6)
    assert first.statement.forced == (0, 2)
    assert first.statement.withdrawals == (PaidOut(0xABC, 1, 7_000_000), PaidOut(0xABC, 1, 3_000_000))
    assert (first.statement.number, first.statement.chain_id) == (1, "BH_1337_local")
    player.play("wait 5s")
    player.play("deposit taker 5 ok")
    second = sealer.seal([(player.last["deposit"], player.receipts[-1])]).statement
    assert second.state_before == first.statement.state_after
    assert second.time_last_ms == second.time_first_ms + 5_000
    assert (second.number, second.deposits, second.withdrawals) == (2, (6, 7), ())


@pytest.mark.parametrize("wait_s", [3600, 3601])
def test_a_batch_forgets_orders_that_can_no_longer_fill(wait_s: int) -> None:
    """At its last second an order may still fill. What its own trades entered is in lists that it touched."""
    player = rich()
    sealer = Sealer(player.state)
    reader = Rebuilt()
    reader.apply(sealer.snapshot())
    player.play("trade maker sell taker 0.1 ETH @ 3000 ok")
    player.play(f"wait {wait_s}s")
    player.play("deposit taker 1 ok")
    reader.apply(sealer.seal([]).octets)
    assert len(player.state.filled) == (6 if wait_s == 3600 else 4)  # the others are in lists that it did not touch
    assert tuple(reader.filled) == tuple(player.state.filled)
    for key, _, _ in tuple(player.state.filled):
        player.state.filled.put(key ^ 1, 1, player.now // 1000)
    reader.apply(sealer.seal([]).octets)
    assert len(player.state.filled) == (12 if wait_s == 3600 else 4)
    assert sealer.root == root_of(player.state) and tuple(reader.filled) == tuple(player.state.filled)


def test_an_account_that_is_gone_leaves_a_zero_leaf() -> None:
    player = rich()
    sealer = Sealer(player.state)
    child = player.names.account("owner/BTC")
    assert sealer.tree.leaf(child) == leaf_of(player.state.accounts[child]) != 0
    player.play("trade owner sell maker 0.1 BTC @ 50000 ok")
    sealer.seal([])
    assert sealer.tree.leaf(child) == 0


def known(reader: Rebuilt) -> dict[str, Any]:
    """All that a reader knows, by value."""
    return vars(reader) | {"filled": tuple(reader.filled)}


def test_published_bytes_that_are_cut_or_changed_are_refused_or_read_otherwise() -> None:
    player = rich()
    sealer = Sealer(player.state)
    octets = sealer.snapshot()
    for cut in range(len(octets)):
        with pytest.raises(AvailabilityError):
            Rebuilt().apply(octets[:cut])
    with pytest.raises(AvailabilityError, match="too many"):
        Rebuilt().apply(octets + b"\0")
    reader = Rebuilt()
    reader.apply(octets)
    for place in range(len(octets)):
        other = Rebuilt()
        try:
            other.apply(octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :])
        except AvailabilityError:
            continue
        assert known(other) != known(reader)


def test_an_account_cannot_change_before_it_is_new() -> None:
    player = rich()
    sealer = Sealer(player.state)
    player.play("deposit taker 1 ok")
    with pytest.raises(AvailabilityError, match="before it is new"):
        Rebuilt().apply(sealer.seal([]).octets)


def test_numbers_have_one_form() -> None:
    with pytest.raises(AvailabilityError, match="longer than it needs"):
        Rebuilt().apply(b"\x80\x00")
    with pytest.raises(AvailabilityError, match="more than"):
        Rebuilt().apply(b"\xff" * 40)


def test_a_number_outside_its_width_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        packed((1 << 16, 16))
    with pytest.raises(AssertionError):
        packed(biased(1 << 63, 64))
    assert packed(biased(-(1 << 63), 64)) == 0


def test_choices_enter_the_leaf() -> None:
    account = rich().state.accounts[192]
    other = account._replace(choices=(Choice(1, Mode.ISOLATED, 11, Quote(40)),))
    assert leaf_of(account) != leaf_of(other)
