"""What wallets sign when they onboard registers a plain main account of that owner and key, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bulkhead.ledger.apply import apply
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.defaults import USD, default_config
from bulkhead.ledger.state import Kind, MarginRule, State, genesis
from bulkhead.ledger.tx import Register
from bulkhead.reject import Reject
from bulkhead.signing import Signature, onboarding_hash, public_key, sign
from bulkhead.units import AccountId, Felt, TimeMs

OWNER, PRIVATE = 0x19E7E376E7C213B7E7E7E46CC70A5DD086DAFF2A, 4_711
KEY = Felt(public_key(PRIVATE))
CONFIG = default_config((Felt(2),), Felt(3))
NOW = TimeMs(1_700_000_000_000)


def registration(signature: Signature) -> Register:
    return Register(
        NOW, AccountId(128), Kind.MAIN, MarginRule.LINEAR, KEY, OWNER, AccountId(0), USD, signature
    )  # fmt: skip


AGREEMENT = sign(PRIVATE, onboarding_hash(OWNER, KEY))


def answer(transaction: Register, state: State | None = None) -> Reject | None:
    return apply(state or genesis(CONFIG, NOW), transaction, Authority(CONFIG)).reject


def test_either_signature_registers_a_plain_account() -> None:
    blank = registration(Signature(0, 0))
    own = sign(PRIVATE, Authority(CONFIG).register_hash(blank))
    assert answer(registration(AGREEMENT)) is None
    assert answer(registration(own)) is None
    assert answer(registration(sign(PRIVATE, 5))) is Reject.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "change", [{"l1_owner": OWNER + 1}, {"owner_key": Felt(public_key(4_712))}, {"rule": MarginRule.SCENARIO}]
)
def test_it_is_bound_to_owner_key_and_rule(change: dict[str, object]) -> None:
    assert answer(replace(registration(AGREEMENT), **change)) is Reject.WRONG_SIGNATURE  # type: ignore[arg-type]


def test_a_strategy_needs_a_registration_of_its_own() -> None:
    state = genesis(CONFIG, NOW)
    assert answer(registration(AGREEMENT), state) is None
    strategy = replace(
        registration(AGREEMENT), account_id=AccountId(192), kind=Kind.STRATEGY, parent_id=AccountId(128)
    )
    assert answer(strategy, state) is Reject.WRONG_SIGNATURE
    own = sign(PRIVATE, Authority(CONFIG).register_hash(strategy))
    assert answer(replace(strategy, signature=own), state) is None
