"""What is signed: one hash function per message, in the SNIP-12 form of Starknet.

Orders, transfers and withdrawals hash exactly as on Extended's exchange, so that its client libraries sign for us
unchanged; the domain names our chain, so that no signature made there counts here.

    message = H("StarkNet Message", domain, public key, struct)      struct = H(selector, member, member, …)

What oracles sign at every tick is shorter, since no wallet shows it and a proof hashes one for each signer: its struct
is not hashed on its own, `prices_hash`. A message with two elements more than others is no other one.

H is Starknet's Poseidon over the field; a selector is keccak256 of the type string, below 2^250. The selectors are
constants because nothing else here needs keccak; a test recomputes each from its type string.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import fast_stark_crypto

from bulkhead.limits import (
    FEED_BITS,
    FIELD_PRIME,
    L1_ADDRESS_BITS,
    PACKED_PRICES,
    PRICE_BITS,
    PRICE_LIMIT,
    REVISION_BITS,
    WORD_BITS,
)
from bulkhead.signing.ranges import (
    AMOUNT_LIMIT,
    ELEMENT_LIMIT,
    POSITION_ID_LIMIT,
    WORD_LIMIT,
    SigningError,
    check,
    check_element,
)
from stark.poseidon import hash_many

SHORT_STRING_LENGTH = 31
CHAIN_ID_LIMIT = 10**12  # leaves at least 15 digits of the rollup's address in the domain
FOREIGN_CHAIN_IDS = ("SN_MAIN", "SN_SEPOLIA")
MESSAGE_PREFIX = int.from_bytes(b"StarkNet Message", "big")

DOMAIN_TYPE = '"StarknetDomain"("name":"shortstring","version":"shortstring","chainId":"shortstring",'
DOMAIN_TYPE += '"revision":"shortstring")'
DOMAIN_SELECTOR = 0x1FF2F602E42168014D405A94F75E8A93D640751D71D16311266E140D8B0A210

# The wire's own messages, which the client libraries hash.
ORDER_SELECTOR = 0x36DA8D51815527CABFAA9C982F564C80FA7429616739306036F1F9B608DD112
TRANSFER_SELECTOR = 0x1DB88E2709FDF2C59E651D141C3296A42B209CE770871B40413EA109846A3B4
WITHDRAWAL_SELECTOR = 0x250A5FA378E8B771654BD43DCB34844534F9D1E29E16B14760D7936EA7F4B1D

_END = '"expiration":"timestamp","nonce":"felt")'
REGISTRATION_TYPE = '"Registration"("account":"felt","kind":"felt","rule":"felt","l1_owner":"felt","parent":"felt",'
REGISTRATION_TYPE += '"asset":"felt")'
REGISTRATION_SELECTOR = 0x149E27987DAFCC11B8306496514D05B0EB1D21E4371DC3454F5E18273D3B6D3
CONFIGURATION_TYPE = '"Configuration"("account":"felt","market":"felt","mode":"felt","leverage":"felt",'
CONFIGURATION_TYPE += '"top_up_cap":"u128",' + _END
CONFIGURATION_SELECTOR = 0x3666F51CE74EA579B4653FC00B53D79CBC7909814AD16D6E7918F037432153F
ASSET_LEG_TYPE = '"AssetLeg"("source":"felt","target":"felt","asset":"felt","amount":"u128")'
ASSET_LEG_SELECTOR = 0x39552C2376CAB4A743F7F6A0AB63B23272136EB64E5FF3A026CAE90CE3E4FB
CHOICE_TYPE = '"Choice"("account":"felt","market":"felt","mode":"felt","leverage":"felt","top_up_cap":"u128")'
CHOICE_SELECTOR = 0x11BCE8B1C5176DF7CC4D23DFBB2FE54277883227CE4ECE0922FD196DDC259B8
POSITION_LEG_TYPE = '"PositionLeg"("source":"felt","target":"felt","market":"felt","size":"i128")'
POSITION_LEG_SELECTOR = 0x1B92DC67FA12701BC5915359373E4253A20829D42DF00280EB7852CBE8B923C
MOVE_TYPE = '"Move"("account":"felt","assets":"AssetLeg*","positions":"PositionLeg*","choices":"Choice*",' + _END
MOVE_TYPE += ASSET_LEG_TYPE + CHOICE_TYPE + POSITION_LEG_TYPE
MOVE_SELECTOR = 0x62EC7FCC5DB5168ED38824049EF65AC50FF55BB212826C10F998FEA04423C0
PRICES_TYPE = '"Prices"("moment":"felt","prices":"felt*")'
PRICES_SELECTOR = 0x30FD5B226F6BE687939CBD6912D0E150FC8ADDA179216A5C5C1451A407DAD48

PACKED_BITS = FEED_BITS + PRICE_BITS  # of one price of a report

Row = tuple[int, ...]


def short_string(text: str) -> int:
    """At most 31 ASCII characters as a big-endian integer."""
    if not text.isascii() or not text or len(text) > SHORT_STRING_LENGTH:
        raise SigningError(f"{text!r:.60} must be 1 to {SHORT_STRING_LENGTH} ASCII characters")
    return int.from_bytes(text.encode("ascii"), "big")


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts. Extended's own networks are refused: its traders' signatures would count here."""

    chain_id: str
    name: str = "Perpetuals"
    version: str = "v0"
    revision: int = 1

    def __post_init__(self) -> None:
        for text in (self.name, self.version, self.chain_id):
            short_string(text)
        if self.chain_id in FOREIGN_CHAIN_IDS:
            raise SigningError(f"chain id {self.chain_id} belongs to another exchange; see domain_for")
        check("revision", self.revision, 0, 1 << REVISION_BITS)


