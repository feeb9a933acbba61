"""Write docs/security.md from what the circuits cover; with --check only say whether it is stale, and fail."""

import sys
from collections.abc import Iterable
from pathlib import Path

from bulkhead.circuit.coverage import OUTSIDE, RULES, STATE, TRANSACTIONS, Cover

PAGE = Path(__file__).resolve().parents[1] / "docs" / "security.md"
HEAD = """# What a proof covers

Made from `src/bulkhead/circuit/coverage.py` by `python tools/security.py`. How sure a proof makes is in
[security-of-proofs.md](security-of-proofs.md).
"""


def table(title: str, covers: Iterable[Cover]) -> str:
    """One section."""
    lines = [f"## {title}", "", "| rule | standing | |", "| :-- | :-- | :-- |"]
    return "\n".join([*lines, *(f"| {each.rule} | {each.standing} | {each.meaning} |" for each in covers)])


def page() -> str:
    """The whole page."""
    sections = (
        table("Transactions", TRANSACTIONS.values()),
        table("Rules", [cover for rules in RULES.values() for cover in rules.values()]),
        table("State and settlement", STATE),
        table("What a trader relies on beside the proof", OUTSIDE),
    )
    return "\n\n".join([HEAD.rstrip(), *sections]) + "\n"


def main() -> int:
    """Write, or compare."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        print("docs/security.md is stale: run python tools/security.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
