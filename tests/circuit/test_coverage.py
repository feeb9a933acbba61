"""What is called proven is proven, and nothing is forgotten."""

from typing import get_args

from bulkhead.circuit.coverage import OUTSIDE, STATE, TRANSACTIONS, Standing
from bulkhead.circuit.operations import OPERATIONS
from bulkhead.ledger import tx
from tools import security


def test_every_transaction_has_its_line() -> None:
    assert set(TRANSACTIONS) == set(get_args(tx.Transaction))
    for kind, cover in TRANSACTIONS.items():
        assert cover.rule == kind.__name__ and cover.meaning


def test_every_circuit_has_its_namesake_and_no_other() -> None:
    opening = {operation.name for operation in OPERATIONS.values() if not operation.after}
    assert {cover.opens for cover in TRANSACTIONS.values() if cover.opens} == opening
    for cover in TRANSACTIONS.values():
        assert bool(cover.opens) == (cover.standing in (Standing.PROVEN, Standing.IN_PART))
    assert not any(cover.opens for cover in (*STATE, *OUTSIDE))


def test_the_page_is_fresh() -> None:
    assert security.PAGE.read_text(encoding="utf-8") == security.page()
