"""Every refusal in words, with what to do about it: the exchange's own reasons, the wire's codes, why an order left."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.client import (
    ClientError,
    OtherExchange,
    OtherVersion,
    RateLimited,
    Refused,
    TooSlow,
    Unreachable,
    Unreadable,
    Untrusted,
)
from bulkhead.reject import Reject
from bulkhead.terminal.words_codes import CODES, LEFT
from bulkhead.terminal.words_rejects import REJECTS


class Words(NamedTuple):
    """What happened, and what to do."""

    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.what}. {self.todo}"


def of_reject(name: str) -> Words | None:
    """A reason of `bulkhead.reject` by its name; None for one that this terminal does not know."""
    found = REJECTS.get(Reject[name]) if name in Reject.__members__ else None
    return None if found is None else Words(*found)


def of_code(code: int) -> Words | None:
    """A code of the wire; None for one that this terminal does not know."""
    found = CODES.get(code)
    return None if found is None else Words(*found)


def of_reason(reason: str) -> Words | None:
    """Why an order left, as its `status_reason` says it; None where it left as it was asked to."""
    if reason in ("", "NONE"):
        return None
    found = LEFT.get(reason)
    return Words(*found) if found else Words(f"It left with the reason {reason}", "This terminal has no words for it")


def of_other(error: OtherExchange) -> Words:
    """Why nothing is signed for whoever answers."""
    if isinstance(error, OtherVersion):
        todo = "Nothing is sent: use the terminal of the exchange's version, or wait for the exchange to come back"
    else:
        todo = (
            "Nothing is sent: name this terminal the address of the exchange that you mean, or wait for it to come "
            "back; to trade at the other one, use another account of the screen Keys"
        )
    return Words(sentence(error.what).removesuffix("."), todo)


def of_error(error: Exception) -> Words:
    """What went wrong with something that was asked for."""
    if isinstance(error, RateLimited):
        wait = f"Wait {error.retry_s:g} s, then try again"
        return Words("The exchange is loaded, or was asked too often; nothing was done", wait)
    if isinstance(error, Refused):
        found = of_reject(error.reject) or of_code(error.code)
        if found is None:
            return Words(f"The exchange refused: {error.message} (code {error.code})", "Nothing was done")
        return found
    if isinstance(error, Untrusted):
        what = sentence(str(error).split(": ", 1)[-1]).removesuffix(".")
        todo = "Nothing was sent. Check the address and this machine's clock, or ask whoever runs the exchange"
        return Words(what, todo)
    if isinstance(error, Unreachable):
        return Words("The exchange gives no answer", "It may or may not have been done: look before you repeat it")
    if isinstance(error, Unreadable):
        return Words("This terminal does not understand the answer", "It may be of another version")
    if isinstance(error, TooSlow):
        return Words("More came than this terminal could take", "It begins anew by itself; reload when it does not")
    if isinstance(error, OtherExchange):
        return of_other(error)
    if isinstance(error, ClientError):
        return Words(str(error) or "It failed on the way to the exchange", "Try again")
    return Words(sentence(str(error)).removesuffix(".") or type(error).__name__, "Nothing was sent")


def sentence(text: str) -> str:
    """What a program said, as a sentence; nothing where it said nothing."""
    return text and text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def details(error: Exception) -> str:
    """The exchange's own words beside ours, for whoever wants to know exactly."""
    if not isinstance(error, Refused):
        return f"{type(error).__name__}: {error}"
    name = f"{error.reject.lower().replace('_', ' ')}, " if error.reject else ""
    return f"{name}code {error.code}: {error.message}" + (f" ({error.debug})" if error.debug else "")
