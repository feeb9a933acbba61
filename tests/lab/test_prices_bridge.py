"""lab/prices/bridge.py: the path inside a bar, on every bar that is shipped and on edge cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkhead.lab.prices import BAR_ORDERS, BarOrder, Bars, DataError, DataSet, load, paths, ticks
from bulkhead.lab.prices.bridge import STEPS_MIN

SHIPPED = load()


def honours_its_bars(bars: Bars, path: np.ndarray, order: BarOrder) -> None:
    """The property of the module's docstring, said once more in the plainest way."""
    first, second = (bars.high, bars.low) if order == "high-first" else (bars.low, bars.high)
    assert np.array_equal(path[:, 0], bars.open)
    assert np.array_equal(path[:, -1], bars.close)
    assert np.array_equal(path.max(axis=1), bars.high)
    assert np.array_equal(path.min(axis=1), bars.low)
    for k, row in enumerate(path):
        at_first = np.flatnonzero(row == first[k])
        at_second = np.flatnonzero(row == second[k])
        assert at_first[0] < at_second[-1], f"bar {k}"


@pytest.mark.parametrize("order", BAR_ORDERS)
@pytest.mark.parametrize("steps", [STEPS_MIN, 30, 180])
@pytest.mark.parametrize("symbol", SHIPPED.symbols)
def test_a_path_honours_every_shipped_bar(symbol: str, steps: int, order: BarOrder) -> None:
    bars = SHIPPED.bars[symbol]
    path = paths(bars, steps, order, seed=3)
    assert path.shape == (len(bars), steps)
    honours_its_bars(bars, path, order)


PRICE = st.floats(min_value=1e-6, max_value=1e7, allow_nan=False)


@given(
    prices=st.lists(st.tuples(PRICE, PRICE, PRICE, PRICE), min_size=1, max_size=5),
    steps=st.integers(STEPS_MIN, 40),
    order=st.sampled_from(BAR_ORDERS),
    seed=st.integers(0, 2**32),
)
def test_a_path_honours_any_bar(
    prices: list[tuple[float, float, float, float]], steps: int, order: BarOrder, seed: int
) -> None:
    rows = np.array(prices)
    time_ms = 60_000 * np.arange(len(rows), dtype=np.int64)
    bars = Bars("X", 60_000, time_ms, rows[:, 0], rows.max(axis=1), rows.min(axis=1), rows[:, 3], rows[:, 0])
    honours_its_bars(bars, paths(bars, steps, order, seed), order)


def test_a_flat_bar_stays_flat() -> None:
    flat = np.full(3, 0.3)
    bars = Bars("X", 60_000, 60_000 * np.arange(3, dtype=np.int64), flat, flat, flat, flat, flat)
    assert (paths(bars, 12) == 0.3).all()


def test_the_seed_decides_the_path() -> None:
    bars = SHIPPED.bars["BTC"]
    assert np.array_equal(paths(bars, 30, seed=1), paths(bars, 30, seed=1))
    assert not np.array_equal(paths(bars, 30, seed=1), paths(bars, 30, seed=2))
    assert not np.array_equal(paths(bars, 30, "high-first", 1), paths(bars, 30, "low-first", 1))


def test_markets_move_together_inside_a_bar() -> None:
    clock = ticks(SHIPPED, 60_000, seed=5)
    moves = {symbol: np.diff(np.log(price)) for symbol, price in clock.price.items()}
    assert np.corrcoef(moves["BTC"], moves["ETH"])[0, 1] > 0.6
    assert np.corrcoef(moves["BTC"], moves["ETH"])[0, 1] < 0.99


def test_a_path_is_noisy_between_its_anchors() -> None:
    path = np.log(paths(SHIPPED.bars["BTC"], 180, seed=1))
    turns = np.diff(np.sign(np.diff(path, axis=1)), axis=1) != 0
    assert 0.3 < turns.mean() < 0.6  # a straight line turns twice in 180 steps, pure noise every second step


def test_ticks_put_all_markets_on_one_clock() -> None:
    clock = ticks(SHIPPED, 10_000, "low-first", seed=1)
    assert len(clock.time_ms) == 14 * 8640
    assert (np.diff(clock.time_ms) == 10_000).all()
    for symbol, price in clock.price.items():
        bars = SHIPPED.bars[symbol]
        assert len(price) == len(clock.time_ms)
        assert np.array_equal(price.reshape(len(bars), -1), paths(bars, 180, "low-first", seed=1))
    assert min(clock.price["BTC"]) == 3657.6


