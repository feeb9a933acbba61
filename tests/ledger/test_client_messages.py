"""Money moves by either form that clients sign, once; where batches are proven, by the wire's own alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bulkhead.ledger.apply import apply
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.defaults import USD, default_config
from bulkhead.ledger.state import Kind, MarginRule, State, genesis
from bulkhead.ledger.tx import Deposit, Register, Transfer, Withdrawal
from bulkhead.reject import Reject
from bulkhead.signing import Signature, onboarding_hash, public_key, sign
from bulkhead.units import AccountId, Felt, TimeMs, TimeS

OWNER, PRIVATE, OTHER = 0x19E7E376E7C213B7E7E7E46CC70A5DD086DAFF2A, 4_711, 4_712
KEY = Felt(public_key(PRIVATE))
CONFIG = default_config((Felt(2),), Felt(3))
NOW = TimeMs(1_700_000_000_000)
UNTIL = TimeS(NOW // 1000 + 21 * 86_400)
UNSIGNED = Signature(0, 0)
TRANSFER = Transfer(NOW, AccountId(128), AccountId(192), USD, 5_000_000, UNTIL, 7, UNSIGNED)
WITHDRAWAL = Withdrawal(NOW, AccountId(128), USD, 5_000_000, OWNER, UNTIL, 7, UNSIGNED)
Hash = Callable[[Authority, Any], int]
FORMS: list[tuple[Any, Hash, Hash]] = [
    (TRANSFER, lambda one, tx: one.transfer_hash(tx, KEY), lambda one, tx: one.ccxt_transfer_hash(tx, KEY)),
    (WITHDRAWAL, lambda one, tx: one.withdrawal_hash(tx, KEY), lambda one, tx: one.ccxt_withdrawal_hash(tx, KEY)),
]


def world(config: VenueConfig) -> tuple[State, Authority]:
    """Two accounts, the first with money. Who registers them is not what is tested here."""
    state, anybody = genesis(config, NOW), Authority(config, verify=False)
    for account_id, private in ((128, PRIVATE), (192, OTHER)):
        key = Felt(public_key(private))
        signature = sign(private, onboarding_hash(OWNER, key))
        made = Register(
            NOW, AccountId(account_id), Kind.MAIN, MarginRule.LINEAR, key, OWNER, AccountId(0), USD, signature
        )
        assert apply(state, made, anybody).reject is None
    assert apply(state, Deposit(NOW, 1, AccountId(128), USD, 50_000_000), anybody).reject is None
    return state, Authority(config)


@pytest.mark.parametrize(("blank", "own", "theirs"), FORMS)
def test_either_form_moves_money_and_both_together_once(blank: Any, own: Hash, theirs: Hash) -> None:
    for first, second in ((own, theirs), (theirs, own)):
        state, authority = world(CONFIG)
        for form, expected in ((first, None), (second, Reject.REPLAYED), (first, Reject.REPLAYED)):
            signed = replace(blank, signature=sign(PRIVATE, form(authority, blank)))
            assert apply(state, signed, authority).reject is expected
        assert int(state.accounts[AccountId(128)].balance) == 45_000_000


@pytest.mark.parametrize(("blank", "own", "theirs"), FORMS)
def test_no_form_vouches_for_other_numbers_or_for_the_other_kind(blank: Any, own: Hash, theirs: Hash) -> None:
    state, authority = world(CONFIG)
    for name in ("amount", "salt", "expiration_s"):
        changed = replace(blank, **{name: getattr(blank, name) + 1})
        for form in (own, theirs):
            signed = replace(changed, signature=sign(PRIVATE, form(authority, blank)))
            assert apply(state, signed, authority).reject is Reject.WRONG_SIGNATURE
    foreign = replace(blank, signature=sign(OTHER, theirs(authority, blank)))
    assert apply(state, foreign, authority).reject is Reject.WRONG_SIGNATURE
    for kind, *forms in FORMS:
        for form in forms if kind is not blank else ():
            crossed = replace(blank, signature=sign(PRIVATE, form(authority, kind)))
            assert apply(state, crossed, authority).reject is Reject.WRONG_SIGNATURE


@pytest.mark.parametrize(("blank", "own", "theirs"), FORMS)
def test_a_venue_with_proofs_takes_the_wires_form_alone(blank: Any, own: Hash, theirs: Hash) -> None:
    state, authority = world(CONFIG._replace(client_messages=False))
    refused = replace(blank, signature=sign(PRIVATE, theirs(authority, blank)))
    assert apply(state, refused, authority).reject is Reject.WRONG_SIGNATURE
    taken = replace(blank, signature=sign(PRIVATE, own(authority, blank)))
    assert apply(state, taken, authority).reject is None
