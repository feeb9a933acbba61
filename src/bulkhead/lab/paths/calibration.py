"""A calibration: the numbers of a jump diffusion with regimes and fat tails, where they come from, how sure they are.

The model, in steps of `interval_ms`: a chain of regimes, the same for all markets, moves by `transition`. In regime
k the joint log return is t-distributed with `tail` degrees of freedom, scales `scale[k]` and correlation
`correlation[k]`. In a step at most one jump comes on top: a joint one with chance `jump_chance[0]`, normal with
`joint_mean`, `joint_deviation` and `joint_correlation`; or one of market m alone with chance `jump_chance[1 + m]`,
normal with `alone_mean[m]` and `alone_deviation[m]`. In a step with a jump the rest is normal, not t. Funding is an
AR(1) for each market, with correlated normal innovations, held within half a percent; it does not depend on
prices.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from bulkhead.lab.paths.correlation import check_correlation, mixed
from bulkhead.lab.prices.bars import DataError, Floats

YEAR_MS = 365 * 86_400_000
FUNDING_MS = 8 * 3_600_000
NORMAL_TAIL = 200.0  # degrees of freedom from which on a tail is called normal
SHIPPED = ("binance-hourly.json", "binance-hourly-twelve.json")
"""What comes with the source: the first one that has all the markets that are asked for is taken."""


def stationary_of(transition: Floats) -> Floats:
    """The share of time that a chain spends in each regime."""
    values, vectors = np.linalg.eig(transition.T)
    share = np.real(vectors[:, int(np.argmax(np.real(values)))])
    return np.asarray(share / share.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """See the module. Arrays are per fit step: (regimes, markets), (regimes, markets, markets), (markets) and so on.

    `errors` are standard errors of arrays of the same name, where they were estimated.
    """

    symbols: tuple[str, ...]
    interval_ms: int
    source: str
    licence: str
    scale: Floats
    correlation: Floats
    transition: Floats
    tail: float
    jump_chance: Floats
    joint_mean: Floats
    joint_deviation: Floats
    joint_correlation: Floats
    alone_mean: Floats
    alone_deviation: Floats
    funding_mean: Floats
    funding_persistence: Floats
    funding_deviation: Floats  # of an innovation, per payment of eight hours
    funding_correlation: Floats
    errors: dict[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # repairs of the data, and what the fit has to say

    def __post_init__(self) -> None:
        markets, regimes = len(self.symbols), len(self.scale)
        shapes: dict[str, tuple[int, ...]] = {
            "scale": (regimes, markets),
            "correlation": (regimes, markets, markets),
            "transition": (regimes, regimes),
            "jump_chance": (1 + markets,),
            "joint_correlation": (markets, markets),
            "funding_correlation": (markets, markets),
        }
        for name in ARRAYS:
            value = getattr(self, name)
            shape = shapes.get(name, (markets,))
            if value.shape != shape:
                raise DataError(f"{self.source}: {name} is {value.shape}, not {shape}")
            if not np.isfinite(value).all():
                raise DataError(f"{self.source}: {name} has a number that is not finite")
        for name in ("scale", "jump_chance", "joint_deviation", "alone_deviation", "funding_deviation"):
            if (getattr(self, name) < 0).any():
                raise DataError(f"{self.source}: {name} has a negative number")
        if (self.transition < 0).any() or not np.allclose(self.transition.sum(axis=1), 1, atol=1e-6):
            raise DataError(f"{self.source}: rows of transition are chances that sum to 1")
        if self.jump_chance.sum() > 1:
            raise DataError(f"{self.source}: jumps have a chance above 1 in a step")
        if not self.tail > 2:
            raise DataError(f"{self.source}: tail is {self.tail}: without more than 2 degrees there is no variance")
        if (np.abs(self.funding_persistence) >= 1).any():
            raise DataError(f"{self.source}: funding persistence is between -1 and 1, its ends left out")
        for name in ("joint_correlation", "funding_correlation"):
            check_correlation(getattr(self, name), f"{self.source}, {name}")
        for regime, matrix in enumerate(self.correlation):
            check_correlation(matrix, f"{self.source}, correlation of regime {regime + 1}")

    @property
    def variance(self) -> Floats:
        """(regimes, markets): variance of a step's log return without jumps."""
        thick = 1.0 if self.tail >= NORMAL_TAIL else self.tail / (self.tail - 2)
        return np.asarray(self.scale**2 * thick)

    @property
    def jump_moments(self) -> tuple[Floats, Floats]:
        """Mean and mean square of the jump part of a step, per market."""
        joint, alone = self.jump_chance[0], self.jump_chance[1:]
        mean = joint * self.joint_mean + alone * self.alone_mean
        square = joint * (self.joint_mean**2 + self.joint_deviation**2)
        square = square + alone * (self.alone_mean**2 + self.alone_deviation**2)
        return mean, square

    @property
    def stationary(self) -> Floats:
        """The share of time in each regime."""
        return stationary_of(self.transition)

    def annual_volatility(self) -> Floats:
        """Per market, jumps included, averaged over regimes."""
        square = self.stationary @ self.variance + self.jump_moments[1]
        return np.asarray(np.sqrt(square * YEAR_MS / self.interval_ms))

    def select(self, symbols: tuple[str, ...]) -> Calibration:
        """The same numbers for these markets, in this order."""
        if missing := [symbol for symbol in symbols if symbol not in self.symbols]:
            raise DataError(f"{self.source}: no numbers of {', '.join(missing)}; it has {', '.join(self.symbols)}")
        at = [self.symbols.index(symbol) for symbol in symbols]
        changes: dict[str, Any] = {name: getattr(self, name)[..., at] for name in ARRAYS if name != "transition"}
        for name in ("correlation", "joint_correlation", "funding_correlation"):
            changes[name] = changes[name][..., at, :]
        changes["jump_chance"] = self.jump_chance[[0, *(1 + place for place in at)]]
        return replace(self, symbols=tuple(symbols), errors={}, **changes)

    def mix(self, mixing: str) -> Calibration:
        """The same markets after their correlations broke (see `mixed`).

        At `one` there are joint jumps alone, at `zero` none: chances and the first two moments of each market's jumps
        stay. Regimes and the size of moves stay common, so zero correlation does not mean independence.
        """
        if mixing == "fitted":
            return self
        correlation = np.stack([mixed(matrix, mixing, self.source) for matrix in self.correlation])
        joint_correlation = mixed(self.joint_correlation, mixing, self.source)
        changed = replace(self, correlation=correlation, joint_correlation=joint_correlation, errors={})
        if mixing == "flipped":
            return changed
        chance = self.jump_chance[0] + self.jump_chance[1:]
        mean, square = self.jump_moments
        common = float(chance.max()) if mixing == "one" else 0.0
        share = np.full(len(chance), common) if mixing == "one" else chance
        share = np.where(share > 0, share, 1.0)
        size = mean / share
        deviation = np.sqrt(np.clip(square / share - size**2, 0, None))
        alone = np.zeros(len(chance)) if mixing == "one" else chance
        if mixing == "one":
            return replace(
                changed, jump_chance=np.concatenate([[common], alone]), joint_mean=size, joint_deviation=deviation
            )
        return replace(
            changed, jump_chance=np.concatenate([[0.0], alone]), alone_mean=size, alone_deviation=deviation
        )

    def save(self, path: Path) -> None:
        """Write it as JSON, with its source."""
        value: dict[str, Any] = {}
        for one in fields(self):
            content = getattr(self, one.name)
            if one.name == "errors":
                content = {name: error.tolist() for name, error in content.items() if name in ARRAYS or name == "tail"}
            value[one.name] = _digits(content.tolist() if isinstance(content, np.ndarray) else content)
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


