"""Verification: read this first. Eight steps, the same that the prover takes, in plain integers.

A proof shows that there are tables of the key's heights whose every row obeys every rule and whose buses balance with
the statement. The verifier sees: roots of trees over all columns (steps 2 to 4), every column's value at one random
point and the point of the row after it (step 5), where the rules must hold as an identity of polynomials, and a few
random rows (step 8), which tie the values at that point to the trees by way of a polynomial of low degree (step 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stark.air.expr import Leaf, Source
from stark.domain import Place, point_at, shift_of
from stark.key import COMMITTED, Key, Level
from stark.opening import Rows, read_opening
from stark.prime import PRIME, inverse
from stark.proof import Phase, ProofRejected, Reader, Rejection
from stark.transcript import Transcript


def verify(key: Key, public: Sequence[int], proof: bytes) -> ProofRejected | None:
    """None if the proof shows the statement under the key; else where and why it does not. Raises on no bytes."""
    try:
        transcript = key.transcript(public)
    except ValueError as error:
        return ProofRejected(Phase.STATEMENT, str(error))
    reader = Reader(proof)
    try:
        check_queries(key, read_commitments(key, public, transcript, reader), transcript, reader)
        reader.finish()
    except Rejection as rejection:
        return rejection.rejected
    return None


class Scalars(NamedTuple):
    """The values of leaves that are the same on every row."""

    public: Sequence[int]
    challenges: list[int]
    totals: list[int]

    def value(self, leaf: Leaf, table: int = 0) -> int:
        """Of one leaf, for one table."""
        if leaf.source == Source.PUBLIC:
            return self.public[leaf.index]
        return self.challenges[leaf.index] if leaf.source == Source.CHALLENGE else self.totals[table]


class Opened(NamedTuple):
    """What the columns of one height are at the out-of-domain point, and at the next row's."""

    level: Level
    place: Place
    here: list[int]
    after: list[int]


class Commitments(NamedTuple):
    """All that is known before the queries: the roots, the opened values, and the challenges drawn in between."""

    trace_root: bytes
    challenges: list[int]  # of the buses
    bus_root: bytes | None
    composition_root: bytes
    levels: list[Opened]
    composition: list[int]  # the pieces of the composition at the tallest table's point
    batching: int
    layer_roots: list[bytes]
    folding: list[int]
    last: list[int]  # coefficients of the last polynomial


def read_commitments(key: Key, public: Sequence[int], transcript: Transcript, reader: Reader) -> Commitments:
    """Steps 2 to 7: everything the proof commits to, each part absorbed before the challenge it must bind."""
    reader.phase = Phase.TRACE
    trace_root = _absorb_root(transcript, reader)

    reader.phase = Phase.BUSES
    bus_root, scalars = None, Scalars(public, [], [0] * len(key.system.tables))
    if key.has_buses:
        challenges = bus_challenges(key, transcript)
        bus_root = _absorb_root(transcript, reader)
        scalars = Scalars(public, challenges, _read_totals(key, transcript, reader))
        _check_balance(key, public, scalars)

    reader.phase = Phase.COMPOSITION
    weight = transcript.challenge()
    composition_root = _absorb_root(transcript, reader)

    reader.phase = Phase.OUTSIDE
    point = transcript.challenge()
    levels = []
    for level in key.levels:
        place = Place.of(point, level.log_height, key.log_tallest)
        here, after = reader.felts(level.width), reader.felts(level.width)
        transcript.absorb_felts([*here, *after])
        levels.append(Opened(level, place, here, after))
    composition = reader.felts(key.system.composition_columns)
    transcript.absorb_felts(composition)
    _check_rules(key, scalars, weight, levels, composition)

    reader.phase = Phase.FOLDING
    batching = transcript.challenge()
    layer_roots, folding = [], []
    for _ in key.schedule:
        layer_roots.append(_absorb_root(transcript, reader))
        folding.append(transcript.challenge())
    last = reader.felts(1 << key.parameters.log_final)
    transcript.absorb_felts(last)

    reader.phase = Phase.GRINDING
    nonce = int.from_bytes(reader.words(1), "big")
    if nonce >= 1 << 64 or not transcript.check_nonce(nonce, key.parameters.grinding_bits):
        raise Rejection(Phase.GRINDING, f"the nonce does not make {key.parameters.grinding_bits} zero bits")
    roots = trace_root, scalars.challenges, bus_root, composition_root
    return Commitments(*roots, levels, composition, batching, layer_roots, folding, last)


def _absorb_root(transcript: Transcript, reader: Reader) -> bytes:
    root = reader.words(1)
    transcript.absorb(root)
    return root


def bus_challenges(key: Key, transcript: Transcript) -> list[int]:
    """The point at which messages are summed, and the powers of the base that combines their fields."""
    point, base = transcript.challenge(), transcript.challenge()
    return [point, *(pow(base, power, PRIME) for power in range(1, key.system.challenge_count))]


