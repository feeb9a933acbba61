"""bulkhead.signing.messages: every vector of the wire, every bit flipped, and our own messages twice."""

import json
from pathlib import Path
from typing import Any

import fast_stark_crypto
import pytest
from hypothesis import given
from hypothesis import strategies as st
from poseidon_py.poseidon_hash import poseidon_hash_many

from bulkhead import signing
from bulkhead.limits import FIELD_PRIME
from bulkhead.signing import keys, messages, messages_ccxt

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
WIRE = json.loads((VECTORS / "signing.json").read_text())
DOMAIN = signing.Domain(**WIRE["domain"])
KEY = int(WIRE["public_key"], 16)
PRIVATE_KEY = int(WIRE["private_key"], 16)
HASHES = {
    "order": signing.order_hash,
    "transfer": signing.transfer_hash,
    "withdrawal": signing.withdrawal_hash,
    "vault_order": signing.vault_order_hash,
}
MESSAGES = pytest.mark.parametrize("vector", WIRE["messages"], ids=lambda vector: vector["name"])
ORDER = WIRE["messages"][0]["members"]


def keccak256(data: bytes) -> bytes:
    """Keccak as Ethereum uses it (SHA-3 before its padding changed), to recompute the selectors."""
    mask, state, register = (1 << 64) - 1, [[0] * 5 for _ in range(5)], 1
    constants = []
    for _ in range(24):
        constant = 0
        for power in range(7):
            constant |= (register & 1) << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register >> 7 else 0)
        constants.append(constant)
    padded = bytearray(data + b"\x01")
    padded += bytes(-len(padded) % 136)
    padded[-1] |= 0x80
    for start in range(0, len(padded), 136):
        for lane in range(17):
            state[lane % 5][lane // 5] ^= int.from_bytes(padded[start + 8 * lane : start + 8 * lane + 8], "little")
        for constant in constants:
            column = [row[0] ^ row[1] ^ row[2] ^ row[3] ^ row[4] for row in state]
            for x in range(5):
                turned = column[(x + 1) % 5] << 1 | column[(x + 1) % 5] >> 63
                state[x] = [lane ^ column[x - 1] ^ turned & mask for lane in state[x]]
            x, y, carried = 1, 0, state[1][0]
            for step in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                turn = (step + 1) * (step + 2) // 2 % 64
                carried, state[x][y] = state[x][y], (carried << turn | carried >> (64 - turn)) & mask
            state = [
                [state[x][y] ^ (~state[(x + 1) % 5][y] & state[(x + 2) % 5][y]) for y in range(5)] for x in range(5)
            ]
            state[0][0] ^= constant
    return b"".join(state[lane % 5][lane // 5].to_bytes(8, "little") for lane in range(4))


def selector(type_string: str) -> int:
    return int.from_bytes(keccak256(type_string.encode()), "big") % 2**250


def type_string(name: str, members: dict[str, str], nested: str = "") -> str:
    return f'"{name}"(' + ",".join(f'"{key}":"{kind}"' for key, kind in members.items()) + ")" + nested


def test_keccak_is_the_one_of_ethereum() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"transfer(address,uint256)").hex().startswith("a9059cbb")


def test_wire_selectors_are_those_of_their_type_strings() -> None:
    nested = '"PositionId"("value":"u32")"AssetId"("value":"felt")"Timestamp"("seconds":"u64")'
    trade = {"base_asset_id": "AssetId", "base_amount": "i64", "quote_asset_id": "AssetId", "quote_amount": "i64"}
    trade |= {"fee_asset_id": "AssetId", "fee_amount": "u64", "expiration": "Timestamp", "salt": "felt"}
    payment = {"collateral_id": "AssetId", "amount": "u64", "expiration": "Timestamp", "salt": "felt"}
    places = {"recipient": "PositionId", "position_id": "PositionId"}
    vault = {"source_position": "PositionId", "receive_position": "PositionId"}
    withdrawal = {"recipient": "ContractAddress", "position_id": "PositionId"}
    strings = {
        "StarknetDomain": messages.DOMAIN_TYPE,
        "order": type_string("Order", {"position_id": "felt", **trade}, nested),
        "transfer": type_string("TransferArgs", places | payment, nested),
        "withdrawal": type_string("WithdrawArgs", withdrawal | payment, nested),
        "vault_order": type_string("LimitOrder", vault | trade, nested),
    }
    assert {name: hex(selector(text)) for name, text in strings.items()} == WIRE["selectors"]


def test_our_selectors_are_those_of_their_type_strings() -> None:
    names = [name.removesuffix("_TYPE") for name in vars(messages) if name.endswith("_TYPE")]
    assert len(names) == 8
    for name in names:
        assert getattr(messages, name + "_SELECTOR") == selector(getattr(messages, name + "_TYPE")), name


# The wire's messages


def wire_hash(vector: dict[str, Any], public_key: int = KEY, **changes: int) -> int:
    return HASHES[vector["kind"]](DOMAIN, public_key, **(vector["members"] | changes))


@MESSAGES
def test_message_hash_and_signature(vector: dict[str, Any]) -> None:
    message_hash = wire_hash(vector)
    r, s = int(vector["r"], 16), int(vector["s"], 16)
    assert hex(message_hash) == vector["hash"]
    assert message_hash == int(vector.get("id", message_hash))
    assert signing.sign(PRIVATE_KEY, message_hash) == (r, s)
    assert signing.verify(KEY, message_hash, r, s)
    assert signing.verify(KEY, message_hash, r, keys.CURVE_ORDER - s)  # the twin: an order is known by its hash


@MESSAGES
def test_the_library_and_our_own_formula_agree(vector: dict[str, Any]) -> None:
    struct_selector, members = int(WIRE["selectors"][vector["kind"]], 16), list(vector["members"].values())
    assert hex(signing.struct_hash(struct_selector, *members)) == vector["struct"]
    assert hex(signing.message_hash(DOMAIN, KEY, struct_selector, *members)) == vector["hash"]


def test_what_ccxt_signs_of_money_is_known_and_is_another_message() -> None:
    members = {one["kind"]: one["members"] for one in WIRE["messages"]}
    for name, theirs, expected in (
        ("TRANSFER", signing.ccxt_transfer_hash(DOMAIN, KEY, **members["transfer"]),
         0x675D6E5BAE93B6C6A67520743BE2BF3F21C384422CED3976AA098CA5408B8CE),
        ("WITHDRAWAL", signing.ccxt_withdrawal_hash(DOMAIN, KEY, **members["withdrawal"]),
         0x749FF725D2D82D1258CEC890BB05ABB6DB394D91F03F0A9889FB4ACBA99824C),
    ):  # fmt: skip
        assert theirs == expected
        assert getattr(messages_ccxt, name + "_SELECTOR") == selector(getattr(messages_ccxt, name + "_TYPE"))


def test_another_clients_signature_of_the_same_hash_is_valid() -> None:
    vector = WIRE["messages"][0]
    other = vector["other_signature"]
    assert signing.verify(KEY, int(vector["hash"], 16), int(other["r"], 16), int(other["s"], 16))


@MESSAGES
def test_any_bit_of_any_member_changes_the_hash(vector: dict[str, Any]) -> None:
    seen = {wire_hash(vector)}
    flips = 0
    for name, value in vector["members"].items():
        for bit in range(62 if "asset" not in name and "position" not in name else 31):
            seen.add(wire_hash(vector, **{name: value ^ (1 << bit)}))
            flips += 1
    for bit in range(250):
        seen.add(wire_hash(vector, KEY ^ (1 << bit)))
        flips += 1
    assert len(seen) == flips + 1


@MESSAGES
def test_any_bit_of_the_signature_hash_or_key_matters(vector: dict[str, Any]) -> None:
    proof = [KEY, int(vector["hash"], 16), int(vector["r"], 16), int(vector["s"], 16)]
    assert signing.verify(*proof)
    for place in range(4):
        for bit in range(place, 252, 7):
            flipped = [value ^ (1 << bit) if index == place else value for index, value in enumerate(proof)]
            assert not signing.verify(*flipped), (place, bit)


def test_foreign_schemes_for_transfers_and_withdrawals_differ() -> None:
    for vector in WIRE["messages"]:
        if vector["kind"] in WIRE["foreign_hashes"]:
            assert hex(wire_hash(vector)) != WIRE["foreign_hashes"][vector["kind"]]


def test_the_control_order_of_the_original_contract() -> None:
    """Its domain is refused by `Domain`, so its hash is put together from the parts."""
    control = WIRE["control"]
    key = int(control["public_key"], 16)
    domain = int(WIRE["domain_hashes"][control["chain_id"]], 16)
    struct = signing.struct_hash(int(WIRE["selectors"]["order"], 16), *control["members"].values())
    assert hex(poseidon_hash_many([messages.MESSAGE_PREFIX, domain, key, struct])) == control["hash"]
    parts = (key, "Perpetuals", "v0", control["chain_id"], "1")
    assert hex(fast_stark_crypto.get_order_msg_hash(*control["members"].values(), *parts)) == control["hash"]


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, FIELD_PRIME - 1), min_size=3, max_size=3),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=2),
    st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3),
)
def test_order_hash_equals_the_formula_for_any_order(
    position_id: int, assets: list[int], signed: list[int], words: list[int]
) -> None:
    members = {
        "position_id": position_id,
        "base_asset_id": assets[0],
        "base_amount": signed[0],
        "quote_asset_id": assets[1],
        "quote_amount": signed[1],
        "fee_asset_id": assets[2],
        "fee_amount": words[0],
        "expiration_s": words[1],
        "salt": words[2],
    }
    formula = signing.message_hash(DOMAIN, KEY, int(WIRE["selectors"]["order"], 16), *members.values())
    assert signing.order_hash(DOMAIN, KEY, **members) == formula


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("position_id", 2**32),
        ("position_id", -1),
        ("base_asset_id", FIELD_PRIME),
        ("base_asset_id", -1),
        ("base_amount", 2**63),
        ("base_amount", -(2**63) - 1),
        ("quote_amount", 2**63),
        ("quote_asset_id", FIELD_PRIME + 1),
        ("fee_asset_id", 2**300),
        ("fee_amount", -1),
        ("fee_amount", 2**64),
        ("expiration_s", 2**64),
        ("salt", -1),
        ("salt", 2**64),
    ],
)
def test_members_out_of_range_are_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(signing.SigningError, match=name if "asset" not in name else "asset"):
        signing.order_hash(DOMAIN, KEY, **(ORDER | {name: value}))