def mixed(slow_start: int = 0, slow_ms: int = 900_000, hole: bool = False) -> DataSet:
    """A market of 5-minute bars beside one of longer ones."""

    def bars(symbol: str, start: int, interval_ms: int, number: int) -> Bars:
        time_ms = start + interval_ms * np.arange(number, dtype=np.int64)
        time_ms = np.delete(time_ms, 4) if hole else time_ms
        wave = 10 + np.sin(np.arange(len(time_ms)))
        return Bars(symbol, interval_ms, time_ms, wave, wave + 1, wave - 1, wave + 0.5, wave)

    both = {"FAST": bars("FAST", 300_000, 300_000, 30), "SLOW": bars("SLOW", slow_start, slow_ms, 9)}
    return DataSet("mixed", "Mixed", "source", "licence", False, both)


def test_ticks_take_bars_of_different_length() -> None:
    data = mixed()
    clock = ticks(data, 60_000)
    assert clock.time_ms[0] == 300_000 and clock.time_ms[-1] == 9 * 900_000 - 60_000
    assert np.array_equal(clock.price["FAST"], paths(data.bars["FAST"], 5).ravel()[: len(clock.time_ms)])
    assert np.array_equal(clock.price["SLOW"], paths(data.bars["SLOW"], 15).ravel()[5:])


def test_bars_too_short_for_their_ticks_are_joined() -> None:
    minutes = np.arange(7, 67, dtype=np.int64)  # the first and the last group of four are not whole
    draw = np.random.default_rng(3).uniform(90, 110, (4, len(minutes)))
    low, high = draw.min(axis=0), draw.max(axis=0)
    fast = Bars("FAST", 60_000, minutes * 60_000, draw[0], high, low, draw[1], np.ones(len(minutes)))
    joined = fast.joined(240_000)
    assert joined.time_ms.tolist() == list(range(8 * 60_000, 64 * 60_000, 240_000)) and joined.gaps() == []
    assert joined.open[0] == fast.open[1] and joined.close[0] == fast.close[4] and joined.volume[0] == 4
    assert joined.high[0] == fast.high[1:5].max() and joined.low[-1] == fast.low[53:57].min()
    for order in BAR_ORDERS:
        clock = ticks(DataSet("fine", "Fine", "source", "licence", False, {"FAST": fast}), 60_000, order)
        assert len(clock.time_ms) == 56 and clock.time_ms[0] == 480_000
        assert np.array_equal(clock.price["FAST"], paths(joined, 4, order).ravel())
    holed = Bars("FAST", 60_000, *(np.delete(column, 20) for column in (
        fast.time_ms, fast.open, fast.high, fast.low, fast.close, fast.volume
    )))  # fmt: skip
    assert len(holed.joined(240_000)) == len(joined) - 1
    with pytest.raises(DataError, match="no bars of FAST from 1970-01-01T00:24 until 1970-01-01T00:28 UTC"):
        ticks(DataSet("fine", "Fine", "source", "licence", False, {"FAST": holed}), 60_000)
    with pytest.raises(DataError, match="too few bars in a row"):
        ticks(DataSet("fine", "Fine", "source", "licence", False, {"FAST": fast.between(0, 9 * 60_000)}), 60_000)


def test_ticks_refuse_what_they_cannot_put_on_one_clock() -> None:
    with pytest.raises(DataError, match="no time in common"):
        ticks(mixed(slow_start=10**12), 60_000)
    with pytest.raises(DataError, match="do not open on the same ticks"):
        ticks(mixed(slow_start=30_000), 60_000)
    with pytest.raises(DataError, match="no bars of FAST from 1970-01-01T00:25 until 1970-01-01T00:30 UTC"):
        ticks(mixed(hole=True), 60_000)
    with pytest.raises(ValueError, match=r"4\+ ticks"):
        ticks(mixed(), 70_000)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="at least 4 steps"):
        paths(SHIPPED.bars["BTC"], 3)
    with pytest.raises(ValueError, match="order is one of high-first, low-first"):
        paths(SHIPPED.bars["BTC"], 30, "middle-first")
