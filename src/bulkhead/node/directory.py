"""Who is who: owners by their Ethereum address, their accounts by index, and API keys, hashed at rest."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

import structlog
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from bulkhead.node.store.database import Database
from bulkhead.node.store.keeper import AWAY, Unavailable
from bulkhead.node.store.tables import accounts_named, api_keys, users

log = structlog.get_logger("bulkhead.directory")

READ, TRADE, WITHDRAW = "read", "trade", "withdraw"
SCOPES = (READ, TRADE, WITHDRAW)
KEY_BYTES = 32
ID_DIGITS = 16  # of the digest: a key's public name


class Named(NamedTuple):
    """An account as its owner knows it."""

    account_id: int
    user_id: int
    account_index: int
    description: str
    l2_key: int
    created_ms: int


class User(NamedTuple):
    """An owner."""

    user_id: int
    wallet: str  # checksummed, or lower case; compared in lower case


class ApiKey(NamedTuple):
    """What a key may do. The key itself is not kept."""

    key_id: str
    digest: str
    account_id: int
    description: str
    scopes: frozenset[str]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    expires_ms: int

    def allows(self, address: str) -> bool:
        """The caller's address is one the key may be used from."""
        if not self.networks:
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.networks)


class Directory:
    """Kept in memory and in the database; written before it is answered. Writing raises Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._users: dict[str, User] = {}
        self._wallets: dict[int, str] = {}
        self._accounts: dict[int, Named] = {}
        self._by_index: dict[tuple[int, int], Named] = {}
        self._keys: dict[str, ApiKey] = {}
        with database.engine.connect() as connection:
            for row in connection.execute(select(users)).mappings():
                self._remember_user(User(row["user_id"], row["wallet"]))
            for row in connection.execute(select(accounts_named)).mappings():
                named = {**row, "l2_key": int(row["l2_key"], 16)}
                self._remember_account(Named(**named))
            for row in connection.execute(select(api_keys).where(~api_keys.c.revoked)).mappings():
                self._keys[row["digest"]] = ApiKey(
                    row["key_id"],
                    row["digest"],
                    row["account_id"],
                    row["description"],
                    frozenset(row["scopes"].split()),
                    tuple(ipaddress.ip_network(text) for text in row["addresses"].split()),
                    row["expires_ms"],
                )

    # -- owners and accounts -----------------------------------------------------------------------------------------

    def user(self, wallet: str) -> User | None:
        """An owner by the Ethereum address."""
        return self._users.get(wallet.lower())

    def wallet(self, user_id: int) -> str:
        """The Ethereum address of an owner."""
        return self._wallets[user_id]

    def add_user(self, wallet: str, time_ms: int) -> User:
        """A new owner, or the one there is."""
        found = self.user(wallet)
        if found is not None:
            return found
        user = User(1 + len(self._users), wallet)
        with self._writing() as connection:
            connection.execute(insert(users).values(user_id=user.user_id, wallet=wallet, created_ms=time_ms))
        self._remember_user(user)
        return user

    def account(self, account_id: int) -> Named | None:
        """An account by id."""
        return self._accounts.get(account_id)

    def accounts_of(self, user_id: int) -> list[Named]:
        """An owner's accounts by index."""
        return [named for _, named in sorted(self._by_index.items()) if named.user_id == user_id]

    def by_index(self, user_id: int, account_index: int) -> Named | None:
        """An owner's account by its index."""
        return self._by_index.get((user_id, account_index))

    def add_account(self, named: Named) -> None:
        """Write an account down. Its registration is in the journal already."""
        row = {**named._asdict(), "l2_key": hex(named.l2_key)}
        with self._writing() as connection:
            connection.execute(insert(accounts_named).values(**row))
        self._remember_account(named)

    # -- keys --------------------------------------------------------------------------------------------------------

    def keys_of(self, account_id: int) -> list[ApiKey]:
        """The keys of an account that are not revoked."""
        return [key for key in self._keys.values() if key.account_id == account_id]

    def add_key(
        self,
        account_id: int,
        description: str,
        time_ms: int,
        *,
        scopes: Iterable[str] = SCOPES,
        networks: Iterable[str] = (),
        expires_ms: int = 0,
    ) -> str:
        """A new key, which only its owner will ever see. ValueError for a network that is none."""
        allowed = tuple(ipaddress.ip_network(text) for text in networks)
        text = secrets.token_hex(KEY_BYTES)
        digest = _digest(text)
        key = ApiKey(digest[:ID_DIGITS], digest, account_id, description, frozenset(scopes), allowed, expires_ms)
        with self._writing() as connection:
            connection.execute(
                insert(api_keys).values(
                    key_id=key.key_id,
                    digest=digest,
                    account_id=account_id,
                    description=description,
                    scopes=" ".join(sorted(key.scopes)),
                    addresses=" ".join(str(network) for network in allowed),
                    expires_ms=expires_ms,
                    created_ms=time_ms,
                    revoked=False,
                )
            )
        self._keys[digest] = key
        return text

    def key(self, text: str, now_ms: int) -> ApiKey | None:
        """The key that a caller shows, unless there is none like it or its time is up."""
        digest = _digest(text)
        found = self._keys.get(digest)
        if found is None or not hmac.compare_digest(found.digest, digest):
            return None
        return None if found.expires_ms and found.expires_ms <= now_ms else found

    def revoke(self, account_id: int, key_id: str) -> bool:
        """Take a key back; False if the account has none of that name."""
        for digest, key in self._keys.items():
            if key.key_id == key_id and key.account_id == account_id:
                with self._writing() as connection:
                    connection.execute(update(api_keys).where(api_keys.c.digest == digest).values(revoked=True))
                del self._keys[digest]
                return True
        return False

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._database.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            log.warning("the database failed", reason=str(error))
            raise Unavailable(AWAY) from error

    def _remember_user(self, user: User) -> None:
        self._users[user.wallet.lower()] = user
        self._wallets[user.user_id] = user.wallet

    def _remember_account(self, named: Named) -> None:
        self._accounts[named.account_id] = named
        self._by_index[named.user_id, named.account_index] = named


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
