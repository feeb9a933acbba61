"""The tree of what is owed: every part holds under its root, nothing else does, and no total leaves anybody out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bulkhead.node.liabilities import NOBODY, Liabilities, Node, Part, holds, parent_of

SECRET = b"s" * 32
accounts = some.dictionaries(some.integers(0, 1 << 32), some.integers(0, 1 << 80), min_size=1, max_size=40)


def tree_of(amounts: dict[int, int]) -> Liabilities:
    return Liabilities([(account_id, account_id + 7, amount) for account_id, amount in amounts.items()], SECRET)


@settings(max_examples=60, deadline=None)
@given(accounts)
def test_every_part_holds_and_the_total_is_the_sum(amounts: dict[int, int]) -> None:
    tree = tree_of(amounts)
    assert (tree.root.total, tree.count) == (sum(amounts.values()), len(amounts))
    parts = [tree.part(account_id) for account_id in amounts]
    assert all(part is not None and holds(part, tree.root) for part in parts)
    assert len({part.place for part in parts if part is not None}) == len(amounts)
    assert tree.part(1 << 40) is None


@dataclass(frozen=True)
class Lie:
    """A part with one thing changed."""

    part: Part
    what: str


def lies(part: Part) -> list[Lie]:
    owed = part.owed
    found = [
        Lie(part._replace(owed=owed._replace(amount=owed.amount + 1)), "amount"),
        Lie(part._replace(owed=owed._replace(amount=-owed.amount - 1)), "sign"),
        Lie(part._replace(owed=owed._replace(account_id=owed.account_id + 1)), "account"),
        Lie(part._replace(owed=owed._replace(owner_key=owed.owner_key + 1)), "key"),
        Lie(part._replace(owed=owed._replace(salt=b"t" * 16)), "salt"),
        Lie(part._replace(owed=owed._replace(salt=owed.salt[:-1])), "short salt"),
        Lie(part._replace(place=part.place ^ 1), "side"),
        Lie(part._replace(place=part.place + (1 << len(part.path))), "place beyond the tree"),
        Lie(part._replace(path=part.path[:-1]), "short path"),
        Lie(part._replace(path=(*part.path, NOBODY)), "long path"),
    ]
    for height, sibling in enumerate(part.path):
        for changed in (sibling._replace(total=sibling.total + 1), sibling._replace(digest=bytes(32))):
            found.append(Lie(part._replace(path=(*part.path[:height], changed, *part.path[height + 1 :])), f"{height}"))
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_no_changed_part_holds(count: int) -> None:
    tree = tree_of({64 * number: 10**6 * number for number in range(1, count + 1)})
    for number in range(1, count + 1):
        part = tree.part(64 * number)
        assert part is not None and holds(part, tree.root)
        for lie in lies(part):
            assert not holds(lie.part, tree.root), lie.what
        for wrong in (tree.root._replace(total=tree.root.total - 1), tree.root._replace(digest=bytes(32))):
            assert not holds(part, wrong)


def test_a_sum_below_zero_hides_nothing() -> None:
    """The classic attack: a made-up sibling that owes lets the total be smaller than what is owed."""
    part = tree_of({64: 10**9, 128: 5}).part(64)
    assert part is not None
    minus = Node(bytes(32), 5)._replace(total=-(10**9) + 1)
    with pytest.raises(OverflowError):
        parent_of(minus, minus)
    assert not holds(part._replace(path=(minus,)), Node(bytes(32), 1))


def test_a_leaf_is_never_a_node_and_another_secret_is_another_tree() -> None:
    amounts = {64 * number: number for number in range(1, 9)}
    tree, other = tree_of(amounts), Liabilities([(one, one + 7, amounts[one]) for one in amounts], b"t" * 32)
    assert tree.root.digest != other.root.digest and tree.root.total == other.root.total
    places = [(tree.part(one), other.part(one)) for one in amounts]
    assert any(one and two and one.place != two.place for one, two in places), "neighbours change from tree to tree"
