"""Ticks in the circuit beside the ledger: what it accepts is shown; who lies is refused by a rule's name."""

from __future__ import annotations

import random
import re
from itertools import product
from typing import Any

import pytest

from bulkhead.circuit.arithmetic import signed
from bulkhead.circuit.frame import Frame, Hint, Mismatch, Value
from bulkhead.circuit.funding import given_samples, hourly_rate, step
from bulkhead.circuit.memory import WordMemory
from bulkhead.circuit.play import Play
from bulkhead.circuit.prices import is_step_allowed, median
from bulkhead.circuit.programs import oracle_tick_name, programs
from bulkhead.circuit.ticks import Hour
from bulkhead.circuit.trace import tables_of
from bulkhead.circuit.venue import provable, venue_of
from bulkhead.fixed import ONE
from bulkhead.ledger import tx
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.state import State, Status, genesis, put_market, rescaled
from bulkhead.ledger.ticks import SAMPLE_LIMIT
from bulkhead.limits import FUNDING_INDEX_LIMIT, NOTIONAL_WORTH_LIMIT
from bulkhead.rules import funding, prices
from bulkhead.signing import Signature
from stark.air.check import check
from tests.circuit.batches import SMALL, Sealed, agrees, circuit_of
from tests.circuit.liars import outcome, unnoticed
from tests.parse import KEYS, START_MS, venue
from tests.play import SIGNERS

UNSIGNED = Signature(1, 1)
HOUR_MS = 3_600_000
START = """
register maker         ok
register taker         ok
deposit  maker 1000000 ok
deposit  taker 1000000 ok
"""
ALL = "tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5"
TICKS = f"""
deposit  maker 1                            ok
{ALL} by=0,1,3                              ok
tick BTC 0 ETH 3100                         ok      # a feed that reads zero
tick BTC 55001 ETH 3100 by=1,2,3            ok      # one that jumps
tick BTC 50000 ETH 3100 age=1               clock_went_back
status BTC reduce_only                      ok
status ETH off                              ok
restart                                     ok
wait 3600s
funding BTC 0.1%                            price_stale
{ALL}                                       ok
funding BTC 0.13% ETH -0.1% XRP 1% LTC 0.03% EOS -5% ok
funding BTC 0.13%                           funding_not_due
wait 3600s
{ALL}                                       ok
funding BTC 0.01% samples=45                ok
funding ETH -99% XRP 99%                    ok
"""
SCALED = """
trade  maker sell taker 1 BTC @ 50000       ok
tick BTC 50100 by=0,1,2                     ok
tick BTC 60000 ETH 3001                     ok      # refused where margins are scaled
tick BTC 46000                              ok
wait 600s
tick BTC 5000                               ok      # no longer scaled
"""
SCALING = {"market.BTC.open_interest_lower": "40000000000", "market.BTC.open_interest_upper": "60000000000"}


def test_ticks_are_shown() -> None:
    assert Sealed(TICKS, START).problems() == []


def test_margins_follow_prices() -> None:
    batch = Sealed(SCALED, START + ALL + " ok\n", SCALING)
    assert batch.problems() == []
    assert int(batch.before.markets[1].scale) == int(batch.after.markets[1].scale) == 0
    play = Play(batch.before, venue_of(batch.before.config))
    for number, transaction in enumerate(batch.transactions):
        play.take(number, transaction)
    ran = [frame.program.name for frame in play.frames if frame.program.name.startswith("oracle tick")]
    assert ran == [oracle_tick_name(count, True) for count in (3, 4, 4, 4)]


def test_funding_moves_as_in_the_ledger_over_days() -> None:
    draw = random.Random(5)
    lines = []
    for _ in range(12):
        markets = draw.sample(("BTC", "ETH", "XRP", "LTC", "EOS"), draw.randrange(1, 6))
        rates = [f"{name} {draw.randrange(-9_900, 9_900) / 100}%" for name in ("BTC", "ETH", "XRP", "LTC", "EOS")]
        kept = " ".join(rate for rate in rates if rate.split()[0] in markets)
        lines += ["wait 3600s", f"{ALL} ok", f"funding {kept} samples={draw.randrange(45, 61)} ok"]
    batch = Sealed("\n".join(lines), START + ALL + " ok\n")
    agrees(batch.before, batch.after, batch.transactions)


# --- the rules' own arithmetic ----------------------------------------------------------------------------------------


def _state(markets: int = 2) -> State:
    """A venue of few markets, just opened."""
    config = provable(venue({}, [KEYS[name] for name in SIGNERS]))
    return genesis(config._replace(markets=config.markets[:markets]), START_MS)


