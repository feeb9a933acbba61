"""bulkhead.signing.keys: signatures, keys, and onboarding vectors."""

import json
from pathlib import Path
from typing import Any

import fast_stark_crypto
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkhead import signing
from bulkhead.limits import FIELD_PRIME
from bulkhead.signing import keys

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
WIRE = json.loads((VECTORS / "signing.json").read_text())
ONBOARDING = json.loads((VECTORS / "onboarding.json").read_text())
KEY = int(WIRE["public_key"], 16)
PRIVATE_KEY = int(WIRE["private_key"], 16)


def test_verify_answers_false_for_any_integers() -> None:
    edges = [-(2**256), -1, 0, 1, 2, 2**250, 2**251 - 1, 2**251, FIELD_PRIME - 1, FIELD_PRIME, keys.CURVE_ORDER, 2**256]
    vector = WIRE["messages"][0]
    proof = [KEY, int(vector["hash"], 16), int(vector["r"], 16), int(vector["s"], 16)]
    for place in range(4):
        for edge in edges + [proof[place] + FIELD_PRIME, proof[place] + keys.CURVE_ORDER, -proof[place]]:
            assert not signing.verify(*(edge if index == place else value for index, value in enumerate(proof)))


@given(st.lists(st.integers(-(2**260), 2**260), min_size=4, max_size=4))
def test_verify_never_raises(values: list[int]) -> None:
    assert signing.verify(*values) is False


def jacobi(value: int, modulus: int) -> int:
    """1 for a square modulo a prime, by quadratic reciprocity: a second way to ask Euler's question."""
    sign = 1
    value %= modulus
    while value:
        while value % 2 == 0:
            value //= 2
            sign *= -1 if modulus % 8 in (3, 5) else 1
        value, modulus = modulus, value
        sign *= -1 if value % 4 == modulus % 4 == 3 else 1
        value %= modulus
    return sign


def test_public_keys_are_points_of_the_curve() -> None:
    points = 0
    for value in [*range(1, 300), *(KEY ^ (1 << bit) for bit in range(250))]:
        point = jacobi(value**3 + value + keys.CURVE_BETA, FIELD_PRIME) == 1
        assert signing.is_public_key(value) == point
        points += point
        if point:  # the library answers for a point, where it would panic for anything else
            assert not fast_stark_crypto.verify(value, 1, 1, 1)
    assert 200 < points < 350
    assert signing.is_public_key(KEY)
    assert not signing.is_public_key(KEY + FIELD_PRIME)


def test_signing_refuses_what_is_not_a_key_or_a_hash() -> None:
    for key in (0, -1, keys.CURVE_ORDER, 2**256):
        with pytest.raises(signing.SigningError, match="private key"):
            signing.sign(key, 1)
        with pytest.raises(signing.SigningError, match="private key"):
            signing.public_key(key)
    for message_hash in (-1, 2**251):
        with pytest.raises(signing.SigningError, match="message hash"):
            signing.sign(1, message_hash)
    assert signing.public_key(PRIVATE_KEY) == KEY


@pytest.mark.parametrize("account", ONBOARDING["accounts"], ids=lambda account: f"index {account['index']}")
def test_onboarding(account: dict[str, Any]) -> None:
    private_key, public_key = int(account["private_key"], 16), int(account["public_key"], 16)
    if account["ethereum_signature"]:
        for prefix in ("", "0x"):
            assert signing.private_key_from_ethereum(prefix + account["ethereum_signature"]) == private_key
    assert signing.public_key(private_key) == public_key
    message_hash = signing.onboarding_hash(int(ONBOARDING["wallet"], 16), public_key)
    assert hex(message_hash) == account["pedersen"]
    r, s = int(account["r"], 16), int(account["s"], 16)
    assert signing.sign(private_key, message_hash) == (r, s)
    assert signing.verify(public_key, message_hash, r, s)
    assert not signing.verify(public_key, message_hash ^ 1, r, s)


def test_grinding_matches_the_vector_and_the_library() -> None:
    for vector in ONBOARDING["grind"]:
        assert signing.grind(int(vector["seed"], 16)) == int(vector["private_key"])
    for seed in (1, 2**31, 2**255 + 12345, 2**256 - 1):
        digits = f"{seed:064x}" + "0" * 64 + "1b"
        expected, public_key = fast_stark_crypto.generate_keypair_from_eth_signature("0x" + digits)
        assert signing.private_key_from_ethereum(digits) == expected
        assert signing.public_key(expected) == public_key


def test_grinding_draws_again_above_the_bound() -> None:
    """Seeds whose first draw is refused exist about once in thirty-two; the library agrees on all of a hundred."""
    refused = 0
    for seed in range(1, 101):
        digits = f"{seed:064x}" + "0" * 64 + "1b"
        assert signing.grind(seed) == fast_stark_crypto.generate_keypair_from_eth_signature("0x" + digits)[0]
        draw = int.from_bytes(keys.sha256(bytes([seed, 0])).digest(), "big")
        refused += draw >= 2**256 - 2**256 % keys.CURVE_ORDER
    assert refused > 0


@pytest.mark.parametrize("text", ["", "0x", "00" * 64, "00" * 66, "zz" * 65, "0x" + "1" * 129, " " + "00" * 65])
def test_what_is_not_an_ethereum_signature_is_refused(text: str) -> None:
    with pytest.raises(signing.SigningError, match="Ethereum"):
        signing.private_key_from_ethereum(text)
