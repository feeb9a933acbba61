"""Sweeps: a question about the venue is asked at many points, each once, and answered as a page.

Start with `question.py`; the questions themselves are in `lab/questions`.
"""

from bulkhead.lab.sweep.question import Parameter, Point, Question, QuestionError, Result, Settings, findings_of
from bulkhead.lab.sweep.run import answer

__all__ = ["Parameter", "Point", "Question", "QuestionError", "Result", "Settings", "answer", "findings_of"]
