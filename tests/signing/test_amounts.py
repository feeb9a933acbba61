"""bulkhead.signing.amounts: decimals of the wire to the integers that are signed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkhead import signing
from bulkhead.signing import amounts
from bulkhead.signing.amounts import Exact, OrderTerms

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
WIRE = json.loads((VECTORS / "signing.json").read_text())


@pytest.mark.parametrize("vector", WIRE["messages"][:2], ids=lambda vector: vector["name"])
def test_order_amounts_of_the_vectors(vector: dict[str, Any]) -> None:
    body, members = vector["json"], vector["members"]
    numbers = [signing.exact(body[name]) for name in ("quantity", "price", "fee", "builder_fee")]
    terms = OrderTerms(body["side"] == "BUY", *numbers, body["resolution"], body["resolution"])
    expected = (members["base_amount"], members["quote_amount"], members["fee_amount"])
    assert signing.order_amounts(terms) == expected
    assert signing.signed_expiration_s(body["expiry_ms"]) == members["expiration_s"]
    assert signing.book_expiry_s(members["expiration_s"]) * 1000 == body["expiry_ms"]


@pytest.mark.parametrize("vector", WIRE["messages"][2:4], ids=lambda vector: vector["name"])
def test_transfer_and_withdrawal_amounts_of_the_vectors(vector: dict[str, Any]) -> None:
    body = vector["json"]
    assert signing.whole_amount(signing.exact(body["amount"]), body["resolution"]) == vector["members"]["amount"]


def test_a_buyer_rounds_away_from_zero_and_a_seller_toward_it() -> None:
    numbers = [signing.exact(text) for text in ("0.0000015", "1.1", "0.0005", "0")]
    assert signing.order_amounts(OrderTerms(True, *numbers, 10**6, 10**6)) == (2, -2, 1)
    assert signing.order_amounts(OrderTerms(False, *numbers, 10**6, 10**6)) == (-1, 1, 1)


def test_expirations_round_up_to_seconds() -> None:
    grace = 14 * 86400
    assert [signing.signed_expiration_s(time_ms) - grace for time_ms in (0, 1, 999, 1000, 1001)] == [0, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", Exact(0, 1)),
        ("0.01234", Exact(1234, 100000)),
        ("1E-7", Exact(1, 10**7)),
        ("1.5e3", Exact(1500, 1)),
        ("007", Exact(7, 1)),
        ("1e+40", Exact(10**40, 1)),
    ],
)
def test_decimals_are_read_exactly(text: str, expected: Exact) -> None:
    assert signing.exact(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "NaN", "Infinity", "1.", ".5", "1e", "1_000", " 1", "1\n", "１", "0x10", "1e41", "1e-41", "1e999"]
    + ["1" * 41, "0." + "0" * 41 + "1", "9" * 10_000],
)
def test_what_is_not_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(signing.SigningError):
        signing.exact(text)


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_named_error(text: str) -> None:
    try:
        assert signing.exact(text).denominator > 0
    except signing.SigningError:
        assert not text.isascii() or not text.isdigit()


def test_amounts_beyond_the_wire_are_refused() -> None:
    one, huge = Exact(1, 1), Exact(2**63, 1)
    terms = OrderTerms(True, one, one, Exact(0, 1), Exact(0, 1), 1, 1)
    assert signing.order_amounts(terms) == (1, -1, 0)
    for change, name in (
        ({"quantity": huge}, "base amount"),
        ({"price": Exact(2**63 + 1, 1)}, "quote amount"),
        ({"fee_rate": Exact(2**64, 1)}, "fee amount"),
        ({"base_resolution": 0}, "base resolution"),
        ({"quote_resolution": -1}, "quote resolution"),
    ):
        with pytest.raises(signing.SigningError, match=name):
            signing.order_amounts(terms._replace(**change))
    for value, resolution in ((Exact(1, 3), 10), (Exact(2**64, 1), 1), (one, 0)):
        with pytest.raises(signing.SigningError):
            signing.whole_amount(value, resolution)
    assert amounts.whole_amount(Exact(1, 4), 8) == 2
