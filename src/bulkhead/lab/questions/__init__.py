"""Questions an operator asks of a venue, one package or file each; `QUESTIONS` has them by name."""

from bulkhead.lab.questions.registry import QUESTIONS, question_of

__all__ = ["QUESTIONS", "question_of"]