@pytest.mark.parametrize("vector", WIRE["messages"][2:], ids=lambda vector: vector["name"])
def test_every_member_of_the_other_messages_has_a_range(vector: dict[str, Any]) -> None:
    for name in vector["members"]:
        for value in (-(2**63) - 1, FIELD_PRIME):
            with pytest.raises(signing.SigningError):
                wire_hash(vector, **{name: value})


def test_a_public_key_outside_the_field_is_refused() -> None:
    for key in (-1, FIELD_PRIME, KEY + FIELD_PRIME):
        with pytest.raises(signing.SigningError, match="public key"):
            signing.order_hash(DOMAIN, key, **ORDER)
        with pytest.raises(signing.SigningError, match="public key"):
            signing.message_hash(DOMAIN, key, 1, 2)


# Domains


def test_domain_hashes() -> None:
    assert hex(signing.domain_hash(DOMAIN)) == WIRE["domain_hashes"]["SN_OURS"]
    for chain_id, expected in WIRE["domain_hashes"].items():
        texts = map(signing.short_string, ("Perpetuals", "v0", chain_id))
        assert hex(signing.struct_hash(messages.DOMAIN_SELECTOR, *texts, 1)) == expected


@pytest.mark.parametrize("chain_id", ["SN_MAIN", "SN_SEPOLIA", "", "A" * 32, "é", "\ud800"])
def test_foreign_and_impossible_domains_are_refused(chain_id: str) -> None:
    with pytest.raises(signing.SigningError):
        signing.Domain(chain_id)


