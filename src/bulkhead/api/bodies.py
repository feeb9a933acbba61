"""Request bodies, as schemas. Unknown fields are ignored; what is known must have its type."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from bulkhead.limits import LEVERAGE_MAX

Text = Annotated[str, Meta(max_length=128)]
Note = Annotated[str, Meta(max_length=1_000)]
Decimal = Annotated[str, Meta(max_length=120)]
Hex = Annotated[str, Meta(max_length=80)]
Number = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Digits = Annotated[str, Meta(pattern="^[0-9]{1,20}$", max_length=20)]
Name = Annotated[str, Meta(max_length=40)]

OrderKind = Literal["LIMIT", "CONDITIONAL", "MARKET", "TPSL", "TWAP"]
Side = Literal["BUY", "SELL"]
Force = Literal["GTT", "IOC", "FOK", "TOB"]
PriceKind = Literal["UNKNOWN", "MARKET", "LIMIT"]
ModeName = Literal["cross", "isolated", "strategy", "scenario"]
Leverage = Annotated[int, Meta(ge=0, le=LEVERAGE_MAX)]
TriggerSource = Literal["UNKNOWN", "MARK", "INDEX", "LAST"]


class Body(Struct, rename="camel", frozen=True, kw_only=True):
    """Names on the wire are camelCase."""


class SignatureBody(Body, frozen=True, kw_only=True):
    """Stark ECDSA."""

    r: Hex
    s: Hex


class Settlement(Body, frozen=True, kw_only=True):
    """Who signed an order, and for which account."""

    signature: SignatureBody
    stark_key: Hex
    collateral_position: Digits | Number


class TriggerBody(Body, frozen=True, kw_only=True):
    """When a conditional order enters the market."""

    trigger_price: Decimal
    trigger_price_type: TriggerSource | None = None
    direction: Literal["UNKNOWN", "UP", "DOWN"] | None = None
    execution_price_type: PriceKind | None = None


class LegBody(Body, frozen=True, kw_only=True):
    """A take-profit or stop-loss, with a signature of its own."""

    trigger_price: Decimal
    trigger_price_type: TriggerSource | None = None
    price: Decimal
    price_type: PriceKind | None = None
    settlement: Settlement


class NewOrder(Body, frozen=True, kw_only=True):
    """An order. `fee` is the largest rate that its signer pays; `id` is the client's own name for it."""

    id: Text
    market: Name
    type: OrderKind
    side: Side
    quantity: Decimal = field(name="qty")
    price: Decimal | None = None
    reduce_only: bool | None = None
    post_only: bool | None = None
    time_in_force: Force = "GTT"
    expiry_epoch_millis: Number
    fee: Decimal
    nonce: Digits | Number
    self_trade_protection_level: Literal["DISABLED", "ACCOUNT", "CLIENT"] | None = None
    cancel_id: Text | None = None
    settlement: Settlement | None = None
    trigger: TriggerBody | None = None
    tp_sl_type: Literal["ORDER", "POSITION"] | None = None
    take_profit: LegBody | None = None
    stop_loss: LegBody | None = None
    builder_fee: Decimal | None = None  # part of what is signed; nobody is paid
    builder_id: Text | Number | None = None  # of nobody here


class MassCancelBody(Body, frozen=True, kw_only=True):
    """Which orders to cancel."""

    order_ids: Annotated[list[Number | Digits], Meta(max_length=1_000)] | None = None
    external_order_ids: Annotated[list[Text], Meta(max_length=1_000)] | None = None
    markets: Annotated[list[Name], Meta(max_length=100)] | None = None
    cancel_all: bool | None = None


class LeverageBody(Body, frozen=True, kw_only=True):
    """A cap on leverage; it needs no signature because it can only lower what is in force."""

    market: Name
    leverage: Decimal | Number
    margin_mode: Literal["cross", "isolated", "CROSS", "ISOLATED"] | None = None


class TransferSettlement(Body, frozen=True, kw_only=True):
    """What was signed of a transfer. The expiration is in seconds."""

    amount: Number | Digits
    asset_id: Hex
    expiration_timestamp: Number | Digits
    nonce: Number | Digits
    receiver_position_id: Number | Digits
    receiver_public_key: Hex
    sender_position_id: Number | Digits
    sender_public_key: Hex
    signature: SignatureBody


class TransferBody(Body, frozen=True, kw_only=True):
    """A transfer to any other account: either pair of names, as the two client libraries have them."""

    from_vault: Number | Digits | None = None
    to_vault: Number | Digits | None = None
    from_account: Number | Digits | None = None
    to_account: Number | Digits | None = None
    amount: Decimal
    transferred_asset: Hex
    settlement: TransferSettlement


class Expiration(Body, frozen=True, kw_only=True):
    """Seconds since the epoch."""

    seconds: Number | Digits


class WithdrawalSettlement(Body, frozen=True, kw_only=True):
    """What was signed of a withdrawal."""

    recipient: Hex
    position_id: Number | Digits
    collateral_id: Hex
    amount: Number | Digits
    expiration: Expiration
    salt: Number | Digits
    signature: SignatureBody