def _frame() -> Frame:
    return Frame("arithmetic", 1, WordMemory(_state()))


def test_the_median_is_the_rule_s() -> None:
    draw = random.Random(1)
    for count in range(1, 8):
        for _ in range(30):
            listed = [draw.choice((0, 5, 7, 7, (1 << 64) - 1, draw.randrange(1 << 64))) for _ in range(count)]
            frame = _frame()
            assert int(median(frame, [frame.constant(price) for price in listed])) == prices.median(listed)


class Chosen(Frame):
    """A frame whose given values are chosen one by one."""

    def given(self, hint: Hint, rule: str = "", *, is_number: bool = False) -> Value:
        value = self.__dict__["choices"].pop(0)
        return super().given(lambda: value, rule, is_number=is_number)


@pytest.mark.parametrize("count", [3, 4])
def test_whatever_the_prover_says_no_other_price_is_the_median(count: int) -> None:
    for listed in product(range(3), repeat=count):
        proven = set()
        for found, *above in product(range(3), *[range(2)] * count):
            frame = Chosen("median", 1, WordMemory(_state()))
            frame.__dict__["choices"] = [found, *above]
            try:
                median(frame, [frame.constant(price) for price in listed])
            except Mismatch:
                continue
            proven.add(found)
        assert proven == {prices.median(listed)}


def test_a_step_is_allowed_as_by_the_rule() -> None:
    draw = random.Random(2)
    seen = set()
    for _ in range(300):
        old, share = draw.randrange(1 << draw.randrange(1, 65)), draw.randrange(1, (1 << 32) + 1)
        elapsed = draw.choice((0, 1, 59_999, 60_000, draw.randrange(1 << 40)))
        most = old * share * (prices.minutes_floor(elapsed) + 1) >> 32
        new = max(0, min((1 << 64) - 1, old + draw.choice((-1, 1)) * (most + draw.choice((0, 0, 1, -1)))))
        frame = _frame()
        given = [frame.constant(value) for value in (old, new, elapsed)]
        allowed = prices.is_step_allowed(old, new, elapsed, share)
        assert int(is_step_allowed(frame, *given, share)) == allowed
        seen.add(allowed)
    assert seen == {False, True}


def test_rates_are_the_rule_s() -> None:
    draw = random.Random(3)
    terms = _state().config.markets[0]
    for _ in range(100):
        limit = draw.choice((SAMPLE_LIMIT, 1 << 22, 1 << 20))
        samples = tuple(draw.randrange(1 - limit, limit) for _ in range(draw.randrange(45, 61)))
        frame, price = _frame(), draw.randrange(1 << 64)
        rate = hourly_rate(frame, given_samples(frame, samples, SAMPLE_LIMIT), terms)
        assert signed(rate) == funding.hourly_rate(samples, terms.funding_interest, terms.funding_cap)
        assert signed(step(frame, frame.constant(price), rate)) == funding.step(price, signed(rate))


def test_every_sum_is_one_of_samples() -> None:
    """The circuit sees number and sum alone: for every sum that it takes there are samples that the ledger takes."""
    most = SAMPLE_LIMIT - 1
    for count in (45, 60):
        for total in (0, 1, -1, most * count, -most * count, most * count - 1, 12_345_678_901):
            left, samples = abs(total), []
            for _ in range(count):
                samples.append(min(most, left) * (1 if total > 0 else -1))
                left -= abs(samples[-1])
            assert sum(samples) == total and all(abs(each) < SAMPLE_LIMIT for each in samples)
            assert int(given_samples(_frame(), tuple(samples), SAMPLE_LIMIT).number) == count
    beyond = (most,) * 59 + (SAMPLE_LIMIT,)
    with pytest.raises(Mismatch, match="samples are in range"):
        given_samples(_frame(), beyond, SAMPLE_LIMIT)


# --- a prover who lies ------------------------------------------------------------------------------------------------


def _tick(state: State, **changes: Any) -> tx.OracleTick:
    """A tick of three reports that the ledger would take but for its signatures, changed."""
    now = changes.get("now", START_MS + 1_000)
    times = changes.get("times", (now - 3, now - 7, now - 5))
    vectors = changes.get("prices", ((50 << 32, 30 << 32), (51 << 32, 30 << 32), (49 << 32, 31 << 32)))
    reports = [
        tx.OracleReport(signer, state.oracle.sequence + 1, time_ms, tuple(enumerate(vector, 1)), UNSIGNED)
        for signer, time_ms, vector in zip(changes.get("signers", (0, 1, 3)), times, vectors, strict=True)
    ]
    return tx.OracleTick(now, tuple(reports))


