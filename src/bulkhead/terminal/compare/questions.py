"""The wizard as a page: presets, four questions, the answer with the case against it, the trader's own numbers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from enum import Enum
from functools import partial

from nicegui import background_tasks, ui

from bulkhead.client import ClientError, Unreachable
from bulkhead.terminal import parts, words
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


def figures_of(answer: Answer) -> Figures:
    """The modes of a what-if as the wizard takes them."""
    found: Figures = {}
    for mode in answer.modes:
        shown = mode.preview
        index = answer.index_at(answer.now)
        price = shown.liquidation_price
        found[mode.name] = ModeFigures(
            shown.margin,
            shown.at_stake,
            shown.worst[0].loss if shown.worst else Decimal(0),
            price / index - 1 if price and index else None,
            mode.what_if.reject is not None,
        )
    return found


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
        self.figures: Figures = {}
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
            self.figures = figures_of(await ask(self.page.session, self.question))
            self._missing = ""
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
        self._lists: dict[str, ui.element] = {}
        for name, title in (("reasons", "Why"), ("against", "The case against it"), ("figures", "In your own numbers")):
            with ui.element("h3"):
                parts.Text(title)
            self._lists[name] = ui.element("ul").props(f'data-mark="advice-{name}"')
        with ui.element("h3"):
            parts.Text("What would change the answer")
        self.otherwise = parts.Text("", "p")
        back = ui.element("a").classes("bh-button bh-primary").props(f'href="{self.back}" data-mark="to-compare"')
        with back:
            parts.Text("Compare an order in all modes")

    def take(self, answers: Answers) -> None:
        """A preset's answers."""
        self.answers = answers
        self._paint()

    def _choose(self, name: str, choice: Enum) -> None:
        self.take(replace(self.answers, **{name: choice}))  # type: ignore[arg-type]

    def _paint(self) -> None:
        advice: Advice = advise(self.answers, {name: self.figures[name] for name in MODES if name in self.figures})
        self.mode.show(advice.mode.capitalize())
        self.otherwise.show(advice.otherwise)
        own = advice.figures or (self._missing,)
        for name, texts in (("reasons", advice.reasons), ("against", advice.against), ("figures", own)):
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