@pytest.mark.parametrize("change", [{"name": "N" * 32}, {"version": ""}, {"revision": 2**32}, {"revision": -1}])
def test_every_part_of_a_domain_has_a_range(change: dict[str, Any]) -> None:
    with pytest.raises(signing.SigningError):
        signing.Domain(**(WIRE["domain"] | change))


def test_the_domain_of_a_deployment_names_chain_and_rollup() -> None:
    address = 0x19E7E376E7C213B7E7E7E46CC70A5DD086DAFF2A
    assert signing.domain_for(1, address).chain_id == "BH_1_19e7e376e7c213b7e7e7e46cc7"
    assert signing.domain_for(10**12 - 1, address).chain_id == "BH_999999999999_19e7e376e7c213b"
    assert signing.domain_for(1, 5).chain_id == "BH_1_" + "0" * 26
    assert signing.domain_for(1, address) == signing.Domain("BH_1_19e7e376e7c213b7e7e7e46cc7", "Perpetuals", "v0", 1)
    for chain_id, rollup in ((10**12, 1), (-1, 1), (1, 2**160), (1, -1)):
        with pytest.raises(signing.SigningError):
            signing.domain_for(chain_id, rollup)


def test_a_signature_counts_in_one_domain_only() -> None:
    elsewhere = signing.domain_for(1, 2**159)
    r, s = signing.sign(PRIVATE_KEY, signing.order_hash(elsewhere, KEY, **ORDER))
    assert not signing.verify(KEY, signing.order_hash(DOMAIN, KEY, **ORDER), r, s)


# Our own messages


