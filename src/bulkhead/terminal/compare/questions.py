"""The wizard as a page: presets, four questions, the answer with the case against it, the trader's own numbers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from enum import Enum
from functools import partial

from nicegui import background_tasks, ui

from bulkhead.client import ClientError, Unreachable
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.compare import columns
from bulkhead.terminal.compare.figures import Answer, ask
from bulkhead.terminal.compare.link import MODES, BadLink, Question, question_of
from bulkhead.terminal.compare.wizard import (
    PRESETS,
    Advice,
    Answers,
    Book,
    Figures,
    Hedges,
    Loss,
    ModeFigures,
    Watch,
    advise,
)
from bulkhead.terminal.session import NotReady
from bulkhead.terminal.shell import Page

QUESTIONS: tuple[tuple[str, str, type[Enum]], ...] = (
    ("book", "What do you hold at once?", Book),
    ("loss", "What may one bad idea cost you?", Loss),
    ("watch", "How fast can you add collateral?", Watch),
    ("hedges", "Where are your hedges?", Hedges),
)


SHOWN = {
    "margin": "Margin used", "stake": "At stake", "distance": "To liquidation", "worst": "Worst stress",
    "free": "Capital left",
}  # fmt: skip
"""Rows of the comparison, which are columns here."""


def figures_of(answer: Answer) -> Figures:
    """The modes of a what-if as the wizard takes them."""
    return {
        mode.name: ModeFigures(mode.preview.free_after, mode.what_if.container_id, mode.what_if.reject is not None)
        for mode in answer.modes
    }


def build(page: Page) -> None:
    """Questions at the left, the answer at the right; its numbers are those of the what-if in the address, if any."""
    wizard = Wizard(page)
    if wizard.question is not None:
        page.painter.on(page.session.who, wizard.ask_soon)


class Wizard:
    """One tab's answers."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.question: Question | None = None
        with suppress(BadLink):  # without a what-if there are no numbers, and it says so
            self.question = question_of(page.query, list(page.session.markets))
        self.back = page.link_to("/compare") if self.question is None else self.question.address()
        self.answer: Answer | None = None
        self._missing = "Fill in an order on Compare, and its numbers stand here."
        self.answers = PRESETS["swing trader"]
        self._buttons: dict[tuple[str, Enum], ui.element] = {}
        self._presets: dict[str, ui.element] = {}
        with ui.element("div").classes("bh-wizard"):
            with parts.panel("Which mode for me?", mark="questions"):
                self._build_questions()
            with parts.panel("Answer", mark="advice"):
                with ui.element("div").classes("bh-advice").props('aria-live="polite"'):
                    self._build_answer()
        self._paint()

    def ask_soon(self) -> None:
        """Ask beside the page."""
        background_tasks.create(self.ask(), name="wizard")

    async def ask(self) -> None:
        """The trader's own numbers; without them the answer stands on its own."""
        assert self.question is not None, "built only with one"
        try:
            self.answer = await ask(self.page.session, self.question)
            if not self.answer.modes:
                found = words.of_reject(self.answer.reject or "")
                why = found if found is not None else self.answer.reject
                self._missing = f"{self._asked()} is refused in every mode. {why}"
        except NotReady as error:
            self._missing = f"{str(error)[:1].upper()}{str(error)[1:]}."
        except Unreachable:
            self._missing = "The exchange gives no answer, so there are no numbers."
        except ClientError as error:
            self._missing = str(words.of_error(error))
        if not self.page.client.is_deleted:
            with self.page.client:
                self._paint()

    def _build_questions(self) -> None:
        with ui.element("div").classes("bh-presets").props('role="group" aria-label="I am a"'):
            for name, answers in PRESETS.items():
                self._presets[name] = parts.button(
                    name.capitalize(), partial(self.take, answers), mark=f"preset-{name.replace(' ', '-')}"
                )
        for name, text, kind in QUESTIONS:
            with ui.element("fieldset"):
                with ui.element("legend"):
                    parts.Text(text)
                with ui.element("div").classes("bh-choices"):
                    for choice in kind:
                        self._buttons[name, choice] = parts.button(
                            f"{choice.value[:1].upper()}{choice.value[1:]}", partial(self._choose, name, choice),
                            mark=f"answer-{name}-{choice.name.lower()}",
                        )  # fmt: skip

    def _build_answer(self) -> None:
        self.mode = parts.Text("", "p", "bh-answer")
        self.mode.props('data-mark="advised"')
        self.unfit = parts.Text("", "p", "bh-note bh-warning").props('data-mark="unfit"')
        self._lists: dict[str, ui.element] = {}
        for name, title in (("reasons", "Why"), ("against", "The case against it")):
            with ui.element("h3"):
                parts.Text(title)
            self._lists[name] = ui.element("ul").props(f'data-mark="advice-{name}"')
        with ui.element("h3"):
            parts.Text("In your own numbers")
        self.asked = parts.Text("", "p").props('data-mark="asked"')
        self._build_figures()
        with ui.element("h3"):
            parts.Text("What would change the answer")
        self.otherwise = parts.Text("", "p")
        back = ui.element("a").classes("bh-button bh-primary").props(f'href="{self.back}" data-mark="to-compare"')
        with back:
            parts.Text("Compare an order in all modes")

    def _build_figures(self) -> None:
        """The rows of the comparison that decide, one line for each mode."""
        titles = {name: title for name, _, title in columns.ROWS}
        self._rows: dict[str, ui.element] = {}
        self._cells: dict[tuple[str, str], parts.Text] = {}
        self.table = ui.element("table").classes("bh-table").props('data-mark="advice-figures"')
        with self.table:
            with ui.element("thead"), ui.element("tr"):
                with ui.element("th"):
                    parts.Text("USD")
                for name, label in SHOWN.items():
                    with ui.element("th").classes("bh-number") as head:
                        head.props["title"] = titles[name]
                        parts.Text(label)
            with ui.element("tbody"):
                for mode in MODES:
                    with ui.element("tr") as self._rows[mode]:
                        with ui.element("th").props('scope="row"'):
                            parts.Text(mode.capitalize())
                        for name in SHOWN:
                            with ui.element("td").classes("bh-number").props(f'data-mark="{name}-{mode}"'):
                                self._cells[name, mode] = parts.Text(numbers.NONE)

    def _asked(self) -> str:
        """The order of the what-if, as one says it."""
        question = self.question
        assert question is not None, "only what was asked is told"
        terms = self.page.session.markets[question.market]
        what = f"{question.side.title()} {numbers.size(terms, question.size)} {question.market}"
        where = f" at {numbers.price(terms, question.price)}" if question.kind == "LIMIT" else " at market"
        return what + where + (f", {question.leverage}x" if question.leverage else "")

    def _paint_figures(self, advised: str) -> None:
        answer = self.answer if self.answer is not None and self.answer.modes else None
        self.table.set_visibility(answer is not None)
        self.asked.show(self._missing if answer is None else f"{self._asked()}, by your last what-if:")
        if answer is None:
            return
        terms = self.page.session.markets[answer.question.market]
        for name in MODES:
            mode = answer.mode(name)
            shown = {} if mode is None else columns.cells(answer, mode, terms)
            self._rows[name].classes(**({"add": "bh-chosen"} if name == advised else {"remove": "bh-chosen"}))
            for row in SHOWN:
                cell = shown.get(row, columns.Cell(numbers.NONE))
                self._cells[row, name].show(cell.text, cell.style)

    def take(self, answers: Answers) -> None:
        """A preset's answers."""
        self.answers = answers
        self._paint()

    def _choose(self, name: str, choice: Enum) -> None:
        self.take(replace(self.answers, **{name: choice}))  # type: ignore[arg-type]

    def _paint(self) -> None:
        advice: Advice = advise(self.answers, {} if self.answer is None else figures_of(self.answer))
        self.mode.show(advice.mode.capitalize())
        self.otherwise.show(advice.otherwise)
        self.unfit.show(advice.unfit)
        self._paint_figures(advice.mode)
        for name, texts in (("reasons", advice.reasons), ("against", advice.against)):
            self._lists[name].clear()
            with self._lists[name]:
                for text in texts:
                    with ui.element("li"):
                        parts.Text(text)
        for (name, choice), button in self._buttons.items():
            is_chosen = getattr(self.answers, name) is choice
            parts.set_attribute(button, "aria-pressed", "true" if is_chosen else "false")
        for preset, button in self._presets.items():
            parts.set_attribute(button, "aria-pressed", "true" if PRESETS[preset] == self.answers else "false")
