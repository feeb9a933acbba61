"""`story(witness) -> str`: one liquidation step told in sentences a trader reads, with its numbers.

Amounts are shortened toward zero to cents, for reading; the witness has them exactly.
"""

from __future__ import annotations

from bulkhead.fixed import FRACTION_BITS, ONE, div_floor, remainder
from bulkhead.keepers.witness import Part, Seen, Step, Witness
from bulkhead.rules.terms import MarketTerms, Position

CENT = 10_000  # of 10^-6 USD


def story(witness: Witness) -> str:
    """Why this account, why this position, why so much of it, at what price, and what remained."""
    markets: dict[int, Seen] = {seen.terms.market_id: seen for seen in witness.markets}
    parts = [_why(witness), _held(witness, markets)]
    if witness.step is Step.BOOK:
        parts += _choice(witness, markets) if witness.grid is None else [_slices(witness)]
    else:
        parts.append(_nobody(witness))
    parts += _amount(witness, markets)
    parts += [_fill(witness, part, markets[part.market_id]) for part in witness.parts]
    parts.append(_remained(witness))
    return "\n".join(parts)


def money(amount: int, bits: int = 0) -> str:
    """An amount of 10^-6 USD with so many fraction bits, in dollars and cents, toward zero."""
    cents = div_floor(abs(amount) >> bits, CENT)
    text = f"{div_floor(cents, 100):,}.{remainder(cents, 100):02d} USD"
    return f"-{text}" if amount < 0 and cents else text


def price_of(price: int, terms: MarketTerms, bits: int = 0) -> str:
    """A price per lot as dollars for one unit of the base asset."""
    return money(price * terms.resolution, bits)


def quantity(size: int, terms: MarketTerms) -> str:
    """Lots as units of the base asset, without trailing zeros."""
    whole, rest = div_floor(abs(size), terms.resolution), remainder(abs(size), terms.resolution)
    digits = len(str(terms.resolution)) - 1
    fraction = f"{div_floor(rest * 10**digits, terms.resolution):0{digits}d}".rstrip("0") if digits else ""
    base = terms.name.split("-")[0]
    return f"{whole:,}.{fraction} {base}" if fraction else f"{whole:,} {base}"


def percentage(numerator: int, denominator: int) -> str:
    """A share as a percentage with two digits, toward minus infinity for the magnitude."""
    if denominator <= 0:
        return "more than 100 %"
    hundredths = div_floor(10_000 * abs(numerator), denominator)
    sign = "-" if numerator < 0 and hundredths else ""
    return f"{sign}{div_floor(hundredths, 100):,}.{remainder(hundredths, 100):02d} %"


def _name(witness: Witness) -> str:
    account = f"Account {witness.account.account_id}"
    return f"{account} (child or strategy of {witness.parent_id})" if witness.parent_id else account


def _why(witness: Witness) -> str:
    value, health = money(int(witness.before.value), FRACTION_BITS), witness.before
    required = money(int(health.maintenance), 2 * FRACTION_BITS)
    text = (
        f"{_name(witness)} was worth {value} and had to hold at least {required} (maintenance) for its positions, "
        f"or be liquidated."
    )
    if health.is_bankrupt:
        return f"{text} It owed more than it held."
    if not health.is_above_close_out:
        least = money(int(health.close_out), 2 * FRACTION_BITS)
        return f"{text} It was also below {least} (close-out), so the whole account was closed."
    return f"{text} It was still above close-out, so only as much was closed as would restore it."


def _held(witness: Witness, markets: dict[int, Seen]) -> str:
    held = [_position(position, markets[position.market_id]) for position in witness.account.positions]
    return "It held " + "; ".join(held) + "."


def _position(position: Position, seen: Seen) -> str:
    side = "long" if int(position.size) > 0 else "short"
    return (
        f"{quantity(int(position.size), seen.terms)} {side} at an index of "
        f"{price_of(int(seen.price), seen.terms, FRACTION_BITS)}"
    )


