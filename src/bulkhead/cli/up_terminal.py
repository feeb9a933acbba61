"""The terminal of `bulkhead up`: a process of its own, the test account in its key store, that ends with the venue."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bulkhead.cli.terminal import PASSPHRASE, TOKEN

NAMED = "test"
# The passphrase is 128 random bits, and the file lies beside the plain keys: nothing is gained by a slow one.
WORK_FACTOR = 1 << 12
GRACE_S = 10.0
COMMAND = "from bulkhead.cli.main import main; main()"


def prepare(folder: Path, url: str, account: dict[str, str], people: dict[str, Any]) -> None:
    """Put the test account into the key store, and make token and passphrase once; `people` keeps both. Raises
    OSError, so for a file or folder that others can reach."""
    from bulkhead.terminal.keystore import Access, ExposedKey, KeyStore, KeyStoreError, Secrets

    kept = people.setdefault("terminal", {"token": secrets.token_urlsafe(24), "passphrase": secrets.token_hex(16)})
    store = KeyStore(folder / "keys", work_factor=WORK_FACTOR)
    access = Access(int(account["vault"]), account["api_key"], account["private_key"])
    wanted = Secrets(account.get("wallet_key", ""), {url: access})
    try:
        found = store.unlock(NAMED, kept["passphrase"])
    except ExposedKey as error:
        raise OSError(str(error)) from None
    except KeyStoreError:  # none yet, or one whose passphrase went with another people.json
        (store.folder / f"{NAMED}.json").unlink(missing_ok=True)
        found = store.add(NAMED, kept["passphrase"], wanted)
    if found.kept.exchanges.get(url) != access:
        found.remember(url, access)


@contextmanager
def running(folder: Path, url: str, port: int, people: dict[str, Any], l1: str) -> Iterator[None]:
    """A terminal beside the venue; `l1` is the URL of the venue's Ethereum, "" where it has none. It prints its
    address itself, and ends when this process does, however that ends."""
    kept = people["terminal"]
    environment = {**os.environ, PASSPHRASE: kept["passphrase"], TOKEN: kept["token"]}
    command = [
        sys.executable, "-c", COMMAND, "terminal", url, "--port", str(port), "--keys", str(folder / "keys"),
        "--unlock", NAMED, "--no-open", "--until-input-ends", *(("--l1", l1) if l1 else ()),
    ]  # fmt: skip
    child = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
    try:
        yield
    finally:
        assert child.stdin is not None, "asked for above"
        child.stdin.close()
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
