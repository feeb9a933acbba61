"""Leaving through the SDK with the operator gone: a forced request, a week, and all that the account is worth."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from bulkhead.client.l1 import L1
from bulkhead.fixed import quote_floor
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.node.replay import write_genesis
from tests.bridge.chains import DEPOSITOR
from tests.node.escape_world import TERMS, WEEK, story, world


def test_an_owner_leaves_with_what_his_account_is_worth(tmp_path: Path) -> None:
    write_genesis(tmp_path, story().config, story().time_ms)
    last = story().last
    mine = [one for one in last.accounts.values() if one.l1_owner == int(str(DEPOSITOR.address), 16)]
    worth = sum(max(0, int(quote_floor(health_of(last, settled(last, one)[0]).value))) for one in mine)
    with world() as here:
        here.settle()
        owner = L1(here.chain, here.deployment, DEPOSITOR)
        before = owner.balance()
        assert owner.force_withdrawal(mine[0].account_id, Decimal("0.000005")) == 1
        here.wait(WEEK + 60)
        assert owner.exit(tmp_path, TERMS) == Decimal(worth) / 1_000_000 > 0
        assert owner.balance() == before + Decimal(worth) / 1_000_000
        assert owner.exit(tmp_path, TERMS) == 0
