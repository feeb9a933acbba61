"""With the operator gone: the state from calldata alone, every account settled by a proof, and exact claims."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from typer.testing import CliRunner

from bulkhead import private
from bulkhead.bridge.chain import LATEST, Chain, Tag
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import Beginning, DeployError, deploy
from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.embedded.provider import serving
from bulkhead.bridge.open import new_chain
from bulkhead.bridge.proposals import DAY_S, Proposals
from bulkhead.bridge.record import read_record, write_record
from bulkhead.bridge.statements import Proving, Unfindable, digest_of, events_of, give_proof, page_in
from bulkhead.bridge.status import status
from bulkhead.bridge.upgrade import Aim, enact, propose, unfollowed
from bulkhead.circuit import batch
from bulkhead.circuit.batch import ALL_SHAPES, SMALL
from bulkhead.circuit.escape_batch import ESCAPE_SHAPES
from bulkhead.circuit.escape_trace import escape_traces
from bulkhead.circuit.packing import pack
from bulkhead.cli.main import app
from bulkhead.fixed import quote_floor
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.node import leave
from bulkhead.node.leave import Errand, NoExit
from bulkhead.node.liabilities import settled_liabilities
from bulkhead.node.rebuild import FromL1, NotRebuilt, Published, Settled, rebuild
from bulkhead.node.replay import write_genesis
from bulkhead.node.succession import digest_of as configuration_of
from bulkhead.node.succession import obstacle
from bulkhead.units import TimeMs
from stark.keccak import keccak256
from stark.prover import prove
from stark.split import split
from tests.bridge.chains import CHAIN_ID, DEPLOYER, DEPOSITOR, ETHER, ROLES, STRANGER
from tests.contracts.bridge import number_of
from tests.node.escape_world import FEE, NAMES, TERMS, TINY, WEEK, World, compiled, story, world
from tests.parse import START_MS
from tests.programs import L1_KINDS


@pytest.fixture(scope="module")
def begun() -> Iterator[World]:
    """Two batches settled."""
    with world() as made:
        made.settle()
        yield made


@pytest.fixture
def here(begun: World) -> Iterator[World]:
    """The same for every test: what one does is undone."""
    kept = begun.chain.ask("evm_snapshot")
    yield begun
    begun.chain.ask("evm_revert", kept)


@pytest.fixture(params=L1_KINDS)
def anywhere(request: pytest.FixtureRequest) -> Iterator[World]:
    """The same on a chain of each kind, for those tests that ask most of it."""
    if request.param == "embedded":
        yield request.getfixturevalue("here")
        return
    with world(request.param) as made:
        made.settle()
        yield made


def errand(here: World, signer: LocalAccount) -> Errand:
    """Of somebody, who tells nobody."""
    return Errand(here.chain, here.deployment, signer)


def found(here: World) -> FromL1:
    """The state from L1."""
    return rebuild(here.chain, here.deployment, story().config, story().time_ms)


def worth(account_id: int) -> int:
    """By the ledger."""
    last = story().last
    account, _ = settled(last, last.accounts[account_id])
    return max(0, int(quote_floor(health_of(last, account).value)))


def owed_to(owner: str) -> int:
    """What all accounts of an owner are worth."""
    return sum(worth(each) for each, held in story().last.accounts.items() if held.l1_owner == number_of(owner))


def test_the_state_is_rebuilt_from_l1(anywhere: World) -> None:
    numbers: list[int] = []
    made = rebuild(anywhere.chain, anywhere.deployment, story().config, story().time_ms, numbers.append)
    assert made.state.accounts == story().last.accounts and made.state.markets == story().last.markets
    assert tuple(made.state.filled) == tuple(story().last.filled)
    assert made.root == anywhere.contract("rollup").call("state") and numbers == [1, 2] and made.batches == 2


def test_what_does_not_lead_to_the_state_on_l1_is_said(here: World) -> None:
    with pytest.raises(Unfindable, match="is not in its calldata"):  # of another genesis
        rebuild(here.chain, here.deployment, story().config, TimeMs(story().time_ms + 1))
    door = here.deployment.doors[0]
    other = here.deployment._replace(doors=(door._replace(reader=here.deployment.custody),))
    with pytest.raises(NotRebuilt, match="which is not in the record: the rollup was upgraded"):
        rebuild(here.chain, other, story().config, story().time_ms)
    late = here.deployment._replace(block=here.chain.head().number)  # whose batches are not seen
    with pytest.raises(NotRebuilt, match="is this the genesis of another exchange"):
        rebuild(here.chain, late, story().config, story().time_ms)


class Knows(Contract):
    """A verifier that has seen one statement proven."""

    def __init__(self, one: Contract, said: list[int]) -> None:
        super().__init__(one.chain, one.address, one.abi)
        self._digest = digest_of(said)

    def call(self, name: str, *arguments: Any, sender: str | None = None, at: Tag = LATEST) -> Any:
        """Its one question."""
        assert name == "is_proven"
        return arguments == (self._digest,)


class Elsewhere(Chain):
    """A chain on which one transaction had other calldata."""

    def __init__(self, chain: Chain, transaction: bytes, data: bytes) -> None:
        super().__init__(chain.provider)
        self._transaction, self._data = transaction, data

    def calldata(self, transaction: bytes) -> bytes:
        """As the chain has it, but of the one."""
        return self._data if transaction == self._transaction else super().calldata(transaction)


def test_pages_are_found_wherever_they_stand_in_calldata(here: World) -> None:
    """By their digest and their length; what only looks like it is passed over."""
    page = b"a page of words"
    digest = int.from_bytes(keccak256(page), "big")
    whole = len(page).to_bytes(32, "big") + page
    for before in (b"", b"1234", whole[:40], len(page).to_bytes(32, "big") + b"a page of wrong"):
        assert page_in(before + whole + b"after", digest) == page
        assert page_in(before + whole[:-1], digest) is None


def test_a_batch_is_found_wherever_it_stands_in_calldata_and_nothing_that_looks_like_it(here: World) -> None:
    """Behind words of another contract, the beginning of one alone, and one that nobody proved."""
    door = here.deployment.doors[0]
    settled = next(events_of(here.contract("rollup"), "Settled", 1, here.chain.head().number))
    real = Settled(settled.log.block, settled.log.transaction, (story().statements[0][0], settled.values["state"]))
    elements, changed = story().statements[0][: len(NAMES)], story().statements[0][len(NAMES) :]

    def found(chain: Chain) -> list[int]:
        there = Published(chain, door, 1)
        there.verifier = Knows(there.verifier, [*elements, *SMALL.listing.digests(changed)])
        return there.statement(real, SMALL)

    assert found(here.chain) == story().statements[0]
    packed = pack(elements, SMALL)
    looks = pack([*elements[:5], elements[5] + 1, *elements[6:]], SMALL)
    for before in (b"", b"1234", packed[:99], packed[:-1], looks):
        for data, is_there in ((before + packed + b"after", True), (before + b"after", False)):
            seen = Elsewhere(here.chain, settled.log.transaction, data)
            if is_there:
                assert found(seen) == story().statements[0]
            else:
                with pytest.raises(Unfindable, match="is not in its calldata"):
                    found(seen)
    page = next(events_of(here.contract("verifier 1/1"), "Published", 1, here.chain.head().number)).log.transaction
    with pytest.raises(Unfindable, match="is in no transaction's calldata"):
        found(Elsewhere(here.chain, page, b"nothing"))


def test_everybody_leaves_with_what_accounts_are_worth(anywhere: World) -> None:
    """And deposits that were not taken, and fees of requests that were not served, go back."""
    chain = anywhere.chain
    anywhere.deposit(320, 77)
    with pytest.raises(NoExit, match="no forced request is overdue"):
        leave.freeze(errand(anywhere, STRANGER))
    assert leave.ask(errand(anywhere, DEPOSITOR), 256, 5) == 1
    anywhere.wait(WEEK + 60)
    for _ in range(2):  # the second time there is nothing to do
        leave.freeze(errand(anywhere, STRANGER))
    last = found(anywhere)
    with pytest.raises(NoExit, match="not every account is settled yet"):
        leave.claim(errand(anywhere, STRANGER), TINY, str(DEPOSITOR.address))
    with pytest.raises(NoExit, match="this program makes those of"):
        leave.settle(errand(anywhere, STRANGER), last, TERMS._replace(profile="standard"))
    leave.settle(errand(anywhere, STRANGER), last, TERMS)
    leave.settle(errand(anywhere, STRANGER), last, TERMS)
    dues = leave.payouts(errand(anywhere, STRANGER), TINY)
    assert [(due.payout.account, due.payout.amount) for due in dues] == [
        (account, worth(account)) for account in sorted(story().last.accounts)
    ]
    token, custody = anywhere.contract("token"), anywhere.contract("custody")
    ether, told = chain.balance(str(DEPOSITOR.address)), []
    claiming = errand(anywhere, DEPLOYER)._replace(report=lambda done, gas: told.append((done, gas)))
    for owner in (DEPOSITOR, STRANGER):
        before, owed = token.call("balanceOf", owner.address), owed_to(owner.address)
        assert leave.claim(claiming, TINY, str(owner.address)) == owed
        assert token.call("balanceOf", owner.address) == before + owed
        assert leave.claim(errand(anywhere, DEPLOYER), TINY, str(owner.address)) == 0
    # Each of the deepest tree's other levels costs a word of calldata and a hash.
    deeper = max(each.log_payouts for each in ESCAPE_SHAPES.values()) - TINY.log_payouts
    gas = [gas + deeper * 1_000 for done, gas in told if done.startswith("claimed")]
    assert len(gas) == 3 and max(gas) < 150_000
    assert status(chain, anywhere.deployment).views["escape"]["is_finished"] is True
    assert all(due.is_claimed for due in leave.payouts(errand(anywhere, STRANGER), TINY))
    leave.take_back(errand(anywhere, DEPLOYER), str(DEPOSITOR.address))
    leave.take_back(errand(anywhere, DEPLOYER), str(DEPOSITOR.address))
    assert chain.balance(str(DEPOSITOR.address)) == ether + FEE
    rest = custody.call("backing")
    assert token.call("balanceOf", custody.address) == rest == 105_000_000_000 - sum(
        owed_to(owner.address) for owner in (DEPOSITOR, STRANGER)
    )


def test_who_comes_later_goes_on_where_others_stopped(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    leave.ask(errand(here, DEPOSITOR), 256, 5)
    here.wait(WEEK + 60)
    leave.freeze(errand(here, STRANGER))
    last, escape = found(here), here.contract("escape")

    class Gone(Exception):
        pass

    honest = Contract.transact

    def once(self: Contract, signer: object, name: str, *arguments: object, **options: object) -> object:
        if name == "settle" and escape.call("chunks"):
            raise Gone
        return honest(self, signer, name, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Contract, "transact", once)
    with pytest.raises(Gone):
        leave.settle(errand(here, STRANGER), last, TERMS)
    monkeypatch.undo()
    assert escape.call("chunks") == 1 and not escape.call("is_finished")
    sent: list[str] = []
    leave.settle(errand(here, DEPLOYER)._replace(report=lambda done, gas: sent.append(done)), last, TERMS)
    # What was proven on L1, and read there, is neither proven nor read again.
    assert sent == ["proving a statement", "settled accounts"]
    assert escape.call("is_finished") and escape.call("chunks") == 2


def test_a_page_that_somebody_published_alone_is_read_by_whoever_settles(here: World) -> None:
    """To the verifier, past the escape: it lacks nothing then, and would have no page."""
    leave.ask(errand(here, DEPOSITOR), 256, 5)
    here.wait(WEEK + 60)
    leave.freeze(errand(here, STRANGER))
    last, verifier = found(here), here.contract("escape's verifier")
    public, traces = next(escape_traces(last.state, TINY))
    key = leave.escape_key(last.state.config, TINY, "test")
    cut = split(key.key, public, prove(key, public, traces))
    assert give_proof(STRANGER, Proving(verifier, cut))[0] == 0 and verifier.call("is_proven", digest_of(cut.said))
    sent: list[str] = []
    leave.settle(errand(here, DEPLOYER)._replace(report=lambda done, gas: sent.append(done)), last, TERMS)
    assert sent[:3] == ["proving a statement", "read a page", "settled accounts"]
    assert here.contract("escape").call("is_finished")


def test_a_page_of_an_escape_that_is_in_no_calldata_is_said(here: World) -> None:
    """Of a contract that made it: whoever comes later cannot know whom a statement settled."""
    leave.ask(errand(here, DEPOSITOR), 256, 5)
    here.wait(WEEK + 60)
    leave.freeze(errand(here, STRANGER))
    leave.settle(errand(here, DEPLOYER), found(here), TERMS)
    escape, verifier = here.contract("escape"), here.contract("escape's verifier")
    [first, *_] = events_of(escape, "Settled", 1, here.chain.head().number)
    published = next(events_of(verifier, "Published", 1, here.chain.head().number))
    assert published.values["digest"] == first.values["pages"][0].to_bytes(32, "big")
    chain = Elsewhere(here.chain, published.log.transaction, b"nothing")
    with pytest.raises(Unfindable, match="is in no transaction's calldata"):
        leave.payouts(Errand(chain, here.deployment, STRANGER), TINY)


def test_a_rollup_without_an_escape_says_so(here: World) -> None:
    without = Errand(here.chain, here.deployment._replace(exit=None), STRANGER)
    with pytest.raises(NoExit, match="deployed without an escape"):
        leave.settle(without, FromL1(story().last, 0, 0, 0), TERMS)


def test_contracts_of_another_kind_are_not_deployed(here: World) -> None:
    batches, leaving = compiled()
    beginning = Beginning(1, {}, 0, str(DEPLOYER.address))
    for systems, escape, match in (
        ([leaving], None, "settle no batches"), ([batches], batches, "settle no batches"),
    ):  # fmt: skip
        with pytest.raises(DeployError, match=match):
            deploy(here.chain, DEPLOYER, systems, beginning, escape=escape)
    named = beginning._replace(escape=str(STRANGER.address))
    with pytest.raises(DeployError, match="and another is to be deployed"):
        deploy(here.chain, DEPLOYER, [batches], named, escape=leaving)


def test_the_commands(here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a request by force to the money, as a user does it, and as it goes wrong."""
    write_genesis(tmp_path, story().config, story().time_ms)
    write_record(tmp_path / "record.json", here.deployment)
    assert read_record(tmp_path / "record.json") == here.deployment
    private.write(tmp_path / "key", b"0x" + b"2" * 64)  # the depositor's
    monkeypatch.setattr(leave, "Terms", lambda profile: TERMS._replace(profile=profile))
    with serving(here.embedded) as url:
        common = ["--exchange", str(tmp_path), "--l1", url, "--record", str(tmp_path / "record.json")]

        def run(*arguments: str, code: int = 0) -> str:
            result = CliRunner().invoke(app, [*arguments, *common])
            assert result.exit_code == code, result.output
            return result.output

        leaving = ["exit", "--key-file", str(tmp_path / "key"), "--profile", "test"]
        told = run("rebuild")
        assert "2 batches lead to" in told and f"{len(story().last.accounts)} accounts with 4 positions" in told
        owed = settled_liabilities(story().last, story().statements[-1][1]).root
        assert f"owed to accounts: {owed.total:,} of the 105,000,000,000 smallest units that custody backs" in told
        assert f"root of what is owed: {owed.digest.hex()}" in told
        assert "no forced request is overdue" in run(*leaving, code=1)
        assert "request 1: come back" in run(*leaving, "--ask", "256")
        here.wait(WEEK + 60)
        assert "is no profile" in run(*leaving[:-1], "none", code=1)
        assert "is no address" in run(*leaving, "--owner", "0x12", code=1)
        told = run(*leaving)
        assert f"was sent {owed_to(DEPOSITOR.address):,} smallest units" in told and "returned the fee" in told
        told = run(*leaving, "--owner", str(STRANGER.address))
        assert f"{STRANGER.address} was sent {owed_to(STRANGER.address):,}" in told
        assert "nothing is owed to" in run(*leaving)

