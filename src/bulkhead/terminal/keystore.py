"""Keys on the trader's machine: one file for each named account, readable with its passphrase alone.

A file holds a random key in the standard v3 key store of Ethereum (scrypt), and under that key, with Fernet, what is to
be kept. So a new API key can be written while the account is unlocked, without the passphrase.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from eth_account import Account as Ethereum

from bulkhead import private
from bulkhead.client.models import SigningDomain

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
VERSION = 1
WORK_FACTOR = 1 << 17  # of scrypt: a good half second and 128 MiB a guess
PASSPHRASE_MIN = 8
PRIVATE_KEY = re.compile(r"(0x)?[0-9a-fA-F]{1,64}")


class KeyStoreError(ValueError):
    """A key that cannot be kept or opened; says what to do."""


class WrongPassphrase(KeyStoreError):
    """The passphrase does not open this account."""


class ExposedKey(KeyStoreError):
    """Somebody else on this machine can reach the keys."""


class Access(msgspec.Struct, frozen=True):
    """What opens an account of one exchange. Numbers are hexadecimal."""

    account_id: int
    api_key: str
    stark_key: str
    domain: SigningDomain | None = None  # of the exchange that it was made at; None: kept before that was


class Secrets(msgspec.Struct, frozen=True):
    """What one file keeps: the owner's Ethereum key (empty where only a Stark key was imported), and access by URL."""

    ethereum_key: str = ""
    exchanges: dict[str, Access] = {}


class Listed(msgspec.Struct, frozen=True):
    """What may be known of an account without its passphrase."""

    name: str
    wallet: str  # its address on L1; empty where only a Stark key was imported
    problem: str = ""  # why its file cannot be used, and what to do


class _File(msgspec.Struct):
    version: int
    wallet: str
    keystore: dict[str, Any]
    secrets: str


class Unlocked:
    """An account whose passphrase was given. Its keys are in the memory of this process alone."""

    def __init__(self, path: Path, keystore: dict[str, Any], data_key: bytes, kept: Secrets) -> None:
        self.name = path.stem
        self.kept = kept
        self._path = path
        self._keystore = keystore
        self._fernet = Fernet(base64.urlsafe_b64encode(data_key))
        self._writing = Lock()  # accounts of one exchange may be made at the same time

    @property
    def wallet(self) -> str:
        """The owner's address on L1; empty where there is none."""
        return str(Ethereum.from_key(self.kept.ethereum_key).address) if self.kept.ethereum_key else ""

    def remember(self, url: str, access: Access) -> None:
        """Keep what opens an account of an exchange, in place of what was kept for it."""
        with self._writing:
            self.kept = Secrets(self.kept.ethereum_key, {**self.kept.exchanges, url: access})
            self.save()

    def save(self, *, is_new: bool = False) -> None:
        """Write the file: whole, or not at all. A new one never in the place of another: FileExistsError."""
        token = self._fernet.encrypt(msgspec.json.encode(self.kept)).decode()
        _write(self._path, _File(VERSION, self.wallet, self._keystore, token), is_new=is_new)

    def __repr__(self) -> str:
        return f"Unlocked({self.name})"  # no keys in logs


