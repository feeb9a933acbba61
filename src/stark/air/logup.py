"""Buses as constraints: the fractions of a row's messages, summed down the table (LogUp).

A message v on bus b is the fraction times / (x - b - y v_1 - y^2 v_2 - ...) at challenges x and y. What is sent and
what is received cancel if and only if the fractions of all tables sum to zero, but for an error of
fractions * fields / P (Haböck, ePrint 2022/1530). Bus numbers start at 1 and stand beside no power of y, so
messages of different buses differ as polynomials.

The running sum starts at zero on the first row and excludes its own row; the sum over all rows is the table's total,
which enters on the last row: the row after it is the first again.
"""

from __future__ import annotations

from typing import NamedTuple

from stark.air.chip import Bus, Message
from stark.air.expr import FIRST, LAST, Expr, Source, leaf, lift

CHALLENGES = 2  # the point and the base; both drawn after the trace is committed


class Grouping(NamedTuple):
    """Messages that share a column: all but the last group have a column of row sums, the last has the running sum."""

    groups: tuple[tuple[int, ...], ...]

    @property
    def columns(self) -> int:
        """How many columns the messages of a chip take."""
        return len(self.groups)


def group(messages: list[Message], degree: int) -> Grouping:
    """Cut the messages, in order, into groups whose constraint stays within the degree."""
    groups: list[list[int]] = []
    for index in range(len(messages)):
        if groups and _group_degree([messages[each] for each in [*groups[-1], index]]) <= degree:
            groups[-1].append(index)
        else:
            groups.append([index])
    return Grouping(tuple(tuple(members) for members in groups))


def _group_degree(messages: list[Message]) -> int:
    fingerprints = [message.degree for message in messages]
    numerators = [message.times.degree + sum(fingerprints) - message.degree for message in messages]
    return max(1 + sum(fingerprints), *numerators)


def denominator(message: Message, buses: dict[Bus, int]) -> Expr:
    """What the message's fraction is divided by; zero only for an unlucky challenge."""
    fingerprint = lift(buses[message.bus])
    for power, value in enumerate(message.values, 1):
        fingerprint = fingerprint + value * leaf(Source.CHALLENGE, power)
    return leaf(Source.CHALLENGE, 0) - fingerprint


def constraints(messages: list[Message], grouping: Grouping, buses: dict[Bus, int]) -> list[tuple[str, Expr]]:
    """Each column's rule: sum * product of denominators = sum of numerators, each times the other denominators."""
    if not messages:
        return []
    last = grouping.columns - 1
    running = leaf(Source.BUS, last)
    after = leaf(Source.BUS, last, is_next=True) + leaf(Source.SELECTOR, LAST) * leaf(Source.TOTAL, 0)
    found = []
    for column, members in enumerate(grouping.groups):
        if column < last:
            value = leaf(Source.BUS, column)
        else:
            value = after - running
            for other in range(last):
                value = value - leaf(Source.BUS, other)
        names = ", ".join(dict.fromkeys(messages[member].bus.name for member in members))
        found.append((f"messages of {names} are summed", _sum_rule(value, [messages[m] for m in members], buses)))
    return [*found, ("the running sum starts at zero", leaf(Source.SELECTOR, FIRST) * running)]


def _sum_rule(value: Expr, messages: list[Message], buses: dict[Bus, int]) -> Expr:
    denominators = [denominator(message, buses) for message in messages]
    product = value
    for each in denominators:
        product = product * each
    for index, message in enumerate(messages):
        numerator = message.times
        for other, each in enumerate(denominators):
            numerator = numerator * each if other != index else numerator
        product = product - numerator
    return product
