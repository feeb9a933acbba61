"""For every test: property tests draw the same examples each run; the header says whether real price sets are here."""

import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest
from hypothesis import settings

from tests import shared
from tests.programs import programs_header

settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    """A folder for what the processes of this run make once; those that this one starts inherit its name."""
    if shared.FOLDER in os.environ:
        return
    folder = os.environ[shared.FOLDER] = tempfile.mkdtemp(prefix="bulkhead-tests-")

    def done() -> None:
        del os.environ[shared.FOLDER]
        shutil.rmtree(folder, ignore_errors=True)

    config.add_cleanup(done)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: one process more than there are cores, for many tests wait: for browsers, pauses, nodes."""
    return 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def real_data() -> Path | None:
    """The folder of real price sets: BULKHEAD_DATA, else ../shared/data beside the checkout, else nowhere."""
    named = os.environ.get("BULKHEAD_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if named and not folder.is_dir():
        raise pytest.UsageError(f"BULKHEAD_DATA names no folder: {named}")
    return folder if folder.is_dir() else None


def chromium() -> str | None:
    """The browser of the terminal's tests: BULKHEAD_CHROMIUM, else the machine's own, else none."""
    named = os.environ.get("BULKHEAD_CHROMIUM")
    if named and which(named) is None:
        raise pytest.UsageError(f"BULKHEAD_CHROMIUM names no program: {named}")
    return named or which("chromium") or which("chromium-browser") or which("google-chrome")


def pytest_report_header() -> list[str]:
    """The tests of real sets, and of a cluster, are collected only where these are; say so, not skip in silence."""
    folder = real_data()
    where = f"in {folder}" if folder else "none here (set BULKHEAD_DATA): their tests are not collected"
    ray = "installed" if find_spec("ray") else "not installed (bulkhead[cluster]): tests of a cluster are not collected"
    found = chromium()
    browser = found or "none (install chromium, or name it by BULKHEAD_CHROMIUM): tests of screens are not collected"
    return [
        f"real price sets: {where}", f"ray: {ray}", *programs_header(), f"browser: {browser}",
    ]  # fmt: skip
