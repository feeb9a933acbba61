"""How a terminal runs."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path


def default_keys_folder() -> Path:
    """Where keys are kept unless another folder is named."""
    return Path(os.environ.get("BULKHEAD_KEYS") or Path.home() / ".bulkhead" / "keys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`token` opens the screens: whoever knows it trades with the unlocked keys. It is told in the URL that is printed,
    and what the browser keeps as a cookie is made of it."""

    exchange_url: str = "http://127.0.0.1:8080"
    host: str = "127.0.0.1"
    port: int = 8090  # 0: any that is free
    keys: Path = field(default_factory=default_keys_folder)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    unlock: str = ""  # account that is unlocked at the start, with `passphrase`
    passphrase: str = field(default="", repr=False)
    onboard: bool = False  # at the exchange, if that account has not
    l1: str = "http://127.0.0.1:8545"  # until the owner names another; there `bulkhead up --settle` serves its own
    names: tuple[str, ...] = ()  # host names beside this machine's own under which a browser may ask
    admit: tuple[str, ...] = ()  # users whose programs may connect beside one's own and root's; or "all"
