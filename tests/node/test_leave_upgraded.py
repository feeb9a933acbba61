"""Leaving a rollup whose circuit was replaced while it ran: the escape is that of the deployment, and stays it."""

from __future__ import annotations

import pytest

from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.open import new_chain
from bulkhead.bridge.proposals import DAY_S, Proposals
from bulkhead.bridge.upgrade import Aim, enact, propose, unfollowed
from bulkhead.circuit import batch
from bulkhead.circuit.batch import ALL_SHAPES
from bulkhead.node import leave
from bulkhead.node.leave import Errand
from bulkhead.node.rebuild import rebuild
from bulkhead.node.succession import digest_of, obstacle
from tests.bridge.chains import CHAIN_ID, DEPLOYER, DEPOSITOR, ETHER, ROLES, STRANGER
from tests.node.escape_world import NAMES, TERMS, TINY, WEEK, World, compiled, story
from tests.parse import START_MS

VERSION = 2


def upgraded() -> World:
    """Announced three weeks before the exchange began, to be taken from the second batch on, and enacted."""
    start_s = START_MS // 1000
    early_s = start_s - 21 * DAY_S - 60
    balances = {str(role.address): 1000 * ETHER for role in ROLES}
    here = World(Embedded.open(None, lambda: early_s, new_chain(balances, early_s, CHAIN_ID)))
    newer, aim = compiled()[0]._replace(version=VERSION, key="ab" * 32), Aim(digest_of(story().config), (), 2, True)
    here.deployment = propose(here.chain, DEPLOYER, here.deployment, [newer], aim, keep=lambda made: None)
    here.wait(start_s - here.chain.head().time_s)
    both = Proposals(here.chain, here.deployment).look()
    for one in both:
        assert unfollowed(here.chain, here.deployment, one, both) == ""
        enact(here.chain, STRANGER, here.deployment, one)
    return here


def test_everybody_leaves_a_rollup_that_was_upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    here = upgraded()
    first, second = story().statements
    later = list(second)
    later[NAMES.index("version")] = VERSION
    here.settle([(first, 1), (later, VERSION)])
    monkeypatch.setitem(batch.LAYOUTS, VERSION, ALL_SHAPES)
    found = rebuild(here.chain, here.deployment, story().config, story().time_ms)
    assert found.batches == 2 and found.state.accounts == story().last.accounts
    errand = Errand(here.chain, here.deployment, STRANGER)
    leave.ask(errand._replace(signer=DEPOSITOR), 256, 5)
    here.wait(WEEK + 60)
    leave.freeze(errand)
    leave.settle(errand, found, TERMS)
    owed = sum(due.payout.amount for due in leave.payouts(errand, found, TINY))
    assert here.contract("escape").call("total") == owed > 0
    owner = str(DEPOSITOR.address)
    assert leave.claim(errand, found, TINY, owner) > 0
    here.embedded.close()


def test_a_state_of_another_version_is_led_to_by_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The escape knows the version that the rollup began with: an upgrade beyond would leave it behind."""
    here = upgraded()
    config, known = story().config, here.deployment
    assert obstacle(known, config, config) == ""
    told = obstacle(known._replace(state_version=3), config, config)
    assert "the state on L1 has version 3, and no proof leads from it to version 4, which this program has" in told
    assert "everybody leaves by the escape, which knows the state that the rollup began with" in told
    [door] = known.proposed
    beyond = known._replace(proposed=(door._replace(state_version=5),))
    one = Proposals(here.chain, beyond).look()[0]
    assert "batches of a state of version 5, and that on L1, which the escape knows, has version 4" in unfollowed(
        here.chain, beyond, one, [one]
    )
    own = digest_of(config)
    assert len(known.doors_of(own)) == 2 and beyond.doors_of(own) == known.doors
    here.embedded.close()
