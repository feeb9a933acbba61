"""A key in the form a contract reads: constants for the shape of its proofs, and the rules as a tape of steps.

The contracts themselves know no system. What is generated here is data: the module `shape`, whose names the contracts
use, the tape (five bytes a step: operation, left, right) and the constants the tape names.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from stark.air.expr import Leaf, Source
from stark.air.program import Program
from stark.domain import shift_of
from stark.keccak import keccak256
from stark.key import TAG, Key
from stark.prime import PRIME, WORD_BYTES, inverse, root_of_unity
from stark.proof import words_of

STEP_BYTES = 5
CODE_BYTES = 24_575  # of a contract, without the byte that stops a call to it
TAPE_STEPS = 4_900  # in one contract's code, of at most 24,576 bytes with the byte that stops a call to it
ADD, SUBTRACT, MULTIPLY, DATA, CONSTANT, PUBLIC, CHALLENGE, SELECTOR, PERIODIC, FOLD, BALANCE, ONE_HOT = range(12)
SHORTEST_ENTRY = 3  # bytes of an entry of a page
SIDES = 1 << 16  # a step names others by two bytes


class Head(NamedTuple):
    """Where the words of a proof's head stand: the order in which `stark.verifier.read_commitments` reads them."""

    bus_root: int
    totals: tuple[int, int]  # start and count
    composition_root: int
    levels: tuple[int, ...]  # where each level's values start
    pieces: int
    layer_roots: int
    last: int
    words: int

    @classmethod
    def of(cls, key: Key) -> Head:
        """The head of a key's proofs. Without buses their root takes no word, and its place is the composition's."""
        totals = sum(table.bus_width > 0 for table in key.system.tables)
        composition_root = 2 + totals if key.has_buses else 1
        starts = list(accumulate([2 * level.width for level in key.levels], initial=composition_root + 1))
        layer_roots = starts[-1] + key.system.composition_columns
        last = layer_roots + len(key.schedule)
        words = last + (1 << key.parameters.log_final) + 1
        return cls(1, (2, totals), composition_root, tuple(starts[:-1]), starts[-1], layer_roots, last, words)


class Emitted(NamedTuple):
    """What a deployment needs: the module's text, the tape in pieces of one length, and the constants."""

    shape: str
    tapes: list[bytes]
    constants: bytes


