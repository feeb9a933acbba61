"""Frames: what a topic says, written once for all its listeners; only the number of the frame is each connection's own.

Two envelopes carry the same data: a path's own socket has `{type?, data, ts, seq}`, the RPC socket names the
subscription as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def text_of(value: Any) -> str:
    """JSON."""
    return _encode(value).decode()


class Frame:
    """One publication. `kind` empty: without a type, as some paths have it.

    `rpc_kind` and `rpc_data` differ from what the paths have for some topics; the data is a function there, since
    it is asked for only where somebody listens.
    """

    __slots__ = ("_kind", "_plain", "_rpc", "_rpc_data", "_rpc_kind", "_time_ms", "data")

    def __init__(
        self,
        kind: str,
        data: Any,
        time_ms: int,
        *,
        rpc_kind: str = "",
        rpc_data: Callable[[], Any] | None = None,
    ) -> None:
        self.data = data
        self._kind = kind
        self._time_ms = time_ms
        self._rpc_kind = rpc_kind or kind
        self._rpc_data = rpc_data
        self._plain = ""
        self._rpc = ""

    def plain(self, number: int) -> str:
        """As a path's own socket has it."""
        if not self._plain:
            head = f'{{"type":"{self._kind}",' if self._kind else "{"
            self._plain = f'{head}"data":{text_of(self.data)},"ts":{self._time_ms},"seq":'
        return f"{self._plain}{number}}}"

    def rpc(self, subscription: str, number: int) -> str:
        """As the RPC socket has it."""
        if not self._rpc:
            data = self.data if self._rpc_data is None else self._rpc_data()
            self._rpc = f'{{"type":"{self._rpc_kind}","data":{text_of(data)},"ts":{self._time_ms},"subscription":"'
        return f'{self._rpc}{subscription}","seq":{number}}}'
