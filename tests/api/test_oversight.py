"""What a venue tells of itself: signers with ages, load, proofs and L1 transactions, forced requests, ranks."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from bulkhead.api.batches import bits_of
from bulkhead.circuit.batch import SMALL
from bulkhead.circuit.venue import provable
from bulkhead.client.draft import config_of, digest_of
from bulkhead.ledger.defaults import default_config
from bulkhead.node.journey import Journey
from bulkhead.node.metrics import Recent
from bulkhead.node.settling.events import Included, Step
from bulkhead.node.settling.store import FOLDER, Store, Told
from bulkhead.rules.prices import quorum
from tests.api.live import Live, Trader

HASH = bytes(range(32))


def test_signers_and_feeds_have_ages(live: Live, maker: Trader) -> None:
    told = maker.get("/info/oracle")
    assert told["quorum"] == quorum(1) and [one["signer"] for one in told["signers"]] == [0]
    assert told["signers"][0]["sequence"] <= told["sequence"] and 0 <= told["signers"][0]["ageMs"] < 5_000
    feeds = {one["market"]: one for one in told["feeds"]}
    assert feeds["BTC-USD"]["isFresh"] and float(feeds["BTC-USD"]["price"]) == live.source.now["BTC-USD"]


def test_the_node_tells_its_load_and_which_configuration_it_has(live: Live, maker: Trader) -> None:
    maker.placed("BUY", "0.01", "57000")
    told = maker.get("/info/operator")
    assert float(told["throughput"]["commands"]) > 0 and float(told["latency"]["p50"]) > 0
    assert float(told["latency"]["p50"]) <= float(told["latency"]["p95"]) <= float(told["latency"]["p99"])
    assert told["failures"] == [] and told["brownOut"]["isOn"] is False and told["prover"]["runs"] is False
    genesis = bytes.fromhex(maker.get("/info/genesis")["bytes"])
    assert digest_of(config_of(genesis)) == told["configuration"]
    assert maker.http.get("/api/v1/info/deployment").status_code == 404


def test_deleveraging_ranks_by_side_are_those_of_the_rule(live: Live, maker: Trader, taker: Trader) -> None:
    maker.placed("SELL", "0.5", "60000")
    taker.placed("BUY", "0.5", "60000")
    live.source.now["BTC-USD"] = 60_100.0
    for _ in range(50):
        levels = maker.get("/info/markets/BTC-USD/stats")["deleverageLevels"]
        if levels["longPositions"]:
            break
        time.sleep(0.2)
    [long] = levels["longPositions"]
    assert long["level"] == 10 and 0 < float(long["rankingLowerBound"]) <= 100 and levels["shortPositions"] == []
    ranks = {one["market"]: one["rank"] for one in taker.get("/user/deleveraging")}
    assert ranks["BTC-USD"] == 10
    live.source.now["BTC-USD"] = 60_000.0


def test_a_liquidation_that_never_was_cannot_be_checked(maker: Trader) -> None:
    assert maker.http.get("/api/v1/info/liquidations/7/check").status_code == 404


def test_what_l1_took_is_kept_beyond_what_must_be_sent_again(tmp_path: Path) -> None:
    store = Store(tmp_path / FOLDER)
    for nonce, step in enumerate((Step.OPEN, Step.ANSWER, Step.SETTLE)):
        store.include("0xme", Included(step, 3, 0, nonce, HASH, 40 + nonce, 1_000 * (nonce + 1), True), 1_700 + nonce)
        store.book("0xme", nonce, HASH, 40 + nonce)
    store.advance(41, HASH, [Told("settled", 3, 41, {})], 9_000)
    store.advance(42, HASH, [Told("settled", 3, 42, {})], 9_999)
    store.forget("0xme", 42)
    journey = Journey(tmp_path)
    found = journey.transactions(range(1, 9))
    assert [(one.step, one.gas_used, one.time_ms) for one in found[3]] == [
        ("open", 1_000, 1_700_000), ("answer", 2_000, 1_701_000), ("settle", 3_000, 1_702_000),
    ]  # fmt: skip
    assert journey.finals(range(1, 9)) == {3: 9_000}, "the first time counts"
    store.book("0xme", 2, HASH, 42)
    store.unbook("0xme", 2)
    assert [one.step for one in journey.transactions(range(1, 9))[3]] == ["open", "answer"], "L1 went back"
    store.rewind(41)
    assert journey.finals(range(1, 9)) == {}
    assert journey.requests(1 << 40, 9) == []
    store.close()
    with closing(sqlite3.connect(tmp_path / FOLDER / "state.sqlite")) as file:
        file.execute("DROP TABLE included")
    assert Journey(tmp_path).transactions(range(9)) == {} == Journey(tmp_path / "nothing").transactions(range(9))


def test_bits_are_those_that_the_parameters_are_proven_to_be_worth() -> None:
    config = provable(default_config((7,), 8))
    onchain = bits_of(config, SMALL.words(), "onchain")
    assert onchain is not None and 100 <= onchain < 140
    assert bits_of(config, (1, 2), "onchain") is None is bits_of(config, SMALL.words(), "nothing")
    assert bits_of(default_config((7,), 8), SMALL.words(), "onchain") is None, "no circuit covers it"


def test_rates_and_quantiles_are_of_the_last_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr("bulkhead.node.metrics.time.monotonic", lambda: now[0])
    recent = Recent()
    assert recent.quantiles([0.5], is_command=True) is None
    now[0] += 10
    for _ in range(3):
        recent.count(20, 5)
    assert recent.rates() == (6.0, 1.5)
    now[0] += 120
    assert recent.rates() == (0.0, 0.0)
    for thousandth in range(100):
        recent.took(thousandth / 1_000, is_command=thousandth % 2 == 0)
    assert recent.quantiles([0.5, 0.99], is_command=True) == [0.05, 0.098]