def _read_totals(key: Key, transcript: Transcript, reader: Reader) -> list[int]:
    """What each table's running sums come to; zero for tables without messages, which write nothing."""
    totals = [reader.felts(1)[0] if table.bus_width else 0 for table in key.system.tables]
    transcript.absorb_felts([total for total, table in zip(totals, key.system.tables, strict=True) if table.bus_width])
    return totals


def _check_balance(key: Key, public: Sequence[int], scalars: Scalars) -> None:
    """Over all tables, the statement's elements and what it lists: what is sent is what is received.

    The elements' messages are summed as one fraction; times its denominator, which is not zero, the balance is zero.
    """
    fractions = key.system.outside.run(scalars.value)
    above, below = 0, 1
    for times, divisor in zip(fractions[::2], fractions[1::2], strict=True):
        above, below = (above * divisor + times * below) % PRIME, below * divisor % PRIME
    try:
        listed = sum(key.system.listed_sums(public, scalars.challenges))
    except ZeroDivisionError as error:
        raise Rejection(Phase.BUSES, str(error)) from None
    if not below:
        raise Rejection(Phase.BUSES, "a challenge meets a message of the statement")
    if (above + (sum(scalars.totals) + listed) * below) % PRIME:
        raise Rejection(Phase.BUSES, "the buses do not balance: something was sent and not received, or the reverse")


def _check_rules(
    key: Key, scalars: Scalars, weight: int, levels: list[Opened], composition: list[int]
) -> None:
    """The weighted sum of all rules at the point is the composition there times the vanishing polynomial."""
    tallest = levels[0].place
    if any(opened.place.vanishing == 0 for opened in levels):
        raise Rejection(Phase.OUTSIDE, "the point falls on a row of a table")
    values: list[list[int]] = [[] for _ in key.system.tables]
    for opened in levels:
        for number, cells in _cells_by_table(key, opened):
            table = key.system.tables[number]

            def value(leaf: Leaf, cells: dict[Leaf, int] = cells, number: int = number) -> int:
                return cells[leaf] if leaf.varies else scalars.value(leaf, number)

            values[number] = table.program.run(opened.place.leaf_value(value, table.periods))
    combined = blend([each for table_values in values for each in table_values], weight)
    height = pow(tallest.point, 1 << tallest.log_height, PRIME)
    if combined != at(composition, height) * tallest.vanishing % PRIME:
        raise Rejection(Phase.OUTSIDE, "the rules do not hold: their sum is not the composition's multiple")


def _cells_by_table(key: Key, opened: Opened) -> list[tuple[int, dict[Leaf, int]]]:
    """The opened values of a level, handed out to its tables as leaves."""
    cells: dict[int, dict[Leaf, int]] = {number: {} for number in opened.level.tables}
    start = 0
    for source in COMMITTED:
        for number in opened.level.tables:
            table = key.system.tables[number]
            width = table.width(source)
            for index in range(width):
                cells[number][Leaf(source, index)] = opened.here[start + index]
                cells[number][Leaf(source, index, True)] = opened.after[start + index]
            start += width
    return list(cells.items())


def check_queries(key: Key, committed: Commitments, transcript: Transcript, reader: Reader) -> None:
    """Step 8: random rows agree with the opened values by way of the folded polynomial."""
    for positions in draw_positions(key, transcript):
        check_part(key, committed, positions, reader)


def check_part(key: Key, committed: Commitments, positions: list[int], reader: Reader) -> None:
    """One part of step 8, by itself."""
    reader.phase = Phase.QUERIES
    values = _check_layers(key, committed, _read_quotients(key, committed, positions, reader), reader)
    shift = shift_of(key.parameters.log_final, key.log_tallest)
    for position, value in values.items():
        if value != at(committed.last, point_at(position, shift)):
            raise Rejection(Phase.QUERIES, f"position {position} is not on the last polynomial")


def draw_positions(key: Key, transcript: Transcript) -> list[list[int]]:
    """The rows to open, ascending, cut into the parts that are answered each by itself. Repeated draws count once."""
    log_size = key.log_tallest + key.parameters.log_blowup
    drawn = sorted({transcript.position(log_size) for _ in range(key.parameters.queries)})
    size = key.parameters.part_size
    return [drawn[start : start + size] for start in range(0, len(drawn), size)]


