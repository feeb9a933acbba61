"""Money in and out: where L1 is, what the owner has there, deposit, claim, and withdrawals that the operator serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

from eth_utils.address import is_checksum_address, is_checksum_formatted_address, is_hex_address
from eth_utils.hexadecimal import is_0x_prefixed
from nicegui import ui

from bulkhead.client import Unreachable
from bulkhead.client.l1 import Standing
from bulkhead.client.signer import MONEY
from bulkhead.terminal import numbers, parts, words
from bulkhead.terminal.actions import Actions, Stage
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.live.venue import own_of, venue_of
from bulkhead.terminal.session import NotReady
from bulkhead.terminal.settlement.kit import Kit, Unsure, kit_of
from bulkhead.terminal.shell import Page

FREE_S = 1.0
MOST_USD = (1 << 64) // MONEY  # an amount is a number of 64 bits in smallest units
OWNER_FIGURES = ("On L1, USD", "To be claimed, USD", "Ether", "Custody holds, USD", "L1's block")


def amount_in(field: parts.Field) -> Decimal | None:
    """The amount of a field, above zero; what is wrong with it is said there, and then it is None."""
    value = numbers.typed(field.value)
    if value is None:
        field.problem("An amount in USD." + (" A comma parts thousands." if "," in field.value else ""))
        return None
    if value <= 0:
        field.problem("Above zero.")
        return None
    if value * MONEY % 1:
        field.problem("Six decimal places at most.")
        return None
    if value >= MOST_USD:
        field.problem("More than there can be.")
        return None
    field.problem("")
    return value


def address_problem(text: str) -> str:
    """What is wrong with an address on L1; empty for nothing. One of small and large letters carries a checksum, which
    finds a letter that was mistyped: what goes to another address is gone.

    >>> address_problem("0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a")
    ''
    >>> address_problem("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2b")
    'A letter or digit is wrong: its checksum does not fit.'
    """
    if not is_0x_prefixed(text) or not is_hex_address(text):
        return "An address on L1: 0x and 40 digits."
    if is_checksum_formatted_address(text) and not is_checksum_address(text):
        return "A letter or digit is wrong: its checksum does not fit."
    return ""


def on_l1(page: Page) -> None:
    """Where L1 is, and how it stands."""
    kit = kit_of(page.session)
    with parts.panel("Your money on L1", mark="l1") as made, ui.element("div").classes("bh-entry"):
        with made.default_slot.children[0]:
            age = parts.Age(old_ms=10_000)
        where = parts.Field(
            "L1", value=kit.where, hint="A node's URL, or the file of an embedded chain whose exchange is gone."
        )
        where.classes("bh-wide")

        async def use() -> None:
            try:
                await kit.look_at(where.value)
            except OSError as error:
                where.problem(f"It cannot be kept: {error.strerror or error}")

        parts.button("Use it", use, mark="l1-use")
        with ui.element("dl").classes("bh-facts"):
            shown = [(parts.Text(label, "dt"), parts.Text(numbers.NONE, "dd")) for label in OWNER_FIGURES]
        problem = parts.Text("", "p", "bh-note bh-warning")
        problem.props('data-mark="l1-problem" role="status"')
        wallet = parts.Text("", "p", "bh-note bh-muted")

    def paint() -> None:
        age.told(kit.standing.changed_ms)
        problem.show(words.sentence(kit.standing.problem))
        unlocked = page.session.unlocked
        wallet.show("" if unlocked is None or not unlocked.wallet else f"Wallet {unlocked.wallet}")
        if kit.standing.value is not None:
            for (_, value), text in zip(shown, standing_texts(kit.standing.value), strict=True):
                value.show(text)

    page.painter.on(kit.standing, paint)


def standing_texts(one: Standing) -> list[str]:
    """In the order of OWNER_FIGURES."""
    return [
        numbers.dollars(one.balance), numbers.dollars(one.claimable), numbers.fixed(one.ether, 4),
        numbers.dollars(one.custody), f"{one.block:,}",
    ]  # fmt: skip


def free_words(account: LiveAccount) -> str:
    """What can leave an account now, and by which way money comes and goes."""
    if account.balance is None:
        return ""
    free = f"Free to leave: {numbers.dollars(account.balance.available_for_withdrawal)} USD."
    if account.named.kind == "MAIN":
        return f"{free} What its positions and orders need stays."
    return (
        f"{free} It comes from L1 and goes there by itself, not through the main account; between your accounts money "
        "moves on the screen Risk."
    )


class MoneyForm:
    """Deposit and claim on L1; withdraw from the exchange. Of the account that is chosen here: main, or a strategy."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.session
        self._kit: Kit = kit_of(page.session)
        self._key = Actions.new_key()
        self._filled_for = ""
        with parts.panel("Deposit and withdraw", mark="money"), ui.element("div").classes("bh-entry"):
            self.account = parts.Field("Account", kind="choice", on_change=self._changed)
            self.account.props('data-mark="money-account"')
            self.amount = parts.Field("Amount, USD", kind="number", on_change=self._changed)
            self.recipient = parts.Field(
                "Withdraw to", value=self._wallet, placeholder="0x…", on_change=self._changed
            )
            self.recipient.classes("bh-wide")
            self.free = parts.Text("", "p", "bh-note bh-muted")
            self.free.props('data-mark="money-free"')
            with ui.element("div").classes("bh-buttons"):
                parts.button("Withdraw", self._withdraw, style="primary", mark="withdraw")
                parts.button("Deposit from L1", self._deposit, mark="deposit")
                parts.button("Claim on L1", self._claim, mark="claim")
            self.note = parts.Text("", "p", "bh-note bh-muted")
            self.note.props('role="status" data-mark="money-note"')
        page.painter.on(page.session.who, self._fill)
        page.painter.every(FREE_S, self._paint_free)

    @property
    def _wallet(self) -> str:
        unlocked = self._session.unlocked
        return "" if unlocked is None else unlocked.wallet

    @property
    def _chosen(self) -> LiveAccount | None:
        """The account whose money it is; None, which is said, while none is there."""
        found = self._session.accounts.get(int(self.account.value or 0))
        if found is None:
            self._say("Unlock an account first.", "bh-warning")
        return found

    def _fill(self) -> None:
        unlocked = self._session.unlocked
        if unlocked is not None and (unlocked.name != self._filled_for or not self.recipient.value):
            self._filled_for, self.recipient.value = unlocked.name, self._wallet  # never the wallet of another owner
        accounts = self._session.accounts
        self.account.choose_from([(str(one.account_id), one.label) for one in accounts.values()])
        if int(self.account.value or 0) not in accounts:
            self.account.set_value(str(self._session.active_id) if accounts else "")
        self._paint_free()

    def _changed(self) -> None:
        self._key = Actions.new_key()
        self._paint_free()

    def _paint_free(self) -> None:
        account = self._session.accounts.get(int(self.account.value or 0))
        self.free.show("" if account is None else free_words(account))

    async def _withdraw(self) -> None:
        account, amount, recipient = self._chosen, amount_in(self.amount), self.recipient.value.strip()
        if account is None:
            return
        wrong = address_problem(recipient)
        self.recipient.problem(wrong)
        if wrong or amount is None:
            self._say("Nothing was sent.", "bh-danger")  # what stands there may be of the withdrawal before
            return
        shown, sent, key = numbers.dollars(amount), self.amount.value, self._key
        self._say(f"Withdraw {shown} USD: sent…", "bh-muted")
        action = await self._session.actions.run(
            key, f"Withdraw {shown} USD from {account.short_label}", lambda: account.trader.withdraw(amount, recipient)
        )
        own = own_of(self._session)
        await own.operations.refresh()
        if action.stage is Stage.DONE:
            if self._key == key:
                self._key = Actions.new_key()
            self.amount.empty(sent)
            told = venue_of(self._session).settlement.value
            if told is not None and not told["settles"]:
                said = f"{shown} USD are on their way; but this exchange settles nothing, so L1 pays nothing."
                self._say(said, "bh-warning")
            else:
                self._say(f"{shown} USD are on their way: claim them when their batch is final.", "bh-up")
        else:
            self._say(action.text, "bh-danger")

    async def _deposit(self) -> None:
        account, amount = self._chosen, amount_in(self.amount)
        if account is None:
            return
        if amount is None:
            self._say("Nothing was sent.", "bh-danger")
            return
        shown, sent = numbers.dollars(amount), self.amount.value

        async def deposit() -> str:
            number = await self._kit.do("depositing", lambda chain: chain.deposit(account.account_id, amount))
            return f"Deposit {number} of {shown} USD for {account.short_label} is in L1's queue: a batch will take it."

        if await self._run(f"Deposit {shown} USD for {account.short_label}", deposit):
            self.amount.empty(sent)  # another click would be another deposit

    async def _claim(self) -> None:
        async def claim() -> str:
            claimed = await self._kit.do("claiming", lambda chain: chain.claim())
            return f"Claimed {numbers.dollars(claimed)} USD." if claimed else "Nothing is ready to be claimed."

        await self._run("Claim", claim)

    async def _run(self, what: str, work: Callable[[], Awaitable[str]]) -> bool:
        """Something on L1, once for each filled form; whether it was done."""
        self._say(f"{what}: waiting for a block…", "bh-muted")
        said = unsure = ""

        async def run() -> None:
            nonlocal said, unsure
            try:
                said = await work()
            except Unsure as error:
                unsure = str(error)
                raise Unreachable(unsure) from error
            except NotReady as error:
                raise ValueError(str(error)) from error

        action = await self._session.actions.run(self._key, what, run)
        self._key = Actions.new_key()
        self._say(said or unsure or action.text, "bh-up" if said else "bh-warning" if unsure else "bh-danger")
        return bool(said)

    def _say(self, text: str, style: str) -> None:
        if not self._page.client.is_deleted:
            self.note.show(text, f"bh-note {style}")
