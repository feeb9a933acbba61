"""Whether an account is in the state that L1 has: what holds, what a lie about any part of it is told of, and that a
tree of sums that leaves somebody out is found out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from bulkhead.api.solvency import own_settled_solvency, settled_solvency
from bulkhead.client.l1 import L1
from bulkhead.client.settled import Anchor, Settled, anchored, batch_of, check, settled
from bulkhead.client.signer import MONEY
from bulkhead.client.solvency import SolvencyError
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import Account
from bulkhead.node.exchange import Answer
from bulkhead.node.follow import Follower
from bulkhead.node.liabilities import Liabilities, NotOpen, secret_of
from bulkhead.node.openings import Openings
from bulkhead.node.proof_file import FOLDER
from bulkhead.node.records import COMMANDS, GENESIS, digest_of
from bulkhead.node.replay import Machine, read_genesis
from tests.bridge.chains import DEPOSITOR
from tests.node.settling_world import BATCHES, NOW_MS, PROFILE, World, quick_profile, run, world


class Case(NamedTuple):
    """A settled exchange, what it tells an owner after each batch, and L1 as that owner sees it."""

    at: World
    config: VenueConfig
    maker: Account  # as it is in the end
    told: dict[int, dict[str, Any]]
    anchors: dict[int, Anchor]
    openings: Openings

    def check(self, told: Any = None, batch: int = BATCHES, **changes: Any) -> Settled:
        """The maker's, of what he was told or of something else."""
        given = {"config": self.config, "account_id": self.maker.account_id, "key": self.maker.owner_key, **changes}
        return check(self.told[batch] if told is None else told, given.pop("anchor", self.anchors[batch]), **given)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with quick_profile(tmp_path_factory.getbasetemp()), world(tmp_path_factory.mktemp("settled")) as at:
        with at.service() as service:
            run(service, NOW_MS)
        begin = read_genesis(at.folder)
        machine = Machine(begin)
        openings = Openings(machine.state, at.folder / FOLDER, PROFILE)
        told = {}
        for record in Follower(at.folder, digest_of(GENESIS.encode(begin))).read():
            command = COMMANDS.decode(record.payload)
            before = machine.state.counters.batches
            openings.heard([Answer(record.sequence, command, machine.handle(command))])
            if machine.state.counters.batches > before:
                maker = min(one for one in machine.state.accounts if one >= 128)
                told[before + 1] = ask(openings, begin.config, before + 1, maker)
                make_old(openings)
        anchors = {batch: anchored(at.chain, at.deployment, batch) for batch in told}
        yield Case(at, begin.config, machine.state.accounts[maker], told, anchors, openings)


def make_old(openings: Openings) -> None:
    """What was opened is old by now."""
    assert openings._kept is not None
    openings._kept = openings._kept._replace(made_s=-1e9)


def ask(openings: Openings, config: VenueConfig, final: int, account_id: int) -> dict[str, Any]:
    """The interface's answer, as a client gets it."""
    markets = [SimpleNamespace(terms=terms) for terms in config.markets]
    node = SimpleNamespace(settles=SimpleNamespace(openings=openings), progress=SimpleNamespace(final=final))
    call: Any = SimpleNamespace(
        account_id=account_id, api=SimpleNamespace(node=node, markets=SimpleNamespace(all=markets))
    )
    found = json.loads(json.dumps(asyncio.run(own_settled_solvency(call))))
    public = json.loads(json.dumps(asyncio.run(settled_solvency(call))))
    assert public == {name: value for name, value in found.items() if name != "accounts"}
    return found  # type: ignore[no-any-return]


def test_an_account_is_in_the_state_that_l1_has_and_counted_in_its_total(case: Case) -> None:
    found = case.check()
    assert found.accounts == (case.maker,) and found.owed == Decimal(int(case.maker.balance)) / MONEY == 650
    assert (found.batch, found.behind, found.total) == (2, 0, 800) and found.backing == found.tokens - 3 - 250
    assert found.surplus == found.backing - found.total == found.funds == 5
    alone = L1(case.at.chain, case.at.deployment, DEPOSITOR).from_calldata(case.at.folder)
    assert (alone.root, alone.batches) == (found.state, found.batch)
    assert (alone.liabilities, alone.total) == (found.root, found.total), "whoever makes it from L1 has the same tree"


def test_the_owner_asks_for_himself(case: Case) -> None:
    """His wallet is the one that could leave with the account."""
    class Asked:
        account_id, signer = case.maker.account_id, SimpleNamespace(key=case.maker.owner_key)

        async def settled_solvency(self) -> Any:
            return case.told[2]

    def asked_by(address: int) -> Settled:
        owner: Any = SimpleNamespace(address=f"{address:#042x}")
        here: Any = Asked()
        return asyncio.run(settled(here, L1(case.at.chain, case.at.deployment, owner), case.at.folder))

    assert asked_by(case.maker.l1_owner) == case.check()
    with pytest.raises(SolvencyError, match="of another address on L1"):
        asked_by(case.maker.l1_owner + 1)


