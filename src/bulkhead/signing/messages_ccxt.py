"""What ccxt signs of transfers and withdrawals: other types and another order of members than the wire's own.

A venue whose batches are proven takes the wire's messages alone, for circuits know no other, and says so; elsewhere
ccxt's are taken as well. They are types of their own, so that no signature of one says anything about the other.
"""

from __future__ import annotations

from bulkhead.signing.messages import Domain, message_hash

_NAMED = '"PositionId"("value":"u32")"AssetId"("value":"felt")"Timestamp"("seconds":"u64")'
TRANSFER_TYPE = '"Transfer"("sender_position_id":"PositionId","receiver_position_id":"PositionId",'
TRANSFER_TYPE += '"asset_id":"AssetId","amount":"u64","expiration":"Timestamp","salt":"felt")' + _NAMED
TRANSFER_SELECTOR = 0xE39F3E67A2F18793F6AF42578CFDDD071793E67CE34ADB9316E641CC267045
WITHDRAWAL_TYPE = '"Withdrawal"("recipient":"felt","position_id":"PositionId","collateral_id":"AssetId",'
WITHDRAWAL_TYPE += '"amount":"u64","expiration":"Timestamp","salt":"felt")' + _NAMED
WITHDRAWAL_SELECTOR = 0x112E1ACEE6E02F82653105750AF87FAD42AC3AE7F956D70119BCA44A8BA3BF0


def ccxt_transfer_hash(
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
    """ccxt's hash of a transfer."""
    members = (sender_position_id, recipient_position_id, collateral_id, amount, expiration_s, salt)
    return message_hash(domain, public_key, TRANSFER_SELECTOR, *members)


def ccxt_withdrawal_hash(
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
    """ccxt's hash of a withdrawal."""
    members = (recipient, position_id, collateral_id, amount, expiration_s, salt)
    return message_hash(domain, public_key, WITHDRAWAL_SELECTOR, *members)
