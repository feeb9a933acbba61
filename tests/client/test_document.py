"""docs/client.md says what the code does: every path, every code of a close, and a program that runs as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from bulkhead.api.streams import seat
from bulkhead.api.streams.routes import PATHS, PREFIX, RPC_PATH
from bulkhead.api.streams.seat import Closing
from bulkhead.node.settings import StreamSettings
from tests.api.live import Live

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "client.md").read_text(encoding="utf-8")


def test_every_path_and_code_is_on_the_page() -> None:
    named = set(re.findall(r"`(/[a-zA-Z{}/]+)", PAGE))
    assert set(PATHS) <= named and PREFIX in PAGE and RPC_PATH in PAGE
    codes = {one.code for one in vars(seat).values() if isinstance(one, Closing) and one.code >= 4000}
    assert codes == {int(code) for code in re.findall(r"^\| (4\d{3}) \|", PAGE, re.MULTILINE)}
    settings = StreamSettings()
    assert f"({settings.ping_s:.0f} s)" in PAGE and f"({settings.pong_s:.0f} s)" in PAGE
    assert settings.queue_bytes == 1 << 20 and "(1 MiB)" in PAGE


def test_the_program_on_the_page_runs(live: Live) -> None:
    [program] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    program = program.replace("http://127.0.0.1:8080", live.url).replace("50_000", "60_000")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert all(mode in done.stdout for mode in ("cross", "isolated", "strategy", "scenario"))
