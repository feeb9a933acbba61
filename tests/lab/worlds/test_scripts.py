"""lab/worlds: each script changes what it says, for as long as it says, alone and together; names make worlds."""

import math

import numpy as np
import pytest

from bulkhead.lab.choice.sample import lots_of, venue_for
from bulkhead.lab.kernel import Accounts, run
from bulkhead.lab.paths import Paths
from bulkhead.lab.portfolio import Holding, Portfolio
from bulkhead.lab.prices import DataError
from bulkhead.lab.worlds import SCRIPTS, WORLDS, script_of, world_of

MINUTE_MS = 60_000
STEPS = 60


def paths() -> Paths:
    """A price that rises by a thousandth a step, of two markets."""
    rise = (1.001 ** np.arange(1, STEPS + 1))[None, :, None]
    ratio = np.repeat(np.repeat(rise, 3, axis=0), 2, axis=2).astype(np.float32)
    return Paths(("A", "B"), MINUTE_MS, ratio, "made", 1, ratio * np.float32(0.999), ratio * np.float32(1.0005))


def test_a_dead_oracle_freezes_what_the_venue_sees_and_not_the_market() -> None:
    made = script_of("dead-oracle:symbols=B,at=10m,last=20m").apply(paths())
    assert made.feed_alive is not None
    assert np.flatnonzero(~made.feed_alive[:, 1]).tolist() == list(range(10, 30)) and made.feed_alive[:, 0].all()
    assert (made.ratio == paths().ratio).all()
    seen = made.seen()
    assert (seen.ratio[:, :, 0] == made.ratio[:, :, 0]).all()
    assert (seen.ratio[:, 10:30, 1] == made.ratio[:, [9], 1]).all() and (seen.ratio[:, 30:] == made.ratio[:, 30:]).all()
    assert seen.low is not None and (seen.low[:, 10:30, 1] == made.ratio[:, [9], 1]).all()
    from_start = script_of("dead-oracle:at=0s,last=5m").apply(paths()).seen()
    assert (from_start.ratio[:, :5] == 1).all()


def test_books_doors_and_collateral_fail_for_as_long_as_said() -> None:
    thin = script_of("thin-book:depth=0.25,at=5m,last=10m,symbols=A").apply(paths())
    assert thin.depth_factor is not None
    assert np.unique(thin.depth_factor[5:15, 0]) == 0.25 and (thin.depth_factor[:, 1] == 1).all()
    outage = script_of("outage:at=5m,last=150s").apply(paths())
    assert outage.venue_open is not None and np.flatnonzero(~outage.venue_open).tolist() == [5, 6, 7]
    assert (outage.withdrawals_open == outage.venue_open).all() and outage.hedge_open is None
    hedge = script_of("hedge-outage:at=5m,last=2m").apply(paths())
    assert hedge.hedge_open is not None and hedge.venue_open is None and not hedge.hedge_open[5:7].any()
    depeg = script_of("depeg:depth=0.2,recovers=0.5,at=10m,last=20m").apply(paths()).collateral_price
    assert depeg is not None and (depeg[:10] == 1).all()
    assert depeg.min() == pytest.approx(0.8, abs=0.006) and depeg[-1] == pytest.approx(0.9, abs=1e-6)


def test_prices_fall_and_come_back_and_extremes_take_the_worse_end() -> None:
    made = script_of("fall:depth=0.4,recovers=0.5,at=20m,last=20m,symbols=B").apply(paths())
    factor = made.ratio[0, :, 1] / paths().ratio[0, :, 1]
    assert factor[19] == 1 and factor.min() == pytest.approx(0.6, abs=0.015) and factor[-1] == pytest.approx(0.8)
    assert (made.ratio[:, :, 0] == paths().ratio[:, :, 0]).all()
    assert made.low is not None and made.high is not None
    assert (made.low <= made.ratio).all() and (made.high >= made.ratio).all()
    rise = script_of("fall:depth=-0.5,recovers=0,at=20m,last=20m").apply(paths())
    assert (rise.ratio[0, -1] / paths().ratio[0, -1] == pytest.approx(1.5)) and (rise.high >= rise.ratio).all()  # type: ignore[operator]
    hand = script_of("one-hand:share=0.7,move=-0.5,recovers=0,depth=0.2,at=10m,last=10m").apply(paths())
    assert hand.held_share is not None and hand.held_share.tolist() == [0.0, pytest.approx(0.7)]
    assert hand.ratio[0, -1, 1] / hand.ratio[0, -1, 0] == pytest.approx(0.5)
    assert hand.depth_factor is not None and np.unique(hand.depth_factor[10:20, 1]) == pytest.approx(0.2)