def _choice(witness: Witness, markets: dict[int, Seen]) -> list[str]:
    name = markets[witness.market_id].terms.name
    if len(witness.candidates) == 1:
        return [f"{name} was its only position."]
    compared = [
        f"{markets[one.market_id].terms.name} frees {percentage(int(one.marginal), int(ONE))} of what is closed and "
        f"costs {percentage(int(one.slippage), int(ONE))} to close"
        for one in witness.candidates
    ]
    is_tied = len({(one.marginal, one.slippage) for one in witness.candidates}) == 1
    reason = "of equal positions the largest goes first" if is_tied else "closing it frees most margin for its cost"
    return [f"{name} went first, because {reason}: {'; '.join(compared)}."]


def _slices(witness: Witness) -> str:
    return (
        f"Under scenario margin positions hedge each other, so all of them shrink together: {witness.slices} of 64 "
        f"equal slices were closed."
    )


def _nobody(witness: Witness) -> str:
    if witness.step is Step.BACKSTOP:
        text = "Nobody in the book paid its zero price, so the venue's backstop took the position at that price."
    else:
        text = (
            "Neither the book nor the backstop could take the position at its zero price, so holders of the other side "
            "gave up lots: first unhedged lots in profit, in proportion to profit, then the rest in proportion to size."
        )
    if witness.covered:
        text += f" The insurance fund first paid the debt of {money(int(witness.covered))}."
    return text


def _amount(witness: Witness, markets: dict[int, Seen]) -> list[str]:
    if witness.step is not Step.BOOK or witness.grid is not None or not witness.before.is_above_close_out:
        return []
    part = witness.parts[0]
    terms = markets[part.market_id].terms
    goal = percentage(int(witness.rates.target), int(ONE))
    return [
        f"At the first price offered, {quantity(int(part.most), terms)} was the least that brings its value back to "
        f"{goal} of maintenance, fee and penalty paid (or all of it, when less than {money(int(witness.rates.dust))} "
        "would have been left)."
    ]


def _fill(witness: Witness, part: Part, seen: Seen) -> str:
    sizes = {held.market_id: int(held.size) for held in witness.account.positions}
    side = 1 if sizes[part.market_id] > 0 else -1
    terms, size = seen.terms, int(part.size)
    lost = side * (int(seen.mark) - (int(part.price) << FRACTION_BITS))
    verb = "sold" if side > 0 else "bought back"
    distance, favour = ("better", " in its favour") if lost < 0 else ("worse", "")
    text = (
        f"{quantity(size, terms)} {verb} at {price_of(int(part.price), terms)} with account {part.taker_id}: "
        f"{percentage(abs(lost), int(seen.mark))} {distance} than the mark of "
        f"{price_of(int(seen.mark), terms, FRACTION_BITS)}, "
        f"{money(abs(lost) * size, FRACTION_BITS)} of slippage{favour}; "
        f"the worst price allowed was {price_of(int(part.zero), terms)}. "
    )
    if int(part.charges.fee) + int(part.charges.penalty):
        fee, penalty = money(int(part.charges.fee)), money(int(part.charges.penalty))
        text += f"Charged: a fee of {fee} and a penalty of {penalty} to the insurance fund. "
    return f"{text}Profit or loss realised: {money(int(part.profit))}."


def _remained(witness: Witness) -> str:
    after = witness.after
    value = money(int(after.value), FRACTION_BITS)
    if not int(after.maintenance):
        home = " (an isolated position returns it to its parent)" if witness.parent_id else ""
        return f"Nothing stayed open, and {value} was left in the account{home}."
    return (
        f"Afterwards it was worth {value} against {money(int(after.maintenance), 2 * FRACTION_BITS)} of maintenance "
        f"({percentage(int(after.value) << FRACTION_BITS, int(after.maintenance))} of it)."
    )
