"""Makes a world from its name: `BASE[:ARGUMENT][,setting=value ...][+SCRIPT[:setting=value,...] ...]`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from bulkhead.lab.paths.bootstrap import BootstrapWorld
from bulkhead.lab.paths.calibration import Calibration, default_calibration, load_calibration, shipped_symbols
from bulkhead.lab.paths.correlation import MIXINGS
from bulkhead.lab.paths.cube import STEP_MS, World
from bulkhead.lab.paths.gaussian import GaussianWorld
from bulkhead.lab.paths.grid import Gaps, Grid, align
from bulkhead.lab.paths.recorded import RecordedWorld, Windows, event_world
from bulkhead.lab.paths.regimes import RegimeWorld
from bulkhead.lab.prices.bars import DataError
from bulkhead.lab.prices.bridge import BAR_ORDERS, BarOrder
from bulkhead.lab.prices.sets import DEFAULT, load
from bulkhead.lab.worlds.scripted import ScriptedWorld
from bulkhead.lab.worlds.scripts import script_of


class Asked(NamedTuple):
    """What a world is made from, beside its kind."""

    argument: str
    settings: dict[str, str]
    seed: int
    step_ms: int | None
    symbols: tuple[str, ...]
    data_dir: Path | str | None

    def number(self, key: str, default: float) -> float:
        """A setting that is a number."""
        text = self.settings.get(key)
        try:
            return default if text is None else float(text)
        except ValueError:
            raise DataError(f"{key} is a number, not {text!r}") from None

    def choice(self, key: str, among: tuple[str, ...]) -> str:
        """A setting that is one of some words; the first unless given."""
        text = self.settings.get(key, among[0])
        if text not in among:
            raise DataError(f"{key} is one of {', '.join(among)}, not {text!r}")
        return text

    def flag(self, key: str) -> bool:
        """A setting that is yes or no."""
        return self.choice(key, ("no", "yes")) == "yes"


class Kind(NamedTuple):
    """One line of `bulkhead lab worlds`."""

    usage: str
    words: str
    settings: tuple[str, ...]
    make: Callable[[Asked], World]


def world_of(
    name: str,
    *,
    seed: int = 1,
    step_ms: int | None = None,
    symbols: tuple[str, ...] = (),
    data_dir: Path | str | None = None,
) -> World:
    """The world of that name. Without `symbols` it has every market it knows; DataError names what is not there.

    `step_ms` is five minutes for drawn worlds, and what the bars are for recorded ones, unless given.
    """
    base, *scripts = name.split("+")
    head, *parts = base.split(",")
    kind_name, _, argument = head.partition(":")
    if kind_name not in WORLDS:
        raise DataError(f"no world {kind_name!r}; there are {', '.join(WORLDS)}")
    kind = WORLDS[kind_name]
    settings = {}
    for part in parts:
        key, _, value = part.partition("=")
        if key not in kind.settings or not value:
            raise DataError(f"{kind_name}: {part!r} is no setting; there are {', '.join(kind.settings) or 'none'}")
        settings[key] = value
    world = kind.make(Asked(argument, settings, seed, step_ms, symbols, data_dir))
    if not scripts:
        return world
    return ScriptedWorld(world, tuple(script_of(text) for text in scripts), name)


def symbols_in(name: str, data_dir: Path | str | None = None) -> tuple[str, ...]:
    """Every market that paths of that world can have. DataError as `world_of`."""
    head = name.split("+")[0].split(",")[0]
    return shipped_symbols() if head in FITTED else world_of(name, data_dir=data_dir).symbols


def _numbers(asked: Asked) -> Calibration:
    """The calibration of that file, or the shipped one that has the wanted markets; of these alone."""
    found = load_calibration(Path(asked.argument)) if asked.argument else default_calibration(asked.symbols)
    return found.select(asked.symbols) if asked.symbols else found


def _gaussian(asked: Asked) -> World:
    found = _numbers(asked).mix(asked.choice("correlation", MIXINGS))
    correlation = np.tensordot(found.stationary, found.correlation, axes=1)
    return GaussianWorld(
        found.symbols,
        found.annual_volatility() * asked.number("volatility", 1.0),
        correlation,
        asked.seed,
        asked.step_ms or STEP_MS,
        antithetic=asked.flag("antithetic"),
        extremes=asked.flag("extremes"),
        name=_name("gaussian", asked),
        fitted_to=found.source,
    )


def _regimes(asked: Asked) -> World:
    return RegimeWorld(
        _numbers(asked),
        asked.seed,
        asked.step_ms or STEP_MS,
        asked.choice("correlation", MIXINGS),
        extremes=asked.flag("extremes"),
        pays=asked.flag("funding"),
        name=_name("regimes", asked),
    )


def _grid(asked: Asked) -> Grid:
    data = load(asked.argument or DEFAULT, asked.data_dir, mends=asked.flag("mend"))
    gaps = cast(Gaps, asked.choice("gaps", ("refuse", "hold", "skip")))
    order = cast(BarOrder, asked.choice("order", tuple(reversed(BAR_ORDERS))))
    return align(data, asked.step_ms, asked.symbols, gaps=gaps, order=order)


def _bootstrap(asked: Asked) -> World:
    block = asked.number("block", 0)
    return BootstrapWorld(
        _grid(asked),
        asked.seed,
        block or None,
        asked.choice("lengths", ("geometric", "fixed")) == "fixed",
        asked.flag("drift"),
        asked.choice("correlation", MIXINGS),
        _name("bootstrap", asked),
    )


def _recorded(asked: Asked) -> World:
    windows = cast(Windows, asked.choice("windows", ("drawn", "overlapping", "apart")))
    stride = int(asked.number("stride", 1))
    return RecordedWorld(_grid(asked), asked.seed, windows, stride, name=_name("recorded", asked))


def _event(asked: Asked) -> World:
    return event_world(asked.argument, asked.data_dir, symbols=asked.symbols, step_ms=asked.step_ms)


def _name(kind: str, asked: Asked) -> str:
    """The name as it can be typed again."""
    head = f"{kind}:{asked.argument}" if asked.argument else kind
    return ",".join([head, *(f"{key}={value}" for key, value in asked.settings.items())])


FITTED = ("regimes", "gaussian")  # worlds of a calibration: without a file, of a shipped one
DATA_SETTINGS = ("gaps", "mend", "order")
WORLDS = {
    "regimes": Kind(
        "regimes[:FILE]",
        "jump diffusion with regimes, fat tails and joint jumps, fitted to data; FILE is of `lab fit`",
        ("correlation", "extremes", "funding"),
        _regimes,
    ),
    "gaussian": Kind(
        "gaussian[:FILE]",
        "geometric Brownian motion with the same volatilities: what is left without tails and clusters",
        ("correlation", "extremes", "antithetic", "volatility"),
        _gaussian,
    ),
    "bootstrap": Kind(
        "bootstrap[:SET]",
        "blocks of recorded joint returns, put together anew",
        ("block", "lengths", "drift", "correlation", *DATA_SETTINGS),
        _bootstrap,
    ),
    "recorded": Kind(
        "recorded[:SET]",
        "windows of a price set as they were",
        ("windows", "stride", *DATA_SETTINGS),
        _recorded,
    ),
    "event": Kind("event:DAY", "a recorded day of the year's worst, from its midnight on", (), _event),
}
