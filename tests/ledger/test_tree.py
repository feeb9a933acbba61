"""The tree of accounts, against its recursive definition and under every order of updates."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkhead.ledger.tree import (
    DEPTH,
    EMPTY_LEAF,
    LEAVES,
    AccountTree,
    FullTree,
    Tree,
    empty_nodes,
    leaf_place,
    verify_path,
)
from bulkhead.limits import FIELD_PRIME
from stark.field import PRIME
from stark.poseidon import hash2
from tests.reference import naive_tree

# Ids that share long paths, and ids that share none.
account_ids = st.one_of(st.integers(0, 9), st.sampled_from([64, 65, 2**31 - 1, 2**31, LEAVES - 2, LEAVES - 1]))
leaves = st.dictionaries(account_ids, st.sampled_from([0, 1, 2, PRIME - 1]) | st.integers(0, PRIME - 1), max_size=6)
batches = st.lists(leaves, max_size=4)


def final(changes: list[dict[int, int]]) -> dict[int, int]:
    """The leaves in use after updates in order."""
    merged: dict[int, int] = {}
    for batch in changes:
        merged.update(batch)
    return {account_id: leaf for account_id, leaf in merged.items() if leaf}


@settings(max_examples=40)
@given(batches)
def test_root_leaves_and_paths_equal_the_recursive_definition(changes: list[dict[int, int]]) -> None:
    tree = AccountTree()
    for batch in changes:
        tree.update(batch)
    expected = final(changes)
    assert tree.root == naive_tree.root(expected)
    for account_id in (*expected, 5):
        assert tree.leaf(account_id) == expected.get(account_id, 0)
        assert tree.path(account_id) == naive_tree.path(expected, account_id)


@given(leaves, st.randoms(use_true_random=False))
def test_the_order_of_updates_does_not_matter(changes: dict[int, int], order: random.Random) -> None:
    shuffled = list(changes.items())
    order.shuffle(shuffled)
    one_by_one = AccountTree()
    for account_id, leaf in shuffled:
        one_by_one.update({account_id: leaf})
    assert one_by_one.root == AccountTree(changes).root
    assert len(one_by_one) == len(AccountTree(dict(shuffled)))


@given(leaves, leaves)
def test_removing_accounts_restores_the_very_same_tree(kept: dict[int, int], added: dict[int, int]) -> None:
    tree = AccountTree(kept)
    before, nodes = tree.root, len(tree)
    fresh = {account_id: leaf for account_id, leaf in added.items() if account_id not in kept}
    tree.update(fresh)
    tree.update(dict.fromkeys(fresh, EMPTY_LEAF))
    assert (tree.root, len(tree)) == (before, nodes)


@given(leaves, account_ids)
def test_every_path_verifies_and_no_changed_one_does(changes: dict[int, int], account_id: int) -> None:
    tree = AccountTree(changes)
    leaf, path = tree.leaf(account_id), tree.path(account_id)
    assert verify_path(tree.root, account_id, leaf, path)
    assert not verify_path(tree.root, account_id, (leaf + 1) % PRIME, path)
    assert not verify_path((tree.root + 1) % PRIME, account_id, leaf, path)
    height = account_id % DEPTH
    forged = (*path[:height], (path[height] + 1) % PRIME, *path[height + 1 :])
    assert not verify_path(tree.root, account_id, leaf, forged)


def test_a_path_is_bound_to_its_account() -> None:
    tree = AccountTree({8: 1, 9: 2})
    assert verify_path(tree.root, 8, 1, tree.path(8))
    assert not verify_path(tree.root, 9, 1, tree.path(8))
    assert not verify_path(tree.root, 10, 1, tree.path(8))


def test_a_malformed_path_proves_nothing() -> None:
    tree = AccountTree({3: 7})
    root, path = tree.root, tree.path(3)
    for account_id in (-1, LEAVES + 3, 3 - LEAVES):
        assert not verify_path(root, account_id, 7, path)
    for leaf in (7 + PRIME, 7 - PRIME):
        assert not verify_path(root, 3, leaf, path)
    for wrong in (path[1:], (*path, 0), (path[0] + PRIME, *path[1:]), (-1, *path[1:]), ()):
        assert not verify_path(root, 3, 7, wrong)
    assert not verify_path(root + PRIME, 3, 7, path)


@pytest.mark.parametrize("bad", [{-1: 1}, {LEAVES: 1}, {2: PRIME}, {2: -1}, {2: 2**256}])
def test_a_refused_update_changes_nothing(bad: dict[int, int]) -> None:
    tree = AccountTree({1: 5})
    before, nodes = tree.root, len(tree)
    with pytest.raises(ValueError, match="leaf"):
        tree.update({1: 6, **bad})
    assert (tree.root, len(tree), tree.leaf(1)) == (before, nodes, 5)


@pytest.mark.parametrize("account_id", [-1, LEAVES])
def test_an_id_out_of_range_is_refused(account_id: int) -> None:
    with pytest.raises(ValueError, match="leaf"):
        AccountTree().leaf(account_id)
    with pytest.raises(ValueError, match="leaf"):
        AccountTree().path(account_id)


def test_the_empty_tree_keeps_no_node() -> None:
    tree = AccountTree()
    assert len(tree) == 0
    assert tree.root == empty_nodes()[DEPTH] == naive_tree.empty(DEPTH)
    tree.update({5: EMPTY_LEAF})
    assert len(tree) == 0


def test_memory_follows_the_accounts_in_use() -> None:
    tree = AccountTree(dict.fromkeys(range(0, 64 * 500, 64), 1))
    assert len(tree) < 2 * 500 + 33
    tree.update(dict.fromkeys(range(0, 64 * 499, 64), 0))
    assert len(tree) == 33


def test_a_copy_goes_its_own_way() -> None:
    tree = AccountTree({1: 5})
    twin = tree.copy()
    twin.update({1: 6})
    assert tree.root == AccountTree({1: 5}).root != twin.root == AccountTree({1: 6}).root


def test_the_exchange_and_the_proof_library_mean_the_same_field() -> None:
    assert FIELD_PRIME == PRIME


def test_who_signed_up_one_after_the_other_are_siblings() -> None:
    tree = AccountTree({128: 3, 192: 4})
    assert tree.path(128)[0] == 4 and tree.path(192)[0] == 3
    assert tree.path(0)[1] == hash2(3, 4)


def test_every_account_has_a_leaf_of_its_own() -> None:
    ids = [*range(300), *range(LEAVES - 300, LEAVES), *(1 << bit for bit in range(32))]
    places = {leaf_place(account_id): account_id for account_id in ids}
    assert len(places) == len(set(ids)) and all(0 <= place < LEAVES for place in places)
    for place, account_id in places.items():
        assert place == naive_tree.place(account_id)
    for account_id in (-1, LEAVES):
        with pytest.raises(ValueError, match="leaf"):
            leaf_place(account_id)


small_leaves = st.dictionaries(
    st.integers(0, 7), st.sampled_from([0, 1, PRIME - 1]) | st.integers(0, PRIME - 1), max_size=6
)


@given(st.lists(small_leaves, max_size=4), st.integers(0, 3))
def test_a_full_tree_has_the_nodes_of_a_sparse_one(changes: list[dict[int, int]], copied_after: int) -> None:
    full, sparse, twins = FullTree(3), Tree(3), []
    for number, batch in enumerate(changes):
        full.update(batch)
        sparse.update(batch)
        if number == copied_after:
            twins = [full.copy(), sparse.copy()]
    for ours, theirs in ((full, sparse), *([twins] if twins else [])):
        assert ours.root == theirs.root
        for depth in range(4):
            assert all(ours.node(depth, place) == theirs.node(depth, place) for place in range(1 << depth))


@pytest.mark.parametrize("leaves", [{8: 1}, {-1: 1}, {0: 1, 1: PRIME}, {0: -1}])
def test_a_full_tree_refuses_what_it_has_no_place_for_and_changes_nothing(leaves: dict[int, int]) -> None:
    tree = FullTree(3)
    tree.update({5: 7})
    before = tree.root
    with pytest.raises(ValueError):
        tree.update(leaves)
    assert (tree.root, tree.node(3, 0), tree.node(3, 5)) == (before, 0, 7)
