"""A batch whose page has no room beside anything else: each piece is sent by itself, once, and L1 tells all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.statements import events_of
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.batches import batch_of
from bulkhead.node.journey import Journey
from bulkhead.node.on_chain import settle
from bulkhead.node.proof_file import FOLDER, Proofs, read_proof
from bulkhead.node.rebuild import rebuild
from bulkhead.node.settling.events import Stage
from bulkhead.units import TimeMs
from tests.node.settling_world import (
    CALLS,
    NOW_MS,
    PARTS,
    PROFILE,
    SETTLER,
    Killed,
    Killing,
    World,
    alone,
    apart,
    run,
    world,
)
from tests.parse import START_MS

pytestmark = pytest.mark.usefixtures("settling_profile")


@pytest.fixture
def at(tmp_path: Path) -> Iterator[World]:
    """Two proven batches on the embedded chain."""
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def cramped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transactions without room for anything that may be left out."""
    monkeypatch.setattr("bulkhead.bridge.statements.CALLDATA_BYTES", 0)


def config_of(at: World) -> VenueConfig:
    """Of the exchange that settles."""
    return batch_of(at.folder, 1).before.config


def published(at: World) -> int:
    """Pages that L1 has seen."""
    place = at.deployment.doors[0].verifier
    verifier = Contract(at.chain, place.address, place.abi)
    return sum(1 for _ in events_of(verifier, "Published", at.deployment.block + 1, at.chain.head().number))


def test_killed_at_every_moment_from_the_last_part_to_the_settlement(at: World, cramped: None) -> None:
    alone(at)
    before, deaths = at.sent(), 0
    with at.service() as service:
        while at.sent() - before < 1 + PARTS:
            service.step(NOW_MS)
    provider = Killing(at)
    mortal = at._replace(chain=Chain(provider))
    told: list[tuple[int, int]] = []
    while True:
        try:
            with mortal.service(after_commit=provider.written) as service:
                status = service.status(1)
                told += [(status.published, status.parts)] if status.stage is Stage.PUBLISHED else []
                run(service)
                break
        except Killed:
            deaths += 1
    wanted = apart(1)
    assert len(wanted) == 1 + PARTS + 1 + 1 and deaths >= 5 * 2
    assert at.sent() - before == len(wanted) and at.batches() == 1 and published(at) == 1
    taken = Journey(at.folder).transactions(range(1, 2))[1]
    assert [(each.step, 1, each.part) for each in taken] == wanted, "in order, each once"
    assert told == sorted(told) and set(told) == {(count, 5) for count in (4, 5)}, "what L1 has, and no more"
    found = rebuild(at.chain, at.deployment, config_of(at), TimeMs(START_MS))  # from a page that is anywhere
    assert found.batches == 1 and found.root == at.deployment.contract(at.chain, "rollup").call("state")


@pytest.mark.parametrize("has_room", [True, False])
def test_a_batch_is_settled_at_once_whether_its_page_has_room_or_not(
    at: World, has_room: bool, request: pytest.FixtureRequest
) -> None:
    if not has_room:
        request.getfixturevalue("cramped")
    before = at.sent()
    record = read_proof(Proofs(at.folder / FOLDER).path(1, PROFILE))
    receipt = settle(at.chain, at.deployment, SETTLER, record, config_of(at))
    assert receipt.succeeded and at.batches() == 1 and published(at) == 1
    assert at.sent() - before == (CALLS if has_room else len(apart(1)))
