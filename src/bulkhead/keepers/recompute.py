"""`recompute(witness) -> list[str]`: what a liquidation step should have been, by the rules alone; empty is agreement.

Nothing of the ledger, the engine or the keepers is asked. Each line names what disagrees. What no rule decides is
taken as stated: who the makers were and what they earned, the mark, and how other accounts came to their hedges.
"""

from __future__ import annotations

from collections.abc import Iterator

from bulkhead.fixed import part_floor, quote_ceil, quote_floor
from bulkhead.keepers.sound import unsound
from bulkhead.keepers.witness import Candidate, Leaf, Part, Step, Witness
from bulkhead.limits import NOTIONAL_LIMIT, POSITIONS_MAX, QUOTE_LIMIT, SIZE_LIMIT
from bulkhead.rules import deleveraging, margin, scenario
from bulkhead.rules import liquidation as rule
from bulkhead.rules.scenario import SLICE_BITS
from bulkhead.rules.terms import Health, MarketTerms, Position, Risk, risk_of
from bulkhead.units import BookPrice, Fraction, FundingIndex, MarketId, Quote, Size

FREE = rule.Charges(Quote(0), Quote(0))


class Case:
    """A witness made ready to ask the rules: markets by id, and what the account holds as the step goes on."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.terms: dict[int, MarketTerms] = {seen.terms.market_id: seen.terms for seen in witness.markets}
        self.risks: dict[int, Risk] = {
            seen.terms.market_id: risk_of(seen.terms, seen.price, seen.scale) for seen in witness.markets
        }
        self.groups: dict[int, int] = {market_id: terms.group for market_id, terms in self.terms.items()}
        self.interest: dict[int, int] = {seen.terms.market_id: int(seen.open_interest) for seen in witness.markets}
        self.leaf = witness.account

    def health(self, leaf: Leaf) -> Health:
        """The health of what the account holds, by its own margin rule."""
        grid = self.witness.grid
        if grid is None:
            return self.linear(leaf)
        held = scenario.exposures(leaf.positions, self.risks, self.groups, self.interest)
        return scenario.health(leaf.balance, leaf.collateral, held, grid)

    def linear(self, leaf: Leaf) -> Health:
        """Health under the linear rule: the backstop's too, whatever the rule of the account it takes from."""
        return margin.health(leaf.balance, leaf.collateral, leaf.positions, self.risks, dict(leaf.floors))

    def zero(self, leaf: Leaf, position: Position, health: Health) -> BookPrice:
        """The zero price of a position: weighted by maintenance, or by notional under scenario margin."""
        risk = self.risks[position.market_id]
        if self.witness.grid is None:
            return rule.linear_zero_price(position, risk, health)
        gross = sum(abs(int(held.size * self.risks[held.market_id].price)) for held in leaf.positions)
        return rule.zero_price(position, risk, health.value, abs(int(position.size * risk.price)), gross)

    def rates(self) -> tuple[Fraction, Fraction]:
        return self.witness.rates.fee, self.witness.rates.penalty


def recompute(witness: Witness) -> list[str]:
    """Every disagreement between a witness and the rules, in words. One that makes no sense is not recomputed."""
    found = unsound(witness)
    if found:
        return found
    case = Case(witness)
    found += _eligible(case)
    if witness.candidates != (() if witness.grid is not None else candidates(case)):
        found.append("the candidates differ")
    if witness.step is not Step.BOOK:
        found += _takeover(case)
    elif witness.grid is None:
        found += _linear(case)
    else:
        found += _slices(case)
    left = case.health(case.leaf)
    if left.value != witness.after.value:
        found.append(f"value after the step is {left.value}, stated as {witness.after.value}")
    # Open interest has moved by the step, and with it initial fractions and all that a grid asks.
    if witness.grid is None and left[2:] != witness.after[2:]:
        found.append("requirements after the step differ")
    return found


def _eligible(case: Case) -> Iterator[str]:
    """The account was below maintenance, and not in the pause after its last step."""
    witness = case.witness
    before = case.health(witness.account)
    if before != witness.before:
        yield f"health before the step is {before}, stated as {witness.before}"
    same_step = witness.last_step_ms == witness.time_ms
    if before.is_maintained and (not same_step or is_restored(case, before)):
        yield "the account was not below maintenance"
    pause = witness.rates.pause_ms
    if not same_step and rule.is_cooling_down(witness.time_ms, witness.last_step_ms, pause, before):
        yield "the account's last step was too recent"
    if witness.step is not Step.BOOK and before.is_above_close_out:
        yield "the account was not below close-out"


def is_restored(case: Case, health: Health) -> bool:
    """The step has reached its target. It begins below maintenance, and goes on to here over several makers."""
    return rule.reaches_target(health.value, int(health.maintenance), case.witness.rates.target)


