"""What can go wrong between a trader and an exchange."""

from __future__ import annotations


class ClientError(Exception):
    """Any failure of this SDK."""


class Refused(ClientError):
    """The exchange said no. `code` is the wire's; `reject` the exchange's own name for the reason, where it has one."""

    def __init__(self, status: int, code: int, message: str, reject: str = "", debug: str = "") -> None:
        super().__init__(f"{message} (code {code}, HTTP {status})" + (f"; {debug}" if debug else ""))
        self.status = status
        self.code = code
        self.message = message
        self.reject = reject
        self.debug = debug


class OtherExchange(ClientError):
    """Another exchange answers than the one that is known: of another chain, or another domain. Nothing was done, and
    nothing is signed for it; the known one is signed for again as soon as it answers. `what` is without the advice."""

    ADVICE = "nothing is signed for it; whoever means that exchange begins with an Exchange, and keys, of its own"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; {self.ADVICE}")
        self.what = what


class OtherVersion(OtherExchange):
    """The exchange signs, or keeps its state, in a version that this software does not know. Nothing was done."""

    ADVICE = "nothing is signed for it; use the software of the exchange's version"


class RateLimited(Refused):
    """Too many requests, or the node is loaded; it may be asked again in `retry_s` seconds."""

    def __init__(self, refused: Refused, retry_s: float) -> None:
        super().__init__(refused.status, refused.code, refused.message, refused.reject, refused.debug)
        self.retry_s = retry_s


class NoAnswer(ClientError):
    """What was sent may or may not have been done. `until_ms`: should it still be on its way, the exchange takes it
    until then, by its own clock (`client.clock`); 0 where nothing bounds that."""

    def __init__(self, text: str, until_ms: int = 0) -> None:
        super().__init__(text)
        self.until_ms = until_ms


class Unreachable(NoAnswer):
    """No answer, or that of a node or a proxy that failed: whether a request was done is not known."""


class Untrusted(Unreachable):
    """Nobody has shown to be the exchange: the certificate is not good, or there is no TLS where it is asked for.
    Nothing was sent, and there is no way around."""


class Unreadable(NoAnswer):
    """An answer that is not what this SDK knows. What was asked for may have been done."""


class TooSlow(ClientError):
    """The program takes updates more slowly than they come; the feed has ended. Begin it again for a snapshot."""
