"""Whether one's own accounts are in the state that L1 has of an exchange, computed here and from L1.

    own words ──> leaf ──path──> root of accounts ─┐
    markets, money, counters ──> their digests ────┼──> S  ==  the state that the rollup has on L1, for everybody
    the genesis ──> digest of the configuration ───┘

What is asked of the exchange is held to S, and S is asked of L1, by a node of one's own choice. docs/solvency.md says
what that shows and what it does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.record import Deployment, check_record
from bulkhead.circuit.decode import account_of, put_record
from bulkhead.circuit.words import COUNTERS_RECORD, MARKETS_RECORD, MONEY_RECORD, account_words
from bulkhead.client.signer import MONEY
from bulkhead.client.solvency import SolvencyError, micro
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.commitment import VERSION, config_root, leaf_of
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import Account, State, child_id, genesis
from bulkhead.ledger.tree import verify_path
from bulkhead.limits import FIELD_PRIME
from bulkhead.node.liabilities import Node, Owed, Part, holds, salt_of, secret_of, settlement_asset, value_of
from bulkhead.units import AccountId, MarketId, TimeMs
from stark.poseidon import hash_many

if TYPE_CHECKING:
    from bulkhead.client.l1 import L1
    from bulkhead.client.trader import Trader

PARTS = 8  # of S: version, configuration, accounts, orders, markets, money, oracle, counters
BLOCKS = 1_000  # whose events are asked for at once, from the newest back
ROUNDING = MONEY  # a dollar: what a hundred thousand accounts lose by rounding does not reach it
BEHIND_MAX = 100  # batches that may have settled since the one that the exchange shows
RECORDS = {"markets": (4, MARKETS_RECORD), "money": (5, MONEY_RECORD), "counters": (7, COUNTERS_RECORD)}


class Anchor(NamedTuple):
    """What L1 says in one block: S of a batch, how many have settled, and what custody has. Smallest units."""

    chain_id: int
    rollup: str
    block: int
    batch: int
    state: int
    batches: int
    tokens: int  # in custody
    backing: int  # of them, what accounts and funds hold by the last proof


class Settled(NamedTuple):
    """What was found. Dollars. `surplus` is what custody holds for accounts and funds beyond all that is owed to
    accounts: the venue's own funds; below zero accounts owe the venue more than these."""

    batch: int
    behind: int  # batches that L1 has settled since
    time_ms: int  # of the exchange, when the batch was sealed
    rollup: str
    state: int
    root: str  # of what is owed: the same for whoever asks, or makes it from L1
    accounts: tuple[Account, ...]  # one's own, as L1's state has them
    owed: Decimal  # to them
    total: Decimal  # to everybody, by the exchange's tree of sums
    funds: Decimal
    tokens: Decimal  # in custody, now
    backing: Decimal
    surplus: Decimal


async def settled(trader: Trader, l1: L1, exchange: Path) -> Settled:
    """Ask the exchange for the newest final batch, and L1 for its state; hold the one to the other. `exchange` is a
    folder with the genesis, kept by oneself. Raises SolvencyError, and what the exchange's client and L1 raise."""
    told = await trader.settled_solvency()
    return await asyncio.to_thread(l1.settled, told, exchange, trader.account_id, trader.signer.key)


def batch_of(told: Mapping[str, Any]) -> int:
    """Which batch an answer is of. Raises SolvencyError."""
    batch = told.get("batch")
    if not isinstance(batch, int) or batch < 1:
        raise SolvencyError(f"the exchange names no batch: {batch!r}")
    return batch


def anchored(chain: Chain, deployment: Deployment, batch: int) -> Anchor:
    """What the contracts of a record say of a batch. Raises SolvencyError where it is not settled, and ChainError."""
    check_record(chain, deployment)
    rollup, custody, token = (deployment.contract(chain, name) for name in ("rollup", "custody", "token"))
    head = chain.head().number
    batches, state = int(rollup.call("batches", at=head)), int(rollup.call("state", at=head))
    if batch > batches:
        raise SolvencyError(f"batch {batch} is not settled on L1, which has {batches}")
    if batches - batch > BEHIND_MAX:
        raise SolvencyError(f"the exchange shows batch {batch}, and L1 has settled {batches}: that is too long ago")
    last = head
    while batch < batches and last > deployment.block:
        first = max(deployment.block, last - BLOCKS) + 1
        found = {int(one.values["number"]): one for one in rollup.events(first, last, "Settled")}
        if batch in found:
            state = int(found[batch].values["state"])
            break
        last = first - 1
    else:
        if batch != batches:
            raise SolvencyError(f"L1 tells nothing of batch {batch}: it settled before these contracts began")
    tokens = int(token.call("balanceOf", deployment.custody.address, at=head))
    backing = int(custody.call("backing", at=head))
    return Anchor(chain.chain_id, deployment.rollup.address, head, batch, state, batches, tokens, backing)


def check(
    told: Mapping[str, Any], anchor: Anchor, config: VenueConfig, account_id: int, key: int, wallet: int = 0
) -> Settled:
    """Hold an answer of the exchange to L1's. `wallet` is the address that is to be able to leave with the account; 0
    asks for none. Raises SolvencyError, which says what does not hold."""
    try:
        return _check(told, anchor, config, (account_id, key, wallet))
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError, AssertionError) as error:
        raise SolvencyError(f"this is no proof of solvency: {error!r}") from error