class _Tape:
    """Steps and constants, appended."""

    def __init__(self, key: Key):
        self.key = key
        self.head = Head.of(key)
        self.steps: list[tuple[int, int, int]] = []
        self.constants: list[int] = []
        self.rows: dict[tuple[int, int, int], int] = {}  # the step that is one in a row of a table's period

    def append(self, operation: int, left: int, right: int = 0) -> int:
        """One step; answers its number."""
        if not (0 <= left < SIDES and 0 <= right < SIDES):
            raise ValueError(f"{self.key.system.name} has too many rules for a tape: a step names one of 2**16 others")
        self.steps.append((operation, left, right))
        return len(self.steps) - 1

    def constant(self, values: Sequence[int]) -> int:
        """Where constants stand; one alone is kept once."""
        if len(values) == 1 and values[0] in self.constants:
            return self.constants.index(values[0])
        self.constants += values
        return len(self.constants) - len(values)

    def program(self, program: Program, table: int | None) -> list[int]:
        """Append a program; answers the numbers of its outputs' steps."""
        made: list[int] = []
        for step in program.steps:
            if step.leaf is None:
                made.append(self.append(int(step.operation) - 1, made[step.left], made[step.right]))
            elif step.leaf.source == Source.PERIODIC:
                assert table is not None, "the statement has no rows"
                made.append(self.periodic(table, self.key.system.tables[table].periods[step.leaf.index]))
            else:
                made.append(self.append(*self.leaf(step.leaf, table)))
        return [made[output] for output in program.outputs]

    def periodic(self, table: int, values: tuple[int, ...]) -> int:
        """A periodic column: by its coefficients, or by its rows where a quarter or more of them are zero.

        Coefficients are as many constants as the period has rows, and a row's two serve every column of the table.
        """
        rows = [row for row, value in enumerate(values) if value]
        level = self._level(table)
        where = level << 8 | (len(values).bit_length() - 1)
        if 4 * len(rows) > 3 * len(values):
            return self.append(PERIODIC, self.constant(_coefficients(values)[::-1]), where)
        total = None
        for row in rows:
            step = self._row(table, len(values), row, where)
            if values[row] != 1:
                factor = self.append(CONSTANT, self.constant([values[row]]))
                step = self.append(MULTIPLY, step, factor)
            total = step if total is None else self.append(ADD, total, step)
        return self.append(CONSTANT, self.constant([0])) if total is None else total

    def _row(self, table: int, period: int, row: int, where: int) -> int:
        """The step that is one in a row of a period and zero in the others; it is made once."""
        if (table, period, row) not in self.rows:
            place = self.constant(_one_hot(period, row))
            self.rows[table, period, row] = self.append(ONE_HOT, place, where)
        return self.rows[table, period, row]

    def _level(self, table: int) -> int:
        return next(number for number, each in enumerate(self.key.levels) if table in each.tables)

    def leaf(self, leaf: Leaf, table: int | None) -> tuple[int, int, int]:
        """How the contract finds the value of a leaf."""
        if leaf.source == Source.CONSTANT:
            return CONSTANT, self.constant([leaf.index]), 0
        if leaf.source == Source.PUBLIC:
            return PUBLIC, leaf.index, 0
        if leaf.source == Source.CHALLENGE:
            return CHALLENGE, leaf.index, 0
        if table is None:
            raise ValueError(f"the statement can't read {leaf}")
        level = self._level(table)
        if leaf.source == Source.TOTAL:
            before = sum(each.bus_width > 0 for each in self.key.system.tables[:table])
            return DATA, self.head.totals[0] + before, 0
        if leaf.source == Source.SELECTOR:
            return SELECTOR, level, leaf.index
        return DATA, self._column(leaf, table, level), 0

    def _column(self, leaf: Leaf, table: int, level: int) -> int:
        own = self.key.levels[level]
        tables = self.key.system.tables
        before = {Source.FIXED: 0, Source.TRACE: own.fixed_width, Source.BUS: own.fixed_width + own.trace_width}
        earlier = sum(tables[number].width(leaf.source) for number in own.tables[: own.tables.index(table)])
        column = before[leaf.source] + earlier + leaf.index + (own.width if leaf.is_next else 0)
        return self.head.levels[level] + column


