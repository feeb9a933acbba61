"""The checklist with its sources, the account's liquidations with their stories, and its margin calls."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from nicegui import ui

from bulkhead.client import ClientError
from bulkhead.client.checklist import QUESTIONS, Answer, Figure, answered
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.grid import Cell, Column, Grid, Line
from bulkhead.terminal.live.venue import own_of
from bulkhead.terminal.shell import Page

STEPS = {
    "BOOK": "the book",
    "BACKSTOP": "the backstop",
    "DELEVERAGING": "deleveraged holders",
}
LIQUIDATIONS = (
    Column("When"), Column("Market"), Column("Taken by"), Column("Size", True), Column("Price", True),
    Column("Mark", True), Column("Slippage, bp", True, "from the mark, against the account when positive"),
    Column("Fees and penalty, USD", True), Column(""),
)  # fmt: skip


def checklist(page: Page) -> None:
    """Five answers, each a verdict, its figures, and where they come from: of the same compartments as the table's, so
    that the two never disagree, and of the venue's own books."""
    own = own_of(page.session)
    with parts.panel("Checklist for this portfolio", mark="checklist") as made:
        with made.default_slot.children[0]:
            age = parts.Age(old_ms=60_000)
        with ui.element("div").classes("bh-answers"):
            shown = [_AnswerView() for _ in QUESTIONS]

    def paint() -> None:
        held, facts = own.compartments.value, own.facts.value
        if held is None or facts is None:
            for view in shown:
                view.wait("")
            shown[0].wait(words.sentence(own.compartments.problem or own.facts.problem) or "Asking…")
            return
        age.told(min(own.compartments.changed_ms, own.facts.changed_ms))
        for view, answer in zip(shown, answered(held, facts), strict=True):
            view.show(answer)

    page.painter.on(own.compartments, paint)
    page.painter.on(own.facts, paint)


class _AnswerView:
    """One question: its texts are changed in place, so that nothing flickers."""

    def __init__(self) -> None:
        with ui.element("article").classes("bh-answer").props('data-mark="answer"'):
            self.question = parts.Text("", "h3")
            self.verdict = parts.Text("", "p", "bh-verdict")
            with ui.element("dl"):
                self.figures = [(parts.Text("", "dt"), parts.Text("", "dd")) for _ in range(5)]
            self.source = parts.Text("", "p", "bh-note bh-muted")

    def wait(self, text: str) -> None:
        """Nothing to show: before the first answer, or when the account was locked."""
        self.question.show("")
        self.verdict.show(text)
        self.source.show("")
        for label, value in self.figures:
            label.show("")
            value.show("")

    def show(self, answer: Answer) -> None:
        """Show an answer."""
        self.question.show(answer.question)
        self.verdict.show(answer.verdict)
        self.source.show(f"From {answer.source}")
        for place, (label, value) in enumerate(self.figures):
            figure = answer.figures[place] if place < len(answer.figures) else None
            label.show("" if figure is None else figure.label)
            value.show("" if figure is None else figure_text(figure))


def figure_text(figure: Figure) -> str:
    """A figure with its unit."""
    if figure.value is None:
        return "not known"
    if not figure.value.is_finite():
        return "out of reach"
    if figure.unit == "USD":
        return f"{numbers.dollars(figure.value)} USD"
    if figure.unit == "%":
        return f"{numbers.fixed(figure.value, 2)}%"
    if figure.unit == "s":
        return seconds(figure.value)
    return f"{numbers.fixed(figure.value, 0)} {figure.unit}".strip()


def seconds(value: Decimal) -> str:
    """A span in the unit that suits it."""
    if value < 1:
        return f"{numbers.fixed(1000 * value, 1)} ms"
    if value < 120:
        return f"{numbers.fixed(value, 1)} s"
    if value < 172_800:
        return f"{numbers.fixed(value / 60, 0)} min"
    return f"{numbers.fixed(value / 86_400, 0)} days"


def liquidations(page: Page) -> None:
    """The account's own liquidations; each can be told as a story, recomputed from its witness."""
    asked = own_of(page.session).liquidations
    with parts.panel("Your liquidations", mark="own-liquidations") as made:
        age = parts.heading_age(made, old_ms=15_000)
        story = parts.Text("", "pre", "bh-story")
        story.props('data-mark="story" tabindex="0" role="region" aria-label="Why it was liquidated"')
        story.set_visibility(False)

        async def explain(step: str, _: str) -> None:
            row = next((one for one in asked.value or [] if str(one["id"]) == step), None)
            account = None if row is None else page.session.accounts.get(int(row["accountId"]))
            if account is None:
                return
            try:
                told = await account.trader.evidence.explain(int(step))
            except ClientError as error:
                story.show(str(words.of_error(error)))
            else:
                story.show(told_story(told))
            story.set_visibility(True)

        grid = Grid(
            "Your liquidations", LIQUIDATIONS, rows=lambda: lines(page, asked.value or []),
            empty="None: nothing of yours was ever liquidated.", on_act=explain,
        )  # fmt: skip
        story.move(target_index=-1)

    def paint() -> None:
        grid.paint()
        age.told(asked.changed_ms)

    page.painter.on(asked, paint)


def told_story(told: Mapping[str, Any]) -> str:
    """The story with what recomputing it came to."""
    faults = told["faults"]
    agreed = "Recomputed from its witness: the rules agree."
    verdict = "The rules disagree: " + "; ".join(faults) if faults else agreed
    return f"{told['story']}\n\n{verdict}"


def lines(page: Page, rows: list[dict[str, Any]]) -> list[Line]:
    """Steps, newest first."""
    return [_line(page, row) for row in sorted(rows, key=lambda row: -int(row["id"]))]


def _line(page: Page, row: dict[str, Any]) -> Line:
    market = page.session.markets[row["market"]]
    cost = Decimal(row["fee"]) + Decimal(row["penalty"])
    return Line(
        str(row["id"]),
        (
            Cell(at_ms=int(row["time"])),
            Cell(row["market"]),
            Cell(STEPS.get(row["takenBy"], row["takenBy"])),
            Cell(numbers.size(market, Decimal(row["size"]))),
            Cell(numbers.price(market, Decimal(row["price"])), mark="price"),
            Cell(numbers.price(market, Decimal(row["markPrice"]))),
            Cell(numbers.fixed(Decimal(row["slippageBp"]), 0), mark="slippage"),
            Cell(numbers.dollars(cost)),
            Cell("Why", action="explain", title=f"Why the {row['market']} position was liquidated"),
        ),
    )
