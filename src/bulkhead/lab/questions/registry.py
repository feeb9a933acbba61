"""The questions there are, by the name they have on the command line."""

from __future__ import annotations

from bulkhead.lab.questions.deleveraging import Deleveraging
from bulkhead.lab.questions.fund import Fund
from bulkhead.lab.questions.gas import Gas
from bulkhead.lab.questions.liquidations import Liquidations
from bulkhead.lab.questions.maintenance import Maintenance
from bulkhead.lab.questions.withdrawal import Withdrawal
from bulkhead.lab.sweep.question import Question, QuestionError

_ALL: tuple[Question, ...] = (Deleveraging(), Liquidations(), Maintenance(), Fund(), Withdrawal(), Gas())
QUESTIONS: dict[str, Question] = {question.name: question for question in _ALL}


def question_of(name: str) -> Question:
    """A question by its name; QuestionError says which there are."""
    if name not in QUESTIONS:
        raise QuestionError(f"no question {name!r}; there are {', '.join(QUESTIONS)}")
    return QUESTIONS[name]