class KeyStore:
    """A folder of key files that nobody else on the machine may read."""

    def __init__(self, folder: Path, *, work_factor: int = WORK_FACTOR) -> None:
        self.folder = folder
        self._work_factor = work_factor

    def listed(self) -> list[Listed]:
        """Every account by name. One whose file cannot be used is told with its problem, and hinders no other."""
        found = sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        return [_listed(path) for path in found]

    def create(self, name: str, passphrase: str) -> Unlocked:
        """A new owner with a new Ethereum key."""
        return self.add(name, passphrase, Secrets("0x" + bytes(Ethereum.create().key).hex()))

    def add_owner(self, name: str, passphrase: str, ethereum_key: str) -> Unlocked:
        """An owner by his Ethereum key, from which every Stark key of his is derived."""
        _check_key(ethereum_key, "Ethereum")
        padded = "0x" + ethereum_key.removeprefix("0x").zfill(64)
        try:
            Ethereum.from_key(padded)
        except Exception as error:  # the library raises what its parts raise
            raise KeyStoreError(f"this is no Ethereum key: {type(error).__name__}") from None
        return self.add(name, passphrase, Secrets(padded))

    def add_access(self, name: str, passphrase: str, url: str, access: Access) -> Unlocked:
        """An account of one exchange by its Stark key and API key."""
        _check_key(access.stark_key, "Stark")
        if not access.api_key.strip():
            raise KeyStoreError("a Stark key needs an API key beside it; the exchange gives one to its owner")
        return self.add(name, passphrase, Secrets("", {url: access}))

    def unlock(self, name: str, passphrase: str) -> Unlocked:
        """Open an account; takes a second. WrongPassphrase, or KeyStoreError for a damaged or missing file."""
        path = self._path(name)
        file = _read(path)
        try:
            data_key = bytes(Ethereum.decrypt(file.keystore, passphrase))
        except ValueError as error:
            if "MAC" in str(error):
                raise WrongPassphrase(
                    f"the passphrase does not open {name!r}; try again, and if it is right, the file is damaged"
                ) from None
            raise KeyStoreError(f"{path}: damaged ({error}); bring it back from a copy") from None
        except Exception as error:  # the library raises what its parts raise
            raise KeyStoreError(f"{path}: damaged ({type(error).__name__}); bring it back from a copy") from None
        try:
            plain = Fernet(base64.urlsafe_b64encode(data_key)).decrypt(file.secrets.encode())
            kept = msgspec.json.decode(plain, type=Secrets)
        except (InvalidToken, msgspec.MsgspecError):
            raise KeyStoreError(f"{path}: its second part is damaged; bring it back from a copy") from None
        found = Unlocked(path, file.keystore, data_key, kept)
        if found.wallet != file.wallet:  # it is shown before any passphrase is given, and money may be sent there
            raise KeyStoreError(f"{path}: names another wallet than its key's; somebody changed it")
        return found

    def add(self, name: str, passphrase: str, kept: Secrets) -> Unlocked:
        """An account with everything that is to be kept of it."""
        path, taken = self._path(name), KeyStoreError(f"there is an account {name!r} already; choose another name")
        if path.exists():
            raise taken
        if len(passphrase) < PASSPHRASE_MIN:
            raise KeyStoreError(f"a passphrase has at least {PASSPHRASE_MIN} characters")
        data_key = bytes(Ethereum.create(secrets.token_hex(32)).key)
        keystore = Ethereum.encrypt(data_key, passphrase, kdf="scrypt", iterations=self._work_factor)
        made = Unlocked(path, dict(keystore), data_key, kept)
        try:
            made.save(is_new=True)
        except FileExistsError:  # made in another tab meanwhile
            raise taken from None
        return made

    def _path(self, name: str) -> Path:
        if NAME.fullmatch(name) is None:
            raise KeyStoreError("a name has up to 40 small letters, digits and hyphens, and no hyphen first")
        return self.folder / f"{name}.json"


def _listed(path: Path) -> Listed:
    try:
        return Listed(path.stem, _read(path).wallet)
    except KeyStoreError as error:
        return Listed(path.stem, "", str(error))


def _check_key(text: str, kind: str) -> None:
    if PRIVATE_KEY.fullmatch(text) is None or not int(text, 16):
        raise KeyStoreError(f"a private {kind} key is a hexadecimal number of at most 64 digits")


def _read(path: Path) -> _File:
    try:
        private.check_folder(path.parent)
        file = msgspec.json.decode(private.read(path), type=_File)
    except private.Exposed as error:
        raise ExposedKey(str(error)) from None
    except FileNotFoundError:
        raise KeyStoreError(f"there is no account {path.stem!r} in {path.parent}") from None
    except OSError as error:
        raise KeyStoreError(f"{path}: cannot be read ({error.strerror or error}); is it another user's?") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise KeyStoreError(
            f"{path}: damaged, or not a key file of this terminal ({error}); bring it back from a copy, or move it away"
        ) from None
    if file.version != VERSION:
        raise KeyStoreError(f"{path}: version {file.version}, and this terminal reads {VERSION}")
    return file


def _write(path: Path, file: _File, *, is_new: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=private.FOLDER_MODE)
    try:
        private.check_folder(path.parent)
    except private.Exposed as error:
        raise ExposedKey(str(error)) from None
    private.write(path, json.dumps(msgspec.to_builtins(file)).encode(), is_new=is_new)
