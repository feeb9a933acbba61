"""What a deployment looks like now: every value its contracts tell without being asked for something, and balances."""

from __future__ import annotations

from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from bulkhead.bridge.chain import Block, Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import NOBODY
from bulkhead.bridge.proposals import Proposal, Proposals
from bulkhead.bridge.record import Deployment


class Pin(NamedTuple):
    """A version and shape: `pinned` is the reader that the rollup takes for the next batch, with its key where the
    record has it, else the first of the record's own."""

    version: int
    shape: int
    key: str
    reader: str
    pinned: str
    verifier: str

    @property
    def is_pinned(self) -> bool:
        """Whether the rollup takes a reader of the record."""
        return self.reader == self.pinned

    @property
    def is_closed(self) -> bool:
        """Whether the rollup takes no batch of this version and shape: not yet, or no more."""
        return self.pinned == NOBODY


class Status(NamedTuple):
    """At one block. `views` are the contracts' values by contract and name; amounts in the token's smallest units."""

    chain_id: int
    block: Block
    addresses: dict[str, str]
    changed: tuple[str, ...]  # contracts whose code is not what the record says
    views: dict[str, dict[str, Any]]
    pins: tuple[Pin, ...]
    proposals: tuple[Proposal, ...]
    custody_balance: int
    deployer: str
    deployer_wei: int


def status(chain: Chain, deployment: Deployment, now_s: int = 0) -> Status:
    """Read a deployment, all at one block; `now_s` as in `Proposals.look`. Raises what `Chain` raises."""
    block = chain.head()
    at = block.number
    places = deployment.places()
    views = {
        name: _views(Contract(chain, place.address, place.abi), at)
        for name, place in places.items()
        if name in ("rollup", "custody", "escape")
    }
    rollup = deployment.contract(chain, "rollup")
    pairs = dict.fromkeys((each.version, each.shape) for each in deployment.every_door)
    pins = tuple(_pin(deployment, pair, rollup.call("reader_of", *pair, at=at)) for pair in pairs)
    return Status(
        chain.chain_id,
        block,
        {name: place.address for name, place in places.items()},
        tuple(name for name, place in places.items() if keccak(chain.code(place.address, at)).hex() != place.code),
        views,
        pins,
        Proposals(chain, deployment).look(now_s),
        deployment.contract(chain, "token").call("balanceOf", deployment.custody.address, at=at),
        deployment.deployer,
        chain.balance(deployment.deployer, at),
    )


def _pin(deployment: Deployment, pair: tuple[int, int], pinned: str) -> Pin:
    doors = [each for each in deployment.every_door if (each.version, each.shape) == pair]
    door = next((each for each in doors if each.reader.address == pinned), doors[0])
    return Pin(*pair, door.key, door.reader.address, pinned, door.verifier.address)


def _views(contract: Contract, at: int) -> dict[str, Any]:
    """What the contract tells without arguments, by name; parts of a structure as `name.part`."""
    told: dict[str, Any] = {}
    for entry in contract.abi:
        if entry["type"] != "function" or entry["inputs"] or entry["stateMutability"] not in ("view", "pure"):
            continue
        value = contract.call(entry["name"], at=at)
        outputs = entry["outputs"]
        if len(outputs) == 1 and outputs[0]["type"] == "tuple":
            parts = [each["name"] for each in outputs[0]["components"]]
            told |= {f"{entry['name']}.{part}": each for part, each in zip(parts, value, strict=True)}
        else:
            told[entry["name"]] = value
    return told