def domain_for(chain_id: int, rollup_address: int) -> Domain:
    """The domain of a deployment: chain id `BH_<chain>_<first digits of the rollup's address>`, 31 characters."""
    check("chain id", chain_id, 0, CHAIN_ID_LIMIT)
    check("rollup address", rollup_address, 0, 1 << L1_ADDRESS_BITS)
    return Domain(f"BH_{chain_id}_{rollup_address:040x}"[:SHORT_STRING_LENGTH])


def _check_words(**values: int) -> None:
    for name, value in values.items():
        check(name, value, 0, WORD_LIMIT)


def _check_trade(base_amount: int, quote_amount: int, assets: tuple[int, int, int]) -> None:
    check("base_amount", base_amount, -AMOUNT_LIMIT, AMOUNT_LIMIT)
    check("quote_amount", quote_amount, -AMOUNT_LIMIT, AMOUNT_LIMIT)
    for asset_id in assets:
        check_element("asset", asset_id)


def _signer(domain: Domain, public_key: int) -> tuple[int, str, str, str, str]:
    check_element("public key", public_key)
    return public_key, domain.name, domain.version, domain.chain_id, str(domain.revision)


def order_hash(
    domain: Domain,
    public_key: int,
    *,
    position_id: int,
    base_asset_id: int,
    base_amount: int,
    quote_asset_id: int,
    quote_amount: int,
    fee_asset_id: int,
    fee_amount: int,
    expiration_s: int,
    salt: int,
) -> int:
    """The hash that identifies an order. Buy: base positive, quote negative; sell: the reverse. Smallest units."""
    check("position_id", position_id, 0, POSITION_ID_LIMIT)
    assets = (base_asset_id, quote_asset_id, fee_asset_id)
    _check_trade(base_amount, quote_amount, assets)
    _check_words(fee_amount=fee_amount, expiration_s=expiration_s, salt=salt)
    message = fast_stark_crypto.get_order_msg_hash(
        position_id,
        base_asset_id,
        base_amount,
        quote_asset_id,
        quote_amount,
        fee_asset_id,
        fee_amount,
        expiration_s,
        salt,
        *_signer(domain, public_key),
    )
    return int(message)


def vault_order_hash(
    domain: Domain,
    public_key: int,
    *,
    source_position_id: int,
    receive_position_id: int,
    base_asset_id: int,
    base_amount: int,
    quote_asset_id: int,
    quote_amount: int,
    fee_asset_id: int,
    fee_amount: int,
    expiration_s: int,
    salt: int,
) -> int:
    """The hash of an order that takes from one position and receives in another (the wire's LimitOrder)."""
    check("source_position_id", source_position_id, 0, POSITION_ID_LIMIT)
    check("receive_position_id", receive_position_id, 0, POSITION_ID_LIMIT)
    assets = (base_asset_id, quote_asset_id, fee_asset_id)
    _check_trade(base_amount, quote_amount, assets)
    _check_words(fee_amount=fee_amount, expiration_s=expiration_s, salt=salt)
    message = fast_stark_crypto.get_limit_order_msg_hash(
        source_position_id,
        receive_position_id,
        base_asset_id,
        base_amount,
        quote_asset_id,
        quote_amount,
        fee_asset_id,
        fee_amount,
        expiration_s,
        salt,
        *_signer(domain, public_key),
    )
    return int(message)


def transfer_hash(
    domain: Domain,
    public_key: int,
    *,
    recipient_position_id: int,
    sender_position_id: int,
    collateral_id: int,
    amount: int,
    expiration_s: int,
    salt: int,
) -> int:
    """The hash that identifies a transfer from the signer's position to another."""
    check("recipient_position_id", recipient_position_id, 0, POSITION_ID_LIMIT)
    check("sender_position_id", sender_position_id, 0, POSITION_ID_LIMIT)
    check_element("collateral_id", collateral_id)
    _check_words(amount=amount, expiration_s=expiration_s, salt=salt)
    message = fast_stark_crypto.get_transfer_msg_hash(
        recipient_position_id,
        sender_position_id,
        collateral_id,
        amount,
        expiration_s,
        salt,
        *_signer(domain, public_key),
    )
    return int(message)


