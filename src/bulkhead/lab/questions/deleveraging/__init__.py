"""Pro rata against a ranked queue: who is deleveraged, how much is taken, and which hedges are left naked."""

from bulkhead.lab.questions.deleveraging.question import Deleveraging

__all__ = ["Deleveraging"]
