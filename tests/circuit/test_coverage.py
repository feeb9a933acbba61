"""What is called proven is proven, nothing is forgotten, and every circuit restates a file that there is."""

import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import get_args

import bulkhead.circuit
import bulkhead.ledger
import bulkhead.rules
from bulkhead.circuit.coverage import OUTSIDE, RULES, STATE, TRANSACTIONS, Standing
from bulkhead.circuit.play import TAKERS
from bulkhead.circuit.programs import PROGRAMS_OF, writers
from bulkhead.circuit.venue import provable, venue_of
from bulkhead.ledger import tx
from bulkhead.ledger.defaults import default_config
from tools import security

# Files of the circuit that restate none of the ledger's or the rules': the machine, its tables, and how it is filled.
MACHINE = {
    "arithmetic", "casting", "close", "coverage", "decode", "describe", "escape", "escape_batch", "escape_payouts",
    "escape_trace", "expected", "filling", "frame", "fusing", "instructions", "layout", "listing", "measured", "memory",
    "packing", "plates", "play", "play_force", "play_ticks", "programs", "rebuild", "record", "replay", "room", "tags",
    "trace", "venue", "words",
}  # fmt: skip
# Parts of a file of the ledger's or the rules' that is cut in several here, with the file.
PARTS = {
    "isolated": "fill", "judge": "move", "order": "trade", "messages": "authority", "flat": "accounts",
    "capacity": "takeover",
}  # fmt: skip
# Files of the ledger's and the rules' that have no circuit of their own, and why.
WITHOUT = {
    "apply": "which program runs is play's choice, and any order of programs is valid", "draft": "memory is the draft",
    "config": "it is part of the key", "defaults": "values", "state": "words", "commitment": "words", "tx": "shapes",
    "receipt": "answers", "invariants": "they follow", "availability": "bytes of another way to publish",
    "tree": "stark.chips.merkle_update", "authority": "messages", "fees": "in trade", "deleveraging": "not proven yet",
    "scenario": "not proven yet", "grid": "not proven yet", "examples": "for documentation",
}  # fmt: skip


def files_of(package: ModuleType) -> set[str]:
    """The names of a package's modules."""
    (folder,) = package.__path__
    return {path.stem for path in Path(folder).glob("*.py")} - {"__init__"}


def test_every_transaction_has_its_line_and_its_program_if_it_is_proven() -> None:
    assert set(TRANSACTIONS) == set(get_args(tx.Transaction))
    names = writers(venue_of(provable(default_config((1, 2, 3, 4), 5))))
    for kind, cover in TRANSACTIONS.items():
        assert cover.rule == kind.__name__ and cover.meaning
        has_program = cover.standing in (Standing.PROVEN, Standing.IN_PART)
        assert (kind in PROGRAMS_OF) == has_program == (kind in TAKERS)
        for program in PROGRAMS_OF.get(kind, ()):
            assert any(name.startswith(program) for name in names), program


def test_every_rule_has_its_line() -> None:
    assert set(RULES) == files_of(bulkhead.rules) - {"examples"}
    for module, covers in RULES.items():
        found = import_module(f"bulkhead.rules.{module}")
        own = {
            name for name, value in vars(found).items()
            if inspect.isfunction(value) and value.__module__ == found.__name__ and not name.startswith("_")
        }  # fmt: skip
        assert set(covers) == own


def test_every_circuit_has_its_namesake_and_no_other() -> None:
    restated = files_of(bulkhead.ledger) | files_of(bulkhead.rules)
    circuits = files_of(bulkhead.circuit) - MACHINE
    assert circuits - set(PARTS) - {"rules", "batch", "orders"} <= restated
    assert set(PARTS) <= circuits and set(PARTS.values()) <= restated
    assert restated - circuits == set(WITHOUT)


def test_the_page_is_up_to_date() -> None:
    assert security.PAGE.read_text() == security.page()
    assert all(cover.meaning for cover in (*STATE, *OUTSIDE))
