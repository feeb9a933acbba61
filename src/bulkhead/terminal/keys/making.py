"""Making an account, or importing one: the form on the screen Keys."""

from __future__ import annotations

import asyncio

from nicegui import ui

from bulkhead.client import ClientError, Refused
from bulkhead.terminal import parts, words
from bulkhead.terminal.keystore import Access, KeyStoreError, Unlocked
from bulkhead.terminal.shell import Page

NEW, OWNER, ACCESS = "new", "owner", "access"
KINDS = (
    (NEW, "Make a new key"),
    (OWNER, "Import an Ethereum key (of a wallet)"),
    (ACCESS, "Import a Stark key and an API key"),
)


def build(page: Page) -> None:
    """The panel."""
    with parts.panel("Make or import an account", mark="making"), ui.element("div").classes("bh-body"):
        _Making(page)


class _Making:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.kind = parts.Field("How", kind="choice", value=NEW, options=KINDS, on_change=self._show)
        self.name = parts.Field("Name", placeholder="for example: main")
        self.ethereum = parts.Field("Private Ethereum key", kind="password")
        self.stark = parts.Field("Private Stark key", kind="password")
        self.api = parts.Field("API key", kind="password")
        with ui.element("div").classes("bh-two"):
            self.first = parts.Field("Passphrase", kind="password", hint="at least 8 characters, kept nowhere")
            self.second = parts.Field("Passphrase again", kind="password", on_enter=self._make)
        self.button = parts.button("Make and unlock", self._make, style="primary", mark="make")
        self.note = parts.Text("", "p", "bh-note bh-danger").props('role="alert" data-mark="making-note"')
        self.kind.props('data-mark="make-kind"')
        self._show()

    def _show(self) -> None:
        self.ethereum.set_visibility(self.kind.value == OWNER)
        self.stark.set_visibility(self.kind.value == ACCESS)
        self.api.set_visibility(self.kind.value == ACCESS)

    async def _make(self) -> None:
        self.note.show("")
        if self.first.value != self.second.value:
            self.second.problem("not the same")
            return
        self.second.problem("")
        parts.set_disabled(self.button, True)
        try:
            made = await self._made()
            await self.page.session.adopt(made)
            self.name.set_value("")
        except (KeyStoreError, OSError) as error:
            text = str(error)
            self.note.show(text[:1].upper() + text[1:])
        finally:
            if not self.button.is_deleted:
                for field in (self.ethereum, self.stark, self.api, self.first, self.second):
                    field.clear_secret()
                parts.set_disabled(self.button, False)

    async def _made(self) -> Unlocked:
        store, name, passphrase = self.page.session.store, self.name.value.strip(), self.first.value
        if self.kind.value == NEW:
            return await asyncio.to_thread(store.create, name, passphrase)
        if self.kind.value == OWNER:
            return await asyncio.to_thread(store.add_owner, name, passphrase, self.ethereum.value.strip())
        access = await self._access(self.stark.value.strip(), self.api.value.strip())
        url = self.page.session.exchange.transport.url
        return await asyncio.to_thread(store.add_access, name, passphrase, url, access)

    async def _access(self, stark_key: str, api_key: str) -> Access:
        """Keys are taken in when the exchange says that they fit each other."""
        try:
            exchange = self.page.session.exchange
            trader, domain = await exchange.trader(api_key, stark_key), await exchange.domain()
        except Refused as error:
            raise KeyStoreError(str(words.of_error(error))) from None
        except ClientError as error:
            raise KeyStoreError(f"{words.of_error(error).what}: keys are imported when they are known to fit") from None
        except ValueError:
            raise KeyStoreError("the Stark key is not the one of the account that the API key opens") from None
        return Access(trader.account_id, api_key, stark_key, domain)
