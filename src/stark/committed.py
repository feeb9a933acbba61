"""The columns of one phase under a tree: what of them is kept, and how the rows are read that a proof opens.

The cosets on which rules are composed are kept. Others, at a larger blow-up, are hashed and forgotten, and where a
query falls on one of them its row is computed anew: at a blow-up of 16 that saves three quarters of the memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from stark.extension import Extended, coset_shifts, cosets_kept
from stark.field import Felts
from stark.key import Key, Level
from stark.merkle import Place, Tree, digest_coset, hasher, row_words
from stark.ntt import evaluate_coset, interpolate
from stark.points import values_at
from stark.prime import PRIME, root_of_unity
from stark.progress import Report, unheard, within
from stark.proof import words_of

POINTS_AT_ONCE = 16  # of rows that are computed anew: their weights are of a few rows at a time, so that is little


class Committed(NamedTuple):
    """Columns of all tables, and the tree over them; no tree where no table has any."""

    extended: list[Extended]
    tree: Tree | None
    rows: Rows

    def open(self, parts: Sequence[Sequence[int]], threads: int) -> list[bytes]:
        """What a proof says of the positions of each part."""
        if self.tree is None:
            return [b"" for _ in parts]
        self.rows.recall({place for positions in parts for place in self.tree.places(positions)}, threads)
        return [self.tree.open(positions) for positions in parts]


class Rows:
    """Rows of the tables of each height, kept or computed."""

    def __init__(self, key: Key, extended: Sequence[Extended]):
        self.key = key
        self.parts = {
            1 << level.log_height: [extended[number].values for number in level.tables] for level in key.levels
        }
        self.recalled: dict[Place, bytes] = {}

    def read(self, rows: int, coset: int, row: int) -> bytes:
        """The row of all tables of so many rows, as a proof writes it."""
        found = self.recalled.get((rows, coset, row))
        return row_words([part[:, coset, row] for part in self.parts[rows]]) if found is None else found

    def recall(self, places: Iterable[Place], threads: int) -> None:
        """Compute the rows among these that are on cosets that were not kept."""
        missing: dict[int, list[Place]] = {}
        for place in sorted(places):
            if place[1] >= self.parts[place[0]][0].shape[1]:
                missing.setdefault(place[0], []).append(place)
        for rows, wanted in missing.items():
            log_rows = rows.bit_length() - 1
            shifts = coset_shifts(log_rows, self.key.log_tallest, self.key.parameters.log_blowup)
            root = root_of_unity(log_rows)
            for start in range(0, len(wanted), POINTS_AT_ONCE):
                some = wanted[start : start + POINTS_AT_ONCE]
                points = [shifts[coset] * pow(root, row, PRIME) % PRIME for _, coset, row in some]
                found = values_at(self.parts[rows], shifts[0], points, threads)
                self.recalled |= {place: words_of(values) for place, values in zip(some, found, strict=True)}


class Pieces:
    """The composition's pieces: coefficients, and values on the first coset alone. What else is opened is extended
    again, a coset at a time, for by then much is held that is needed more."""

    def __init__(self, key: Key, coefficients: Felts, threads: int, report: Report = unheard):
        self.key = key
        self.coefficients = coefficients
        self.threads = threads
        self.shifts = coset_shifts(key.log_tallest, key.log_tallest, key.parameters.log_blowup)
        self.recalled: dict[Place, bytes] = {}
        width, rows, _ = coefficients.shape
        self.values = np.empty((width, 1, rows, 4), np.uint64)
        digests = np.empty((len(self.shifts), rows, 4), np.uint64)
        for coset, own in enumerate(digests):
            share = within(report, 0.9 * coset / len(digests), 0.9 * (coset + 1) / len(digests))
            digest_coset([self._coset(coset)], hasher(key.parameters.hash), threads, own, share)
        share = within(report, 0.9, 1)
        self.tree = Tree.grow([digests], hasher(key.parameters.hash), self._read, threads, share, keeps_leaves=True)

    def open(self, parts: Sequence[Sequence[int]]) -> list[bytes]:
        """What a proof says of the positions of each part."""
        wanted: dict[int, list[Place]] = {}
        for place in {place for positions in parts for place in self.tree.places(positions)}:
            wanted.setdefault(place[1], []).append(place)
        for coset, places in sorted(wanted.items()):
            values = self._coset(coset)
            self.recalled |= {place: row_words([values[:, place[2]]]) for place in places}
        return [self.tree.open(positions) for positions in parts]

    def _coset(self, coset: int) -> Felts:
        values = self.values[:, 0] if coset == 0 else np.empty_like(self.coefficients)
        evaluate_coset(self.coefficients, values, self.shifts[coset], self.threads)
        return values

    def _read(self, rows: int, coset: int, row: int) -> bytes:
        return self.recalled[rows, coset, row]


def commit_columns(key: Key, columns: list[Felts], threads: int, report: Report = unheard) -> Committed:
    """Extend the columns of all tables (width, rows, 4), which are used up, and hash them."""
    kept = cosets_kept(key.system, key.parameters.log_blowup)
    extended = [Extended(np.empty((len(own), kept, own.shape[1], 4), np.uint64)) for own in columns]
    digests, done, cells = [], 0, sum(each.size for each in columns)
    for level in key.levels:
        own = sum(columns[number].size for number in level.tables)
        if own:
            share = within(report, 0.9 * done / cells, 0.9 * (done + own) / cells)
            digests.append(_commit_level(key, level, columns, extended, threads, report=share))
            done += own
    rows = Rows(key, extended)
    if not digests:
        return Committed(extended, None, rows)
    keeps = extended[0].values.shape[1] < digests[0].shape[0]
    name, share = key.parameters.hash, within(report, 0.9, 1)
    tree = Tree.grow(digests, hasher(name), rows.read, threads, share, keeps_leaves=keeps)
    return Committed(extended, tree, rows)


def _commit_level(
    key: Key, level: Level, columns: list[Felts], extended: list[Extended], threads: int, *, report: Report
) -> Felts:
    """The digests of the rows of one height, coset by coset."""
    for number in level.tables:
        interpolate(columns[number], threads)
    report(0.1)
    shifts = coset_shifts(level.log_height, key.log_tallest, key.parameters.log_blowup)
    digests = np.empty((len(shifts), 1 << level.log_height, 4), np.uint64)
    for coset, shift in enumerate(shifts):
        sides = []
        for number in level.tables:
            kept = extended[number].values
            side = kept[:, coset] if coset < kept.shape[1] else np.empty_like(columns[number])
            evaluate_coset(columns[number], side, shift, threads)
            sides.append(side)
        done = 0.1 + 0.9 * (coset + 0.5) / len(shifts), 0.1 + 0.9 * (coset + 1) / len(shifts)
        report(done[0])
        digest_coset(sides, hasher(key.parameters.hash), threads, digests[coset], within(report, *done))
    return digests
