"""Results by content: the same question, code and data give the same key, so what was computed once is read again.

A key is a digest of everything that decides the result; there is no date in it and nothing is ever out of date. An
entry holds its key and a digest of its own text: one that was cut off or changed is computed again, and that is said.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
FOLDER_VARIABLE = "BULKHEAD_CACHE"
DECIDES = ("units.py", "fixed.py", "limits.py", "rules", "ledger", "lab")
"""What of this package a result of the lab depends on."""
SHOWS = ("lab/pages", "lab/report")
"""What only shows results."""


def default_folder() -> Path:
    """BULKHEAD_CACHE, else the user's folder for such things."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bulkhead" / "lab"


@cache
def code_digest() -> str:
    """A digest of the code that results depend on, and of the numbers shipped with it; read once a process."""
    digest = hashlib.sha256()
    for part in DECIDES:
        place = PACKAGE / part
        for file in [place] if place.is_file() else sorted(found for found in place.rglob("*") if found.is_file()):
            name = file.relative_to(PACKAGE).as_posix()
            if "__pycache__" not in name and not name.startswith(SHOWS):
                digest.update(f"{name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


@cache
def file_digest(path: Path) -> str:
    """A digest of a data file, read once a process."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_of(**parts: Any) -> str:
    """The key of whatever is decided by these JSON values and by the code."""
    text = json.dumps(parts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(f"{code_digest()}\n{text}".encode()).hexdigest()


class Cache:
    """A folder of results, one JSON file a key. Several processes may share it: entries are written whole or not."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def get(self, key: str) -> Any | None:
        """The result, None where there is none that can be read."""
        path = self._path(key)
        try:
            head, _, text = path.read_text(encoding="utf-8").partition("\n")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        if head != _seal(key, text):
            print(f"{path}: cut off or changed, computed again", file=sys.stderr)
            return None
        return json.loads(text)

    def put(self, key: str, result: Any) -> None:
        """Keep a JSON value; NaN is refused."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result, allow_nan=False)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(f"{_seal(key, text)}\n{text}", encoding="utf-8")
        os.replace(draft, path)

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """The result that is kept, or a new one, which is kept from now on."""
        found = self.get(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _seal(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()
