"""Compile the contracts that come with the package; with --check only say whether one is stale, and fail."""

import sys
from pathlib import Path

from bulkhead.bridge.artifacts import SHARED, SHIPPED, compile_sources, text_of

SOURCES = Path(__file__).resolve().parents[1] / "contracts"


def main() -> int:
    """Write, or compare. Needs the compiler in any case: what is compared is what it makes now."""
    made = {SHIPPED / f"{name}.json": text_of(each) for name, each in compile_sources(SOURCES, SHARED).items()}
    if "--check" not in sys.argv[1:]:
        SHIPPED.mkdir(exist_ok=True)
        for path, text in made.items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path.name for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text]
    if stale:
        print(f"{', '.join(stale)}: stale, run python tools/contracts.py", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
