"""Gadgets of programs: what they answer is the only answer there is, however wide their arguments."""

from __future__ import annotations

import pytest

from bulkhead.circuit.arithmetic import divided_floor, signed
from bulkhead.circuit.frame import Frame, Hint, Mismatch, Value
from bulkhead.circuit.memory import WordMemory
from bulkhead.fixed import div_floor
from bulkhead.ledger.state import genesis
from stark.prime import PRIME
from tests.circuit.batches import Recorder


class Divided(Frame):
    """A division whose quotient is said to be another one."""

    quotient: int | None = None

    def given(self, hint: Hint, rule: str = "", *, is_number: bool = False) -> Value:
        lie, self.quotient = self.quotient, None  # the quotient is given first
        return super().given(hint if lie is None else lambda: lie, rule, is_number=is_number)


def divided(numerator: int, denominator: int, bits: int, lie: int | None = None) -> int:
    """What a frame computes."""
    config = Recorder().config
    frame = Divided("division", 1, WordMemory(genesis(config, Recorder().state.time_ms)))
    values = [frame.given(lambda each=each: each) for each in (numerator, denominator)]
    frame.quotient = lie
    return signed(divided_floor(frame, "the quotient", values[0], values[1], bits))


@pytest.mark.parametrize("bits", [40, 64, 128])
def test_a_quotient_is_the_floor(bits: int) -> None:
    most = (1 << bits) - 1
    for numerator in (0, 1, -1, 7, -7, most, -most, most << 60, -(most << 60)):
        for denominator in (1, 3, 1 << 61, (1 << 64) - 1):
            if abs(div_floor(numerator, denominator)) <= most:
                assert divided(numerator, denominator, bits) == div_floor(numerator, denominator)


@pytest.mark.parametrize("bits", [40, 64, 128])
def test_a_quotient_does_not_wrap_around_the_prime(bits: int) -> None:
    """Times a large denominator, a quotient far beyond its width comes out one prime above the numerator."""
    for denominator in (1 << 59, 1 << 61, (1 << 63) - 1):
        for times in (1, 2):
            lie = div_floor(1000 + times * PRIME, denominator)
            with pytest.raises(Mismatch, match="the quotient"):
                divided(1000, denominator, bits, lie)