def test_a_batch_that_is_not_the_last_is_found_in_l1s_events(case: Case) -> None:
    found = case.check(batch=1)
    assert (found.batch, found.behind, found.owed) == (1, 1, 1_000) and found.state != case.anchors[2].state
    with pytest.raises(SolvencyError, match="another batch than it was asked for"):
        case.check(case.told[1], batch=2)
    with pytest.raises(SolvencyError, match="batch 3 is not settled on L1, which has 2"):
        anchored(case.at.chain, case.at.deployment, 3)
    old = {**case.told[1], "batch": 2}  # yesterday's state under today's number
    with pytest.raises(SolvencyError, match="another state after batch 2 than L1 has"):
        case.check(old)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the single values of an answer stand."""
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[name], (*at, name))
    else:
        yield at


def test_a_lie_about_any_part_is_told_of(case: Case) -> None:
    """But for what is not read: the name of the state, amounts that are computed here, what is owed to accounts that
    are not there, and a count."""
    told, changed = case.told[2], 0
    for place in places(told):
        if "path" in place and place[-1] not in (0, 17, 31, "total", "digest"):
            continue
        if place in (("state",), ("liabilities", "accounts")) or place[-1] in ("amount", "owed"):
            continue
        lie = json.loads(json.dumps(told))
        at = lie
        for name in place[:-1]:
            at = at[name]
        at[place[-1]] = another(at[place[-1]])
        assert is_refused(case, lie), place
        changed += 1
    assert changed > 60


def is_refused(case: Case, told: Any) -> bool:
    """Whether the maker is told that it does not hold."""
    try:
        case.check(told)
    except SolvencyError:
        return True
    return False


def another(value: Any) -> Any:
    """Almost the same."""
    if value is None or isinstance(value, int):
        return 1 if value is None else value + 1
    if value.startswith("0x"):
        return hex(int(value, 16) + 1)
    return f"{Decimal(value) + 1}" if len(value) < 60 else f"{int(value, 16) ^ 1:064x}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": 5}, "of another key"), ({"account_id": 64 * 900}, "neither shown nor shown to be empty"),
        ({"wallet": 9}, "of another address on L1"),
    ],
)  # fmt: skip
def test_an_account_that_is_not_his_own_is_told_of(case: Case, change: dict[str, int], said: str) -> None:
    with pytest.raises(SolvencyError, match=said):
        case.check(**change)


def test_an_isolated_position_cannot_be_left_out(case: Case) -> None:
    told = case.told[2]
    short = {**told, "accounts": told["accounts"][:-1]}
    with pytest.raises(SolvencyError, match="neither shown nor shown to be empty"):
        case.check(short)
    nobody = {**told["accounts"][0], "words": {}}
    with pytest.raises(SolvencyError, match="is another one in the state"):
        case.check({**told, "accounts": [nobody, *told["accounts"][1:]]})


def test_l1_and_the_genesis_decide(case: Case) -> None:
    anchor = case.anchors[2]
    for change, said in (
        ({"state": anchor.state + 1}, "another state after batch 2 than L1 has"),
        ({"backing": anchor.backing - 1}, "the state says that custody backs 805000000, and L1 804999999"),
        ({"tokens": anchor.backing - 1}, "less than the 805000000 that it backs"),
    ):
        with pytest.raises(SolvencyError, match=said):
            case.check(anchor=anchor._replace(**change))
    other = case.config._replace(chain_id="OTHER")
    with pytest.raises(SolvencyError, match="another configuration than the genesis"):
        case.check(config=other)
    for nonsense in ({}, {"batch": "2"}, {"batch": 0}):
        with pytest.raises(SolvencyError, match="names no batch"):
            batch_of(nonsense)
    with pytest.raises(SolvencyError, match="no proof of solvency"):
        case.check({"batch": 2})


def test_a_tree_that_leaves_somebody_out_is_found_out(case: Case) -> None:
    """It holds in itself and has the owner in it, but the state says how much accounts hold in all."""
    maker, told = case.maker, json.loads(json.dumps(case.told[2]))
    alone = Liabilities(
        [(int(maker.account_id), int(maker.owner_key), int(maker.balance))], secret_of(case.anchors[2].state)
    )
    part = alone.part(int(maker.account_id))
    assert part is not None
    siblings = [{"digest": one.digest.hex(), "total": str(Decimal(one.total) / MONEY)} for one in part.path]
    told["accounts"][0]["owed"] = {"amount": "650", "place": part.place, "path": siblings}
    told["liabilities"] |= {"root": alone.root.digest.hex(), "total": "650"}
    with pytest.raises(SolvencyError, match="leaves somebody out: accounts hold 800000000 in all"):
        case.check(told)


def test_what_is_not_open_is_said(case: Case) -> None:
    def refused(openings: Openings, final: int, said: str) -> None:
        with pytest.raises(NotOpen, match=said):
            asyncio.run(openings.newest(final))

    make_old(case.openings)
    refused(case.openings, 1, "L1 went back to batch 1")
    refused(case.openings, 0, "no batch is final on L1 yet")
    begin = read_genesis(case.at.folder)
    again = Openings(Machine(begin).state, case.at.folder / FOLDER, PROFILE)
    refused(again, 2, "older than what is kept here since this exchange was started: ask when batch 1")
    asyncio.run(case.openings.newest(2))
