"""The state of L2 from the calldata of L1, and from nothing else."""

from __future__ import annotations

from copy import deepcopy

import pytest

from bulkhead.circuit.batch import SMALL
from bulkhead.circuit.rebuild import RebuildError, Rebuilt
from bulkhead.circuit.words import MONEY, ORDER_RECORD, key_of
from tests.contracts.story import NAMES, sealed


def changed(public: list[int], **values: int) -> list[int]:
    """A statement with some elements changed."""
    made = list(public)
    for name, value in values.items():
        made[NAMES.index(name)] = value
    return made


def test_the_state_is_rebuilt_from_calldata() -> None:
    rebuilt = Rebuilt(deepcopy(sealed()[0]), SMALL)
    for batch in sealed()[1]:
        rebuilt.follow(batch.public)
        assert rebuilt.state.accounts == batch.after.accounts
        assert rebuilt.state.custody == batch.after.custody
        assert tuple(rebuilt.state.filled) == tuple(batch.after.filled)
        assert rebuilt.state.counters == batch.after.counters
        assert rebuilt.root == batch.public[NAMES.index("state_after")]
    with pytest.raises(RebuildError, match="begins at another state"):
        rebuilt.follow(sealed()[1][0].public)


def test_words_that_do_not_fit_are_named() -> None:
    """A balance that is not the proven one or is left out; words of another place, of no account, or that cannot be."""
    public = sealed()[1][0].public
    keys = [public[NAMES.index(f"changed_key_{place}")] for place in range(SMALL.changes)]
    money = next(place for place, key in enumerate(keys) if key % 2**32 == MONEY and key < 2**64)
    for values in (
        {f"changed_value_{money}": public[NAMES.index(f"changed_value_{money}")] + 2**64},
        {f"changed_value_{money}": 2**250},
        {f"changed_used_{money}": 0},
        {f"changed_key_{money}": keys[money] + 1},
        {f"changed_key_{money}": keys[money] + 2**40},
        {f"changed_key_{money}": key_of(ORDER_RECORD, 1 << 128)},
        {f"changed_key_{money}": key_of(ORDER_RECORD, 1), f"changed_value_{money}": 2**104},
    ):
        rebuilt = Rebuilt(deepcopy(sealed()[0]), SMALL)
        with pytest.raises(RebuildError, match="do not lead to the state it names|are those of no state"):
            rebuilt.follow(changed(public, **values))