def test_scripts_go_together_in_any_order() -> None:
    texts = ["thin-book:depth=0.5,at=5m,last=20m", "thin-book:depth=0.5,at=10m,last=5m", "outage:at=5m,last=3m",
             "hedge-outage:at=20m,last=3m", "depeg:at=1m,last=30m", "depeg:at=1m,last=30m", "fall:at=3m,last=20m",
             "one-hand:at=7m,last=20m", "dead-oracle:at=1m,last=2m", "dead-oracle:at=30m,last=2m"]  # fmt: skip
    forward, back = paths(), paths()
    for text in texts:
        forward = script_of(text).apply(forward)
    for text in reversed(texts):
        back = script_of(text).apply(back)
    names = ("ratio", "low", "high", "feed_alive", "depth_factor", "venue_open", "withdrawals_open", "collateral_price")
    for name in names:
        assert getattr(forward, name) == pytest.approx(getattr(back, name), rel=1e-5), name
    assert forward.depth_factor is not None and forward.depth_factor[12, 0] == pytest.approx(0.25)
    assert forward.withdrawals_open is not None and (~forward.withdrawals_open).sum() == 6
    chosen = forward.select(("B",))
    assert chosen.depth_factor is not None and chosen.depth_factor.shape == (STEPS, 1)
    with pytest.raises(DataError, match="no market Z"):
        forward.select(("Z",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flood", "no script 'flood'; there are dead-oracle"),
        ("fall:deep=1", "'deep=1' is no setting; there are at, last, symbols, depth, recovers"),
        ("fall:depth", "'depth' is no setting"), ("fall:depth=much", "depth is a number, not 'much'"),
        ("fall:depth=nan", "finite number"), ("fall:depth=1", "depth is below 1"),
        ("fall:at=soon", "at is a time like 30m"), ("fall:last=0m", "lasts 0 ms"),
        ("thin-book:depth=0", r"depth is a share of the usual in \(0, 1\]"), ("depeg:depth=1.5", "depth is in"),
        ("one-hand:share=2", "share and depth are in"), ("dead-oracle:symbols=Z,at=1m", "no market Z; there are A, B"),
        ("dead-oracle:at=2h", "begins at step 121, the paths end at step 60"),
    ],
)  # fmt: skip
def test_what_no_script_can_do_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        script_of(text).apply(paths())


def test_every_script_has_words_and_works_with_its_defaults() -> None:
    day = world_of("gaussian,extremes=yes+" + "+".join(SCRIPTS), symbols=("BTC", "ETH"))
    (chunk,) = day.chunks(2, 288)
    assert chunk.source.endswith("scripted: " + ", ".join(SCRIPTS)) and np.isfinite(chunk.ratio).all()
    assert all(len(script.words) > 20 for script in SCRIPTS.values())


@pytest.mark.parametrize(
    "name",
    ["regimes,correlation=flipped,extremes=yes,funding=yes", "gaussian,volatility=2,antithetic=yes",
     "bootstrap,block=10,lengths=fixed,correlation=zero", "recorded,windows=overlapping,stride=3", "regimes+fall"],
)  # fmt: skip
def test_a_name_makes_the_same_world_again(name: str) -> None:
    symbols = ("BTC", "XRP")
    one, other = (world_of(name, seed=4, symbols=symbols) for _ in range(2))
    first, second = next(one.chunks(3, 144)), next(other.chunks(3, 144))
    assert (first.ratio == second.ratio).all() and one.name == name and first.symbols == symbols and one.seed == 4
    assert first.source == one.source and len(first.source) > 20


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("moon", "no world 'moon'; there are regimes"), ("regimes,luck=1", "'luck=1' is no setting"),
        ("regimes,correlation=two", "correlation is one of fitted, one, zero, flipped, not 'two'"),
        ("regimes:none.json", "none.json: no such calibration"),
        ("bootstrap,block=big", "block is a number, not 'big'"),
        ("bootstrap,gaps=guess", "gaps is one of refuse, hold, skip"), ("event:1929-10-24", "no event 1929-10-24"),
        ("regimes+flood", "no script 'flood'"), ("recorded:none.csv", "none.csv: no such file"),
    ],
)  # fmt: skip
def test_a_name_of_no_world_is_refused(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        world_of(name)


def test_markets_that_a_world_does_not_know_are_named() -> None:
    for name in ("regimes", "gaussian", "bootstrap", "recorded"):
        with pytest.raises(DataError, match="HYPE"):
            world_of(name, symbols=("BTC", "HYPE"))
    assert math.isclose(world_of("gaussian", symbols=("BTC",)).step_ms, 300_000) and set(WORLDS) >= {"event"}


def test_lows_and_highs_within_steps_are_looked_at_where_asked() -> None:
    """Three looks a step, in order; what else goes wrong lasts as long as before; without extremes it is refused."""
    made = script_of("within").apply(script_of("outage:at=5m,last=150s").apply(paths()))
    first = paths()
    assert made.steps == 3 * STEPS and made.step_ms == MINUTE_MS // 3 and made.low is None
    assert first.low is not None and first.high is not None and made.venue_open is not None
    for place, looked in enumerate((first.low, first.high, first.ratio)):
        assert (made.ratio[:, place::3] == looked).all()
    assert np.flatnonzero(~made.venue_open).tolist() == list(range(15, 24))
    with pytest.raises(DataError, match="knows no lows and highs; `extremes=yes` draws them"):
        script_of("within").apply(made)
    with pytest.raises(DataError, match="within: has no settings"):
        script_of("within:at=1h")
    with pytest.raises(DataError, match="steps of 1000 ms are not 3"):
        script_of("within").apply(world_of("regimes,extremes=yes", step_ms=1_000).chunks(1, 5).__next__())


def test_who_is_looked_at_within_steps_is_liquidated_no_later() -> None:
    """On the same draws: every liquidation at the ends of steps is one within, at that step or before; some are new."""
    held = Portfolio("long", 5_000.0, (Holding("BTC", 1.0, 100_000.0),), "long.toml")
    venue = venue_for(held)
    account = Accounts.of_lots(venue, lots_of(venue, held)[None], np.array([held.collateral]))
    ends, inside = (
        run(venue, account, next(world_of(name, seed=3, symbols=("BTC",)).chunks(400, 576)))
        for name in ("regimes,extremes=yes", "regimes,extremes=yes+within")
    )
    hit, step = ends.is_liquidated[:, 0], inside.first_step[:, 0]
    assert inside.is_liquidated[hit, 0].all() and (step[hit] // 3 <= ends.first_step[hit, 0]).all()
    assert 20 < hit.sum() < inside.is_liquidated.sum()
