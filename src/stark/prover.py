"""Proving: the verifier's eight steps with the tables in hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from stark.buses import bus_columns
from stark.committed import Committed, Pieces, commit_columns
from stark.composition import Columns, compose
from stark.deep import Opening, add_scaled_word, fold_word
from stark.domain import Place, shift_of
from stark.estimate import check_memory, estimate
from stark.extension import Narrow, coset_shifts
from stark.field import Felts, to_ints
from stark.key import Key
from stark.merkle import Tree, hasher
from stark.ntt import bit_reverse_permutation, interpolate
from stark.points import values_at
from stark.prime import PRIME, reverse_bits
from stark.progress import Progress, Report, silent, unheard, within
from stark.proof import Phase, words_of
from stark.verifier import Scalars, blend, bus_challenges, draw_positions


class Fixed:
    """A key with the columns of the system itself, committed once for many proofs."""

    def __init__(self, key: Key, columns: Sequence[Narrow], committed: Committed):
        self.key = key
        self.columns = columns
        self.committed = committed


def prove(
    fixed: Fixed,
    public: Sequence[int],
    traces: Sequence[Felts],
    threads: int = 1,
    progress: Progress = silent,
    memory_limit_bytes: int | None = None,
    *,
    consume: bool = False,
) -> bytes:
    """A proof that the traces, one (width, rows, 4) array a table, obey the system's rules with this statement.

    `consume` empties the list of traces, where it is a list, when they are needed no more, so that nobody keeps their
    memory.

    Raises ValueError where they have the wrong shapes, and NotEnoughMemory where the estimate is above the limit, or
    above what the machine has. Tables that break a rule make a proof that is refused, or UnsatisfiedRules where the
    composition happens to show it; `stark.air.check` says which rule or message it is. A proof hides nothing: it opens
    rows of the tables.
    """
    key = fixed.key
    check_memory(estimate(key.system, key.log_heights, key.parameters), memory_limit_bytes)
    held = traces if consume and isinstance(traces, list) else list(traces)
    return _Proving(fixed, public, held, threads, progress).run()


class _Proving:
    """The state of one proof: what later steps need of earlier ones."""

    def __init__(
        self, fixed: Fixed, public: Sequence[int], traces: list[Felts], threads: int, progress: Progress
    ):
        self.key = fixed.key
        self.fixed = fixed
        self.public = public
        self.threads = threads
        self.progress = progress
        self.transcript = self.key.transcript(public)
        self.proof: list[bytes] = []
        _check_shapes(self.key, traces)
        self.traces = traces

    def run(self) -> bytes:
        """Take the steps in order."""
        copies = [np.array(columns, order="C") for columns in self.traces]
        trace = self._commit(copies, self._reporting(Phase.TRACE))
        challenges, totals, bus = self._fill_buses()
        phases = [self.fixed.committed, trace, bus]
        columns = list(zip(*(phase.extended for phase in phases), strict=True))
        composition = self._compose(columns, challenges, totals)
        quotients = self._open_outside(columns, composition.values)
        del columns
        layers = self._fold(quotients)
        report = self._reporting(Phase.GRINDING)
        nonce = self.transcript.grind(self.key.parameters.grinding_bits, self.threads, report)
        report(1)
        self.proof.append(words_of([nonce]))
        self._answer(phases, composition, layers)
        return b"".join(self.proof)

    def _reporting(self, phase: Phase) -> Report:
        """Tell the caller of a phase, from now on."""
        self.progress(phase, 0.0)
        return partial(self.progress, phase)

    def _write_root(self, root: bytes) -> None:
        self.transcript.absorb(root)
        self.proof.append(root)

    def _write_felts(self, values: list[int]) -> None:
        self.transcript.absorb_felts(values)
        self.proof.append(words_of(values))

    def _commit(self, columns: list[Felts], report: Report) -> Committed:
        committed = commit_columns(self.key, columns, self.threads, report)
        assert committed.tree is not None  # every table has columns of its own, and some table has a bus
        self._write_root(committed.tree.root)
        report(1)
        columns.clear()
        return committed

    def _fill_buses(self) -> tuple[list[int], list[int], Committed]:
        key = self.key
        if not key.has_buses:
            empty = [np.empty((0, 1 << log_height, 4), np.uint64) for log_height in key.log_heights]
            return [], [0] * len(empty), commit_columns(key, empty, self.threads)
        challenges = bus_challenges(key, self.transcript)
        report, filled = self._reporting(Phase.BUSES), []
        for number, table in enumerate(key.system.tables):
            value = partial(Scalars(self.public, challenges, []).value, table=number)
            rows = self.fixed.columns[number].widened(), self.traces[number]
            share = within(report, number / len(key.system.tables) / 3, (number + 1) / len(key.system.tables) / 3)
            filled.append(bus_columns(table, *rows, value, self.threads, share))
        del rows
        self.traces.clear()
        totals = [total for _, total in filled]
        committed = self._commit([columns for columns, _ in filled], within(report, 1 / 3, 1))
        self._write_felts([total for total, table in zip(totals, key.system.tables, strict=True) if table.bus_width])
        return challenges, totals, committed

    def _compose(
        self, columns: Sequence[Columns], challenges: list[int], totals: list[int]
    ) -> Pieces:
        key = self.key
        report = self._reporting(Phase.COMPOSITION)
        weight = self.transcript.challenge()
        count = sum(len(table.program.outputs) for table in key.system.tables)
        weights = [pow(weight, power, PRIME) for power in range(count - 1, -1, -1)]
        scalars = Scalars(self.public, challenges, totals)
        pieces = compose(key, columns, scalars, weights, self.threads, within(report, 0, 0.7))
        committed = Pieces(key, pieces, self.threads, within(report, 0.7, 1))
        self._write_root(committed.tree.root)
        report(1)
        return committed

    def _open_outside(self, columns: Sequence[Columns], pieces: Felts) -> list[Felts]:
        """The DEEP quotient of every height, after the values at both places are written."""
        key, threads = self.key, self.threads
        report = self._reporting(Phase.OUTSIDE)
        point = self.transcript.challenge()
        opened: list[tuple[Place, list[Felts], list[int], list[int]]] = []
        for level in key.levels:
            place = Place.of(point, level.log_height, key.log_tallest)
            parts = [columns[number][source].values for source in range(3) for number in level.tables]
            shift = shift_of(level.log_height, key.log_tallest)
            here, after = values_at(parts, shift, (place.point, place.after), threads)
            self._write_felts([*here, *after])
            opened.append((place, parts, here, after))
            report(len(opened) / len(key.levels) / 2)
        composition = values_at([pieces], shift_of(0, 0), (point,), threads)[0]
        self._write_felts(composition)
        batching = self.transcript.challenge()
        quotients = []
        for place, parts, here, after in opened:
            opening = Opening(place, key.log_tallest, parts, batching, threads)
            extra = None
            if place.log_height == key.log_tallest:
                summed = Opening(place, key.log_tallest, [pieces], batching, threads).total
                extra = summed, blend(composition, batching)
            domain = key.log_tallest, key.parameters.log_blowup
            values = blend(here, batching), blend(after, batching)
            quotients.append(opening.quotient(*values, extra, domain, threads))
            report((1 + len(quotients) / len(opened)) / 2)
        return quotients

    def _fold(self, quotients: list[Felts]) -> list[Tree]:
        key, threads = self.key, self.threads
        entering = {level.log_height: word for level, word in zip(key.levels, quotients, strict=True)}
        log_height, layers = key.log_tallest, []
        word = entering.pop(log_height)
        report = self._reporting(Phase.FOLDING)
        for bits in key.schedule:
            tree = commit(fibres(word, bits), key, threads)
            layers.append(tree)
            self._write_root(tree.root)
            challenge = self.transcript.challenge()
            weight = pow(challenge, 1 << bits, PRIME)
            for _ in range(bits):
                shifts = coset_shifts(log_height, key.log_tallest, key.parameters.log_blowup)
                word = fold_word(word, challenge, log_height, shifts, threads)
                challenge = challenge * challenge % PRIME
                log_height -= 1
            if log_height in entering:
                add_scaled_word(word, entering.pop(log_height), weight, threads)
            report(1 - 0.5 ** (key.log_tallest - log_height))  # each halving halves what is left to do
        last = word[:1].copy()
        interpolate(last, 1, shift_of(log_height, key.log_tallest))
        self._write_felts(to_ints(last[0][bit_reverse_permutation(log_height)]))
        report(1)
        return layers

    def _answer(self, phases: list[Committed], composition: Pieces, layers: list[Tree]) -> None:
        report = self._reporting(Phase.QUERIES)
        parts = draw_positions(self.key, self.transcript)
        log_size = self.key.log_tallest + self.key.parameters.log_blowup
        answers = []
        for phase in phases:
            lower = 0 if phase.tree is None else log_size - phase.tree.log_size
            moved = [[position >> lower for position in positions] for positions in parts]
            answers.append(phase.open(moved, self.threads))
            report(len(answers) / (len(phases) + 1))
        answers.append(composition.open(parts))
        for number, positions in enumerate(parts):
            self.proof += [answer[number] for answer in answers]
            for tree, bits in zip(layers, self.key.schedule, strict=True):
                positions = [position >> bits for position in positions]
                self.proof.append(tree.open(positions))
        report(1)


def commit(values: Felts, key: Key, threads: int, report: Report = unheard) -> Tree:
    """A tree over one array of columns."""
    return Tree.commit([values], hasher(key.parameters.hash), threads, report)


def fibres(word: Felts, bits: int) -> Felts:
    """A word as columns (2**bits, cosets, rows, 4), one for each point of a fibre, in the order of tree positions."""
    cosets, rows = word.shape[:2]
    size = 1 << bits
    parts = word.reshape(cosets, size, rows // size, 4)
    return np.ascontiguousarray(parts[:, [reverse_bits(part, bits) for part in range(size)]].transpose(1, 0, 2, 3))


def _check_shapes(key: Key, traces: Sequence[Felts]) -> None:
    if len(traces) != len(key.system.tables):
        raise ValueError(f"{key.system.name} has {len(key.system.tables)} tables; {len(traces)} were given")
    for table, log_height, columns in zip(key.system.tables, key.log_heights, traces, strict=True):
        expected = (table.trace_width, 1 << log_height, 4)
        if columns.shape != expected or columns.dtype != np.uint64:
            raise ValueError(f"{table.chip.name}: columns of shape {columns.shape} are not uint64 of shape {expected}")
