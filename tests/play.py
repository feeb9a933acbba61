"""Plays a ledger script: one transaction a line, its expected outcome last, invariants after every one.

    deposit  taker 1000                          ok
    trade    maker sell taker 0.5 BTC @ 50000    ok
    withdraw taker 990                           insufficient_margin
    expect   taker balance -24012.5

Amounts are dollars, sizes whole assets, prices dollars. `maker sell taker` is the maker's order selling to the taker.
`taker/BTC` is the isolated child. Words like `fee=0.1` change a number before it is signed, `raw.amount=-1` after, and
`sign=wrong`, `sign=twin` tamper with the signature. Every role has its own key. `parse.py` says how words are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from bulkhead import signing
from bulkhead.fixed import quote_floor
from bulkhead.ledger import tx
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.ledger.apply import apply
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import FEED_OF_ASSET
from bulkhead.ledger.invariants import violations
from bulkhead.ledger.receipt import ForcedFailed, Receipt
from bulkhead.ledger.state import Kind, MarginRule, State, Status, genesis
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.signing.keys import CURVE_ORDER
from tests.parse import KEYS, START_MS, Line, Names, micro, venue

SIGNERS = ("oracle1", "oracle2", "oracle3", "oracle4")
NOBODY = signing.Signature(1, 1)


def digest(state: State) -> tuple[Any, ...]:
    """Everything a transaction may change, by value."""
    holders = {market_id: tuple(held) for market_id, held in state.holders.items()}
    derived = (dict(state.risks), dict(state.indices), holders, tuple(state.changed))
    money = (dict(state.accounts), dict(state.markets), dict(state.funds), dict(state.custody))
    return (*money, state.oracle, state.counters, tuple(state.filled), state.time_ms, *derived)


class Player:
    """One venue and the roles that play on it."""

    def __init__(self, options: dict[str, str] | None = None) -> None:
        self.config = venue(options or {}, [KEYS[name] for name in SIGNERS])
        self.names = Names(self.config)
        self.state = genesis(self.config, START_MS)
        self.authority = Authority(self.config)
        self.orders: dict[str, tx.Order] = {}
        self.last: dict[str, tx.Transaction] = {}
        self.prices: dict[int, int] = {}
        self.receipts: list[Receipt] = []
        self.salt = self.late_ms = 0
        self.now = START_MS

    # -- one line ---------------------------------------------------------------------------------------------------

    def play(self, text: str) -> None:
        """Play one line of a script; AssertionError says what was different."""
        line = Line(text, self.names)
        if not line.words:
            return
        verb = line.word()
        if verb == "wait":
            self.now += int(Decimal(line.word().removesuffix("s")) * 1000)
        elif verb == "order":
            name = line.word()
            self.orders[name] = self.order(line, line.word(), line.word(), line)
        elif verb == "expect":
            self.expect(line)
        else:
            outcome = line.words.pop()
            transaction = self.last[line.word()] if verb == "again" else getattr(self, verb.replace("-", "_"))(line)
            assert not line.words, f"not understood: {line.words}"
            transaction = line.changed(transaction, "raw.")
            self.last[verb] = transaction
            said = self.send(transaction)
            assert said == outcome, f"expected {outcome}, the ledger said {said}: {self.receipts[-1]}"

    def send(self, transaction: tx.Transaction) -> str:
        """Apply and check what must hold whatever the answer: the invariants, and that a reject changed nothing."""
        before = digest(self.state)
        receipt = apply(self.state, transaction, self.authority)
        self.receipts.append(receipt)
        assert violations(self.state) == []
        if receipt.reject is not None:
            assert digest(self.state) == before, "a rejected transaction changed the state"
            return receipt.reject.name.lower()
        reason = receipt.detail.reason if isinstance(receipt.detail, ForcedFailed) else None
        return "ok" if reason is None else f"failed:{reason.name.lower()}"

    def expect(self, line: Line) -> None:
        """`expect WHO WHAT AMOUNT`: a balance, a value, a position, a fund."""
        who, what, amount = line.word(), line.word(), line.words.pop()
        found = self.measure(who, what)
        assert found == (amount if isinstance(found, str) else Decimal(amount)), f"{who} {what} is {found}"

    def measure(self, who: str, what: str) -> Decimal | str:
        """What a script may ask of a fund, a market or an account."""
        dollars = self.names.dollar
        if who in ("fund", "fund:EUR"):
            funds = self.state.funds[self.names.assets[who[5:] or "USD"]]
            return dollars(getattr(funds, what))
        if who in self.names.markets:
            market = self.state.markets[self.names.markets[who]]
            if what == "interest":
                return self.names.whole(who, int(market.open_interest))
            return dollars(int(market.lost)) if what == "lost" else market.status.name.lower()
        found = self.state.accounts.get(self.names.account(who))
        if found is None or what == "exists":
            return "no" if found is None else "yes"
        account, _ = settled(self.state, found)
        if what in self.names.markets:
            return self.names.whole(what, int(account.size(self.names.markets[what])))
        if what in ("balance", "topped_up"):
            return dollars(int(getattr(account, what)))
        if what == "value":
            return dollars(int(quote_floor(health_of(self.state, account).value)))
        return self.names.coins(what, dict(account.collateral).get(self.names.assets[what], 0))

    # -- signing ----------------------------------------------------------------------------------------------------

    def signed(self, line: Line, role: str, message_hash: Callable[[], int], prefix: str = "") -> signing.Signature:
        """The role's signature, or what an attacker would put there; numbers no message can carry stay unsigned."""
        key = KEYS[line.option(f"{prefix}signer", role.partition("/")[0])]
        how = line.option(f"{prefix}sign", "right")
        try:
            signature = signing.sign(key, message_hash())
        except signing.SigningError:
            return NOBODY
        if how == "twin":
            return signing.Signature(signature.r, CURVE_ORDER - signature.s)
        return signing.Signature(signature.r, signature.s + 1) if how == "wrong" else signature

    def expiry_s(self, line: Line, prefix: str = "") -> int:
        """An hour from now unless the line says otherwise, in seconds; orders add the grace."""
        return self.now // 1000 + int(line.option(f"{prefix}expiry", "3600"))

    def order(self, line: Line, role: str, side: str, terms: Line, prefix: str = "") -> tx.Order:
        """A signed order: `maker sell 0.5 BTC @ 50000`, its total `of=` more than is filled at once."""
        size, market_id, price = terms.fill
        lots = terms.lots(line.option(f"{prefix}of", str(size)), market_id)
        limit = terms.book_price(line.option(f"{prefix}limit", str(price)), market_id)
        base = lots if side == "buy" else -lots
        fee = micro(line.option(f"{prefix}cap", str(self.names.dollar(-(-abs(lots * limit) // 1000)))))
        self.salt += 1
        order = tx.Order(
            self.names.account(role), market_id, base, -base * limit, fee,
            self.expiry_s(line, prefix) + EXPIRY_GRACE_S, self.salt,
            signing.public_key(KEYS[line.option(f"{prefix}key", role.partition("/")[0])]), NOBODY,
        )  # fmt: skip
        order = line.changed(order, prefix + "set.")
        in_range = order.market_id in self.names.markets.values()
        if not in_range:
            return order
        return order._replace(signature=self.signed(line, role, lambda: self.authority.order_hash(order), prefix))

    # -- transactions -----------------------------------------------------------------------------------------------

    def register(self, line: Line) -> tx.Transaction:
        """register WHO [strategy of WHOM] [scenario] [EUR]"""
        who = line.word()
        kind, parent = Kind.MAIN, 0
        if line.take("strategy"):
            line.take("of")
            kind, parent = Kind.STRATEGY, self.names.account(line.word())
        if who == "backstop":
            kind = Kind.BACKSTOP
        rule = MarginRule.SCENARIO if line.take("scenario") else MarginRule.LINEAR
        asset = self.names.assets[line.word() if line.words else "USD"]
        key = signing.public_key(KEYS[line.option("key", who)])
        register = tx.Register(self.now, self.names.account(who), kind, rule, key, 0xABC, parent, asset, NOBODY)
        register = line.changed(register, "set.")
        return replace(register, signature=self.signed(line, who, lambda: self.authority.register_hash(register)))

    def configure(self, line: Line) -> tx.Transaction:
        """configure WHO MARKET|self cross|isolated [10x] [cap 100]"""
        who = line.word()
        configure = tx.Configure(
            self.now, self.names.account(who), line.choice(), self.expiry_s(line), self.nonce(line, who), NOBODY
        )
        return replace(configure, signature=self.signed_by(line, who, configure, self.authority.configure_hash))

    def nonce(self, line: Line, who: str) -> int:
        account = self.state.accounts.get(self.names.account(who))
        return int(line.option("nonce", str(1 if account is None else account.nonce + 1)))

    def signed_by(self, line: Line, who: str, message: Any, hashed: Callable[[Any, int], int]) -> signing.Signature:
        account = self.state.accounts.get(self.names.account(who))
        key = signing.public_key(KEYS[who.partition("/")[0]]) if account is None else account.owner_key
        return self.signed(line, who, lambda: hashed(message, key))

    def deposit(self, line: Line) -> tx.Transaction:
        """deposit WHO AMOUNT [ASSET]"""
        who, (amount, asset_id) = line.word(), line.amount()
        number = int(line.option("number", str(self.state.counters.deposits + 1)))
        return tx.Deposit(self.now, number, self.names.account(who), asset_id, amount)

    def fund(self, line: Line) -> tx.Transaction:
        """fund AMOUNT [ASSET]: the insurance fund"""
        amount, asset_id = line.amount()
        number = int(line.option("number", str(self.state.counters.deposits + 1)))
        return tx.FundDeposit(self.now, number, asset_id, amount)

    def refund(self, line: Line) -> tx.Transaction:
        """refund WHO AMOUNT [ASSET] [to=ADDRESS]: a deposit for nobody"""
        who, (amount, asset_id) = line.word(), line.amount()
        number = int(line.option("number", str(self.state.counters.deposits + 1)))
        depositor = int(line.option("to", "0xABC"), 0)
        return tx.Refund(self.now, number, self.names.account(who), asset_id, amount, depositor)

    def withdraw(self, line: Line) -> tx.Transaction:
        """withdraw WHO AMOUNT [ASSET]"""
        who, (amount, asset_id) = line.word(), line.amount()
        self.salt += 1
        withdrawal = tx.Withdrawal(
            self.now, self.names.account(who), asset_id, amount, 0xABC, self.expiry_s(line), self.salt, NOBODY
        )
        return replace(withdrawal, signature=self.signed_by(line, who, withdrawal, self.authority.withdrawal_hash))

    def transfer(self, line: Line) -> tx.Transaction:
        """transfer FROM TO AMOUNT [ASSET]"""
        who, target, (amount, asset_id) = line.word(), line.word(), line.amount()
        self.salt += 1
        message = tx.Transfer(
            self.now, self.names.account(who), self.names.account(target), asset_id, amount, self.expiry_s(line),
            self.salt, NOBODY,
        )  # fmt: skip
        return replace(message, signature=self.signed_by(line, who, message, self.authority.transfer_hash))

    def move(self, line: Line) -> tx.Transaction:
        """move WHO: LEG; LEG: `FROM TO 100 [USD]`, `FROM TO -0.5 BTC`, `WHO choose BTC isolated 5x`"""
        who = line.word().removesuffix(":")
        assets, positions, choices = line.legs()
        message = tx.Move(
            self.now, self.names.account(who), assets, positions, choices, self.expiry_s(line),
            self.nonce(line, who), NOBODY,
        )  # fmt: skip
        return replace(message, signature=self.signed_by(line, who, message, self.authority.move_hash))

    def topup(self, line: Line) -> tx.Transaction:
        """topup WHO"""
        return tx.TopUp(self.now, self.names.account(line.word()))

    def trade(self, line: Line) -> tx.Transaction:
        """trade MAKER sell|buy TAKER SIZE MARKET @ PRICE [fees=MAKER,TAKER]; either side may be a named order"""
        maker, side, taker = line.word(), line.word(), line.word()
        size, market_id, price = line.fill
        other = "buy" if side == "sell" else "sell"
        sides = [
            self.orders[who] if who in self.orders else self.order(line, who, way, line, prefix)
            for who, way, prefix in ((maker, side, "maker."), (taker, line.option("same", other), "taker."))
        ]
        fees = [micro(fee) for fee in line.option("fees", "0,0").split(",")]
        lots = line.lots(str(size), market_id)
        return tx.Trade(self.now, market_id, *sides, lots, line.book_price(str(price), market_id), *fees)

    def liquidate(self, line: Line) -> tx.Transaction:
        """liquidate WHO [slices=K]: MAKER buy|sell SIZE MARKET @ PRICE; ..."""
        who, fills = line.word().removesuffix(":"), []
        for leg in line.split():
            maker, side = leg.word(), leg.word()
            size, market_id, price = leg.fill
            order = self.orders[maker] if maker in self.orders else self.order(line, maker, side, leg)
            lots, fee = leg.lots(str(size), market_id), micro(line.option("fee", "0"))
            fills.append(tx.LiquidationFill(market_id, lots, leg.book_price(str(price), market_id), order, fee))
        slices = int(line.option("slices", "0").rstrip(":"))
        return tx.Liquidation(self.now, self.names.account(who), tuple(fills), slices)

    def backstop(self, line: Line) -> tx.Transaction:
        """backstop WHO SIZE MARKET"""
        who, (size, market_id) = line.word(), line.size()
        return tx.Backstop(self.now, self.names.account(who), market_id, size)

    def deleverage(self, line: Line) -> tx.Transaction:
        """deleverage WHO SIZE MARKET"""
        who, (size, market_id) = line.word(), line.size()
        return tx.Deleveraging(self.now, self.names.account(who), market_id, size)

    def sell(self, line: Line) -> tx.Transaction:
        """sell WHO ASSET: other collateral, to the backstop"""
        who = line.word()
        return tx.CollateralSale(self.now, self.names.account(who), self.names.asset(line.word()))

    def tick(self, line: Line) -> tx.Transaction:
        """tick BTC 50000 ETH 3000 ...: signed by all oracles; the rest keep their price. A millisecond passes first"""
        self.now += 1
        while len(line.words) > 1:
            name, price = line.word(), line.word()
            if name in self.names.markets:
                market_id = self.names.markets[name]
                self.prices[market_id] = line.book_price(price, market_id) << 32
            else:
                self.prices[FEED_OF_ASSET + self.names.assets[name]] = self.names.asset_price(name, price)
        feeds = tuple((feed, self.prices.get(feed, 0)) for feed in self.names.feeds)
        reports = []
        chosen = line.option("by", "0,1,2,3")
        for signer in (int(place) for place in chosen.split(",") if place):
            age_ms = int(line.option("age", "0"))
            sequence = int(line.option("sequence", str(self.state.oracle.sequence + 1)))
            shown = feeds[: int(line.option("feeds", "99"))]
            report = tx.OracleReport(signer, sequence, self.now - age_ms, shown, NOBODY)
            role = SIGNERS[signer] if signer < len(SIGNERS) else "attacker"
            key = signing.public_key(KEYS[role])
            sign = self.signed(line, role, lambda report=report, key=key: self.authority.report_hash(report, key))
            reports.append(report._replace(signature=sign))
        return tx.OracleTick(self.now, tuple(reports))

    def funding(self, line: Line) -> tx.Transaction:
        """funding BTC 0.01% [samples=60] ...: one-minute premiums, the same each minute"""
        samples = []
        while len(line.words) > 1:
            market_id = self.names.market(line.word())
            premium = int(Decimal(line.word().removesuffix("%")) * (1 << 32) / 100)
            samples.append((market_id, (premium,) * int(line.option("samples", "60"))))
        return tx.FundingTick(self.now, tuple(samples))

    def status(self, line: Line) -> tx.Transaction:
        """status MARKET active|reduce_only|post_only|cancel_only|off"""
        return tx.StatusChange(self.now, self.names.market(line.word()), Status[line.word().upper()])

    def restart(self, line: Line) -> tx.Transaction:
        """restart"""
        return tx.Restart(self.now)

    def forced(self, line: Line) -> dict[str, int]:
        number = int(line.option("number", str(self.state.counters.forced + 1)))
        included = self.now - int(line.option("ago", "1"))
        sender = int(line.option("sender", "0xABC"), 0)
        return {"time_ms": self.now, "number": number, "included_ms": included, "sender": sender}

    def force_withdraw(self, line: Line) -> tx.Transaction:
        """force-withdraw WHO AMOUNT [ASSET] [ago=MS]"""
        who, (amount, asset_id) = line.word(), line.amount()
        return tx.ForcedWithdrawal(
            **self.forced(line), account_id=self.names.account(who), asset_id=asset_id, amount=amount
        )

    def force_close(self, line: Line) -> tx.Transaction:
        """force-close WHO MARKET [ago=MS]"""
        who = line.word()
        return tx.ForcedClose(
            **self.forced(line), account_id=self.names.account(who), market_id=self.names.market(line.word())
        )


def play(path: Path) -> Player:
    """Play a whole script; the first lines may set the venue: `venue filled_orders_max=2`."""
    options: dict[str, str] = {}
    lines = path.read_text().splitlines()
    for text in lines:
        if text.startswith("venue "):
            options.update(word.split("=", 1) for word in text.split()[1:])
    player = Player(options)
    for number, text in enumerate(lines, 1):
        if not text.startswith("venue "):
            try:
                player.play(text)
            except Exception as problem:
                raise AssertionError(f"{path.name}, line {number}: {text.strip()}\n  {problem!r}") from problem
    return player
