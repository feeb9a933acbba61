"""A key in the form a contract reads: constants for the shape of its proofs, and the rules as a tape of steps.

The contracts themselves know no system. What is generated here is data: the module `shape`, whose names the contracts
use, the tape (seven bytes a step: see `stark.steps`) and the constants the tape names.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from stark.air.listing import SHORTEST_ENTRY_BYTES
from stark.domain import shift_of
from stark.keccak import keccak256
from stark.key import TAG, Key
from stark.prime import PRIME, WORD_BYTES, inverse, root_of_unity
from stark.proof import words_of
from stark.steps import STEP_BYTES, Head, Steps

CODE_BYTES = 24_575  # of a contract, without the byte that stops a call to it
TAPE_STEPS = CODE_BYTES // STEP_BYTES - 5  # in one contract's code, zeros behind the last one with them
MISSING_MAX = 255  # parts and pages: a bit each in a word, and shifted out of it a page would be asked of nobody


class Emitted(NamedTuple):
    """What a deployment needs: the module's text, the tape in pieces of one length, and the constants."""

    shape: str
    tapes: list[bytes]
    constants: bytes


def emit(key: Key) -> Emitted:
    """The contracts' data for a key. Every rule becomes a folded value, every message of the statement a fraction."""
    if key.parameters.hash != "keccak":
        raise ValueError("a contract reads proofs whose trees are hashed with keccak")
    if not key.system.public:
        raise ValueError(f"{key.system.name}: a proof on chain is of a statement of at least one element")
    if not key.has_buses:
        raise ValueError(f"{key.system.name}: the contracts expect tables joined by buses")
    parts, pages = key.parameters.parts, key.system.pages
    if parts + pages > MISSING_MAX:
        raise ValueError(f"{key.system.name}: {parts} parts and {pages} pages; a contract counts {MISSING_MAX} of both")
    steps = Steps(key)
    data = steps.encode()
    size = STEP_BYTES * min(TAPE_STEPS, len(steps.made))
    # A step is read as a whole word, so the last ones are followed by zeros.
    tapes = [data[start : start + size].ljust(size + WORD_BYTES, b"\0") for start in range(0, len(data), size)]
    constants = words_of([*steps.scalars, *steps.lists])
    if len(constants) > CODE_BYTES:
        raise ValueError(f"{key.system.name}: {len(constants)} bytes of constants; a contract holds {CODE_BYTES}")
    return Emitted(_shape(key, steps, len(tapes), len(constants) // WORD_BYTES), tapes, constants)


def _shape(key: Key, steps: Steps, tape_count: int, constant_count: int) -> str:
    """The module `shape`: constants by name, in one place for all contracts."""
    numbers = _head_numbers(key, steps.head) | _query_numbers(key) | _page_numbers(key)
    numbers |= {
        "SLOTS": steps.count,
        **{f"SLOT_{name}".upper(): place for name, place in steps.slots._asdict().items()},
        "TAPE_CONTRACTS": tape_count,
        "TAPE_STEPS": min(TAPE_STEPS, len(steps.made)),
        "TAPE_BYTES": STEP_BYTES * min(TAPE_STEPS, len(steps.made)) + WORD_BYTES,
        "CONSTANT_COUNT": constant_count,
        "SCALARS": len(steps.scalars),
        "PERIOD_BOUND": max([1, *(len(values) for table in key.system.tables for values in table.periods)]),
    }
    words = {"TAG_DIGEST": keccak256(TAG), "KEY_DIGEST": key.digest, "FIXED_ROOT": key.fixed_root or bytes(WORD_BYTES)}
    lines = ["# pragma version 0.4.3", f'"""\n@title The shape of proofs of {key.system.name} (generated)\n"""']
    lines += [f"{name}: constant(uint256) = {value}" for name, value in numbers.items()]
    lists = _lists(key, steps.head)
    lines += [f"{name}: constant(uint256[{len(values)}]) = {values}" for name, values in lists.items()]
    lines += [f"{name}: constant(bytes32) = 0x{value.hex()}" for name, value in words.items()]
    return "\n".join(lines) + "\n"


def _head_numbers(key: Key, head: Head) -> dict[str, int]:
    """Where the words of a proof's head stand, and how many there are; those of statement and hints."""
    pages = key.system.pages
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
        "CLAIM": claim[7] + 2 + 2 * key.system.pages,
        "SHIFT": shift_of(key.log_tallest, key.log_tallest),
        "INVERSE_SHIFT": inverse(shift_of(key.log_tallest, key.log_tallest)),
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
        "PAGE_ENTRIES": listing.page_bytes // SHORTEST_ENTRY_BYTES,
        "BUS": key.system.buses[listing.bus],
        "TIMES": listing.times % PRIME,
    }


def _lists(key: Key, head: Head) -> dict[str, list[int]]:
    """What there is one of for each level, tree, layer, or bit of a position."""
    levels, log_size = key.levels, key.log_tallest + key.parameters.log_blowup
    return {
        "LOG_HEIGHT": [level.log_height for level in levels],
        "LEVEL_START": list(head.levels),
        "LEVEL_WIDTH": [level.width for level in levels],
        "ROW_ROOT": [root_of_unity(level.log_height) for level in levels],
        "LAST_ROW": [inverse(root_of_unity(level.log_height)) for level in levels],
        "LOWER": [key.log_tallest - level.log_height for level in levels],
        "TREE_WIDTHS": [width for widths in _tree_widths(key) for width in widths],
        "LAYER_BITS": list(key.schedule),
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
