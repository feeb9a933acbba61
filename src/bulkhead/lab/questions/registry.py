"""The questions there are, by the name they have on the command line."""

from __future__ import annotations

from bulkhead.lab.questions.deleveraging import Deleveraging
from bulkhead.lab.sweep.question import Question, QuestionError

QUESTIONS: dict[str, Question] = {question.name: question for question in (Deleveraging(),)}


def question_of(name: str) -> Question:
    """A question by its name; QuestionError says which there are."""
    if name not in QUESTIONS:
        raise QuestionError(f"no question {name!r}; there are {', '.join(QUESTIONS)}")
    return QUESTIONS[name]
