"""A node proves and settles beside the exchange: from a deposit on L1 to a withdrawal that can be claimed there."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account as Ethereum
from msgspec import structs

from bulkhead.bridge.record import Proposed, write_record
from bulkhead.client import Exchange, Owner, answers, answers_venue
from bulkhead.client.settled import anchored, check
from bulkhead.engine.command import SealBatch
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.defaults import default_config
from bulkhead.node.app import open_node
from bulkhead.node.finality import final_batch
from bulkhead.node.keys import Keys
from bulkhead.node.proof_file import FOLDER, Proofs
from bulkhead.node.settling.events import SettlementError
from bulkhead.node.settling.store import FOLDER as SETTLEMENT
from bulkhead.node.succession import digest_of
from bulkhead.units import AccountId
from tests.api.live import Fixed, Live, Trader
from tests.client.test_whole import agree
from tests.node.settles_world import FAUCET, Settling, begin, put_on_chain, settings_for, until

DOLLAR, DAY_MS = 1_000_000, 86_400_000
STOP_S = 15.0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    settings = settings_for(tmp_path_factory.mktemp("settles"))
    begin(settings)
    put_on_chain(settings, [])
    running = Live(settings, Fixed())
    yield running
    with suppress(RuntimeError):  # a test has stopped it
        running.stop()


def seal(live: Live) -> None:
    """End the batch, as the clock would in time."""
    asyncio.run_coroutine_threadsafe(live.node.writer.send(SealBatch), live._loop).result(10)


def balance(live: Live, trader: Settling) -> int:
    return int(live.on_loop(lambda: live.node.exchange.state.accounts[trader.vault].balance))


def public(live: Live, path: str) -> Any:
    answer = live.client().get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_from_a_deposit_on_l1_to_a_claim_there(live: Live) -> None:
    """The prover is killed on the way, and the exchange does not notice."""
    settles = live.node.settles
    assert settles is not None
    maker, taker = Settling(live, 11), Settling(live, 12)
    maker.claim(), taker.claim()  # by way of L1
    for trader in (maker, taker):
        until(live, lambda trader=trader: balance(live, trader) == 5_000 * DOLLAR, "credited")
    assert int(settles.deployment.contract(settles.chain, "custody").call("queued")) == 2
    order = maker.placed("SELL", "0.01", "60000")
    taker.placed("BUY", "0.01", "60000")
    wanted = maker.http.post("/api/v1/user/withdrawal", json=maker.withdrawal(70 * DOLLAR))
    assert wanted.status_code == 200, wanted.text
    assert maker.get(f"/user/orders/{order}/receipt")["status"] == "ACCEPTED"
    seal(live)
    first = until(live, lambda: settles.prover.process_id, "a prover")
    os.kill(first, signal.SIGKILL)
    until(live, lambda: settles.prover.starts > 1, "another prover")
    assert taker.placed("BUY", "0.01", "59000") and maker.get(f"/user/orders/{order}/receipt")["status"] == "SEALED"
    until(live, lambda: public(live, "/api/v1/info/batches/1")["l1"]["stage"] == "FINAL", "final")
    until(live, lambda: public(live, "/api/v1/info/batches/1")["status"] == "FINAL", "final for files' readers, too")
    told = public(live, "/api/v1/info/settlement")
    assert (told["proven"], told["settled"], told["final"], told["halted"]) == (1, 1, 1, None)
    assert told["lastTransaction"]["step"] == "settle" and told["lastTransaction"]["gasUsed"] > 100_000
    receipt = maker.get(f"/user/orders/{order}/receipt")
    assert receipt["status"] == "FINAL" and receipt["l1"] == {"stage": "FINAL", "published": 0, "parts": 0}
    [operation] = maker.get("/user/assetOperations", type="SLOW_WITHDRAWAL")
    assert operation["status"] == "READY_FOR_CLAIM"
    custody, token = (settles.deployment.contract(settles.chain, name) for name in ("custody", "token"))
    wallet = str(maker.ethereum.address)
    assert int(custody.call("claimable", wallet)) == 70 * DOLLAR
    custody.transact(FAUCET, "claim", wallet)  # anybody may, and the money goes to its owner
    assert int(token.call("balanceOf", wallet)) == 70 * DOLLAR
    [paid] = until(live, lambda: maker.get("/user/assetOperations", type="WITHDRAWAL", status="COMPLETED"), "paid")
    assert paid["id"] == operation["id"] and paid["finality"] == "CLAIMED" and paid["claim"]["block"] > 0
    assert live.node.failures == {}
    shown = live.client().get("/metrics").text
    assert "bulkhead_settled_batches 1.0" in shown and "bulkhead_l1_gas" in shown
    batch = public(live, "/api/v1/info/batches/1")
    assert [step["stage"] for step in batch["steps"]] == ["SEALED", "PROVEN", "SETTLED", "FINAL"]
    assert batch["proof"]["bytes"] > 1_000 and batch["proof"]["bits"] > 0 and batch["proof"]["seconds"] > 0
    assert [one["step"] for one in batch["transactions"]][-1] == "settle"
    assert batch["gasUsed"] == sum(one["gasUsed"] for one in batch["transactions"]) > 1_000_000
    hashes = {one["hash"]: one for one in batch["transactions"]}
    assert told["lastTransaction"]["hash"] in hashes and all(one["succeeded"] for one in hashes.values())
    assert public(live, "/api/v1/info/deployment")["rollup"]["address"] == settles.deployment.rollup.address
    agree(answers.Batch, batch, "a batch that is final")
    told = maker.get("/user/solvency/settled")
    agree(answers_venue.OwnSettledSolvency, told, "an account in a settled state")
    anchor, config = anchored(settles.chain, settles.deployment, told["batch"]), live.node.exchange.state.config
    found = check(told, anchor, config, maker.vault, maker.key, int(wallet, 16))
    assert (found.batch, found.behind, found.funds) == (1, 0, found.surplus) and found.tokens == 10_000 - 70
    assert found.total == found.backing - found.funds and 4_900 < found.owed < 4_930
    assert public(live, "/api/v1/info/solvency/settled")["liabilities"]["root"] == found.root


def test_a_forced_request_is_followed_to_what_became_of_it(live: Live) -> None:
    """It is of an account that the sender does not own, so it is processed, and fails by that rule."""
    settles = live.node.settles
    assert settles is not None and public(live, "/api/v1/info/forced") == []
    rollup = settles.deployment.contract(settles.chain, "rollup")
    rollup.transact(FAUCET, "request_withdrawal", 128, 5 * DOLLAR, value=rollup.call("FEE"))
    until(live, lambda: public(live, "/api/v1/info/forced"), "seen")
    until(live, lambda: public(live, "/api/v1/info/forced")[0]["state"] == "FAILED", "answered")
    [request] = public(live, "/api/v1/info/forced")
    assert (request["kind"], request["amount"], request["reason"]) == ("WITHDRAWAL", "5", "wrong_owner")
    assert request["sender"] == str(FAUCET.address) and request["answeredTime"] >= request["includedTime"]


def test_what_the_council_announces_is_told_with_what_the_record_says_of_it(live: Live) -> None:
    settles = live.node.settles
    assert settles is not None and public(live, "/api/v1/info/proposals") == []
    door, rollup = settles.deployment.doors[0], settles.deployment.contract(settles.chain, "rollup")
    stranger = settles.deployment.custody  # any contract that is no reader of this exchange
    rollup.transact(FAUCET, "propose_reader", door.version, door.shape, stranger.address, 90)
    [told] = until(live, lambda: public(live, "/api/v1/info/proposals"), "told")
    agree(answers.Proposal, told, "a proposal")
    assert (told["kind"], told["stage"], told["address"]) == ("READER", "WAITING", stranger.address)
    assert (told["fromBatch"], told["configuration"], told["follows"]) == (90, None, None)
    assert told["readyTime"] - told["leaveBefore"] == 7 * DAY_MS and told["leaveBefore"] > time.time() * 1000
    path = Path(live.node.settings.settlement.record)
    for digest, changes, follows in (
        ("0xb", ("ETH-USD.band: 5 to 6 %",), False), (digest_of(live.node.exchange.state.config), (), True),
    ):  # fmt: skip
        later = Proposed(door._replace(reader=stranger, key="0b"), 90, digest, changes)
        write_record(path, settles.deployment._replace(proposed=(later,)))
        [told] = public(live, "/api/v1/info/proposals")
        assert (told["configuration"], told["changes"], told["follows"]) == (digest, list(changes), follows)
    path.write_text("nothing")
    assert public(live, "/api/v1/info/proposals") == [told], "what was known is kept"
    write_record(path, settles.deployment)


def test_the_sdk_signs_a_registration_that_a_circuit_can_check(live: Live) -> None:
    """The wire's own signature says neither which account nor whose on L1: it is refused here."""

    async def work() -> tuple[int, answers.Settlement]:
        async with Exchange(live.url) as exchange:
            trader = await Owner(exchange, "0x" + "2b" * 32).trader()
            return trader.account_id, await exchange.books.settlement()

    account_id, told = asyncio.run(work())
    assert live.node.settles is not None and set(told) == set(answers.Settlement.__annotations__)
    rollup = live.node.settles.deployment.rollup.address
    assert told["contracts"]["rollup"] == rollup == public(live, "/api/v1/info/settings")["starkExContractAddress"]
    config = live.node.exchange.state.config
    account = live.node.exchange.state.accounts[AccountId(account_id)]
    assert account.l1_owner == int(str(Ethereum.from_key("0x" + "2b" * 32).address), 16)
    assert not config.client_messages
    with pytest.raises(AssertionError, match="registrationSignature and accountId are needed"):
        Trader(live, 14)