VERSION = 2  # of the circuit that comes after


def upgraded_world() -> World:
    """Announced three weeks before the exchange began, to be taken from the second batch on, and enacted."""
    start_s = START_MS // 1000
    early_s = start_s - 21 * DAY_S - 60
    balances = {str(role.address): 1000 * ETHER for role in ROLES}
    here = World(Embedded.open(None, lambda: early_s, new_chain(balances, early_s, CHAIN_ID)))
    newer = compiled()[0]._replace(version=VERSION, key="ab" * 32)
    aim = Aim(configuration_of(story().config), (), from_batch=2, retires=True)
    here.deployment = propose(here.chain, DEPLOYER, here.deployment, [newer], aim, keep=lambda made: None)
    here.wait(start_s - here.chain.head().time_s)
    both = Proposals(here.chain, here.deployment).look()
    for one in both:
        assert unfollowed(here.chain, here.deployment, one, both) == ""
        enact(here.chain, STRANGER, here.deployment, one)
    return here


def test_everybody_leaves_a_rollup_that_was_upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    here = upgraded_world()
    first, second = story().statements
    later = list(second)
    later[NAMES.index("version")] = VERSION
    here.settle([(first, 1), (later, VERSION)])
    monkeypatch.setitem(batch.LAYOUTS, VERSION, ALL_SHAPES)
    last = found(here)
    assert last.batches == 2 and last.state.accounts == story().last.accounts
    leave.ask(errand(here, DEPOSITOR), 256, 5)
    here.wait(WEEK + 60)
    leave.freeze(errand(here, STRANGER))
    leave.settle(errand(here, STRANGER), last, TERMS)
    for owner in (str(DEPOSITOR.address), str(STRANGER.address)):
        assert leave.claim(errand(here, STRANGER), TINY, owner) == owed_to(owner) > 0
    here.embedded.close()


def test_a_state_of_another_version_is_led_to_by_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The escape knows the version that the rollup began with: an upgrade beyond would leave it behind."""
    here = upgraded_world()
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
    own = configuration_of(config)
    assert len(known.doors_of(own)) == 2 and beyond.doors_of(own) == known.doors
    here.embedded.close()