def emit(key: Key) -> Emitted:
    """The contracts' data for a key. Every rule becomes a folded value, every message of the statement a fraction."""
    if key.parameters.hash != "keccak":
        raise ValueError("a contract reads proofs whose trees are hashed with keccak")
    if not key.system.public:
        raise ValueError(f"{key.system.name}: a proof on chain is of a statement of at least one element")
    if not key.has_buses:
        raise ValueError(f"{key.system.name}: the contracts expect tables joined by buses")
    tape = _Tape(key)
    outputs = []
    for number, table in enumerate(key.system.tables):
        outputs += tape.program(table.program, number)
    for output in outputs:
        tape.append(FOLD, output)
    stated = tape.program(key.system.outside, None)
    for times, divisor in zip(stated[::2], stated[1::2], strict=True):
        tape.append(BALANCE, times, divisor)
    data = b"".join(
        operation.to_bytes(1, "big") + left.to_bytes(2, "big") + right.to_bytes(2, "big")
        for operation, left, right in tape.steps
    )
    size = STEP_BYTES * min(TAPE_STEPS, len(tape.steps))
    # A step is read as a whole word, so the last ones are followed by zeros.
    tapes = [data[start : start + size].ljust(size + WORD_BYTES, b"\0") for start in range(0, len(data), size)]
    constants = words_of(tape.constants or [0])
    if len(constants) > CODE_BYTES:
        raise ValueError(f"{key.system.name}: {len(constants)} bytes of constants; a contract holds {CODE_BYTES}")
    return Emitted(_shape(key, tape, len(tapes), len(constants) // WORD_BYTES), tapes, constants)


def _shape(key: Key, tape: _Tape, tape_count: int, constant_count: int) -> str:
    """The module `shape`: constants by name, in one place for all contracts."""
    numbers = _head_numbers(key, tape.head) | _query_numbers(key) | _page_numbers(key)
    numbers["CLAIM"] += 2 * numbers["PAGES"]
    numbers |= {
        "STEPS": len(tape.steps),
        "TAPE_CONTRACTS": tape_count,
        "TAPE_STEPS": min(TAPE_STEPS, len(tape.steps)),
        "TAPE_BYTES": STEP_BYTES * min(TAPE_STEPS, len(tape.steps)) + WORD_BYTES,
        "CONSTANT_COUNT": constant_count,
        "PERIOD_BOUND": max([1, *(len(values) for table in key.system.tables for values in table.periods)]),
    }
    words = {"TAG_DIGEST": keccak256(TAG), "KEY_DIGEST": key.digest, "FIXED_ROOT": key.fixed_root or bytes(WORD_BYTES)}
    lines = ["# pragma version 0.4.3", f'"""\n@title The shape of proofs of {key.system.name} (generated)\n"""']
    lines += [f"{name}: constant(uint256) = {value}" for name, value in numbers.items()]
    lines += [f"{name}: constant(uint256[{len(values)}]) = {values}" for name, values in _lists(key, tape.head).items()]
    lines += [f"{name}: constant(bytes32) = 0x{value.hex()}" for name, value in words.items()]
    return "\n".join(lines) + "\n"


def _head_numbers(key: Key, head: Head) -> dict[str, int]:
    """Where the words of a proof's head stand, and how many there are; those of statement and hints."""
    pages = 0 if key.system.listing is None else key.system.listing.pages
    return {
        "ELEMENTS": len(key.system.public),
        "STATEMENT": len(key.system.public) + pages,
        "HINTS": 2 * len(key.levels) + pages,
        "HEADER_WORDS": head.words,
        "HEADER_BYTES": head.words * WORD_BYTES,
        "BUS_ROOT": head.bus_root,
        "TOTALS_START": head.totals[0],
        "TOTALS": head.totals[1],
        "COMPOSITION_ROOT": head.composition_root,
        "FIRST_ROOTS_END": head.composition_root + 1,
        "PIECES_START": head.pieces,
        "PIECES": key.system.composition_columns,
        "LAYER_ROOTS": head.layer_roots,
        "LAYERS": len(key.schedule),
        "LAST_START": head.last,
        "LAST": 1 << key.parameters.log_final,
        "CHALLENGES": max(2, key.system.challenge_count),
        "LEVELS": len(key.levels),
        "WIDTH_BOUND": max(key.system.composition_columns, *(level.width for level in key.levels)),
    }


def _query_numbers(key: Key) -> dict[str, int]:
    """What the queries are, and the words of a claim: batching, roots, layers and their challenges, levels, pieces, the
    last polynomial, positions; then the buses' point and base, and of each page its digest and what it sums to.
    """
    parameters, trees, layers = key.parameters, len(_tree_widths(key)), len(key.schedule)
    log_size = key.log_tallest + parameters.log_blowup
    sizes = [1, trees, 2 * layers, 5 * len(key.levels), 1, 1 << parameters.log_final, 1, parameters.queries]
    claim = list(accumulate(sizes))
    return {
        "TREES": trees,
        "GRINDING_BITS": parameters.grinding_bits,
        "QUERIES": parameters.queries,
        "PARTS": parameters.parts,
        "PART_QUERIES": parameters.part_size,
        "PART_BYTES": part_bytes(key),
        "LOG_SIZE": log_size,
        "LOG_SIZE_BOUND": log_size + 1,
        "LOG_BLOWUP": parameters.log_blowup,
        "CLAIM_LAYERS": claim[1],
        "CLAIM_LEVELS": claim[2],
        "CLAIM_PIECES": claim[3],
        "CLAIM_LAST": claim[4],
        "CLAIM_COUNT": claim[5],
        "CLAIM_POSITIONS": claim[6],
        "CLAIM_POINT": claim[7],
        "CLAIM": claim[7] + 2,
        "LAST_SHIFT": shift_of(parameters.log_final, key.log_tallest),
    }


def _page_numbers(key: Key) -> dict[str, int]:
    """What the statement lists. A system that lists nothing has no pages; the bounds are then of what is never read."""
    listing = key.system.listing
    if listing is None:
        return {"PAGES": 0, "PAGES_BOUND": 1, "PAGE_BYTES": 64, "PAGE_ENTRIES": 1, "BUS": 0, "TIMES": 0}
    return {
        "PAGES": listing.pages,
        "PAGES_BOUND": listing.pages,
        "PAGE_BYTES": listing.page_bytes,
        "PAGE_ENTRIES": listing.page_bytes // SHORTEST_ENTRY,
        "BUS": key.system.buses[listing.bus],
        "TIMES": listing.times % PRIME,
    }


def _lists(key: Key, head: Head) -> dict[str, list[int]]:
    """What there is one of for each level, tree, layer, or bit of a position."""
    levels, log_size = key.levels, key.log_tallest + key.parameters.log_blowup
    log_rows = list(accumulate(key.schedule, lambda rows, bits: rows - bits, initial=key.log_tallest))
    return {
        "LOG_HEIGHT": [level.log_height for level in levels],
        "LEVEL_START": list(head.levels),
        "LEVEL_WIDTH": [level.width for level in levels],
        "ROW_ROOT": [root_of_unity(level.log_height) for level in levels],
        "LAST_ROW": [inverse(root_of_unity(level.log_height)) for level in levels],
        "LOWER": [key.log_tallest - level.log_height for level in levels],
        "SHIFTS": [shift_of(level.log_height, key.log_tallest) for level in levels],
        "TREE_WIDTHS": [width for widths in _tree_widths(key) for width in widths],
        "LAYER_BITS": list(key.schedule),
        "INVERSE_SHIFTS": [inverse(shift_of(rows, key.log_tallest)) for rows in log_rows[:-1]],
        "ROOTS": [root_of_unity(bit + 1) for bit in range(log_size + 1)],
        "INVERSE_ROOTS": [inverse(root_of_unity(bit + 1)) for bit in range(log_size + 1)],
    }


def _tree_widths(key: Key) -> list[list[int]]:
    trees = [[level.fixed_width for level in key.levels]] if key.has_fixed else []
    trees.append([level.trace_width for level in key.levels])
    if key.has_buses:
        trees.append([level.bus_width for level in key.levels])
    trees.append([key.system.composition_columns] + [0] * (len(key.levels) - 1))
    return trees


def part_bytes(key: Key) -> int:
    """The most bytes one part's answers can take: no two queries share a row or a node."""
    queries = key.parameters.part_size
    log_blowup = key.parameters.log_blowup
    words = 0
    for widths in _tree_widths(key):
        tallest = next(level.log_height for level, width in zip(key.levels, widths, strict=True) if width)
        words += sum(widths) + tallest + log_blowup
    log_height = key.log_tallest
    for bits in key.schedule:
        log_height -= bits
        words += (1 << bits) + log_height + log_blowup
    return queries * words * WORD_BYTES


def _one_hot(period: int, row: int) -> list[int]:
    """Of a column that is one in a single row: what brings that row to 1, and the inverse of the period.

    At a point x the column is the product of 1 + (x / row) ** (2 ** bit) over the bits of the period, over the period.
    """
    place = pow(root_of_unity(period.bit_length() - 1), row, PRIME)
    return [inverse(place), inverse(period)]


def _coefficients(values: tuple[int, ...]) -> list[int]:
    """Of the polynomial that takes the values on the roots of one, lowest first."""
    size = len(values)
    back = inverse(root_of_unity(size.bit_length() - 1))
    scale = inverse(size)
    return [
        scale * sum(value * pow(back, row * term, PRIME) for row, value in enumerate(values)) % PRIME
        for term in range(size)
    ]
