"""The comparison in words and numbers: one row for each thing that differs between modes, the slider's point below."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from bulkhead.client import Market
from bulkhead.client.what_if import Held, Point
from bulkhead.terminal import numbers, words
from bulkhead.terminal.compare.figures import Answer, Mode
from bulkhead.terminal.compare.moments import RETURNS_MIN, Moments

ROWS = (
    ("margin", "Margin used", "Initial margin that this order takes in the mode"),
    ("liquidation", "Liquidation price", "Index at which the account that holds it may be liquidated, others unmoved"),
    ("distance", "Distance to it", "From the index now, in percent and in daily standard deviations of this market"),
    ("close-out", "Close-out price", "Index beyond which liquidation is no longer partial: everything in it is closed"),
    ("stake", "At stake", "What the account that holds it is worth after the fill: a liquidation can take all of it"),
    ("shared", "Goes down with it", "Other positions in the same account: one liquidation takes them too"),
    ("worst", "Worst stress", "Worst joint move of the grid, correlations intact or broken, all costs included"),
    ("free", "Capital left", "Beyond the initial requirement of the signing account, open orders included"),
    ("fees", "Fees, of which to L1", "What the fill costs, and the part set aside for settlement on Ethereum"),
)
POINT_ROWS = (
    ("equity", "Equity of that account", "Of the account that holds the position, if prices jumped there now"),
    ("state", "Liquidation", "Whether the ledger would let that account be liquidated there, after top-ups"),
    ("left", "Left in all accounts", "Of everything you have here, if what is liquidated is lost whole"),
    ("down", "What goes down", "Every account of yours that may be liquidated at these prices"),
)
SIZE_ROW = ("size", "Size for that loss, {unit}", "The most whose worst stress loses no more than you named")


class Cell(NamedTuple):
    """What one cell shows; `style` is one of the terminal's classes."""

    text: str
    style: str = ""


def head(mode: Mode) -> Cell:
    """Whether the mode takes the order, in words."""
    reject = reject_of(mode)
    if reject is not None:
        found = words.of_reject(reject)
        return Cell(f"Refused. {found.what if found is not None else reject}", "bh-danger")
    if mode.preview.is_current:
        return Cell("Your mode here now", "bh-up")
    if mode.preview.needs_move:
        return Cell("Taken, once your position is moved over", "bh-warning")
    return Cell("Taken", "bh-muted")


def reject_of(mode: Mode) -> str | None:
    """Why the mode does not take the order; None where it does."""
    return mode.what_if.reject or mode.preview.reject or mode.preview.reject_later


def todo(answer: Answer) -> str:
    """What to do about refusals, each once; empty where there is none."""
    rejects = dict.fromkeys(reject for mode in answer.modes if (reject := reject_of(mode)) is not None)
    found = [said.todo for reject in rejects if (said := words.of_reject(reject)) is not None]
    return f"Where it is refused: {'; '.join(one[:1].lower() + one[1:] for one in found)}." if found else ""


def cells(answer: Answer, mode: Mode, market: Market) -> dict[str, Cell]:
    """A mode's column, by row."""
    shown = mode.preview
    worst = shown.worst[0] if shown.worst else None
    return {
        "margin": Cell(numbers.dollars(shown.margin)),
        "liquidation": Cell(numbers.price(market, shown.liquidation_price) if shown.liquidation_price else "none"),
        "distance": _distance(answer, mode),
        "close-out": Cell(numbers.price(market, shown.close_out_price) if shown.close_out_price else "none"),
        "stake": Cell(numbers.dollars(shown.at_stake)),
        "shared": _shared(answer, mode),
        "worst": Cell("–" if worst is None else f"{numbers.dollars(-worst.loss)} · {worst.name}"),
        "free": Cell(numbers.dollars(shown.free_after), "bh-danger" if shown.free_after < 0 else ""),
        "fees": Cell(f"{numbers.dollars(shown.fee)} · {numbers.dollars(shown.l1_share)}"),
        "size": _size(market, answer.sizes.get(mode.name)),
    }


def distance(answer: Answer, price: Decimal | None) -> str:
    """From the index to a price: percent, and daily standard deviations where they are known."""
    if not price:
        return "out of reach"
    share = price / answer.index_at(answer.now) - 1
    sigmas = answer.moments.in_deviations(answer.question.market, share)
    return numbers.percent(share, sign=True) + ("" if sigmas is None else f" · {numbers.fixed(abs(sigmas), 1)} σ")


def _size(market: Market, size: Decimal | None) -> Cell:
    """None at all, where what is held loses more than that already, or margin bears none."""
    if size is None:
        return Cell(numbers.NONE)
    return Cell(numbers.size(market, size)) if size else Cell("none", "bh-muted")


def _distance(answer: Answer, mode: Mode) -> Cell:
    """None is left where the account may be liquidated before anything moves."""
    if container_of(mode) in mode.what_if.now.down:
        return Cell("none: liquidated at once", "bh-danger")
    return Cell(distance(answer, mode.preview.liquidation_price))


def _shared(answer: Answer, mode: Mode) -> Cell:
    others = [market for market in mode.preview.shared_with if market != answer.question.market]
    return Cell(", ".join(others), "bh-warning") if others else Cell("nothing", "bh-muted")


# -- at the slider -----------------------------------------------------------------------------------------------------


