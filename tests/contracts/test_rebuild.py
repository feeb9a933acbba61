"""The state of L2 from the calldata of L1, and from nothing else."""

from __future__ import annotations

from copy import deepcopy

import pytest

from bulkhead.circuit.batch import SMALL
from bulkhead.circuit.rebuild import RebuildError, Rebuilt
from bulkhead.circuit.words import MONEY, ORDER_RECORD, key_of
from tests.contracts.story import NAMES, sealed


def reworded(public: list[int], place: int, *word: int) -> list[int]:
    """A statement with another word, or none, in a place of its list."""
    at = len(NAMES) + 2 * place
    return [*public[:at], *word, *public[at + 2 :]]


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
    words = list(zip(public[len(NAMES) :: 2], public[len(NAMES) + 1 :: 2], strict=True))
    money = next(place for place, (key, _) in enumerate(words) if key % 2**32 == MONEY and key < 2**64)
    key, value = words[money]
    for word in (
        (key, value + 2**64), (key, 2**250), (), (key + 1, value), (key + 2**40, value),
        (key_of(ORDER_RECORD, 1 << 128), value), (key_of(ORDER_RECORD, 1), 2**104),
    ):  # fmt: skip
        rebuilt = Rebuilt(deepcopy(sealed()[0]), SMALL)
        with pytest.raises(RebuildError, match="do not lead to the state it names|are those of no state"):
            rebuilt.follow(reworded(public, money, *word))
