"""The tables. Money is whole 10^-6 USD, sizes are lots, prices whole quote per lot: as the ledger has them.

Everything but `users`, `accounts_named`, `api_keys` and `webhooks` is derived: it may be dropped, and is then made anew
from the journal, `claims` from L1. Those four are what traders told this node and no journal knows.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()
PLACE_BITS = 12
Big = BigInteger().with_variant(Integer, "sqlite")  # SQLite's integers have 64 bits, and only INTEGER is a row's id


def place_id(number: int, place: int) -> int:
    """An id that rises with events: of what an event made, the one in this place."""
    return number << PLACE_BITS | place


def _table(name: str, *columns: Column[int] | Column[str] | Column[bool] | Column[bytes] | Index) -> Table:
    return Table(name, metadata, *columns)


def _number(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, Big, primary_key=key, nullable=False, autoincrement=False)


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


orders = _table(
    "orders",
    _number("order_id", key=True),
    _number("account_id"),
    _number("market_id"),
    _text("external_id"),
    _text("kind"),
    _text("side"),
    _text("status"),
    _text("reason"),
    _number("price"),
    _number("size"),
    _number("filled"),
    _number("value"),  # of what has filled
    _number("fee"),
    _flag("reduce_only"),
    _flag("post_only"),
    _text("time_in_force"),
    _number("expiry_ms"),
    _number("created_ms"),
    _number("updated_ms"),
    _number("parent_id"),
    _text("extra"),  # JSON: trigger, take-profit and stop-loss as they were asked for
    _text("hash"),
    _number("sequence"),  # in the journal
    Index("orders_of_account", "account_id", "order_id"),
    Index("orders_by_name", "account_id", "external_id"),
)

fills = _table(
    "fills",
    _number("fill_id", key=True),  # the event's number, and its place among the fills of that event: see `place_id`
    _number("account_id"),  # signable
    _number("holder_id"),  # the account that holds the position
    _number("market_id"),
    _number("order_id"),
    _text("external_id"),
    _text("side"),
    _number("price"),
    _number("size"),
    _number("value"),
    _number("fee"),
    _number("l1_share"),  # of the whole trade's fees, set aside for settlement
    _number("profit"),
    _flag("is_taker"),
    _text("trade_type"),
    _number("created_ms"),
    _number("sequence"),
    Index("fills_of_account", "account_id", "fill_id"),
    Index("fills_of_market", "market_id", "fill_id"),
    Index("fills_by_sequence", "sequence"),
)

positions = _table(
    "positions",
    _number("position_id", key=True),  # of the event that opened it, as for fills
    _number("account_id"),
    _number("market_id"),
    _text("side"),
    _number("size"),  # lots now, unsigned
    _number("size_max"),
    _number("opened_size"),
    _number("opened_value"),
    _number("closed_size"),
    _number("closed_value"),
    _number("trade_profit"),
    _number("funding"),  # received when positive
    _number("open_fees"),
    _number("close_fees"),
    _number("created_ms"),
    _number("updated_ms"),
    _number("closed_ms"),  # 0: open
    _text("exit_type"),
    Index("positions_of_account", "account_id", "position_id"),
)

funding_payments = _table(
    "funding_payments",
    _number("payment_id", key=True),
    _number("account_id"),
    _number("market_id"),
    _number("position_id"),
    _number("size"),  # signed lots
    _number("amount"),  # received when positive
    _text("rate"),  # decimal
    _text("index_price"),  # decimal dollars
    _number("time_ms"),
    Index("payments_of_account", "account_id", "payment_id"),
)

funding_rates = _table(
    "funding_rates",
    _number("rate_id", key=True),
    _number("market_id"),
    _text("rate"),
    _text("index_price"),
    _number("open_lots"),
    _number("time_ms"),
    Index("rates_of_market", "market_id", "time_ms"),
)

candles = _table(
    "candles",
    _number("market_id", key=True),
    _text("kind", key=True),  # trades, mark-prices, index-prices
    _number("minute_ms", key=True),
    _text("open"),
    _text("high"),
    _text("low"),
    _text("close"),
    _number("lots"),
)

liquidations = _table(
    "liquidations",
    _number("step_id", key=True),  # the witness's event number
    _number("account_id"),
    _number("holder_id"),
    _text("step"),
    _number("market_id"),
    _number("size"),
    _text("price"),
    _text("zero_price"),
    _text("mark_price"),
    _number("slippage_bp"),  # of the fill from the mark, against the account when positive
    _number("fee"),
    _number("penalty"),
    _number("covered"),
    _number("time_ms"),
    Column("witness", LargeBinary, nullable=False),
    Index("liquidations_of_account", "account_id", "step_id"),
)

operations = _table(
    "operations",
    _number("operation_id", key=True),
    _number("account_id"),
    _text("type"),
    _text("status"),
    _number("amount"),  # negative: outgoing
    _number("fee"),
    _number("asset_id"),
    _number("counterparty_id"),
    _text("recipient"),
    _text("hash"),
    _number("time_ms"),
    _number("sequence"),
    Index("operations_of_account", "account_id", "operation_id"),
    Index("operations_of_recipient", "recipient", "sequence"),
    Index("operations_by_sequence", "sequence"),
)

claims = _table(
    "claims",
    _number("claim_id", key=True),  # rises with its place on L1
    _text("recipient"),
    _number("amount"),
    _number("batch"),  # the last that had settled
    _number("sequence_last"),  # in the journal: the recipient's withdrawals up to it are paid
    _number("block"),
    _number("time_ms"),
    _text("hash"),
    Index("claims_of_recipient", "recipient", "sequence_last", "claim_id"),
)

batches = _table(
    "batches",
    _number("batch", key=True),
    _number("sealed_ms"),
    _number("sequence_first"),
    _number("sequence_last"),
    _number("commands"),
)

insurance = _table(
    "insurance",
    _number("entry_id", key=True),
    _text("reason"),
    _number("account_id"),
    _number("amount"),
    _number("time_ms"),
)

calls = _table(
    "margin_calls",
    _number("call_id", key=True),
    _number("account_id"),
    _number("holder_id"),
    _number("level"),
    _text("value"),
    _text("maintenance"),
    _number("time_ms"),
    Index("calls_of_account", "account_id", "call_id"),
)

progress = _table("progress", _text("name", key=True), _text("value"))

DERIVED = (
    orders, fills, positions, funding_payments, funding_rates, candles, liquidations, operations, batches, insurance,
    calls, claims, progress,
)  # fmt: skip

users = _table(
    "users", _number("user_id", key=True), Column("wallet", String(42), nullable=False, unique=True),
    _number("created_ms"),
)  # fmt: skip

accounts_named = _table(
    "accounts_named",
    _number("account_id", key=True),
    _number("user_id"),
    _number("account_index"),
    _text("description"),
    _text("l2_key"),
    _number("created_ms"),
    Index("accounts_of_user", "user_id", "account_index", unique=True),
)

api_keys = _table(
    "api_keys",
    _text("key_id", key=True),
    _text("digest"),  # SHA-256 of the key, which is drawn from 256 bits: no slower hash would add anything
    _number("account_id"),
    _text("description"),
    _text("scopes"),  # of read, trade, withdraw, separated by spaces
    _text("addresses"),  # allowed networks, separated by spaces; none: from anywhere
    _number("expires_ms"),  # 0: never
    _number("created_ms"),
    _flag("revoked"),
    Index("keys_of_account", "account_id"),
)

webhooks = _table(
    "webhooks",
    _number("account_id", key=True),
    _text("url"),
    _text("secret"),  # signs what is sent there
    _number("created_ms"),
)
