"""Prove that a number is the n-th of Fibonacci's sequence (modulo the field's prime) without showing the others.

    python examples/prove_fibonacci.py [LOG_STEPS]        2**LOG_STEPS numbers, 2**14 unless told
"""

from __future__ import annotations

import sys
import time

from rich.console import Console

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.system import Public, System
from stark.chips.tables import by_rows
from stark.console import proving_bar
from stark.fixed import prepare
from stark.parameters import STANDARD
from stark.prime import PRIME
from stark.prover import prove
from stark.security import proven_bits, shape_of
from stark.verifier import verify

END = Bus("end", ("number",))


class Fibonacci(Chip):
    """Two neighbours of the sequence a row; the last row's second number is the one that is stated."""

    name = "fibonacci"
    columns = ("left", "right")
    fixed = ("is_last",)

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        return [[0] * ((1 << log_height) - 1) + [1]]

    def constrain(self, row: Row, must: Must) -> None:
        must.first("starts with one", row.left - 1)
        must.first("and one", row.right - 1)
        must.transition("left takes the right", row.next.left - row.right)
        must.transition("right takes the sum", row.next.right - row.left - row.right)
        must.send(END, [row.right], row.is_last)


def environment(public: Public, must: Must) -> None:
    """The statement takes the last number."""
    must.receive(END, [public.number])


def main(log_steps: int = 14) -> None:
    """Prove, verify, and try to pass off another number."""
    if not 6 <= log_steps <= 22:
        sys.exit("the sequence is proven for 2**6 to 2**22 steps")
    console = Console(highlight=False)
    system = System("fibonacci", [Fibonacci()], ["number"], environment)
    left, right, rows = 1, 1, []
    for _ in range(1 << log_steps):
        rows.append([left, right])
        left, right = right, (left + right) % PRIME
    statement, trace = [rows[-1][1]], by_rows(rows, log_steps)
    fixed = prepare(system, [log_steps], STANDARD)
    with proving_bar(console) as report:
        start = time.perf_counter()
        proof = prove(fixed, statement, [trace], threads=2, progress=report)
        proving_s = time.perf_counter() - start
    start = time.perf_counter()
    rejected = verify(fixed.key, statement, proof)
    verifying_ms = 1000 * (time.perf_counter() - start)
    bits = proven_bits(STANDARD, shape_of(system, [log_steps])).bits
    console.print(f"number {(1 << log_steps) + 1:,} of the sequence is {statement[0]:#x}")
    console.print(f"proof: {len(proof) / 1000:.0f} kB, {bits:.0f} proven bits")
    console.print(f"proven in {proving_s:.2f} s, verified in {verifying_ms:.0f} ms: {rejected or 'accepted'}")
    other = verify(fixed.key, [statement[0] + 1], proof)
    console.print(f"for the next number the same proof is not accepted: {other}")
    if rejected is not None or other is None:
        sys.exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