def _check_layers(key: Key, committed: Commitments, quotients: list[dict[int, int]], reader: Reader) -> dict[int, int]:
    """Fold the tallest quotients down to the last polynomial's domain; shorter ones enter at their height."""
    values, log_height = quotients[0], key.log_tallest
    for root, challenge, bits in zip(committed.layer_roots, committed.folding, key.schedule, strict=True):
        leaves = sorted({position >> bits for position in values})
        fibres = _open(root, leaves, [(log_height - bits, 1 << bits)], key, reader)[0]
        for position, value in values.items():
            if fibres[position >> bits][position & ((1 << bits) - 1)] != value:
                raise Rejection(Phase.QUERIES, f"layer of 2**{log_height} rows: position {position} does not follow")
        shift = shift_of(log_height, key.log_tallest)
        log_height -= bits
        values = {leaf: fold(fibres[leaf], challenge, point_at(leaf << bits, shift)) for leaf in leaves}
        entering = pow(challenge, 1 << bits, PRIME)
        for number, level in enumerate(key.levels):
            if number and level.log_height == log_height:
                values = {leaf: (value + entering * quotients[number][leaf]) % PRIME for leaf, value in values.items()}
    return values


def fold(fibre: list[int], challenge: int, point: int) -> int:
    """The folded polynomial at the fibre's common power: with f = sum of X**m f_m(X**a), the sum of challenge**m f_m.

    Neighbours are a point and its negative: halving the list with the challenge squared each time folds by two.
    """
    bits = len(fibre).bit_length() - 1
    half = inverse(2)
    while bits:
        across = challenge * half * inverse(point) % PRIME
        folded = []
        for index in range(0, len(fibre), 2):
            turn = point_at(index, 1)
            left, right = fibre[index], fibre[index + 1]
            folded.append(((left + right) * half + (left - right) * across * inverse(turn)) % PRIME)
        fibre, bits = folded, bits - 1
        challenge, point = challenge * challenge % PRIME, point * point % PRIME
    return fibre[0]


def _read_quotients(
    key: Key, committed: Commitments, positions: list[int], reader: Reader
) -> list[dict[int, int]]:
    """For every height, the DEEP quotient at the positions the queries stand for there."""
    rows: list[dict[int, list[int]]] = [{} for _ in key.levels]
    for root, widths in _trees(key, committed):
        shape = [(level.log_height, width) for level, width in zip(key.levels, widths, strict=True) if width]
        lower = key.log_tallest - shape[0][0]  # this tree's own tallest table may be shorter
        leaves = sorted({position >> lower for position in positions})
        opened = iter(_open(root, leaves, shape, key, reader))
        for number, width in enumerate(widths):
            if width:
                for position, row in next(opened).items():
                    rows[number].setdefault(position, []).extend(row)
    pieces = _open(
        committed.composition_root,
        positions,
        [(key.log_tallest, key.system.composition_columns)],
        key,
        reader,
    )[0]
    quotients = []
    for number, opened_level in enumerate(committed.levels):
        shift = shift_of(opened_level.level.log_height, key.log_tallest)
        quotients.append({
            position: _quotient(
                opened_level,
                row,
                (pieces[position], committed.composition) if number == 0 else ([], []),
                committed.batching,
                point_at(position, shift),
            )
            for position, row in rows[number].items()
        })
    return quotients


def _trees(key: Key, committed: Commitments) -> list[tuple[bytes, list[int]]]:
    """The trees over tables, each with its width at every level."""
    trees = []
    if key.fixed_root is not None:
        trees.append((key.fixed_root, [level.fixed_width for level in key.levels]))
    trees.append((committed.trace_root, [level.trace_width for level in key.levels]))
    if committed.bus_root is not None:
        trees.append((committed.bus_root, [level.bus_width for level in key.levels]))
    return trees


def _open(root: bytes, positions: list[int], shape: list[tuple[int, int]], key: Key, reader: Reader) -> list[Rows]:
    """Rows of a tree at the queries' positions, given as positions among the tallest table's points."""
    parameters = key.parameters
    return read_opening(reader, root, positions, shape, parameters.log_blowup, parameters.hash)


def _quotient(
    opened: Opened, row: list[int], pieces: tuple[list[int], list[int]], batching: int, point: int
) -> int:
    """(f - f(z)) / (x - z) over all columns and both places, each with its power of the batching challenge."""
    place = opened.place
    width = len(row)
    if point in (place.point, place.after):
        raise Rejection(Phase.QUERIES, "a query falls on the point outside the domain")
    at_row = blend(row, batching)
    step = pow(batching, width, PRIME)
    more = step * step * (blend(pieces[0], batching) - blend(pieces[1], batching))
    here = at_row - blend(opened.here, batching) + more
    after = at_row - blend(opened.after, batching)
    return (here * inverse(point - place.point) + step * after * inverse(point - place.after)) % PRIME


def blend(values: list[int], weight: int) -> int:
    """Many values as one: each has its own power of the weight, the last has the power 0."""
    total = 0
    for value in values:
        total = (total * weight + value) % PRIME
    return total


def at(values: list[int], point: int) -> int:
    """The polynomial of these coefficients at a point: values[0] + values[1] * point + ..."""
    total = 0
    for value in reversed(values):
        total = (total * point + value) % PRIME
    return total