def _check(told: Mapping[str, Any], anchor: Anchor, config: VenueConfig, whose: tuple[int, int, int]) -> Settled:
    parts, state = _parts(told, anchor, config), genesis(config, TimeMs(0))
    for name, (place, record) in RECORDS.items():
        words = [_element(word) for word in told[name]]
        if hash_many(words) != parts[place]:
            raise SolvencyError(f"the {name} that the exchange tells are not those of the state")
        put_record(state, record, dict(enumerate(words)))
    if state.counters.batches != anchor.batch:
        raise SolvencyError(f"the state is of batch {state.counters.batches}, not {anchor.batch}")
    accounts = _accounts(told, config, parts[2], whose)
    root = Node(bytes.fromhex(told["liabilities"]["root"]), micro(told["liabilities"]["total"]))
    owed = _owed(told, state, accounts, (anchor.state, root))
    asset_id = settlement_asset(state)
    if anchor.batches == anchor.batch and state.custody[asset_id] != anchor.backing:
        raise SolvencyError(f"the state says that custody backs {state.custody[asset_id]}, and L1 {anchor.backing}")
    if anchor.tokens < anchor.backing:
        raise SolvencyError(f"custody has {anchor.tokens} on L1, less than the {anchor.backing} that it backs")
    fund, held = state.funds[asset_id], state.custody[asset_id]
    funds = int(fund.insurance) + int(fund.fees) + int(fund.l1)
    if root.total < held - funds - (int(fund.dust) >> FRACTION_BITS) - ROUNDING:  # debts aside, that is the sum
        raise SolvencyError(
            f"the total of what is owed, {root.total}, leaves somebody out: accounts hold {held - funds} in all"
        )
    return Settled(
        anchor.batch, anchor.batches - anchor.batch, int(state.time_ms), anchor.rollup, anchor.state, root.digest.hex(),
        tuple(accounts.values()), _dollars(owed), _dollars(root.total),
        _dollars(funds), _dollars(anchor.tokens), _dollars(anchor.backing), _dollars(held - root.total),
    )  # fmt: skip


def _parts(told: Mapping[str, Any], anchor: Anchor, config: VenueConfig) -> list[int]:
    """What S is made of, held to L1's."""
    parts = [_element(part) for part in told["parts"]]
    if len(parts) != PARTS or told["batch"] != anchor.batch:
        raise SolvencyError("the exchange tells of another batch than it was asked for")
    if hash_many(parts) != anchor.state:
        raise SolvencyError(
            f"the exchange tells of another state after batch {anchor.batch} than L1 has, {anchor.state:#066x}"
        )
    if parts[0] != VERSION:
        raise SolvencyError(f"the state has version {parts[0]}, and this program reads {VERSION}: take a newer one")
    if parts[1] != config_root(config):
        raise SolvencyError("the state has another configuration than the genesis that is kept here")
    return parts


def _accounts(
    told: Mapping[str, Any], config: VenueConfig, root: int, whose: tuple[int, int, int]
) -> dict[int, Account]:
    """One's main account and every isolated position that the state has; none can be left out, for each place is shown,
    the empty ones too."""
    account_id, key, wallet = whose
    wanted = [account_id, *(int(child_id(AccountId(account_id), MarketId(one.market_id))) for one in config.markets)]
    shown = {int(one["accountId"]): one for one in told["accounts"]}
    accounts = {}
    for number in wanted:
        if number not in shown:
            raise SolvencyError(f"account {number} is neither shown nor shown to be empty")
        words = {int(name): _element(word) for name, word in shown[number]["words"].items()}
        account = account_of(number, words)
        path = [_element(node) for node in shown[number]["path"]]
        if not verify_path(root, number, leaf_of(account), path):
            raise SolvencyError(f"account {number} is another one in the state that L1 has")
        if account_words(account) != words:
            raise SolvencyError(f"account {number} is told in words that no account has")
        if account is not None:
            accounts[number] = account
            if account.owner_key != key:
                raise SolvencyError(f"account {number} is of another key in the state that L1 has")
    if account_id not in accounts:
        raise SolvencyError(
            f"account {account_id} is not in the state of batch {told['batch']}: unless it is newer, it was left out"
        )
    if wallet and accounts[account_id].l1_owner != wallet:
        raise SolvencyError(f"account {account_id} is of another address on L1: {accounts[account_id].l1_owner:#042x}")
    return accounts


def _owed(told: Mapping[str, Any], state: State, accounts: Mapping[int, Account], under: tuple[int, Node]) -> int:
    """What is owed to these accounts, each of which the total counts. Amounts and salts are computed, not read."""
    root, owed = under[1], 0
    places: set[int] = set()
    shown = {int(one["accountId"]): one["owed"] for one in told["accounts"]}
    for number, account in accounts.items():
        amount = max(0, value_of(state, account))
        if shown[number] is None:
            raise SolvencyError(f"account {number} is not counted in what is owed")
        leaf = Owed(number, int(account.owner_key), amount, salt_of(secret_of(under[0]), number))
        path = tuple(Node(bytes.fromhex(one["digest"]), micro(one["total"])) for one in shown[number]["path"])
        if not holds(Part(leaf, int(shown[number]["place"]), path), root):
            raise SolvencyError(f"account {number} is not counted in what is owed with the {amount} that it has")
        owed += amount
        places.add(int(shown[number]["place"]))
    if len(places) != len(accounts):
        raise SolvencyError("two accounts share one place")
    return owed


def _element(text: str) -> int:
    value = int(text, 16)
    if not 0 <= value < FIELD_PRIME:
        raise ValueError(f"{text[:80]} is no element of the field")
    return value


def _dollars(units: int) -> Decimal:
    return Decimal(units) / MONEY
