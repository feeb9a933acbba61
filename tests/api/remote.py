"""A node in a process of its own, as `bulkhead node` runs it: to be measured, and to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

CHAIN = "BH_1337_test"
COMMAND = "from bulkhead.cli.main import main; main()"


class Remote:
    """Starts it and waits until it listens. `kill` is the hard end, `stop` the orderly one."""

    def __init__(
        self, folder: Path, *, dollars: int = 100_000, options: tuple[str, ...] = (), **more: str
    ) -> None:
        environment = {
            **os.environ,
            "BULKHEAD_VENUE__CHAIN_ID": CHAIN,
            "BULKHEAD_VENUE__ORACLE_SIGNERS": "1",
            "BULKHEAD_HTTP__PORT": "0",
            "BULKHEAD_HTTP__SIGNING_DOMAIN": "ours.example",
            "BULKHEAD_LIMITS__REQUESTS_PER_MINUTE": "100000000",
            "BULKHEAD_LIMITS__BURST": "100000000",
            "BULKHEAD_FAUCET__ENABLED": "true",
            "BULKHEAD_FAUCET__DOLLARS": str(dollars),
            "BULKHEAD_FAUCET__PAUSE_S": "0",
            **more,
        }
        settings = folder / "node.toml"
        settings.write_text(f'folder = "{folder / "node"}"\n')
        command = [sys.executable, "-c", COMMAND, "node", "--config", str(settings), *options]
        self.clients: list[httpx.Client] = []
        self.url = ""
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "listening on" in line:
                self.url = line.split()[-1]
                break
        assert self.url, "the node did not start"

    def client(self) -> httpx.Client:
        """A client that is closed with the node."""
        made = httpx.Client(base_url=self.url, timeout=30)
        self.clients.append(made)
        return made

    def stop(self) -> int:
        """End in order; the exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """No handler, no flush, no goodbye."""
        return self._end(signal.SIGKILL)

    def _end(self, number: int) -> int:
        self.process.send_signal(number)
        status = self.process.wait(60)
        for client in self.clients:
            client.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status