REGISTRATION = {"account_id": 64, "kind": 1, "rule": 2, "l1_owner": 3, "parent_id": 128, "asset_id": 5}
CONFIGURATION = {
    "account_id": 64,
    "market_id": 1,
    "mode": 2,
    "leverage": 10,
    "top_up_cap": 1000,
    "expiration_s": 1797336000,
    "nonce": 1,
}
MOVE = {
    "account_id": 64,
    "assets": [(64, 65, 1, 500), (65, 64, 1, 7)],
    "positions": [(64, 128, 1, -12340)],
    "choices": [(64, 1, 2, 10, 1000)],
    "expiration_s": 1797336000,
    "nonce": 2,
}
PRICES: dict[str, Any] = {"sequence": 1, "time_ms": 1796126400000, "prices": [(1, 98765 << 32), (2, 4000 << 32)]}


def test_our_messages_are_snip_12_hashes_by_a_second_implementation() -> None:
    def message(name: str, *members: int) -> int:
        struct = poseidon_hash_many(
            [getattr(messages, name + "_SELECTOR"), *(value % FIELD_PRIME for value in members)]
        )
        return poseidon_hash_many([messages.MESSAGE_PREFIX, signing.domain_hash(DOMAIN), KEY, struct])

    def array(name: str, rows: list[tuple[int, ...]]) -> int:
        struct_selector = getattr(messages, name + "_SELECTOR")
        return poseidon_hash_many(
            [poseidon_hash_many([struct_selector, *(value % FIELD_PRIME for value in row)]) for row in rows]
        )

    legs = (array("ASSET_LEG", MOVE["assets"]), array("POSITION_LEG", MOVE["positions"]))
    move = (64, *legs, array("CHOICE", MOVE["choices"]), 1797336000, 2)
    assert signing.registration_hash(DOMAIN, KEY, **REGISTRATION) == message("REGISTRATION", *REGISTRATION.values())
    assert signing.configuration_hash(DOMAIN, KEY, **CONFIGURATION) == message("CONFIGURATION", *CONFIGURATION.values())
    assert signing.move_hash(DOMAIN, KEY, **MOVE) == message("MOVE", *move)


def test_a_report_of_prices_is_one_hash_by_a_second_implementation() -> None:
    """Three prices an element, the first the lowest; number and time are one element."""
    start = [messages.MESSAGE_PREFIX, signing.domain_hash(DOMAIN), KEY, messages.PRICES_SELECTOR]
    start.append((1 << 64) + 1796126400000)
    rows = [(1, 98765 << 32), (2, 4000 << 32), (63, 2**64 - 1), (65, 0)]
    element = 0
    for feed, price in reversed(rows[:3]):
        element = (element * 2**17 + feed) * 2**64 + price
    for count, packed in ((0, []), (3, [element]), (4, [element, 65 * 2**64])):
        expected = poseidon_hash_many([*start, *packed])
        assert signing.prices_hash(DOMAIN, KEY, **PRICES | {"prices": rows[:count]}) == expected


@pytest.mark.parametrize(
    ("name", "altered_to"),
    [
        ("sequence", -1), ("sequence", 2**64), ("time_ms", -1), ("time_ms", 2**64),
        ("prices", [(0, 1)]), ("prices", [(2**17, 1)]), ("prices", [(1, -1)]), ("prices", [(1, 2**64)]),
    ],
)  # fmt: skip
def test_a_report_has_no_number_that_would_be_packed_over_another(name: str, altered_to: Any) -> None:
    field = {"prices": "feed|price"}.get(name, name)
    with pytest.raises(signing.SigningError, match=field):
        signing.prices_hash(DOMAIN, KEY, **PRICES | {name: altered_to})


def altered(members: dict[str, Any]) -> list[dict[str, Any]]:
    """The members with one integer changed, every one in turn, and with a row dropped or doubled."""
    result = []
    for name, value in members.items():
        if isinstance(value, int):
            result += [members | {name: value + 1}, members | {name: value ^ (1 << 40)}]
            continue
        result += [members | {name: value[:-1]}, members | {name: [*value, value[-1]]}]
        result += [members | {name: value[::-1]}] if len(value) > 1 else []
        for row, cells in enumerate(value):
            for cell in range(len(cells)):
                changed = [list(each) for each in value]
                changed[row][cell] += 1
                result.append(members | {name: [tuple(each) for each in changed]})
    return result


@pytest.mark.parametrize(
    ("function", "members"),
    [
        (signing.registration_hash, REGISTRATION),
        (signing.configuration_hash, CONFIGURATION),
        (signing.move_hash, MOVE),
        (signing.prices_hash, PRICES),
    ],
)
def test_every_member_of_our_messages_is_signed(function: Any, members: dict[str, Any]) -> None:
    hashes = [function(DOMAIN, KEY, **each) for each in [members, *altered(members)]]
    assert len(set(hashes)) == len(hashes)


def test_members_must_be_field_elements() -> None:
    for value in (FIELD_PRIME, -(2**251) - 1):
        with pytest.raises(signing.SigningError, match="member"):
            signing.struct_hash(1, value)