def withdrawal_hash(
    domain: Domain,
    public_key: int,
    *,
    recipient: int,
    position_id: int,
    collateral_id: int,
    amount: int,
    expiration_s: int,
    salt: int,
) -> int:
    """The hash that identifies a withdrawal from the signer's position to an address on L1."""
    check_element("recipient", recipient)
    check("position_id", position_id, 0, POSITION_ID_LIMIT)
    check_element("collateral_id", collateral_id)
    _check_words(amount=amount, expiration_s=expiration_s, salt=salt)
    message = fast_stark_crypto.get_withdrawal_msg_hash(
        hex(recipient),
        position_id,
        collateral_id,
        amount,
        expiration_s,
        salt,
        *_signer(domain, public_key),
    )
    return int(message)


def struct_hash(selector: int, *members: int) -> int:
    """H(selector, members). A negative member stands for the field element it is congruent to."""
    return hash_many([selector, *map(_element, members)])


def _element(value: int) -> int:
    # Every member has its own narrow range, checked where it is used: a negative amount and a positive
    # one never meet in one element, for both are far below P / 2.
    check("member", value, -ELEMENT_LIMIT, FIELD_PRIME)
    return value if value >= 0 else value + FIELD_PRIME


def array_hash(selector: int, rows: Iterable[Row]) -> int:
    """H of the struct hashes of the items of an array."""
    return hash_many([struct_hash(selector, *row) for row in rows])


@lru_cache(maxsize=16)
def domain_hash(domain: Domain) -> int:
    """The hash of a domain. The revision enters as an integer, as the reference client has it."""
    name, version, chain_id = map(short_string, (domain.name, domain.version, domain.chain_id))
    return struct_hash(DOMAIN_SELECTOR, name, version, chain_id, domain.revision)


def message_hash(domain: Domain, public_key: int, struct_selector: int, *members: int) -> int:
    """The hash of any message whose members are field elements."""
    check_element("public key", public_key)
    return hash_many([MESSAGE_PREFIX, domain_hash(domain), public_key, struct_hash(struct_selector, *members)])


def registration_hash(
    domain: Domain,
    public_key: int,
    *,
    account_id: int,
    kind: int,
    rule: int,
    l1_owner: int,
    parent_id: int,
    asset_id: int,
) -> int:
    """What the owner of a new account signs; the owner's key is the signer."""
    members = (account_id, kind, rule, l1_owner, parent_id, asset_id)
    return message_hash(domain, public_key, REGISTRATION_SELECTOR, *members)


def configuration_hash(
    domain: Domain,
    public_key: int,
    *,
    account_id: int,
    market_id: int,
    mode: int,
    leverage: int,
    top_up_cap: int,
    expiration_s: int,
    nonce: int,
) -> int:
    """What an owner signs to choose mode, leverage and the cap of top-ups in one market."""
    members = (account_id, market_id, mode, leverage, top_up_cap, expiration_s, nonce)
    return message_hash(domain, public_key, CONFIGURATION_SELECTOR, *members)


def move_hash(
    domain: Domain,
    public_key: int,
    *,
    account_id: int,
    assets: Iterable[Row],
    positions: Iterable[Row],
    choices: Iterable[Row],
    expiration_s: int,
    nonce: int,
) -> int:
    """What an owner signs to move assets (source, target, asset, amount) and positions (source, target, market,
    size), and to choose anew (account, market, mode, leverage, top-up cap)."""
    arrays = (
        array_hash(ASSET_LEG_SELECTOR, assets),
        array_hash(POSITION_LEG_SELECTOR, positions),
        array_hash(CHOICE_SELECTOR, choices),
    )
    return message_hash(domain, public_key, MOVE_SELECTOR, account_id, *arrays, expiration_s, nonce)


def prices_hash(domain: Domain, public_key: int, *, sequence: int, time_ms: int, prices: Iterable[Row]) -> int:
    """What an oracle signer signs at a tick: (feed, price), by rising feed.

        H("StarkNet Message", domain, public key, selector, sequence · 2^64 + time, three prices, three prices, …)

    Three prices are one element: feed · 2^64 + price of the first, the second's 2^81 times that, the third's 2^162
    times. No feed is zero, so a place without a price is no price of zero, and no two lists are packed alike.
    """
    check_element("public key", public_key)
    _check_words(sequence=sequence, time_ms=time_ms)
    moment = sequence << WORD_BITS | time_ms
    start = [MESSAGE_PREFIX, domain_hash(domain), public_key, PRICES_SELECTOR, moment]
    return hash_many(start + _packed_prices(prices))


def _packed_prices(prices: Iterable[Row]) -> list[int]:
    packed: list[int] = []
    listed = list(prices)
    for first in range(0, len(listed), PACKED_PRICES):
        element = 0
        for place, (feed, price) in enumerate(listed[first : first + PACKED_PRICES]):
            check("feed", feed, 1, 1 << FEED_BITS)
            check("price", price, 0, PRICE_LIMIT)
            element |= (feed << PRICE_BITS | price) << place * PACKED_BITS
        packed.append(element)
    return packed