def _ticked() -> State:
    """A venue whose two markets have prices, and one of them open interest."""
    state = _state()
    for terms in state.config.markets:
        market = state.markets[terms.market_id]
        put_market(state, market._replace(price=50 << 32, price_ms=START_MS, open_interest=3, funding_ms=START_MS))
    state.oracle = state.oracle._replace(sequence=4, time_ms=START_MS)
    return state


THREE = oracle_tick_name(3, False)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("signers rise", {"signers": (0, 0, 1)}),
        ("signers rise", {"signers": (0, 2, 1)}),
        ("a price is in range", {"prices": ((1 << 64, 1), (1, 1), (1, 1))}),
        ("a price is in range", {"prices": ((-1, 1), (1, 1), (1, 1))}),
        ("reports are later than the last tick", {"times": (START_MS, START_MS + 1, START_MS + 1)}),
        ("reports are young", {"now": START_MS + 60_002, "times": (START_MS + 1,) + (START_MS + 60_000,) * 2}),
        ("no report is from the future", {"times": (START_MS + 1, START_MS + 1_001, START_MS + 2)}),
        ("time does not fall", {"now": START_MS - 1}),
        ("a tick moves a price", {"prices": ((0, 0),) * 3}),
        ("a tick moves a price", {"prices": ((99 << 32, 99 << 32),) * 3}),
    ],
)
def test_a_forged_tick_is_refused_by_name(rule: str, changes: dict[str, Any]) -> None:
    state = _ticked()
    with pytest.raises(Mismatch, match=re.escape(rule)):
        outcome(state, [(THREE, _tick(state, **changes))])


