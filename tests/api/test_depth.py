"""Brackets without end, sent to a node in a process of its own: the stack it may use is the process's."""

from __future__ import annotations

import json
from pathlib import Path

from websockets.sync.client import connect

from bulkhead.client.nesting import DEPTH_MAX
from tests.api.remote import Remote


def test_a_stranger_may_not_use_up_the_stack(tmp_path: Path) -> None:
    remote = Remote(tmp_path, dollars=1_000)
    try:
        url = remote.url.replace("http", "ws", 1) + "/stream.extended.exchange/v2/rpc"
        with connect(url) as socket:
            socket.send('{"id":1,"method":"ping","params":' + "[" * 9 * DEPTH_MAX)  # a frame that is taken: 45 kB
            assert "recursion" in json.loads(socket.recv(10))["error"]["message"]
            socket.send('{"jsonrpc":"2.0","id":2,"method":"ping","params":{}}')
            assert "result" in json.loads(socket.recv(10))
    finally:
        remote.stop()