def test_a_prover_that_is_behind_browns_out_and_a_stop_in_the_middle_is_quick(live: Live) -> None:
    trader = Settling(live, 13)
    for _ in range(2):
        seal(live)
    until(live, lambda: live.node.is_browned_out, "brown-out")
    assert live.node.settles is not None
    process = until(live, lambda: live.node.settles.prover.process_id, "a prover")  # type: ignore[union-attr]
    body = trader.order("BUY", "0.01", "50000")
    refused = trader.place(body)
    assert refused.status_code >= 400 and public(live, "/health")["brownOut"]
    began = time.monotonic()
    live.stop()
    assert time.monotonic() - began < STOP_S
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    folder = live.settings.place
    with Proofs(folder / FOLDER).locked():  # given back
        pass
    assert final_batch(folder) == 1 and (folder / SETTLEMENT / "lock").exists()


def test_the_next_start_goes_on_and_ends_the_batch_that_was_open(live: Live) -> None:
    """After the stop of the test above: another node in the same folder, which proves nothing yet."""
    with suppress(RuntimeError):
        live.stop()
    again = Live(live.settings, Fixed())
    try:
        assert again.node.settles is not None
        assert again.node.exchange.state.counters.batches == 4
        until(again, lambda: again.node.settles.standing.final == 1, "what is final")  # type: ignore[union-attr]
        assert again.node.settles.status(1).stage == "final"
        answer = again.client().get("/api/v1/info/solvency/settled")
        assert answer.status_code == 503 and "ask when batch 4 is final" in answer.json()["error"]["message"]
    finally:
        again.stop()


def test_what_cannot_settle_is_refused_at_the_start(live: Live, tmp_path: Path) -> None:
    """A venue with something that no circuit covers; contracts of another venue; no contracts at all."""
    with suppress(RuntimeError):
        live.stop()
    settings = settings_for(tmp_path, l1=live.settings.settlement.l1, record=live.settings.settlement.record)

    def config(keys: Keys, chain_id: str) -> VenueConfig:
        return default_config(keys.oracle_public, keys.backstop_public, chain_id)

    def refused(text: str, **changes: Any) -> None:
        with pytest.raises(SettlementError, match=text):
            asyncio.run(opened(**changes))

    async def opened(**changes: Any) -> None:
        chosen = structs.replace(settings, **changes)
        open_node(chosen, source=Fixed(), make_config=config if changes.get("database") else None)

    refused("no verifier of the deployment is of this venue's batches")
    elsewhere = structs.replace(settings.settlement, l1=str(tmp_path / "none.sqlite"))
    refused("no embedded chain is here", settlement=elsewhere)
    refused("other_collateral|scenario_accounts", folder=str(tmp_path / "other"), database="sqlite://")
