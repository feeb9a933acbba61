"""Lines of grids without a browser: stale prices are said, numbers keep units, L1 is told in dollars."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from bulkhead.client import Compartments
from bulkhead.client.checklist import Figure
from bulkhead.client.l1 import FromCalldata, Kind, Proposal, ProposalStage, Standing
from bulkhead.client.models import Operation, Order, Paid
from bulkhead.client.settled import Settled
from bulkhead.terminal import numbers
from bulkhead.terminal.numbers import DAY_MS
from bulkhead.terminal.operator.figures import figures
from bulkhead.terminal.operator.upgrades import proposal_line
from bulkhead.terminal.risk.checks import figure_text
from bulkhead.terminal.risk.tree import compartment_lines, names_of
from bulkhead.terminal.settlement.batches import now_doing
from bulkhead.terminal.settlement.checks import compared, judged, settled_words
from bulkhead.terminal.settlement.kit import in_dollars
from bulkhead.terminal.settlement.leaving import announced_words, state_words
from bulkhead.terminal.settlement.ways import Way, claim_cell, way_cells, ways_of

MONEY = dict.fromkeys(("balance", "value", "initial", "maintenance", "closeOut", "toppedUp"), "0")
ONE: dict[str, Any] = {
    "accountId": 128, "parentId": 0, "kind": "MAIN", "marginRule": "LINEAR", "name": "", "market": "", **MONEY,
    "used": None, "condition": "HEALTHY", "call": 0, "hasFreshPrices": True,
    "positions": [], "distances": [], "worst": [],
}  # fmt: skip


def compartments(**changes: Any) -> Compartments:
    held = {"accountId": 128, "time": 1, "compartments": [{**ONE, **changes}], "together": []}
    return msgspec.convert(held, Compartments, strict=False)


def test_what_stands_on_stale_prices_says_so() -> None:
    _, line = compartment_lines(compartments(hasFreshPrices=False, condition="BELOW_INITIAL"), None)
    assert line.note.startswith("Below initial margin") and "stale" in line.note
    assert compartment_lines(compartments(), [])[1].note == "" and compartment_lines(None, None) == []


@pytest.mark.parametrize(("call", "style"), [(0, ""), (66, "bh-bar-warning"), (80, "bh-bar-danger")])
def test_a_bar_shows_the_call_and_its_words_the_share(call: int, style: str) -> None:
    _, line = compartment_lines(compartments(call=call, used="0.7055", value="10", maintenance="7.055"), None)
    bar = line.cells[1].bar
    assert bar is not None and (bar.style, bar.share) == (style, 0.7055)
    assert bar.words.startswith("70.55% of value used")
    _, broke = compartment_lines(compartments(used=None, value="-3", maintenance="2", condition="BANKRUPT"), None)
    assert broke.cells[1].bar is not None and broke.cells[1].bar.share == 1.0


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        ("1234.5", "USD", "1,234.50 USD"), ("8.634", "%", "8.63%"), ("0.0031", "s", "3.1 ms"), ("42", "s", "42.0 s"),
        ("604800", "s", "7 days"), ("3600", "s", "60 min"), ("12", "bp", "12 bp"), ("3", "", "3"),
    ],
)  # fmt: skip
def test_every_figure_has_its_unit(value: str, unit: str, shown: str) -> None:
    assert figure_text(Figure("any", Decimal(value), unit)) == shown
    assert figure_text(Figure("any", None, unit)) == "not known"


def test_a_way_tells_what_is_behind_it_and_no_more() -> None:
    batch = {
        "batch": 7, "firstSequence": 10, "lastSequence": 20, "status": "PROVEN",
        "steps": [{"stage": "SEALED", "time": 5_000}, {"stage": "PROVEN", "time": 36_000}],
    }  # fmt: skip

    def shown(sequence: int) -> list[str]:
        return [cell.text for cell in way_cells(Way("x", "any", sequence, 4_000, 1), [batch])]

    assert shown(12) == ["12", "7", "+1.0 s", "+32 s", "–", "–"]
    assert shown(21)[1] == "open" and shown(3)[1] == "older"


def test_a_withdrawal_is_told_on_to_its_claim() -> None:
    told: dict[str, Any] = {"id": 9, "type": "SLOW_WITHDRAWAL", "status": "READY_FOR_CLAIM"}
    told |= {"amount": Decimal(-5), "time": 4_000}
    paid = Paid(block=1_200, time=130_000, transaction="0xabc")
    ready, done, moved = ways_of([], [
        Operation(**told, sequence=3), Operation(**{**told, "status": "COMPLETED"}, claim=paid, sequence=2),
        Operation(**{**told, "type": "TRANSFER", "status": "COMPLETED"}, sequence=1),
    ])  # fmt: skip
    assert [claim_cell(one).text for one in (ready, done, moved)] == ["ready", "+2 min", ""]
    assert claim_cell(done).title == "block 1,200, 0xabc" and "completed" in done.what


def test_exits_are_told_apart_and_close_nothing_while_they_sleep() -> None:
    told = {"id": 1, "externalId": "", "market": "BTC-USD", "type": "TPSL", "side": "SELL", "status": "UNTRIGGERED"}
    waits = {"triggerPrice": "63000"}
    rows = [
        {**told, "qty": "0", "tpSlType": "POSITION", "takeProfit": waits},
        {**told, "qty": "0", "tpSlType": "POSITION", "stopLoss": waits},
        {**told, "qty": "0", "tpSlType": "ORDER", "stopLoss": waits},
    ]
    orders = [msgspec.convert(row, Order, strict=False) for row in rows]
    assert [one.what for one in ways_of(orders, [])] == [
        "take profit: sell all held in BTC-USD, waiting",
        "stop loss: sell all held in BTC-USD, waiting",
        "stop loss: sell 0 BTC-USD, waiting",
    ]


def test_solvency_is_judged_by_both_sides_and_by_l1() -> None:
    even = {"custody": "100", "accounts": "90", "funds": "9.999999"}
    assert judged(even, None)[1] == judged(even, Decimal(100))[1] == "bh-up"
    for told, on_l1, said in (
        ({**even, "accounts": "91"}, None, "More is owed than is held, by 1.00 USD"),
        ({**even, "funds": "5"}, None, "the two sides do not agree"),
        (even, Decimal(40), "holds 60.00 USD less than the exchange says"),
    ):
        words, style = judged(told, on_l1)
        assert said in words and style == "bh-danger"


def test_what_l1s_state_has_is_told_with_what_everybody_must_see() -> None:
    one = Settled(7, 1, 1_000, "0xR", 0xABC, "f00d", (), *map(Decimal, ("2.5", "80", "5", "90", "85", "5")))
    said, style = settled_words([one, one._replace(owed=Decimal(1))])
    assert style == "bh-note bh-up" and said.startswith("Batch 7 of rollup 0xR") and "with 3.50 USD" in said
    assert "owed 80.00 USD, of 85.00 USD that custody backs and 90.00 USD" in said and "the root f00d" in said
    said, style = settled_words([one._replace(surplus=Decimal(-1))])
    assert style == "bh-note bh-warning" and "More is owed than is held" in said
    assert settled_words([])[0] == "Unlock an account first."


def test_what_the_exchange_tells_of_a_batch_is_held_to_what_was_rebuilt() -> None:
    made = FromCalldata(7, 9, 0xABC, (), Decimal("80.5"), "f00d")
    told: Any = {"batch": 7, "liabilities": {"root": "f00d", "total": "80.5", "accounts": 3}}
    assert compared(made, told) == ("The exchange tells the same.", "bh-note bh-up")
    assert compared(made, {**told, "batch": 6}) is None
    for change in ({"root": "beef"}, {"total": "80.4"}):
        said, style = compared(made, {**told, "liabilities": told["liabilities"] | change}) or ("", "")
        assert "another root for this batch" in said and style == "bh-note bh-danger"


def test_strategies_of_one_name_are_told_apart() -> None:
    named = [(128, "MAIN", ""), (256, "STRATEGY", "basis"), (384, "STRATEGY", "basis"), (512, "STRATEGY", "carry")]
    rows = [{**ONE, "accountId": number, "kind": kind, "name": name} for number, kind, name in named]
    held = msgspec.convert(
        {"accountId": 128, "time": 1, "compartments": rows, "together": []}, Compartments, strict=False
    )
    told = ["cross", "strategy basis · 256", "strategy basis · 384", "strategy carry"]
    assert list(names_of(held).values()) == told
    assert [line.cells[0].text for line in compartment_lines(held, None)] == ["Everything", *told]


def test_amounts_of_l1_are_told_in_dollars() -> None:
    assert in_dollars("custody sent 1,250,500,000 smallest units to 0x12") == "custody sent 1,250.50 USD to 0x12"
    assert in_dollars("asked for a withdrawal of 5 from account 256").endswith("of 0.000005 USD from account 256")
    assert in_dollars("deposited 12.5") == "deposited 12.50 USD"
    assert in_dollars("froze the rollup") == "froze the rollup"
    assert in_dollars(f"custody sent 5 to 0x{'aB' * 20}").endswith(" to 0xaBaBaBaB…aBaBaB")


def test_the_way_out_is_told_as_it_is() -> None:
    calm = Standing(9, 1, 2, 3, 3, False, False, False, 10**15, *(Decimal(1),) * 4)
    for standing, said in (
        (None, "has not answered"),
        (calm, "No forced request waits. The operator serves; a forced withdrawal costs 0.001000 ether"),
        (calm._replace(requested=4), "One forced request waits"),
        (calm._replace(requested=9), "6 forced requests wait"),
        (calm._replace(is_overdue=True), "the operator is gone"),
        (calm._replace(is_overdue=True, is_frozen=True), "no batch settles any more"),
        (calm._replace(is_frozen=True, is_finished=True), "every account's worth is proven"),
    ):
        assert said in state_words(standing)[0]
    assert state_words(None, "no key is here")[0] == "No answer of L1: no key is here."
    assert "no contract pays it" in state_words(None, settles=False)[0]


def test_a_proposal_says_what_it_means_for_whoever_trades_here() -> None:
    waiting = {
        "id": "0x12", "kind": "READER", "stage": "WAITING", "address": "0x34", "version": 1, "shape": 2, "fromBatch": 0,
        "proposedTime": 0, "readyTime": 3 * DAY_MS, "untilTime": 4 * DAY_MS, "leaveBefore": DAY_MS,
        "configuration": None, "changes": [], "follows": None,
    }  # fmt: skip
    line = proposal_line(waiting)
    shown = {cell.mark: cell.text for cell in line.cells if cell.mark}
    assert line.cells[0].text == "Verifiers, version 1, shape 2, from the next batch"
    assert shown["leave-before"] == "02.01.1970 00:00 UTC" and shown["until"] == "05.01.1970 00:00 UTC"
    assert "does not know the reader" in line.note
    same = proposal_line({**waiting, "configuration": "0x5", "follows": True, "stage": "ENACTED", "fromBatch": 1_200})
    assert "the exchange goes on" in same.note and same.cells[3].text == numbers.NONE
    assert same.cells[0].text.endswith("from batch 1,200") and same.cells[1].text == "enacted"
    other = proposal_line({**waiting, "configuration": "0x5", "follows": False, "changes": ["a: 1 to 2 %"]})
    assert other.note.startswith("a: 1 to 2 %. Configuration 0x5: no proof leads there")
    assert "retires" in proposal_line({**waiting, "address": "0x" + 40 * "0"}).note
    council = {**waiting, "kind": "COUNCIL", "version": None, "shape": None, "fromBatch": None}
    assert "no power over funds" in proposal_line(council).note


def test_what_waits_on_l1_is_told_to_whoever_may_leave() -> None:
    one = Proposal("12", Kind.READER, "0x34", 1, 2, 0, 30 * 86_400, ProposalStage.WAITING)
    said = announced_words([one, one._replace(stage=ProposalStage.WITHDRAWN)])
    assert said.count("Announced on L1") == 1 and "before 24.01.1970 00:00 UTC is out by then" in said
    ready = announced_words([one._replace(kind=Kind.COUNCIL, stage=ProposalStage.READY)])
    assert "another council. Anybody may enact it now, until 14.02.1970" in ready
    assert announced_words([]) == ""


def test_what_the_operator_sees_is_what_the_node_tells() -> None:
    told = {
        "brownOut": {"isOn": True, "depth": 3_000, "batches": 8}, "failures": [{"part": "prover", "reason": "it died"}],
        "throughput": {"commands": "812.44", "fills": "0.05", "spanSeconds": 60}, "queue": 3_100, "queueMax": 4_000,
        "latency": {"p50": "0.0031", "p95": "0.0084", "p99": "0.019"},
        "readLatency": dict.fromkeys(("p50", "p95", "p99")), "storeLag": 4,
        "prover": {
            "runs": True, "sealed": 20, "unproven": 9, "proving": {"batch": 12, "step": "fold", "share": "0.62"},
        },
    }  # fmt: skip
    shown = figures(told)
    assert shown["health"].text == "1 failed"
    assert shown["brown-out"] == ("on", "from 3,000 waiting, 8 unproven", "bh-warning")
    assert shown["latency"] == ("8.4 ms", "p50\u00a03.1, p99\u00a019.0", "") and shown["reads"].text == "–"
    assert shown["commands"].text == "812.4" and shown["prover"].note == "of 20 batches; batch 12: fold 62%"
    settles = {"settles": True, "halted": None, "waiting": "L1 does not answer", "proving": None}
    assert now_doing(settles) == ("L1 does not answer", "bh-warning")
    assert now_doing({**settles, "halted": "why"})[0] == "halted: why"
    assert now_doing({**settles, "waiting": None})[0] == "nothing waits"
    assert now_doing({"settles": False})[0] == "settles nothing on L1"