def name_of(held: Held) -> str:
    """An account as a trader knows it."""
    if held.kind == "CHILD":
        return f"isolated {', '.join(held.markets)}"
    kind = "main account" if held.kind == "MAIN" else "strategy"
    return f"{kind} ({', '.join(held.markets)})" if held.markets else kind


def container_of(mode: Mode) -> int:
    """The account that holds the position."""
    return mode.what_if.container_id


def is_down(mode: Mode, point: Point) -> bool:
    """The account that holds the position may be liquidated there."""
    return container_of(mode) in point.down


def down_before(answer: Answer, mode: Mode, place: int) -> int | None:
    """The first place on the way from now to `place`, itself excluded, where the position is liquidated already."""
    step = 1 if place > answer.now else -1
    return next(
        (one for one in range(answer.now, place, step) if is_down(mode, answer.point(mode, one))), None
    )


def at_point(answer: Answer, mode: Mode, place: int) -> dict[str, Cell]:
    """A mode where the slider stands, by row."""
    point = answer.point(mode, place)
    return {
        "equity": Cell(numbers.dollars(point.equity), "bh-danger" if point.equity < 0 else ""),
        "state": _state(answer, mode, place),
        "left": Cell(numbers.dollars(point.owner_left)),
        "down": _down(mode, point),
    }


def _state(answer: Answer, mode: Mode, place: int) -> Cell:
    point = answer.point(mode, place)
    if container_of(mode) in point.closed:
        return Cell("■ closed out", "bh-danger")
    if is_down(mode, point):
        return Cell("◧ step by step", "bh-danger")
    earlier = down_before(answer, mode, place)
    if earlier is not None:
        return Cell(f"◧ on the way, at {share_text(answer.grid[earlier])}", "bh-warning")
    return Cell("□ none", "bh-muted")


def _down(mode: Mode, point: Point) -> Cell:
    names = [name_of(held) for held in mode.what_if.accounts if held.account_id in point.down]
    return Cell(", ".join(names), "bh-danger") if names else Cell("nothing", "bh-muted")


# -- in one sentence ---------------------------------------------------------------------------------------------------


def summary(answer: Answer, place: int, market: Market) -> str:
    """What the slider's point means, worst first."""
    share = answer.grid[place]
    where = f"{share_text(share)} ({market.name} at "
    where += f"{numbers.price(market, answer.index_at(place))}{_sigmas(answer, share)})"
    said = sorted((_said(answer, mode, place) for mode in answer.modes), key=lambda one: one[0])
    if all(mode.what_if.reject is not None for mode in answer.modes):
        return f"At {where}: no mode would take the order."
    return f"At {where}, in USD: " + "; ".join(text for _, text in said) + "."


def share_text(share: Decimal) -> str:
    """A move in percent, with as many places as it has, two at most."""
    places = next((count for count in (0, 1) if 100 * share == round(100 * share, count)), 2)
    return numbers.percent(share, places=places, sign=True)


def _sigmas(answer: Answer, share: Decimal) -> str:
    found = answer.moments.in_deviations(answer.question.market, share)
    return "" if found is None or not share else f", {numbers.fixed(found, 1, sign=True)} σ"


def _said(answer: Answer, mode: Mode, place: int) -> tuple[int, str]:
    """Its place in the sentence, and a mode's part of it."""
    point, name = answer.point(mode, place), mode.name
    refused = mode.what_if.reject is not None
    stake = about(max(Decimal(0), mode.what_if.now.equity))
    if refused:
        return 3, f"{name} would not take the order"
    if container_of(mode) in point.closed:
        return 0, f"{name} is liquidated and loses up to {stake}"
    if is_down(mode, point):
        return 1, f"{name} is liquidated step by step and has {about(point.equity)} of {stake}"
    earlier = down_before(answer, mode, place)
    if earlier is not None:
        at = share_text(answer.grid[earlier])
        return 1, f"{name} was liquidated on the way, at {at}"
    return 2, f"{name} still has {about(point.equity)}"


def about(value: Decimal) -> str:
    """Dollars as one says them: without cents from a hundred on."""
    return numbers.dollars(value, places=0 if abs(value) >= 100 else 2)


def about_moments(moments: Moments, markets: Sequence[str]) -> str:
    """What deviations and betas were taken from, or what is missing."""
    if moments.interval is None or not moments.counts:
        return "Daily σ: no candles yet."
    market, *others = dict.fromkeys(markets)
    if market not in moments.deviations:
        count, bars = moments.counts.get(market, 0), moments.interval.words
        why = (
            f"its index did not move in {count} {bars} bars." if count >= RETURNS_MIN
            else f"{count} {bars} bars, {RETURNS_MIN} are needed."
        )  # fmt: skip
        return f"Daily σ of {market} is not known: {why}" + (f" Held still: {', '.join(others)}." if others else "")
    deviation = numbers.percent(Decimal(str(moments.deviations[market])), places=1)
    scaled = "" if moments.interval.name == "P1D" else ", scaled to a day"
    text = f"Daily σ of {market}: {deviation}, from {moments.counts[market]} {moments.interval.words} bars{scaled}."
    betas = [
        f"{other} β {beta:.2f}" for other in others
        for beta in (moments.beta(market, other),) if beta is not None
    ]  # fmt: skip
    missing = [other for other in others if moments.beta(market, other) is None]
    text += f" {', '.join(betas)}." if betas else ""
    return text + (f" Too few bars of {', '.join(missing)}: held still." if missing else "")
