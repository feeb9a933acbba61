"""`bulkhead l1 propose`, `enact`, `withdraw`: from a draft of parameters to L1's timelock, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bulkhead.bridge.artifacts import write_system
from bulkhead.bridge.record import Exit, read_record, write_record
from bulkhead.circuit import escape_batch
from bulkhead.circuit.venue import provable
from bulkhead.cli import l1, l1_upgrade
from bulkhead.client.draft import Draft, digest_of
from bulkhead.node.leave import escape_key
from bulkhead.node.replay import write_genesis
from tests.bridge.test_l1_command import CONFIG, DEPLOY, TIME_MS, folder, run
from tests.bridge.world import system
from tests.node.escape_world import TINY

__all__ = ["folder"]  # a fixture
DAY_S = 86_400
TIER = "BTC-USD.tier1.maintenance"
PROPOSE = ["l1", "propose", "--exchange", "exchange", "--artifacts", "other.json"]


class Clock:
    """Time as the embedded chain of a command sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0
        for module in (l1, l1_upgrade):
            monkeypatch.setattr(module, "clock", lambda: int(time.time()) + self.ahead_s)


@pytest.fixture
def drafted(folder: Path) -> Path:
    """A deployment, contracts of another key, and a draft that lowers a fraction."""
    write_system(folder / "other.json", system()._replace(key="ab" * 32))
    draft = Draft.of(CONFIG)
    draft.change(CONFIG, TIER, "1.1")
    (folder / "draft.json").write_text(draft.to_json(CONFIG))
    run(*DEPLOY)
    return folder


def test_the_same_configuration_is_announced_waits_and_is_enacted(
    drafted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    told = run(*PROPOSE, "--from-batch", "7")
    assert f"configuration {digest_of(CONFIG)[:10]}" in told and "from batch: 7" in told and "waiting" in told
    record = read_record(drafted / "l1/deployment.json")
    [later] = record.proposed
    assert (later.configuration, later.changes, later.from_batch) == (digest_of(CONFIG), (), 7)
    told = run("l1", "status")
    for expected in ("Proposal: another reader", later.door.reader.address, "may be enacted from", "ask to leave"):
        assert expected in told
    assert "no proposal is ready" in run("l1", "enact", code=1)
    clock.ahead_s = 22 * DAY_S
    assert "stage: enacted" in run("l1", "enact")
    assert "enacted" in run("l1", "status")
    assert "no proposal is ready" in run("l1", "enact", code=1)


def test_other_parameters_are_announced_only_by_who_says_that_batches_end(
    drafted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    told = run(*PROPOSE, "--draft", "draft.json", code=1)
    assert f"{TIER}: 1.2 to 1.1 %" in told and "not proposed: the state on L1 binds configuration" in told
    assert read_record(drafted / "l1/deployment.json").proposed == ()
    told = run(*PROPOSE, "--draft", "draft.json", "--stops-batches")
    assert "announced although the state on L1 binds" in told
    [later] = read_record(drafted / "l1/deployment.json").proposed
    draft = Draft.from_json((drafted / "draft.json").read_text())
    assert later.configuration == digest_of(draft.applied(CONFIG))
    assert later.changes == (f"{TIER}: 1.2 to 1.1 %",)
    assert later.changes[0] in run("l1", "status")
    clock.ahead_s = 22 * DAY_S
    told = run("l1", "enact", code=1)
    assert "is not enacted: it takes batches of another configuration" in told
    assert "stage: enacted" in run("l1", "enact", "--stops-batches")
    # L1 takes another reader now, which is one of the record: no cause for an alarm of its own.
    assert later.door.reader.address in run("l1", "status")


def test_an_announcement_is_taken_back_and_one_that_nobody_here_knows_needs_insisting(
    drafted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, path = Clock(monkeypatch), drafted / "l1/deployment.json"
    before, told = path.read_text(), run(*PROPOSE)
    [name] = [line.split()[-1] for line in told.splitlines() if line.strip().startswith("id: ")]
    for text, problem in (("0x12", "at least 6 digits"), ("f" * 12, "there are " + name[:16])):
        assert problem in run("l1", "withdraw", "--proposal", text, code=1)
    assert "name one with --proposal" in run("l1", "withdraw", code=1)
    assert "is waiting: only one that is ready" in run("l1", "enact", "--proposal", name, code=1)
    assert f"withdrawn {name}" in run("l1", "withdraw", "--proposal", f"0x{name[:10]}")
    run(*PROPOSE)
    path.write_text(before)  # as with the record of somebody who was not told
    told = run("l1", "status")
    assert "withdrawn" in told and "the reader is not in the record" in told
    clock.ahead_s = 22 * DAY_S
    assert "nobody here knows which batches it takes" in run("l1", "enact", code=1)
    run("l1", "enact", "--stops-batches")
    assert "not the record's reader" in run("l1", "status", code=1)


def test_what_is_no_draft_of_this_exchange_is_named(folder: Path) -> None:
    path, other = folder / "draft.json", CONFIG._replace(expiry_max_s=CONFIG.expiry_max_s + 1)
    draft = Draft.of(other)
    draft.change(other, TIER, "1.1")
    for text, problem in (
        ("nothing", "is no draft of parameters"),
        ('{"format": "x"}', "the file has format"),
        (draft.to_json(other), "draft it anew"),
        (Draft.of(CONFIG).to_json(CONFIG), "draft.json changes nothing"),
    ):
        path.write_text(text)
        assert problem in run(*PROPOSE, "--draft", "draft.json", code=1)
    assert "holds no exchange" in run("l1", "propose", "--exchange", "nowhere", code=1)
    assert "is not there: `bulkhead l1 deploy`" in run("l1", "propose", "--exchange", "exchange", code=1)
    run(*DEPLOY)
    assert "a venue that settles with proofs has" in run("l1", "propose", "--exchange", "exchange", code=1)


def test_who_settles_must_make_the_proofs_that_the_escape_takes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are real ones, of the smallest shape of an escape instead of the usual one, whose key takes long."""
    config, path = provable(CONFIG), folder / "l1/deployment.json"
    asked: list[str] = []

    def verifiers_of(after: object, exchange: Path, profile: str, shapes: object) -> list[object]:
        asked.append(profile)
        return [system()._replace(key="ab" * 32)]

    monkeypatch.setattr(escape_batch, "ESCAPE_SHAPES", {"small": TINY})
    monkeypatch.setattr(l1_upgrade, "verifiers_of", verifiers_of)
    write_genesis(folder / "provable", config, TIME_MS)
    run(*DEPLOY)
    record = read_record(path)
    place = record.rollup
    key = escape_key(config, TINY, "test").key.digest.hex()
    write_record(path, record._replace(exit=Exit(key, "", place, place, place, place, place, ())))
    proposing = ["l1", "propose", "--exchange", "provable", "--profile"]
    told = run(*proposing, "standard", code=1)
    assert f"takes proofs of the key {key[:16]}…, of which this program makes none" in told
    assert "propose with a program whose escape is that of the deployment" in told
    assert asked == [] and read_record(path).proposed == ()
    run(*proposing, "test")
    assert asked == ["test"] and len(read_record(path).proposed) == 1
