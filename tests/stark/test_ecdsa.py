"""Batches of signatures: the same verdicts as the library in use, on valid ones, spoiled ones and at every edge."""

import random

import fast_stark_crypto
import pytest

from stark.curve import GENERATOR, ORDER, multiply_point
from stark.ecdsa import ELEMENT_LIMIT, KnownKeys, Signed, verify_batch
from stark.prime import PRIME

DRAW = random.Random(5)
PRIVATE = [DRAW.randrange(1, ORDER) for _ in range(20)]
PUBLIC = [fast_stark_crypto.get_public_key(key) for key in PRIVATE]
KEYS = KnownKeys()


def signed(key: int, message: int) -> Signed:
    """A real signature."""
    return Signed(PUBLIC[key], message, *fast_stark_crypto.sign(PRIVATE[key], message))


def library(one: Signed) -> bool:
    """The library's verdict, inside the ranges where it gives one."""
    return bool(fast_stark_crypto.verify(one.public_key, one.message, one.r, one.s))


def test_ten_thousand_random_signatures_are_judged_as_by_the_library() -> None:
    batch = []
    for _ in range(10_000):
        one = signed(DRAW.randrange(len(PRIVATE)), DRAW.randrange(ELEMENT_LIMIT))
        spoil = DRAW.randrange(8)
        if spoil == 0:
            one = one._replace(message=one.message ^ 1 << DRAW.randrange(251))
        elif spoil == 1:
            one = one._replace(r=one.r ^ 1 << DRAW.randrange(250) or 1)
        elif spoil == 2:
            one = one._replace(s=DRAW.randrange(1, ELEMENT_LIMIT))
        elif spoil == 3:
            one = one._replace(public_key=DRAW.choice(PUBLIC))
        elif spoil == 4:
            one = one._replace(s=ORDER - one.s)
        batch.append(one)
    in_range = [one for one in batch if 0 < one.s < ELEMENT_LIMIT and 0 < one.r < ELEMENT_LIMIT]
    found = verify_batch(in_range, KEYS, threads=2)
    assert found == [library(one) for one in in_range]
    assert 5_000 < sum(found) < 9_000
    assert verify_batch(in_range[:500], KEYS) == found[:500]


def test_the_other_s_is_as_valid() -> None:
    one = signed(0, 12345)
    twin = one._replace(s=ORDER - one.s)
    assert verify_batch([one, twin], KEYS) == [True, twin.s < ELEMENT_LIMIT]


def made(s: int, seed: int) -> Signed:
    """A signature with this s that satisfies the equation: the message follows from it."""
    draw = random.Random(seed)
    nonce, private = draw.randrange(1, ORDER), PRIVATE[0]
    point = multiply_point(nonce, GENERATOR)
    assert point is not None
    return Signed(PUBLIC[0], (s * nonce - point[0] * private) % ORDER, point[0], s)


@pytest.mark.parametrize("s", [1, 2, ELEMENT_LIMIT - 1])
def test_the_least_and_the_largest_s_are_valid(s: int) -> None:
    one = made(s, seed=s % 97)
    assert one.message < ELEMENT_LIMIT and one.r < ELEMENT_LIMIT
    assert verify_batch([one], KEYS) == [True] and library(one)
    assert verify_batch([one._replace(s=s + ORDER), one._replace(s=s - ORDER)], KEYS) == [False, False]


@pytest.mark.parametrize("s", [ELEMENT_LIMIT, ORDER - 1])
def test_an_s_that_is_too_large_is_refused_also_where_the_equation_holds(s: int) -> None:
    one = made(s, seed=s % 97)
    twin = one._replace(s=ORDER - s)
    assert verify_batch([one, twin], KEYS) == [False, True] and library(twin)


@pytest.mark.parametrize("message", [0, 1, ELEMENT_LIMIT - 1])
def test_messages_at_the_edges_are_signed(message: int) -> None:
    one = signed(2, message)
    assert verify_batch([one, one._replace(message=message ^ 2)], KEYS) == [True, False] and library(one)


@pytest.mark.parametrize("field", ["r", "s", "message", "public_key"])
@pytest.mark.parametrize("value", [-1, 0, 1, ELEMENT_LIMIT - 1, ELEMENT_LIMIT, ORDER, PRIME - 1, PRIME, 2**256])
def test_numbers_at_the_edges_are_refused_and_raise_nothing(field: str, value: int) -> None:
    one = signed(3, 77)._replace(**{field: value})
    assert verify_batch([one], KEYS) == [False]


def test_message_zero_is_a_message() -> None:
    """Then the generator's part is infinity, and only the key's is left."""
    one = signed(1, 0)
    assert verify_batch([one, one._replace(message=1)], KEYS) == [True, False] and library(one)


def test_equal_and_opposite_parts_are_added_rightly() -> None:
    """A forger of his own key can make both parts the same point, or opposite ones: with Q = G, z = r or z = n - r.

    The library ends the process here, so the verdicts are compared with the definition.
    """
    verdicts = 0
    for r in range(1, 60):
        for s in (1, 2, 5):
            one = Signed(GENERATOR[0], r, r, s)
            scalar = r * inverse_of(s) % ORDER
            twice = multiply_point(2 * scalar % ORDER, GENERATOR)
            expected = twice is not None and twice[0] == r
            assert verify_batch([one], KEYS) == [expected]
            verdicts += 1
    assert verdicts == 177
    # And one that is valid through a doubling: 2 k G has x = r for s = k' such that r / s = k.
    k = 123456789
    point = multiply_point(2 * k, GENERATOR)
    assert point is not None and point[0] < ELEMENT_LIMIT
    s = point[0] * inverse_of(k) % ORDER
    valid = Signed(GENERATOR[0], point[0] % ORDER, point[0], s)
    if s < ELEMENT_LIMIT and valid.message < ELEMENT_LIMIT:
        assert verify_batch([valid], KEYS) == [True]


def inverse_of(value: int) -> int:
    """Modulo the order of the curve."""
    return pow(value, -1, ORDER)


def test_a_key_that_is_no_point_signs_nothing() -> None:
    stranger = next(x for x in range(1, 50) if not _is_key(x))
    assert verify_batch([signed(0, 5)._replace(public_key=stranger)], KEYS) == [False]


def _is_key(x: int) -> bool:
    return KnownKeys(1).place(x) >= 0


def test_keys_make_room_for_each_other() -> None:
    few = KnownKeys(capacity=3)
    batch = [signed(number % 7, number) for number in range(30)]
    assert all(verify_batch(batch, few))
    assert all(verify_batch(batch[::-1], few))
    assert few.place(PUBLIC[0]) < 3
    with pytest.raises(ValueError, match="at least one key"):
        KnownKeys(0)


def test_nothing_to_verify() -> None:
    assert verify_batch([], KEYS) == []
