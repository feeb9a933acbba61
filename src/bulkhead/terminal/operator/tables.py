"""Grids of what the venue is: markets, oracle signers, insurance budgets, deleveraging, liquidations, batches."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nicegui import ui

from bulkhead.client import ClientError, Market
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.grid import Bar, Cell, Column, Grid, Line
from bulkhead.terminal.live.venue import Rows, own_of, venue_of
from bulkhead.terminal.risk.checks import STEPS
from bulkhead.terminal.shell import Page

OLD_SHARE = 2  # half of what a price may be old counts as old
SIGNER_OLD_MS = 30_000
MARKETS = (
    Column("Market"), Column("Takes"), Column("Index", True), Column("Index signed"),
    Column("Mark", True), Column("Mark off index", True), Column("Open interest, USD", True),
    Column("Funding, 1 h", True), Column("Next funding", True), Column("Volume 24 h, USD", True),
)  # fmt: skip
SIGNERS = (Column("Signer"), Column("Report", True), Column("Signed"), Column("Key"))
BUDGETS = (
    Column("Market"), Column("Used"), Column("Left, USD", True), Column("Lost, USD", True), Column("Budget, USD", True)
)  # fmt: skip
RANKS = (
    Column("Market"), Column("Side"), Column("First (10) from, USD a coin", True), Column("Deciles held", True),
    Column("Your rank", True, "10 gives up lots first; – not at all"),
)  # fmt: skip
LIQUIDATIONS = (
    Column("When"), Column("Market"), Column("Taken by"), Column("Size", True), Column("Price", True),
    Column("Slippage, bp", True), Column("Fund paid, USD", True), Column("Witness"),
)  # fmt: skip


def markets(page: Page) -> None:
    """Every market as it is now."""
    venue, link = venue_of(page.session), page.session.link

    def lines() -> list[Line]:
        return market_lines(venue.markets.value or {}, venue.oracle.value, link.exchange_ms)

    with parts.panel("Markets", mark="markets") as made:
        with made.default_slot.children[0]:
            age = parts.Age()
        grid = Grid("Markets", MARKETS, rows=lines)

    def paint() -> None:
        grid.paint()
        age.told(venue.markets.changed_ms)

    page.painter.on(venue.markets, paint)
    page.painter.on(venue.oracle, grid.paint)


def market_lines(found: dict[str, Market], oracle: dict[str, Any] | None, now_ms: int) -> list[Line]:
    """One line for each; the age of its price from the oracle's own list. `now_ms` is the exchange's clock."""
    feeds = {one["market"]: one for one in (oracle or {}).get("feeds", ())}
    return [_market(market, feeds.get(market.name), now_ms) for market in found.values()]


def _market(market: Market, feed: dict[str, Any] | None, now_ms: int) -> Line:
    now, takes = market.market_stats, market.status.lower().replace("_", " ")
    off = now.mark_price / now.index_price - 1 if now.index_price and now.mark_price else None
    until_ms = max(0, now.next_funding_rate - now_ms)
    signed = Cell(numbers.NONE) if feed is None or not feed["time"] else Cell(
        at_ms=int(feed["time"]), old_ms=int(feed["ageMaxMs"]) // OLD_SHARE, mark="age"
    )  # fmt: skip
    note = "" if feed is None or feed["isFresh"] else "Its price is stale: nothing is traded or liquidated here"
    return Line(
        market.name,
        (
            Cell(market.name), Cell(takes, "" if market.status == "ACTIVE" else "bh-warning"),
            Cell(numbers.price(market, now.index_price), mark="index"), signed,
            Cell(numbers.price(market, now.mark_price), mark="mark"),
            Cell(numbers.NONE if off is None else numbers.percent(off, places=3, sign=True)),
            Cell(numbers.dollars(now.open_interest), mark="open-interest"),
            Cell(numbers.percent(now.funding_rate, places=4, sign=True), mark="funding"),
            Cell(numbers.age(until_ms)), Cell(numbers.short_dollars(now.daily_volume)),
        ),
        note=note, note_style="bh-warning",
    )  # fmt: skip


def oracle(page: Page) -> None:
    """Who signs prices, and when each did so last."""
    asked = venue_of(page.session).oracle
    with parts.panel("Oracle signers", mark="oracle") as made:
        age = parts.heading_age(made)
        said = parts.Text("", "p", "bh-note bh-muted")
        grid = Grid("Oracle signers", SIGNERS, rows=lambda: [_signer(one) for one in rows_of(asked.value, "signers")])

    def paint() -> None:
        grid.paint()
        age.told(asked.changed_ms)
        if asked.value is not None:
            needed, count = asked.value["quorum"], len(asked.value["signers"])
            said.show(f"{needed} of {count} must sign a tick; tick {asked.value['sequence']:,} was the last")

    page.painter.on(asked, paint)


def _signer(one: dict[str, Any]) -> Line:
    when = Cell("no report yet", "bh-warning") if one["time"] is None else Cell(
        at_ms=int(one["time"]), old_ms=SIGNER_OLD_MS, mark="signed"
    )  # fmt: skip
    report = numbers.NONE if one["sequence"] is None else f"{one['sequence']:,}"
    key = f"{one['key'][:10]}…{one['key'][-6:]}"
    return Line(str(one["signer"]), (Cell(str(one["signer"])), Cell(report), when, Cell(key, title=one["key"])))


def insurance(page: Page) -> None:
    """The fund, and what each market may still draw from it."""
    asked = venue_of(page.session).insurance
    with parts.panel("Insurance", mark="insurance") as made:
        age = parts.heading_age(made)
        said = parts.Text("", "p", "bh-note bh-muted")
        grid = Grid("Insurance", BUDGETS, rows=lambda: [_budget(one) for one in rows_of(asked.value, "budgets")])

    def paint() -> None:
        grid.paint()
        age.told(asked.changed_ms)
        if asked.value is not None:
            fund = asked.value["funds"][0]
            insured, fees, aside = (numbers.dollars(Decimal(fund[name])) for name in ("insurance", "fees", "l1"))
            said.show(f"Fund {insured} USD, fees {fees} USD, set aside for L1 {aside} USD")

    page.painter.on(asked, paint)


def _budget(one: dict[str, Any]) -> Line:
    budget, lost = Decimal(one["budget"]), Decimal(one["lost"])
    share = float(lost / budget) if budget else 1.0
    words_ = f"{numbers.percent(Decimal(str(share)))} of the budget is used"
    style = "bh-bar-danger" if share > 0.8 else "bh-bar-warning" if share > 0.5 else ""
    return Line(
        one["market"],
        (
            Cell(one["market"]), Cell(bar=Bar(share, words_, style)),
            Cell(numbers.dollars(Decimal(one["left"])), mark="left"),
            Cell(numbers.dollars(lost), mark="lost"), Cell(numbers.dollars(budget), mark="budget"),
        ),
    )  # fmt: skip


def deleveraging(page: Page) -> None:
    """Who would give up lots first, by side, as profit for an unhedged coin; and the own rank."""
    venue, own = venue_of(page.session), own_of(page.session)
    with parts.panel("Deleveraging ranks", mark="deleveraging") as made:
        age = parts.heading_age(made)
        grid = Grid(
            "Deleveraging ranks", RANKS, rows=lambda: _ranks(venue.markets.value or {}, own.ranks.value or []),
            empty="Nobody is in profit, so nobody has a rank.",
        )  # fmt: skip

    def paint() -> None:
        grid.paint()
        age.told(venue.markets.changed_ms)

    page.painter.on(venue.markets, paint)
    page.painter.on(own.ranks, grid.paint)


def _ranks(found: dict[str, Market], own: Rows) -> list[Line]:
    mine = {one["market"]: one["rank"] for one in own}
    lines = []
    for market in found.values():
        levels = market.market_stats.deleverage_levels
        for side, held in (("long", levels.long_positions), ("short", levels.short_positions)):
            if not held:
                continue
            first = max(held, key=lambda one: one.level)
            rank = mine.get(market.name, 0)
            lines.append(
                Line(
                    f"{market.name}-{side}",
                    (
                        Cell(market.name), Cell(side, "bh-up" if side == "long" else "bh-down"),
                        Cell(numbers.dollars(first.ranking_lower_bound)), Cell(str(len(held))),
                        Cell(str(rank) if rank else numbers.NONE),
                    ),
                )  # fmt: skip
            )
    return lines


def liquidations(page: Page) -> None:
    """The last steps of everybody; each witness is recomputed when asked."""
    venue = venue_of(page.session)
    checked: dict[str, str] = {}

    async def check(step: str, _: str) -> None:
        try:
            told = await page.session.exchange.books.check_liquidation(int(step))
        except ClientError as error:
            checked[step] = str(words.of_error(error))
        else:
            faults = "; ".join(told["faults"])
            agreed = f"the rules agree with its witness of {told['bytes']:,} bytes, {told['digest'][:16]}…"
            checked[step] = f"The rules disagree: {faults}" if faults else f"Recomputed: {agreed}"
        grid.paint()

    with parts.panel("Liquidations", mark="liquidations") as made:
        age = parts.heading_age(made)
        grid = Grid(
            "Liquidations", LIQUIDATIONS, on_act=check, empty="There was none.",
            rows=lambda: [_liquidation(page, one, checked) for one in venue.liquidations.value or []],
        )  # fmt: skip

    def paint() -> None:
        grid.paint()
        age.told(venue.liquidations.changed_ms)

    page.painter.on(venue.liquidations, paint)


def _liquidation(page: Page, one: dict[str, Any], checked: dict[str, str]) -> Line:
    market, step = page.session.markets[one["market"]], str(one["id"])
    return Line(
        step,
        (
            Cell(at_ms=int(one["time"])), Cell(one["market"]), Cell(STEPS.get(one["takenBy"], one["takenBy"])),
            Cell(numbers.size(market, Decimal(one["size"]))), Cell(numbers.price(market, Decimal(one["price"]))),
            Cell(numbers.fixed(Decimal(one["slippageBp"]), 0), mark="slippage"),
            Cell(numbers.dollars(Decimal(one["coveredByFund"]))),
            Cell("Recompute", action="check", title=f"Recompute liquidation {step} from its witness"),
        ),
        note=checked.get(step, ""), note_style="" if checked.get(step, "").startswith("Recomputed") else "bh-danger",
    )  # fmt: skip


def rows_of(told: dict[str, Any] | None, name: str) -> Rows:
    """A list in an answer; empty before the first one."""
    return [] if told is None else list(told[name])


def column() -> ui.element:
    """Panels below each other."""
    return ui.element("div").classes("bh-column")