def candidates(case: Case) -> tuple[Candidate, ...]:
    """What the choice of position compares."""
    found = []
    for position in case.leaf.positions:
        risk = case.risks[position.market_id]
        notional = abs(position.size * risk.price)
        marginal = margin.row_of(risk, int(notional)).maintenance
        found.append(Candidate(position.market_id, marginal, case.terms[position.market_id].slippage, notional))
    return tuple(found)


def _linear(case: Case) -> Iterator[str]:
    """Fill by fill: the rule's position, no more than its amount at that price, within the zero price."""
    witness = case.witness
    for number, part in enumerate(witness.parts, 1):
        if not case.leaf.positions:
            yield f"fill {number}: nothing was left to close"
            return
        health = case.health(case.leaf)
        if number > 1 and is_restored(case, health):
            yield f"fill {number}: the account was already restored"
        position = rule.choose(case.leaf.positions, case.risks, case.terms)
        if position.market_id != part.market_id or part.market_id != witness.market_id:
            yield f"fill {number}: the rule chooses market {position.market_id}"
            return
        zero = case.zero(case.leaf, position, health)
        closing = rule.Closing(
            position,
            case.risks[part.market_id],
            health,
            part.price,
            zero,
            case.rates(),
            witness.rates.target,
            witness.rates.dust,
        )
        most = rule.step_size(closing)
        if most != part.most or part.size > most:
            yield f"fill {number}: the rule allows {most} lots, stated {part.most}, closed {part.size}"
        yield from _close(case, part, position, zero, f"fill {number}")


def _close(case: Case, part: Part, position: Position, zero: BookPrice, name: str) -> Iterator[str]:
    """One close at its price: bound and charges; then the account holds less."""
    side = 1 if int(position.size) > 0 else -1
    if zero != part.zero:
        yield f"{name}: the zero price is {zero}, stated {part.zero}"
    if side * (int(part.price) - int(zero)) < 0:
        yield f"{name}: {part.price} is beyond the zero price {zero}"
    charges = rule.charges(part.size, side, part.price, zero, case.rates())
    if charges != part.charges:
        yield f"{name}: charges are {charges}, stated {part.charges}"
    yield from _gained(case, part, name)
    case.leaf = closed(case.leaf, part, part.charges)


def _gained(case: Case, part: Part, name: str) -> Iterator[str]:
    """What a close realised: its price, less its part of what the position has cost."""
    position = next((held for held in case.leaf.positions if held.market_id == part.market_id), None)
    if position is None or part.size > abs(position.size):
        yield f"{name}: more lots than there were"
        return
    change = int(part.size) if int(position.size) > 0 else -int(part.size)
    profit = change * int(part.price) - int(position.cost) + part_floor(
        int(position.cost), Size(int(position.size) - change), position.size
    )
    if profit != int(part.profit):
        yield f"{name}: realised {profit}, stated {part.profit}"


def closed(leaf: Leaf, part: Part, charges: rule.Charges) -> Leaf:
    """What is left of an account after lots of a position were closed at a price; they take their part of the cost
    along."""
    kept = []
    balance = leaf.balance
    for position in leaf.positions:
        if position.market_id == part.market_id:
            side = 1 if int(position.size) > 0 else -1
            balance += Quote(side * int(part.price * part.size)) - charges.fee - charges.penalty
            left = Size(int(position.size) - side * int(part.size))
            cost = Quote(part_floor(int(position.cost), left, position.size))
            position = position._replace(size=left, cost=cost)
        if position.size:
            kept.append(position)
    return leaf._replace(balance=balance, positions=tuple(kept))


def _slices(case: Case) -> Iterator[str]:
    """An equal slice of every position; one slice fewer, at each market's worst price, would not have restored."""
    witness, start = case.witness, case.leaf
    health = case.health(start)
    zeros = {held.market_id: case.zero(start, held, health) for held in start.positions}
    positions = {held.market_id: held for held in start.positions}
    for held in start.positions:
        want = slice_of(held, witness.slices)
        if sum(int(part.size) for part in witness.parts if part.market_id == held.market_id) != want:
            yield f"market {held.market_id}: {witness.slices} slices are {want} lots"
            return
    for number, part in enumerate(witness.parts, 1):
        if int(part.most) != slice_of(positions[part.market_id], witness.slices):
            yield f"fill {number}: {part.most} lots are not a slice of the position"
        yield from _close(case, part, positions[part.market_id], zeros[part.market_id], f"fill {number}")
    if health.is_above_close_out and witness.slices > 1 and _restored_by_fewer(case, start, zeros):
        yield "one slice fewer would have restored the account"


def slice_of(position: Position, slices: int) -> int:
    """Lots of a position in so many of the 64 slices."""
    return abs(scenario.slice_size(int(position.size), slices, SLICE_BITS))