def test_open_interest_may_not_outgrow_its_width() -> None:
    state = _ticked()
    for market in list(state.markets.values()):
        put_market(state, market._replace(open_interest=NOTIONAL_WORTH_LIMIT // (50 << 32), price=50 << 32))
    vectors = ((51 << 32, 51 << 32),) * 3
    with pytest.raises(Mismatch, match="a tick moves a price"):
        outcome(state, [(oracle_tick_name(3, True), _tick(state, prices=vectors))])


def test_who_is_no_signer_has_no_key() -> None:
    state = _ticked()
    assert outcome(state, [(THREE, _tick(state, signers=(0, 1, 4)))]).unanswered
    assert not outcome(state, [(THREE, _tick(state))]).unanswered


def test_where_all_report_nobody_reports_for_another() -> None:
    """Their keys are the program's own, in order: what is signed in another order is signed by nobody."""
    state, four = _ticked(), ((50 << 32, 30 << 32),) * 4
    times, keys = (START_MS + 1,) * 4, [int(key) for key in state.config.oracle_keys]
    for signers in ((0, 1, 2, 3), (0, 1, 3, 3), (3, 2, 1, 0)):
        tick = _tick(state, signers=signers, prices=four, times=times)
        assert [key for key, _ in outcome(state, [(oracle_tick_name(4, False), tick)]).signed] == keys


def test_a_report_of_another_number_or_vector_is_not_what_was_signed() -> None:
    state = _ticked()
    authority = Authority(state.config)
    tick = _tick(state)
    taken = outcome(state, [(THREE, tick)]).signed
    keys = [state.config.oracle_keys[report.signer] for report in tick.reports]
    hashes = [authority.report_hash(report, key) for report, key in zip(tick.reports, keys, strict=True)]
    assert taken == list(zip(keys, hashes, strict=True))
    other = authority.report_hash(tick.reports[0]._replace(sequence=6), keys[0])
    assert other not in hashes


def test_no_program_takes_fewer_than_a_quorum() -> None:
    names = [name for name in programs(venue_of(_state().config)) if name.startswith("oracle tick")]
    assert names == [oracle_tick_name(count, scales) for count in (3, 4) for scales in (False, True)]


def _due(state: State, **changes: Any) -> Hour:
    samples = changes.get("samples", {1: (1 << 22,) * 50})
    return Hour(changes.get("now", START_MS + HOUR_MS), samples)


def _hour_later() -> State:
    state = _ticked()
    for market in list(state.markets.values()):
        put_market(state, market._replace(price_ms=START_MS + HOUR_MS - 1))
    return state


@pytest.mark.parametrize(
    ("rule", "changes", "market"),
    [
        ("funding is due", {"now": START_MS + HOUR_MS - 1}, {}),
        ("the index is known", {}, {"price": 0}),
        ("the index is fresh", {}, {"price_ms": START_MS + HOUR_MS - 60_001}),
        ("a market has enough samples", {"samples": {1: (1,) * 44}}, {}),
        ("an hour has so many samples", {"samples": {1: (1,) * 61}}, {}),
        ("samples are in range", {"samples": {1: (1 << 32,) * 45}}, {}),
        ("samples are in range", {"samples": {2: (-(1 << 32),) * 60}}, {}),
        ("the funding index keeps within its width", {}, {"funding_index": FUNDING_INDEX_LIMIT - 1}),
        (
            "the funding index keeps within its width", {"samples": {1: (-(1 << 30),) * 50}},
            {"funding_index": 1 - FUNDING_INDEX_LIMIT},
        ),
        ("a tick moves an index", {"samples": {}}, {}),
    ],
)  # fmt: skip
def test_forged_funding_is_refused_by_name(rule: str, changes: dict[str, Any], market: dict[str, int]) -> None:
    state = _hour_later()
    put_market(state, state.markets[1]._replace(**market))
    with pytest.raises(Mismatch, match=re.escape(rule)):
        outcome(state, [("funding tick", _due(state, **changes))])


def test_funding_is_charged_once_an_hour() -> None:
    state = _hour_later()
    with pytest.raises(Mismatch, match="funding is due"):
        outcome(state, [("funding tick", _due(state))] * 2)


def test_a_market_has_one_of_five_statuses_and_exists() -> None:
    state = _state()
    for status in (0, 6):
        with pytest.raises(Mismatch, match="a status that markets have"):
            outcome(state, [("status change", tx.StatusChange(START_MS, 1, status))])
    assert outcome(state, [("status change", tx.StatusChange(START_MS, 3, Status.OFF))]).unanswered
    assert not outcome(state, [("status change", tx.StatusChange(START_MS, 2, Status.OFF))]).unanswered
    with pytest.raises(Mismatch, match="a market's number"):
        outcome(state, [("status change", tx.StatusChange(START_MS, 1 << 16, Status.OFF))])


def test_no_lie_in_a_tick_goes_unnoticed() -> None:
    state = _ticked()
    jumps = ((50 << 32, 99 << 32), (51 << 32, 99 << 32), (49 << 32, 99 << 32))
    for tick in (_tick(state), _tick(state, prices=jumps)):
        assert unnoticed(state, [(THREE, tick)]) == {"the time"}  # a later one: it is the sequencer's


def test_no_lie_in_a_tick_that_moves_margins_goes_unnoticed() -> None:
    state = _ticked()
    markets = tuple(terms._replace(open_interest_lower=50, open_interest_upper=250) for terms in state.config.markets)
    state.config = state.config._replace(markets=markets)
    for terms in markets:
        state.terms[terms.market_id] = terms
        put_market(state, rescaled(state, state.markets[terms.market_id]))
        assert 0 < int(state.markets[terms.market_id].scale) < ONE
    assert unnoticed(state, [(oracle_tick_name(3, True), _tick(state))]) == {"the time"}


def test_no_lie_in_funding_a_status_or_a_restart_goes_unnoticed() -> None:
    state = _hour_later()
    samples = {"how many samples there are", "what samples sum up to"}  # the operator's, and so is who is funded
    free = {"the time", "a market is funded or not"} | samples
    assert unnoticed(state, [("funding tick", _due(state))]) == free
    status = tx.StatusChange(START_MS, 1, Status.OFF)
    free = {"the time", "a market's number", "a status that markets have"}  # another status change
    assert unnoticed(state, [("status change", status)]) == free
    assert unnoticed(state, [("restart", tx.Restart(START_MS))]) == {"the time"}


def test_a_changed_cell_is_seen() -> None:
    """The played frame of a tick, one given value changed after everything was computed: the tables say where."""
    batch = Sealed("deposit maker 1 ok\n" + ALL + " ok", START)
    play = Play(batch.before, venue_of(batch.before.config))
    for number, transaction in enumerate(batch.transactions):
        play.take(number, transaction)
    play.run("close", None)
    frame = next(each for each in play.frames if each.program.name.startswith("oracle tick"))
    median_row = next(
        row for row, each in enumerate(frame.program.instructions) if each.rule == "the median is in the middle"
    )
    frame.values[median_row] += 1
    tables = tables_of(play, batch.after, batch.transactions, SMALL)
    broken = {str(each) for each in check(circuit_of(batch.before.config, SMALL), tables.public, tables.traces)}
    assert any("rules: multiply" in each for each in broken)
