"""One account: its money, orders, positions and margin modes. What moves money or risk is signed here."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bulkhead.client.answers import FundingPayment, PastPosition
from bulkhead.client.answers_venue import OwnSettledSolvency, OwnSolvency
from bulkhead.client.compartments import Compartments, MovePlan
from bulkhead.client.errors import Refused
from bulkhead.client.evidence import Evidence
from bulkhead.client.models import (
    Account,
    Balance,
    Fees,
    Leverage,
    Operation,
    Order,
    Placed,
    Position,
    Preview,
    Strategies,
    Trade,
)
from bulkhead.client.orders import Exit, NewOrder, Number, Side, body_of, protection_of, whole
from bulkhead.client.sending import DUPLICATE, NO_POSITION, NOT_OPEN, Sender
from bulkhead.client.signer import AssetLeg, MarketIds, ModeChoice, PositionLeg, decimal_text, legs_of
from bulkhead.client.what_if import Move, WhatIf, looked_at, moved

if TYPE_CHECKING:
    pass



class Trader(Sender):
    """An account of an exchange. Made by `Exchange.trader`."""

    @property
    def account_id(self) -> int:
        """The account's number, on the wire its vault."""
        return self.signer.account_id

    @property
    def evidence(self) -> Evidence:
        """Liquidations explained, margin calls, profit, receipts."""
        return Evidence(self.exchange.transport, self.api_key)

    # -- what there is -------------------------------------------------------------------------------------------------

    async def account(self) -> Account:
        """The account itself."""
        return await self._ask("GET", "/account/info", Account)

    async def accounts(self) -> list[Account]:
        """Every account of the owner."""
        return await self._ask("GET", "/accounts", list[Account])

    async def balance(self) -> Balance:
        """Its money."""
        return await self._ask("GET", "/balance", Balance)

    async def positions(self, market: str | None = None) -> list[Position]:
        """Open positions, those of isolated children among them."""
        return await self._ask("GET", "/positions", list[Position], query={"market": market})

    async def orders(self, market: str | None = None) -> list[Order]:
        """Open orders, those that wait for a trigger among them."""
        return await self._ask("GET", "/orders", list[Order], query={"market": market})

    async def order(self, order_id: int) -> Order:
        """One order, open or not."""
        return await self._ask("GET", f"/orders/{order_id}", Order)

    # Of histories, newest first, `cursor` is the id of the last one that is known: what is older comes.

    async def orders_history(
        self, market: str | None = None, limit: int = 100, cursor: int | None = None, *, by_leaving: bool = False
    ) -> list[Order]:
        """Orders that have left, as they were placed; or as they left."""
        query = {"market": market, "limit": limit, "cursor": cursor, "sort": "UPDATED_AT" if by_leaving else None}
        return await self._ask("GET", "/orders/history", list[Order], query=query)

    async def positions_history(
        self, market: str | None = None, limit: int = 100, cursor: int | None = None
    ) -> list[PastPosition]:
        """Positions from their first lot to their last with what they came to."""
        query = {"market": market, "limit": limit, "cursor": cursor}
        return await self._whole("/positions/history", list[PastPosition], query)

    async def funding_paid(
        self, market: str | None = None, limit: int = 100, cursor: int | None = None
    ) -> list[FundingPayment]:
        """Funding that was received (above zero) and paid."""
        query = {"market": market, "limit": limit, "cursor": cursor}
        return await self._whole("/funding/history", list[FundingPayment], query)

    async def trades(self, limit: int = 100, cursor: int | None = None) -> list[Trade]:
        """Fills."""
        return await self._ask("GET", "/trades", list[Trade], query={"limit": limit, "cursor": cursor})

    async def fees(self, market: str) -> Fees:
        """Rates of this account."""
        return (await self._ask("GET", "/fees", list[Fees], query={"market": market}))[0]

    async def operations(self, limit: int = 50, cursor: int | None = None) -> list[Operation]:
        """Deposits, withdrawals and transfers."""
        return await self._ask("GET", "/assetOperations", list[Operation], query={"limit": limit, "cursor": cursor})

    async def solvency(self, sequence: int | None = None) -> OwnSolvency:
        """This account in the exchange's tree of what it owes; `client.solvency.counted` checks it. `sequence` names
        the moment of an answer of `Books.solvency`; none: the newest."""
        return await self._whole("/solvency", OwnSolvency, {"sequence": sequence})

    async def settled_solvency(self) -> OwnSettledSolvency:
        """This account in the newest batch that is final on L1; `client.settled.settled` checks it against L1."""
        return await self._whole("/solvency/settled", OwnSettledSolvency, {})

    # -- orders --------------------------------------------------------------------------------------------------------

    async def place(self, order: NewOrder) -> Placed:
        """Sign and send an order; answered when it is journalled and handled.

        Without an answer, it asks what became of the order and sends the same message again, which the exchange takes
        once at most; a refusal then counts when no copy can come in any more. Unreachable where nothing is heard in the
        end: then the order may be there, and until the error's `until_ms` it may still come in. OtherExchange, and
        nothing sent, where the exchange is not the one that this account is of.
        """
        signer, terms = await self._signer(), await self.exchange.market(order.market)
        return await self._placed(body_of(order, terms, signer))

    async def take(
        self, market: str, side: Side, quantity: Number, *, slippage: Number = "0.005", reduce_only: bool = False
    ) -> Order:
        """Trade at once, at no more than so much worse than the best price; what became of it."""
        terms = await self.exchange.market(market)
        now = await self.exchange.statistics(market)
        best = (now.ask_price if side == "BUY" else now.bid_price) or now.index_price
        worst = best * (1 + Decimal(slippage) if side == "BUY" else 1 - Decimal(slippage))
        price = whole(worst, terms.trading_config.min_price_change, up=side == "SELL")
        order = NewOrder(
            market=market, side=side, quantity=quantity, price=price, kind="MARKET", reduce_only=reduce_only
        )
        return await self.order((await self.place(order)).id)

    async def protect(
        self,
        market: str,
        *,
        take_profit: Exit | None = None,
        stop_loss: Exit | None = None,
        size: Number = 0,
        replaces: str = "",
        external_id: str = "",
    ) -> Placed:
        """Close the position of a market, or `size` of it, when a trigger fires. Refused (1137) where there is none.

        `replaces` is the external id of an open take-profit or stop-loss: it leaves with its other side in the step in
        which these enter, or everything stays as it was; refused (1142) where it has left, (1009) where it follows an
        order that is still open. Sent as `place` sends.
        """
        held = await self.positions(market)
        if not held:
            raise Refused(422, NO_POSITION, f"there is no position in {market}")
        is_long = held[0].side == "LONG"
        terms, names = await self.exchange.market(market), {"replaces": replaces, "external_id": external_id}
        made = protection_of(terms, await self._signer(), is_long, take_profit, stop_loss, size=Decimal(size), **names)
        return await self._placed(made)

    async def cancel(self, order_id: int) -> None:
        """Cancel an order. Refused (1142) where it has left already; not where it left after a copy of this was sent
        that had no answer."""
        await self._sure("DELETE", f"/order/{order_id}", taken=NOT_OPEN)

    async def cancel_named(self, external_id: str) -> None:
        """Cancel an order by the name that was given to it; of a protection, both sides."""
        await self._sure("DELETE", "/order", query={"externalId": external_id}, taken=NOT_OPEN)

    async def cancel_many(self, order_ids: Sequence[int] = (), names: Sequence[str] = ()) -> list[str]:
        """Cancel these in one step; those that were not open are answered."""
        body = {"orderIds": list(order_ids), "externalOrderIds": list(names)}
        return list((await self._ask("POST", "/order/massCancel", dict[str, Any], body=body)).get("notFound", []))

    async def cancel_all(self, market: str | None = None) -> None:
        """Cancel every order, or those of a market. Sent once: sent again it would take those with it that were placed
        since. Unreachable: it may still come in until `until_ms`."""
        body: dict[str, Any] = {"cancelAll": True} if market is None else {"markets": [market]}
        await self._ask("POST", "/order/massCancel", dict[str, Any], body=body)

    async def dead_man(self, seconds: int) -> None:
        """Have everything cancelled unless this is sent again within so many seconds; 0 ends it."""
        await self._ask("POST", "/deadmanswitch", dict[str, Any], query={"countdownTime": seconds})

    async def preview(self, order: NewOrder, *, leverage: int = 0) -> Preview:
        """An order in each margin mode, before it is sent: margin, fees, liquidation price, what is at stake.

        `leverage` is as if it had been signed; 0 takes what was.
        """
        return await self._ask("POST", "/order/preview", Preview, body=looked_at(order, leverage))

    async def what_if(
        self, order: NewOrder, moves: Sequence[Move], *, leverage: int = 0, modes: Sequence[str] = ()
    ) -> WhatIf:
        """An order in each margin mode along at most 201 joint moves of prices: equity, what is liquidated, what is
        left."""
        body = {**looked_at(order, leverage), "moves": moved(moves), "modes": list(modes)}
        return await self._ask("POST", "/order/whatIf", WhatIf, body=body)

    async def size_for(
        self, market: str, side: Side, loss: Number, *, mode: str = "cross", leverage: int = 0
    ) -> Decimal:
        """The most that can be traded so that the worst of the stresses costs no more than so many dollars."""
        body = {
            "market": market,
            "side": side,
            "loss": decimal_text(Decimal(loss)),
            "marginMode": mode,
            "leverage": leverage,
        }
        return Decimal((await self._ask("POST", "/order/size", dict[str, Any], body=body))["size"])

    async def call_webhook(self, url: str) -> str:
        """Have margin calls sent to a URL; the secret that signs them (HMAC-SHA256 of the body) is told only here."""
        return str((await self._ask("PUT", "/webhook", dict[str, Any], body={"url": url}))["secret"])

    async def webhook(self) -> str:
        """The URL that margin calls are sent to. Raises Refused (404) where there is none."""
        return str((await self._ask("GET", "/webhook", dict[str, Any]))["url"])

    async def forget_webhook(self) -> None:
        """Have nothing more sent there."""
        await self._ask("DELETE", "/webhook", dict[str, Any])

    # -- margin modes --------------------------------------------------------------------------------------------------

    async def leverage(self, market: str) -> Leverage:
        """Leverage and margin mode in force."""
        return (await self._ask("GET", "/leverage", list[Leverage], query={"market": market}))[0]

    async def lower_leverage(self, market: str, leverage: int) -> None:
        """Judge new orders of a cross market at no more than this leverage, unsigned.

        Raises Refused beyond what was signed, and in an isolated market, whose leverage `choose_mode` signs.
        """
        await self._ask("PATCH", "/leverage", dict[str, Any], body={"market": market, "leverage": str(leverage)})

    async def choose_mode(
        self, market: str, mode: str, *, leverage: int = 0, top_up_cap: Number = 0
    ) -> None:
        """Sign that fills in a market settle in the account (`cross`) or in a child of its own (`isolated`)."""
        cap, ids = Decimal(top_up_cap), await self._ids([market])
        nonce = await self._next_nonce()
        body = {
            "market": market,
            "marginMode": mode,
            "leverage": leverage,
            "topUpCap": decimal_text(cap),
            **(await self._signer()).configuration(ids[market].market_id, mode, leverage, cap, nonce),
        }
        await self._numbered("/configuration", body, nonce)

    async def move(
        self,
        assets: Sequence[AssetLeg] = (),
        positions: Sequence[PositionLeg] = (),
        choices: Sequence[ModeChoice] = (),
    ) -> None:
        """Money and positions among the owner's accounts, and new modes: all of it or nothing, once.

        Without an answer it is looked for by its number, and sent again. Raises Unreachable where something else was
        signed for this account meanwhile, so that the number does not say which of both was done.
        """
        ids = await self._ids([*(leg.market for leg in positions), *(one.market for one in choices)])
        nonce = await self._next_nonce()
        body = (await self._signer()).move(assets, positions, choices, ids, nonce)
        await self._numbered("/move", body, nonce)

    async def plan_move(
        self,
        assets: Sequence[AssetLeg] = (),
        positions: Sequence[PositionLeg] = (),
        choices: Sequence[ModeChoice] = (),
    ) -> MovePlan:
        """A move as it would be judged now, before it is signed: nothing is done."""
        ids = await self._ids([*(leg.market for leg in positions), *(one.market for one in choices)])
        return await self._ask("POST", "/move/preview", MovePlan, body=legs_of(assets, positions, choices, ids))

    async def compartments(self) -> Compartments:
        """This account, its isolated positions and its strategies: what each holds, asks, and could lose."""
        return await self._ask("GET", "/compartments", Compartments)

    async def add_margin(self, market: str, amount: Number) -> None:
        """Money into the isolated child of a market; below zero, out of it."""
        child = self.account_id + (await self._ids([market]))[market].market_id
        value = Decimal(amount)
        source, target = (self.account_id, child) if value > 0 else (child, self.account_id)
        await self.move([AssetLeg(source, target, abs(value))])

    async def strategies(self) -> Strategies:
        """Strategy accounts below this one."""
        return await self._ask("GET", "/strategies", Strategies)

    async def add_strategy(self, description: str = "") -> Trader:
        """A new strategy account, isolated from everything else and cross inside, traded with the same Stark key."""
        account_id = (await self.strategies()).next_account_id
        owner = await self._ask("GET", "/client/info", dict[str, Any])
        wallet = int(owner["evmWalletAddress"], 16)
        body = {
            "accountId": account_id,
            "description": description,
            "signature": (await self._signer()).strategy(account_id, wallet),
        }
        await self._ask("POST", "/strategies", Account, body=body)
        return await self.strategy(account_id)

    async def strategy(self, account_id: int) -> Trader:
        """A strategy account as a trader of its own, under a new API key."""
        key = await self._ask("POST", f"/strategies/{account_id}/api-key", dict[str, Any])
        return Trader(self.exchange, str(key["key"]), self.signer.of(account_id))

    async def _ids(self, names: Sequence[str]) -> dict[str, MarketIds]:
        found = [await self.exchange.market(name) for name in names]
        return {one.name: MarketIds(one.market_id, one.l2_config.synthetic_resolution) for one in found}

    # -- money ---------------------------------------------------------------------------------------------------------

    async def claim_test_money(self) -> None:
        """Play money, on a test network."""
        await self._ask("POST", "/claim", dict[str, Any], body={})

    async def transfer(self, target: int, target_key: int, amount: Number) -> int:
        """Money to any other account, whose public key is named too; the operation's id, 0 where it was done and the
        answer lost."""
        body = (await self._signer()).transfer(target, target_key, Decimal(amount))
        return int((await self._once("/transfer/onchain", dict[str, Any], body, DUPLICATE, {"id": 0}))["id"])

    async def withdraw(self, amount: Number, recipient: str) -> int:
        """Money to an address on L1, where it can be claimed when its batch has settled; the operation's id, 0 where it
        was done and the answer lost."""
        body = (await self._signer()).withdrawal(int(recipient, 16), Decimal(amount))
        return await self._once("/withdrawal", int, body, DUPLICATE, 0)