def _restored_by_fewer(case: Case, start: Leaf, zeros: dict[MarketId, BookPrice]) -> bool:
    leaf = start
    for position in start.positions:
        side = 1 if int(position.size) > 0 else -1
        paid = [side * int(part.price) for part in case.witness.parts if part.market_id == position.market_id]
        price = BookPrice(side * min(paid))
        size = Size(slice_of(position, case.witness.slices - 1))
        charges = rule.charges(size, side, price, zeros[position.market_id], case.rates())
        leaf = closed(
            leaf, case.witness.parts[0]._replace(market_id=position.market_id, size=size, price=price), charges
        )
    return is_restored(case, case.health(leaf))


def _takeover(case: Case) -> Iterator[str]:
    """Backstop or deleveraging: the fund covers a debt first, then lots go over at the zero price."""
    witness = case.witness
    yield from _covered(case)
    case.leaf = case.leaf._replace(balance=case.leaf.balance + witness.covered)
    health = case.health(case.leaf)
    position = next((held for held in case.leaf.positions if held.market_id == witness.market_id), None)
    if position is None or {part.market_id for part in witness.parts} != {witness.market_id}:
        yield f"no position in market {witness.market_id}, or another was closed"
        return
    zero = case.zero(case.leaf, position, health)
    capacity = Size(0) if health.is_bankrupt else _capacity(case, position, zero)
    total = Size(sum(int(part.size) for part in witness.parts))
    if witness.step is Step.BACKSTOP:
        if health.is_bankrupt:
            yield "the backstop took a position of an account in debt"
        if total > capacity:
            yield f"the backstop could take {capacity} lots and took {total}"
    else:
        if total > abs(position.size) - capacity:
            yield f"the backstop could have taken {capacity} of {abs(position.size)} lots"
        shares = deleveraging.shares(total, witness.holders)
        if shares != {part.taker_id: part.size for part in witness.parts}:
            yield f"the shares are {shares}"
    for number, part in enumerate(witness.parts, 1):
        if part.price != zero or part.zero != zero or part.charges != FREE or part.most != part.size:
            yield f"lots went to {part.taker_id} at {part.price}, the zero price is {zero}"
        yield from _gained(case, part, f"part {number}")
        case.leaf = closed(case.leaf, part, FREE)


def _covered(case: Case) -> Iterator[str]:
    """The fund pays all of a debt, or as much as fund and loss budget reach."""
    witness = case.witness
    value = int(witness.before.value)
    debt = quote_ceil(-witness.before.value) if value < 0 else Quote(0)
    is_exhausted = not witness.fund_left or not witness.budget_left
    if witness.covered > debt or (witness.covered < debt and not is_exhausted):
        yield f"the fund covered {witness.covered} of a debt of {debt}"


def _capacity(case: Case, position: Position, price: BookPrice) -> Size:
    """Lots the backstop can take at a price: its initial margin kept, the market's loss budget not used up.

    What makes its own position smaller it can always take.
    """
    keeper = case.witness.keeper
    if keeper is None:
        return Size(0)
    whole, sign = abs(position.size), 1 if int(position.size) > 0 else -1
    market_id = position.market_id
    seen = next(seen for seen in case.witness.markets if seen.terms.market_id == market_id)
    held = next((held for held in keeper.positions if held.market_id == market_id), None)
    loss = 0 if held is None else max(0, -int(deleveraging.profit(held, case.risks)))
    had = 0 if held is None else int(held.size)
    shrinking = min(whole, Size(abs(had))) if had * sign < 0 else Size(0)
    budget = int(seen.terms.loss_budget) - int(seen.lost) - int(case.witness.covered) - loss
    if shrinking == whole or budget <= 0:
        return shrinking
    others = tuple(other for other in keeper.positions if other.market_id != market_id)

    def is_too_much(size: Size) -> bool:
        now = had + sign * int(size)
        if had * now >= 0 and abs(now) <= abs(had):
            return False
        paid = Quote(sign * int(price * size))
        cost = Quote(0 if held is None else int(held.cost)) + paid if had * now > 0 else Quote(now * int(price))
        mine = Position(market_id, Size(now), cost, FundingIndex(0))
        after = keeper._replace(balance=keeper.balance - paid, positions=(*others, mine))
        return not _fits(case, after, mine) or not case.linear(after).is_initial

    if not is_too_much(whole):
        return whole
    return rule.minimal_size(whole, is_too_much) - Size(1)


def _fits(case: Case, leaf: Leaf, position: Position) -> bool:
    """Bounds of any account after its position in a market grew: widths, number of positions, the last tier."""
    notional = quote_floor(abs(position.size * case.risks[position.market_id].price))
    return (
        abs(int(position.size)) < SIZE_LIMIT
        and max(abs(int(position.cost)), abs(int(leaf.balance))) < QUOTE_LIMIT
        and len(leaf.positions) <= POSITIONS_MAX
        and notional <= case.terms[position.market_id].tiers[-1].bound
        and int(notional) < NOTIONAL_LIMIT
    )
