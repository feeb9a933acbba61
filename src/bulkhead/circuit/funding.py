"""Funding in the circuit: the rate of an hour from its samples (`rules.funding`).

Samples are the operator's: nothing in the state or on L1 says what they were. What a proof shows is that there are
samples that lead to the index; and it shows it by their number and their sum, for a sum is one of `count` samples of at
most `limit` - 1 either way exactly if it is at most count * (limit - 1) either way.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.arithmetic import divided_floor, largest, shifted_floor, smallest
from bulkhead.circuit.frame import Frame, Value
from bulkhead.rules.funding import HOURS_PER_RATE, INNER_CLAMP, SAMPLES_MIN, SAMPLES_PER_HOUR
from bulkhead.rules.terms import MarketTerms

RATE_BITS = 40  # of sums of samples, means and rates beside their sign: below 60 * 2^32


class Samples(NamedTuple):
    """The samples of an hour: how many, and their signed sum."""

    number: Value
    total: Value


def given_samples(frame: Frame, samples: tuple[int, ...], limit: int) -> Samples:
    """45 to 60 samples, each less than `limit` either way."""
    count = frame.given(lambda: len(samples), "how many samples there are")
    total = frame.given(lambda: sum(samples), "what samples sum up to")
    frame.number("a market has enough samples", count, -SAMPLES_MIN)
    frame.number("an hour has so many samples", frame.constant(SAMPLES_PER_HOUR) - count)
    most = frame.lift((limit - 1) * count)
    frame.number("samples are in range", most - total)
    frame.number("samples are in range", most + total)
    return Samples(count, total)


def hourly_rate(frame: Frame, samples: Samples, terms: MarketTerms) -> Value:
    """The rate of one hour, signed: clamp(floor((mean + clamp(interest - mean, inner)) / 8), cap)."""
    mean = divided_floor(frame, "the mean of samples", samples.total, samples.number, RATE_BITS)
    away = frame.constant(int(terms.funding_interest)) - mean
    eight_hours = mean + clamp(frame, "the premium's clamp", away, int(INNER_CLAMP))
    hourly = divided_floor(frame, "an eighth of the rate", eight_hours, frame.constant(HOURS_PER_RATE), RATE_BITS)
    return clamp(frame, "the cap of the rate", hourly, int(terms.funding_cap))


def clamp(frame: Frame, rule: str, value: Value, most: int) -> Value:
    """The nearest number within most of zero; the value is far below 64 bits."""
    held = smallest(frame, rule, value, frame.constant(most))
    return largest(frame, rule, held, frame.constant(-most))


def step(frame: Frame, price: Value, rate: Value) -> Value:
    """What one long lot pays: price * rate, rounded down. A price has 64 bits, a rate at most 33 beside its sign."""
    return shifted_floor(frame, "the step of the index", frame.multiply(price, rate), 65)
