"""What every report says of itself: which code made it, and from which data."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from bulkhead.lab.pages.page import Source
from bulkhead.lab.prices import DataSet

HERE = Path(__file__).resolve()


@cache
def version() -> str:
    """The package's version and, in a checkout, its commit, with "changed" where files differ from it."""
    package = f"bulkhead {metadata.version('bulkhead')}"
    root = next((folder for folder in HERE.parents if (folder / ".git").exists()), None)
    if root is None:
        return package
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return package
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "src")
    return f"{package}, commit {commit}{' (changed)' if changed else ''}"


def _git(root: Path, *words: str) -> str | None:
    """What git says, None where there is no git or it will not."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def source_of(data: DataSet) -> Source:
    """A price set as a source."""
    return Source(data.title, data.licence, f"{data.source}; set {data.name}")