ARRAYS = (
    "scale", "correlation", "transition", "jump_chance", "joint_mean", "joint_deviation", "joint_correlation",
    "alone_mean", "alone_deviation", "funding_mean", "funding_persistence", "funding_deviation", "funding_correlation",
)  # fmt: skip


def _digits(value: Any) -> Any:
    """Floats to seven digits: more would be noise."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, list | tuple):
        return [_digits(each) for each in value]
    return {key: _digits(each) for key, each in value.items()} if isinstance(value, dict) else value


def shipped_symbols() -> tuple[str, ...]:
    """Every market that some shipped calibration has."""
    return tuple(dict.fromkeys(symbol for name in SHIPPED for symbol in _shipped(name).symbols))


def default_calibration(symbols: tuple[str, ...] = ()) -> Calibration:
    """The first shipped calibration with all of these markets; DataError where none has them."""
    for name in SHIPPED:
        found = _shipped(name)
        if set(symbols) <= set(found.symbols):
            return found
    known = shipped_symbols()
    missing = ", ".join(one for one in symbols if one not in known)
    raise DataError(f"no numbers of {missing}; there are {', '.join(known)}")


@cache
def _shipped(name: str) -> Calibration:
    return _parsed((files("bulkhead.lab.paths") / "shipped" / name).read_text(encoding="utf-8"), name)


def load_calibration(path: Path | None = None) -> Calibration:
    """The calibration in a file, else the first one that comes with the source."""
    if path is None:
        return default_calibration()
    if not path.is_file():
        raise DataError(f"{path}: no such calibration; `bulkhead lab fit` writes one")
    return _parsed(path.read_text(encoding="utf-8"), str(path))


def _parsed(text: str, name: str) -> Calibration:
    try:
        value = json.loads(text)
        arrays = {key: np.asarray(value[key], dtype=np.float64) for key in ARRAYS}
        errors = {key: np.asarray(error, dtype=np.float64) for key, error in value.get("errors", {}).items()}
        return Calibration(
            symbols=tuple(str(symbol) for symbol in value["symbols"]),
            interval_ms=int(value["interval_ms"]),
            source=str(value["source"]),
            licence=str(value["licence"]),
            tail=float(value["tail"]),
            errors=errors,
            notes=tuple(str(note) for note in value.get("notes", ())),
            **arrays,
        )
    except DataError as error:
        raise type(error)(f"{name}: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{name}: not a calibration of `bulkhead lab fit`: {error!r}") from error
