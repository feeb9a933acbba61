"""Whether a witness can be recomputed at all: every market it speaks of is in it, and every number within its width.

A witness may come from anybody. Behind this door the rules may rely on what the ledger keeps true of every state:
legal terms, prices above zero, positions of some lots.
"""

from __future__ import annotations

from collections.abc import Iterator

from bulkhead.fixed import ONE
from bulkhead.keepers.witness import Leaf, Step, Witness
from bulkhead.limits import BOOK_PRICE_LIMIT, QUOTE_LIMIT, SIZE_LIMIT
from bulkhead.rules.grid import check_grid
from bulkhead.rules.prices import is_in_range
from bulkhead.rules.scenario import SLICE_BITS
from bulkhead.rules.terms import ConfigError, check_terms


def unsound(witness: Witness) -> list[str]:
    """What is wrong with a witness before any rule is asked, in words; empty when it can be recomputed."""
    found = [*_markets(witness), *_leaf(witness, "the account", witness.account)]
    if not witness.account.positions:
        found.append("the account holds nothing")
    if witness.keeper is not None:
        found += _leaf(witness, "the backstop", witness.keeper)
    return found + [*_grid(witness), *_parts(witness)]


def _markets(witness: Witness) -> Iterator[str]:
    market_ids = [seen.terms.market_id for seen in witness.markets]
    if len(set(market_ids)) < len(market_ids):
        yield "a market is shown twice"
    for seen in witness.markets:
        try:
            check_terms(seen.terms)
        except ConfigError as problem:
            yield str(problem)
        if not is_in_range(seen.price):
            yield f"market {seen.terms.market_id}: {seen.price} is no price"
        if not 0 <= int(seen.scale) <= int(ONE) or int(seen.open_interest) < 0:
            yield f"market {seen.terms.market_id}: open interest or its scale is out of range"


def _leaf(witness: Witness, name: str, leaf: Leaf) -> Iterator[str]:
    known = {seen.terms.market_id for seen in witness.markets}
    held = [position.market_id for position in leaf.positions]
    if len(set(held)) < len(held):
        yield f"{name} holds two positions in one market"
    if abs(int(leaf.balance)) >= QUOTE_LIMIT:
        yield f"{name} has a balance out of range"
    for market_id, size, cost, _ in leaf.positions:
        if market_id not in known:
            yield f"{name} holds market {market_id}, which is not shown"
        if not 0 < abs(int(size)) < SIZE_LIMIT or abs(int(cost)) >= QUOTE_LIMIT:
            yield f"{name} holds a position in market {market_id} that is out of range"


def _grid(witness: Witness) -> Iterator[str]:
    """A scenario account has a legal grid, and a step of it through the book so many slices; nothing else has any."""
    if witness.grid is not None:
        try:
            check_grid(witness.grid, {seen.terms.group for seen in witness.markets})
        except ConfigError as problem:
            yield str(problem)
    is_sliced = witness.grid is not None and witness.step is Step.BOOK
    if not (1 <= witness.slices <= 1 << SLICE_BITS if is_sliced else witness.slices == 0):
        yield f"{witness.slices} slices are not possible"


def _parts(witness: Witness) -> Iterator[str]:
    if not witness.parts:
        yield "nothing was closed"
    known = {position.market_id for position in witness.account.positions}
    is_sliced = witness.grid is not None and witness.step is Step.BOOK
    if witness.market_id not in ({0} if is_sliced else known):
        yield f"no position in market {witness.market_id}, which the step names"
    if not {candidate.market_id for candidate in witness.candidates} <= known:
        yield "a candidate is no position of the account"
    for number, part in enumerate(witness.parts, 1):
        if part.market_id not in known:
            yield f"fill {number}: no position in market {part.market_id}"
        if not (0 < int(part.size) < SIZE_LIMIT and 0 < int(part.price) < BOOK_PRICE_LIMIT):
            yield f"fill {number}: size or price is out of range"
