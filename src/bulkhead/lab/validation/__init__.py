"""Validation: the rules against other venues' published examples, the kernel against closed forms, and against a crash.

`published.py` and `brackets.py` configure other venues' rules here; `closed.py` holds Monte-Carlo to formulas;
`recorded.py` compares with the liquidations of 10 October 2025; `report.py` puts it together.
"""

from bulkhead.lab.validation.report import validate

__all__ = ["validate"]
