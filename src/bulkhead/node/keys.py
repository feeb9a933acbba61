"""The keys a test venue keeps for itself: oracle signers, backstop. One file, readable by its owner alone."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import NamedTuple

from bulkhead import private
from bulkhead.signing import public_key
from bulkhead.signing.keys import CURVE_ORDER
from bulkhead.units import Felt

KEYS_FILE = "keys.json"


class KeysError(Exception):
    """The file of keys cannot be used; the text says why."""


class Keys(NamedTuple):
    """Private keys: one for each oracle signer, and the backstop's."""

    oracle: tuple[int, ...]
    backstop: int

    @property
    def oracle_public(self) -> tuple[Felt, ...]:
        """What the venue's configuration names."""
        return tuple(Felt(public_key(key)) for key in self.oracle)

    @property
    def backstop_public(self) -> Felt:
        """What the venue's configuration names."""
        return Felt(public_key(self.backstop))


def new_key() -> int:
    """A private key at random."""
    return 1 + secrets.randbelow(CURVE_ORDER - 1)


def keys_in(folder: Path, signers: int) -> Keys:
    """The keys kept in a folder; made, once, where there are none."""
    path = folder / KEYS_FILE
    if path.exists():
        return _read(path)
    keys = Keys(tuple(new_key() for _ in range(signers)), new_key())
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"oracle": [hex(key) for key in keys.oracle], "backstop": hex(keys.backstop)})
    private.write(path, text.encode(), is_new=True)
    return keys


def _read(path: Path) -> Keys:
    try:
        found = json.loads(private.read(path))
        keys = Keys(tuple(int(key, 16) for key in found["oracle"]), int(found["backstop"], 16))
        public_key(keys.backstop)
        [public_key(key) for key in keys.oracle]
    except private.Exposed as error:
        raise KeysError(str(error)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise KeysError(f"{path}: not a file of keys ({type(error).__name__}); restore it") from error
    return keys
