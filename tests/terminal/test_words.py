"""Every refusal has words: of the ledger, of the wire, and of orders that left."""

from __future__ import annotations

from bulkhead.api import errors
from bulkhead.client import RateLimited, Refused, Unreachable
from bulkhead.node.store import wording
from bulkhead.reject import Reject
from bulkhead.terminal import words
from bulkhead.terminal.words_codes import CODES, LEFT
from bulkhead.terminal.words_rejects import REJECTS


def test_no_reason_is_without_words() -> None:
    assert set(REJECTS) == set(Reject)
    codes = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    assert codes <= set(CODES)
    reasons = {*wording._CAUSES.values(), *wording._REJECTS.values(), "UNKNOWN", "ORDER_REPLACED"} - {"NONE"}
    assert reasons <= set(LEFT)
    for what, todo in [*REJECTS.values(), *CODES.values(), *LEFT.values()]:
        assert what[0].isupper() and len(what) > 10 and not what.endswith("."), what
        assert todo[0].isupper() and not todo.endswith("."), todo


def test_words_say_what_and_what_to_do() -> None:
    refused = Refused(422, 1140, "insufficient margin", "INSUFFICIENT_MARGIN")
    assert "free margin" in str(words.of_error(refused)) and "deposit" in words.of_error(refused).todo
    assert "code 1140" in words.details(refused)
    assert "2 s" in str(words.of_error(RateLimited(refused, 2.0)))
    assert "may or may not" in str(words.of_error(Unreachable("gone")))
    unknown = words.of_error(Refused(400, 9999, "something new"))
    assert "something new" in str(unknown) and "9999" in str(unknown)
    assert words.of_reason("NONE") is None and words.of_reason("NEW_WORD") is not None
