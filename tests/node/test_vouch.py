"""`check` believes nothing that a file says of itself, and the readers of statements nothing that means nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from bulkhead.circuit import batch as circuit
from bulkhead.ledger.commitment import commitment, config_root, leaf_of
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import AccountTree
from bulkhead.node.batches import batch_of
from bulkhead.node.proof_file import ProofFile
from bulkhead.node.prove_batch import SHAPES, key_for
from bulkhead.node.records import GENESIS
from bulkhead.node.replay import GENESIS_FILE, ExchangeError, read_genesis
from bulkhead.node.statement import StatementError, read_statement
from bulkhead.node.vouch import ProofRefused, check, config_in, genesis_near
from bulkhead.units import Felt
from stark.prime import PRIME
from tests.node.proving_world import journal, proven

BITS = 10  # as many as the profile for tests has


@cache
def venue() -> VenueConfig:
    return read_genesis(journal()).config


def root(state: State) -> int:
    return commitment(state, AccountTree({number: leaf_of(one) for number, one in state.accounts.items()}).root)


def test_an_honest_proof_is_vouched_for_with_the_ledgers_own_words() -> None:
    verdict = check(proven(), venue(), BITS)
    batch = batch_of(journal(), 2)
    said = verdict.said
    assert (said.batch, said.transactions) == (2, len(batch.transactions))
    assert (said.state_before, said.state_after) == (root(batch.before), root(batch.after))
    assert (said.time_before_ms, said.time_after_ms) == (batch.before.time_ms, batch.after.time_ms)
    assert [(entry["account"], entry["amount"]) for entry in said.lists["deposit"]] == [(320, 1)]
    assert said.lists["paid"] == ({"recipient": 0xABC, "amount": 250_000_000},)
    assert (verdict.chain_id, verdict.profile) == (venue().chain_id, "test")
    assert 10 < verdict.bits < 13 and verdict.proof_bytes == len(proven().proof)


def test_every_shape_of_the_circuit_may_be_chosen_and_verified() -> None:
    made = {one for one in vars(circuit).values() if isinstance(one, circuit.Shape)}
    assert made == set(circuit.ALL_SHAPES)


Spoil = Callable[[ProofFile], ProofFile]
SPOILT: list[tuple[str, Spoil]] = [
    ("of another venue", lambda one: one._replace(config=one.config + 1)),
    ("of another venue", lambda one: one._replace(config=-(1 << 4_000))),
    ("of another venue", lambda one: one._replace(chain_id="BH_other\x1b[2J")),
    ("no shape", lambda one: one._replace(shape=(*one.shape[:-1], one.shape[-1] + 1))),
    ("no shape", lambda one: one._replace(shape=(1 << 4_000,) * 1_000)),
    ("no profile", lambda one: one._replace(profile="certain")),
    ("made under key", lambda one: one._replace(profile="standard")),
    ("made under key", lambda one: one._replace(key=bytes(32))),
    ("made under key", lambda one: one._replace(key=b"long" * 10_000)),
    ("the proof does not hold: step 1", lambda one: one._replace(statement=one.statement[:-1])),
    ("the proof does not hold: step 1", lambda one: one._replace(statement=(*one.statement, 0))),
    ("the proof does not hold: step 1", lambda one: one._replace(statement=(PRIME, *one.statement[1:]))),
    ("the proof does not hold: step 1", lambda one: one._replace(statement=(-1, *one.statement[1:]))),
    ("the proof does not hold", lambda one: one._replace(statement=(one.statement[0] + 1, *one.statement[1:]))),
    ("the proof does not hold", lambda one: one._replace(proof=b"")),
    ("the proof does not hold", lambda one: one._replace(proof=one.proof[:-1])),
    ("the proof does not hold", lambda one: one._replace(proof=one.proof + b"\0")),
    ("the proof does not hold", lambda one: one._replace(proof=bytes(len(one.proof)))),
    ("named batch 3, and its statement is about batch 2", lambda one: one._replace(batch=3)),
]


@pytest.mark.parametrize(("reason", "spoil"), SPOILT)
def test_what_is_not_proven_is_refused(reason: str, spoil: Spoil) -> None:
    with pytest.raises(ProofRefused, match=reason) as refused:
        check(spoil(proven()), venue(), BITS)
    assert "\x1b" not in str(refused.value) and len(str(refused.value)) < 500


def test_every_element_of_the_statement_is_bound() -> None:
    record = proven()
    for place in range(0, len(record.statement), 7):
        elements = list(record.statement)
        elements[place] = (elements[place] + 1) % PRIME
        with pytest.raises(ProofRefused, match="does not hold"):
            check(record._replace(statement=tuple(elements)), venue(), BITS)


def test_a_profile_is_worth_what_is_computed_not_what_it_is_called() -> None:
    with pytest.raises(ProofRefused, match="profile test is worth 11.9 bits, and 100 are asked for"):
        check(proven(), venue())


def test_a_venue_of_other_terms_is_another_venue() -> None:
    with pytest.raises(ProofRefused, match="of another venue"):
        check(proven(), venue()._replace(liquidation_pause_ms=10_001), BITS)


def test_a_venue_that_no_circuit_covers_is_refused() -> None:
    other = venue()._replace(top_up=True)
    with pytest.raises(ProofRefused, match="nothing is proven of such a venue: .*top_up switched off"):
        check(proven()._replace(config=Felt(config_root(other))), other, BITS)


def test_keys_are_made_once() -> None:
    assert key_for(venue(), SHAPES[0], "test") is key_for(venue(), SHAPES[0], "test")
    assert key_for(venue(), SHAPES[0], "test") is not key_for(venue(), SHAPES[0], "standard")


def test_configurations_come_from_a_genesis(tmp_path: Path) -> None:
    assert config_in(journal() / GENESIS_FILE) == venue()
    assert genesis_near(journal() / "x.proof") == genesis_near(journal() / "proofs" / "x.proof")
    with pytest.raises(ExchangeError, match="--journal FOLDER or --config FILE"):
        genesis_near(journal() / "deeper" / "x.proof")
    with pytest.raises(ExchangeError, match="cannot be read"):
        config_in(tmp_path / "nothing")
    other = tmp_path / "other"
    other.write_bytes(b"\xff\xff")
    with pytest.raises(ExchangeError, match="is not a genesis"):
        config_in(other)
    other.write_bytes(GENESIS.encode(read_genesis(journal())._replace(rules_version=99)))
    with pytest.raises(ExchangeError, match="made under rules 99"):
        config_in(other)


# --- statements -------------------------------------------------------------------------------------------------------

HONEST = {
    "state_before": 11, "state_after": 12, "deposits_before": 4, "deposits_after": 5,
    "withdrawals_before": 9, "withdrawals_after": 9, "transactions_before": 20, "transactions_after": 22,
    "time_ms_before": 1_000, "time_ms_after": 2_500, "forced_before": 3, "forced_after": 3, "batches_before": 6,
    "fresh_after_ms_before": 0, "fresh_after_ms_after": 0, "now_s": 2,
    "deposit_account_0": 128, "deposit_amount_0": 7, "deposit_depositor_0": 77, "deposit_used_0": 1,
    "deposit_account_1": 0, "deposit_amount_1": 0, "deposit_depositor_1": 0, "deposit_used_1": 0,
    "paid_recipient_0": 0, "paid_amount_0": 0, "paid_used_0": 0,
    "forced_kind_0": 0, "forced_included_ms_0": 0, "forced_used_0": 0,
}  # fmt: skip
FIRST_DEPOSIT = [name for name in HONEST if name.startswith("deposit_") and name.endswith("_0")]


def test_a_statement_is_read_by_its_names() -> None:
    said = read_statement(list(HONEST), [*HONEST.values(), 1, 2])
    assert (said.batch, said.transactions, said.state_after) == (7, 2, 12)
    assert said.lists == {
        "deposit": ({"account": 128, "amount": 7, "depositor": 77},),
        "paid": (),
        "forced": (),
        "changed": ({"key": 1, "value": 2},),
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"deposits_before": 1 << 64}, "deposits_before does not fit 64 bits"),
        ({"forced_after": 1 << 64}, "forced_after does not fit 64 bits"),
        ({"batches_before": 1 << 32}, "batches_before does not fit 32 bits"),
        ({"time_ms_after": 1 << 50}, "time_ms_after does not fit 50 bits"),
        ({"transactions_after": 19}, "a batch of -1 transactions"),
        ({"transactions_after": 20 + (1 << 20) + 1}, "a batch of 1048577 transactions"),
        ({"time_ms_after": 999}, "ends before it begins"),
        ({"now_s": 3}, "is not that of the batch's end"),
        ({"deposits_after": 6}, "1 deposits are listed, and 2 counted"),
        ({"withdrawals_before": 10}, "0 withdrawals are listed, and -1 counted"),
        ({"deposit_used_0": 2}, "place 0 of the list of deposit is neither used nor empty"),
        ({"deposit_used_0": 0}, "place 0 of the list of deposit is neither used nor empty"),
        ({"deposit_amount_1": 1}, "place 1 of the list of deposit is neither used nor empty"),
        (dict.fromkeys(FIRST_DEPOSIT, 0) | {"deposit_used_1": 1}, "place 1 of the list of deposit"),
        ({"forced_after": 4}, "0 forced are listed, and 1 counted"),
        ({"forced_included_ms_0": 5}, "place 0 of the list of forced is neither used nor empty"),
        ({"paid_used_0": PRIME - 1}, "place 0 of the list of paid is neither used nor empty"),
    ],
)
def test_a_statement_that_means_nothing_is_refused(changes: dict[str, int], reason: str) -> None:
    with pytest.raises(StatementError, match=reason):
        read_statement(list(HONEST), list((HONEST | changes).values()))


def test_a_statement_of_another_length_is_refused() -> None:
    with pytest.raises(StatementError, match=f"1 elements, not {len(HONEST)}"):
        read_statement(list(HONEST), [1])
    with pytest.raises(StatementError, match="the last one has no value"):
        read_statement(list(HONEST), [*HONEST.values(), 1, 2, 3])
