"""Moments at which everything that the venue owes was summed and hashed, kept for those who look for their part."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any, NamedTuple

from bulkhead.api.numbers import money
from bulkhead.node.app import Node
from bulkhead.node.liabilities import Liabilities, settlement_asset, value_of

AGE_S = 5.0
REST = 20  # and no newer than so many times what the last one took: a hundred thousand accounts take seconds
KEPT_S = 30.0  # a part can be looked up under the root of its moment for so long, and under the last root before


class Moment(NamedTuple):
    """The venue's sums, and the tree of what it owes."""

    taken_s: float
    took_s: float
    sequence: int
    sums: dict[str, Any]
    owed: Liabilities


class Moments:
    """Newest last. Every account is looked at, so it is not done for everybody who asks."""

    def __init__(self) -> None:
        self._kept: list[Moment] = []
        self._making = asyncio.Lock()

    async def newest(self, node: Node) -> Moment:
        """No older than some seconds."""
        async with self._making:
            if not self._kept or self._is_old(self._kept[-1]):
                young = [one for one in self._kept if time.monotonic() - one.taken_s < KEPT_S]
                self._kept = young or self._kept[-1:]
                self._kept.append(await _take(node))
            return self._kept[-1]

    @staticmethod
    def _is_old(moment: Moment) -> bool:
        return time.monotonic() - moment.taken_s >= max(AGE_S, REST * moment.took_s)

    def at(self, sequence: int) -> Moment | None:
        """The one that was taken after so many commands, while it is kept."""
        return next((one for one in self._kept if one.sequence == sequence), None)


async def _take(node: Node) -> Moment:
    """The sums are of one moment, between two commands; the hashing is done beside the event loop."""
    began_s = time.monotonic()
    state, sequence = node.exchange.state, node.exchange.sequence
    asset_id = settlement_asset(state)
    held = [one for one in state.accounts.values() if one.asset_id == asset_id]
    values = [(int(one.account_id), int(one.owner_key), value_of(state, one)) for one in held]
    fund = state.funds[asset_id]
    sums = {
        "custody": money(state.custody.get(asset_id, 0)),
        "accounts": money(sum(value for _, _, value in values)),
        "funds": money(int(fund.insurance) + int(fund.fees) + int(fund.l1)),
        "sequence": sequence,
        "batches": state.counters.batches,
    }
    leaves = [(account_id, key, max(0, value)) for account_id, key, value in values]
    owed = await asyncio.to_thread(Liabilities, leaves, secrets.token_bytes(32))
    liabilities = {"root": owed.root.digest.hex(), "total": money(owed.root.total), "accounts": owed.count}
    now_s = time.monotonic()
    return Moment(now_s, now_s - began_s, sequence, {**sums, "liabilities": liabilities}, owed)
