"""What a node keeps on disk is refused where others can reach it: its keys, webhooks' secrets, L1's payer."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkhead.cli.l1 import find_signer
from bulkhead.node.keys import KEYS_FILE, KeysError, keys_in
from bulkhead.node.settings import SettlementSettings
from bulkhead.node.settles import _payer
from bulkhead.node.settling.events import SettlementError
from bulkhead.node.store.database import Database, DatabaseError

KEY = "0x" + "2a" * 32


def test_a_venues_keys(tmp_path: Path) -> None:
    made = keys_in(tmp_path / "venue", 3)
    path = tmp_path / "venue" / KEYS_FILE
    assert path.stat().st_mode & 0o777 == 0o600 and keys_in(path.parent, 3) == made
    path.chmod(0o640)
    with pytest.raises(KeysError, match=f"others on this machine may read it; `chmod 600 {path}` it first"):
        keys_in(path.parent, 3)


def test_the_database_with_webhooks_secrets(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite"
    Database(f"sqlite:///{path}").close()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(DatabaseError, match=f"`chmod 600 {path}` it first"):
        Database(f"sqlite:///{path}")


def test_keys_that_pay_on_l1(tmp_path: Path) -> None:
    chain = str(tmp_path / "l1" / "chain.sqlite")
    beside = find_signer(chain, None).address
    path = tmp_path / "l1" / "chain.key"
    assert path.stat().st_mode & 0o777 == 0o600 and find_signer(chain, path).address == beside
    settlement = SettlementSettings(l1=chain, record="r", key_file=str(path))
    assert _payer(settlement).address == beside
    path.chmod(0o644)
    for named in (None, path):
        with pytest.raises(OSError, match="chmod 600"):
            find_signer(chain, named)
    with pytest.raises(SettlementError, match="chmod 600"):
        _payer(settlement)