class WithdrawalBody(Body, frozen=True, kw_only=True):
    """A withdrawal to an address on L1."""

    account_id: Number | Digits | None = None
    amount: Decimal
    description: Note | None = None
    settlement: WithdrawalSettlement
    chain_id: Name | None = None
    asset: Name | None = None


class AccountCreation(Body, frozen=True, kw_only=True):
    """What an owner agreed to when onboarding."""

    account_index: Annotated[int, Meta(ge=0, le=127)]
    wallet: Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$", max_length=42)]
    tos_accepted: bool
    time: Annotated[str, Meta(max_length=40)]
    action: Name
    host: Annotated[str, Meta(max_length=300)]


class OnboardBody(Body, frozen=True, kw_only=True):
    """An owner's first account. `registrationSignature` is ours: a Stark signature that a circuit can check."""

    l1_signature: Annotated[str, Meta(max_length=140)]
    l2_key: Hex
    l2_signature: SignatureBody
    account_creation: AccountCreation
    referral_code: Text | None = None
    account_id: Number | None = None
    registration_signature: SignatureBody | None = None


class SubAccountBody(Body, frozen=True, kw_only=True):
    """Another account of an owner."""

    l2_key: Hex
    l2_signature: SignatureBody
    account_creation: AccountCreation
    description: Note = ""
    account_id: Number | None = None
    registration_signature: SignatureBody | None = None


class ApiKeyBody(Body, frozen=True, kw_only=True):
    """A new API key. What is below `description` is ours; without it a key may do everything, for ever."""

    description: Note = ""
    scopes: list[Literal["read", "trade", "withdraw"]] | None = None
    expires_at: Number | None = None
    addresses: Annotated[list[Name], Meta(max_length=50)] | None = None


class ConfigurationBody(Body, frozen=True, kw_only=True):
    """Signed: mode, leverage and top-up cap of one market."""

    market: Name
    margin_mode: Literal["cross", "isolated"]
    leverage: Annotated[int, Meta(ge=0, le=100)] = 0
    top_up_cap: Decimal = "0"
    expiration: Number
    nonce: Number
    signature: SignatureBody


class AssetLegBody(Body, frozen=True, kw_only=True):
    """Money of a move; the amount is in the asset's smallest units."""

    source: Number
    target: Number
    amount: Number


class PositionLegBody(Body, frozen=True, kw_only=True):
    """Lots of a position, signed like it."""

    source: Number
    target: Number
    market: Name
    lots: Annotated[int, Meta(gt=-(1 << 62), lt=1 << 62)]


class ChoiceBody(Body, frozen=True, kw_only=True):
    """A new configuration that a move makes."""

    account: Number
    market: Name
    margin_mode: Literal["cross", "isolated"]
    leverage: Annotated[int, Meta(ge=0, le=100)] = 0
    top_up_cap: Decimal = "0"


class MovePlan(Body, frozen=True, kw_only=True):
    """Money and positions among an owner's accounts, and new modes, as they would be signed."""

    assets: Annotated[list[AssetLegBody], Meta(max_length=32)] = []
    positions: Annotated[list[PositionLegBody], Meta(max_length=32)] = []
    choices: Annotated[list[ChoiceBody], Meta(max_length=32)] = []


class MoveBody(MovePlan, frozen=True, kw_only=True):
    """Signed: money and positions among an owner's accounts, and new modes, all or nothing."""

    expiration: Number
    nonce: Number
    signature: SignatureBody


class StrategyBody(Body, frozen=True, kw_only=True):
    """Signed: a strategy account under the key's account. Its id is `nextAccountId` of `/user/strategies`."""

    account_id: Number
    description: Note = ""
    signature: SignatureBody


class PreviewBody(Body, frozen=True, kw_only=True):
    """An order that is only looked at; it needs no signature."""

    market: Name
    side: Side
    quantity: Decimal = field(name="qty")
    price: Decimal | None = None
    type: Literal["LIMIT", "MARKET", "CONDITIONAL"] = "LIMIT"
    reduce_only: bool = False
    post_only: bool = False
    trigger: TriggerBody | None = None
    cancel_id: Text | None = None  # the open order whose place it would take
    leverage: Leverage = 0  # as if it were signed; 0: what was signed


class WhatIfBody(PreviewBody, frozen=True, kw_only=True):
    """An order that is only looked at, and joint moves of prices: by market a share of it, "-0.23" for a fall by 23 %.

    `modes` are those that are answered for; none: all.
    """

    moves: Annotated[list[Annotated[dict[Name, Decimal], Meta(max_length=64)]], Meta(max_length=201)]
    modes: Annotated[list[ModeName], Meta(max_length=4)] = []


class SizeBody(Body, frozen=True, kw_only=True):
    """How much to trade so that the worst stress loses no more than this."""

    market: Name
    side: Side
    loss: Decimal
    margin_mode: ModeName = "cross"
    leverage: Leverage = 0


class WebhookBody(Body, frozen=True, kw_only=True):
    """Where margin calls are to be sent."""

    url: Annotated[str, Meta(max_length=500)]
