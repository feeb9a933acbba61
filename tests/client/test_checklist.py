"""The five questions, answered with numbers of a live account; compartments and planned moves that they come from."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from bulkhead.client import AssetLeg, Exchange, ModeChoice, PositionLeg
from bulkhead.client.checklist import (
    CALL,
    HISTORY,
    QUESTIONS,
    SPEED,
    TAIL,
    TRUST,
    answers,
    history,
    name_of,
    settled_after_s,
)
from bulkhead.keepers.witness import Step
from bulkhead.signing import SigningError
from tests.api.live import Live
from tests.client.test_client import order, rich


def test_every_question_has_an_answer_of_this_portfolio(live: Live) -> None:
    async def work() -> None:
        async with Exchange(live.url) as exchange:
            maker, taker = await rich(exchange, 81), await rich(exchange, 82)
            empty = {one.question: one for one in await answers(taker)}
            assert tuple(empty) == QUESTIONS
            assert empty[TAIL].figures[0].value == 0 and "no position" in empty[CALL].verdict
            await maker.place(order("SELL", "0.5", "60000", post_only=True))
            await taker.choose_mode("BTC-USD", "isolated", leverage=10)
            await taker.take("BTC-USD", "BUY", "0.5")
            held = await taker.compartments()
            cross, child = held.compartments
            assert (cross.kind, child.kind, child.market, child.positions[0].size) == (
                "MAIN", "CHILD", "BTC-USD", Decimal("0.5"),
            )  # fmt: skip
            assert name_of(child) == "isolated BTC-USD"
            assert held.value == cross.value + child.value == (await taker.balance()).equity
            found = {one.question: one for one in await answers(taker)}
            tail, call = found[TAIL], found[CALL]
            assert tail.figures[0].value == held.together[0].loss <= child.value
            liquidation = child.distance(100)
            assert liquidation is not None and liquidation.fall is not None
            [position] = await taker.positions()
            told = 1 - position.liquidation_price / child.positions[0].index_price
            assert abs(liquidation.fall - told) <= Decimal("0.0002")  # moves are told in whole basis points
            assert call.figures[-1].value == liquidation.fall * 100
            assert found[SPEED].figures[0].value == cross.withdrawable
            assert found[SPEED].source.startswith("GET /api/v1/user/compartments, "), "of what may leave"
            assert len(found[SPEED].figures) == 3, "no contract could be forced"
            assert "settles nothing" in found[SPEED].verdict and found[HISTORY].figures == ()
            assert found[TRUST].figures[0].value == 1 and found[TRUST].figures[4].value == 0
            assert all(one.source.startswith("GET /api/v1/") for one in found.values())

    asyncio.run(work())


def test_a_move_is_judged_before_it_is_signed(live: Live) -> None:
    async def work() -> None:
        async with Exchange(live.url) as exchange:
            maker, taker = await rich(exchange, 83), await rich(exchange, 84)
            await maker.place(order("SELL", "0.5", "60000", post_only=True))
            await taker.take("BTC-USD", "BUY", "0.5")
            child, own = taker.account_id + 1, taker.account_id
            plan = await taker.plan_move(
                [AssetLeg(own, child, Decimal(5_000))],
                [PositionLeg(own, child, "BTC-USD", Decimal("0.5"))],
                [ModeChoice(own, "BTC-USD", "isolated", 10)],
            )
            assert plan.reject is None
            after = {one.account_id: one for one in plan.after}
            assert (await taker.compartments()).compartments[0].positions, "nothing is done"
            await taker.move(
                [AssetLeg(own, child, Decimal(5_000))],
                [PositionLeg(own, child, "BTC-USD", Decimal("0.5"))],
                [ModeChoice(own, "BTC-USD", "isolated", 10)],
            )
            done = {one.account_id: one for one in (await taker.compartments()).compartments}
            for one in (own, child):
                assert (done[one].value, done[one].maintenance) == (after[one].value, after[one].maintenance)
            refused = await taker.plan_move([AssetLeg(child, own, Decimal(4_990))])
            assert refused.reject == "INSUFFICIENT_MARGIN" and not refused.after and refused.before
            for send in (taker.plan_move, taker.move):  # half a lot is neither judged nor signed as none
                with pytest.raises(SigningError, match="not a whole number of lots"):
                    await send((), [PositionLeg(child, own, "BTC-USD", Decimal("0.00000025"))])
            stranger = await taker.plan_move([AssetLeg(own, maker.account_id, Decimal(1))])
            assert stranger.reject == "WRONG_OWNER"
            assert [one.account_id for one in stranger.before] == [own], "of others nothing is told"

    asyncio.run(work())


def test_liquidations_are_told_by_who_took_them_and_at_what_slippage() -> None:
    steps = [
        {"takenBy": step.name, "slippageBp": slip, "coveredByFund": paid}
        for step, slip, paid in ((Step.BOOK, 12, "0"), (Step.BOOK, -3, "0"), (Step.BACKSTOP, 250, "41.5"))
    ]
    answer = history(steps)
    assert [figure.value for figure in answer.figures] == [3, 2, 12, 250, Decimal("41.5")]
    assert answer.verdict.startswith("2 of the last 3 steps went into the book, at a median slippage of 12 bp")


def test_the_time_to_l1_is_from_seal_to_block() -> None:
    steps = [{"stage": "SEALED", "time": 1_000}, {"stage": "SETTLED", "time": 43_000}]
    assert settled_after_s({"sealedTime": 1_000, "steps": steps}) == 42
    assert settled_after_s({"sealedTime": 1_000, "steps": steps[:1]}) is None
