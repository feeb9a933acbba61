"""Put the contracts on a chain: token (unless there is one), custody, a verifier for each key, the rollup; then bind.

A constructor's arguments are found by their names in its ABI, so that a contract that asks for something new is refused
by name, and not deployed with words in the wrong places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from bulkhead.bridge.artifacts import Artifact, SystemArtifacts, shared_artifacts
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract, constructor_inputs, encode_arguments
from bulkhead.bridge.errors import ChainError
from bulkhead.bridge.gas import CODE_BYTES_MAX
from bulkhead.bridge.record import Deployment, Door, Exit, Place, place_of

NOBODY = "0x" + "00" * 20
EMBEDDED = "bulkhead/embedded"

Progress = Callable[[str, int], None]  # what was done, and the gas it took


class DeployError(ChainError):
    """A deployment that was not finished; what was deployed before stays on the chain, unused."""


class Beginning(NamedTuple):
    """Where the rollup begins. `counters` by their names in the contract; `fee` in wei, of a forced request."""

    state: int
    counters: Mapping[str, int]
    batches: int
    council: str
    fee: int = 0
    escape: str = NOBODY


def deploy(
    chain: Chain,
    signer: LocalAccount,
    systems: Sequence[SystemArtifacts],
    beginning: Beginning,
    *,
    token: str | None = None,
    escape: SystemArtifacts | None = None,
    progress: Progress = lambda done, gas: None,
) -> Deployment:
    """Deploy everything. `token` None deploys the token of test networks, which anybody can mint.

    `escape`: contracts that settle all accounts after a freeze; without them the rollup names whom `beginning` says.
    Raises DeployError, or what `chain.transact` raises.
    """
    doors = {(each.version, each.shape) for each in systems}
    if not systems or len(doors) < len(systems):
        raise DeployError("a rollup needs a verifier, and one alone for each version and shape")
    if any(each.is_escape for each in systems) or (escape is not None and not escape.is_escape):
        raise DeployError("the contracts of an escape settle no batches, and those of batches no escape")
    if escape is not None and beginning.escape != NOBODY:
        raise DeployError(f"the rollup is to name {beginning.escape} as its escape, and another is to be deployed")
    work = _Work(chain, signer, progress)
    shared = shared_artifacts()
    block = chain.head().number
    if token is None:
        money = work.contract(shared["Token"], {})
    else:
        money = place_of(chain, to_checksum_address(token), shared["Token"].abi)
    custody = work.contract(shared["Custody"], {"token": money.address})
    made = tuple(work.door(each) for each in systems)
    leaving = None if escape is None else work.exit(escape, custody.address)
    arguments = {
        **beginning._asdict(),
        **({} if leaving is None else {"escape": leaving.escape.address}),
        "custody": custody.address,
        "doors": [{"version": each.version, "shape": each.shape, "reader": each.reader.address} for each in made],
    }
    rollup = work.contract(shared["Rollup"], arguments)
    receipt = Contract(chain, custody.address, custody.abi).transact(signer, "bind", rollup.address)
    progress("bound custody to rollup", receipt.gas_used)
    return Deployment(chain.chain_id, block, str(signer.address), money, custody, rollup, made, leaving)


def deploy_doors(
    chain: Chain,
    signer: LocalAccount,
    systems: Sequence[SystemArtifacts],
    progress: Progress = lambda done, gas: None,
) -> tuple[Door, ...]:
    """Verifiers and readers beside those of a rollup that is there; it takes none of them by itself."""
    if any(each.is_escape for each in systems):
        raise DeployError("the contracts of an escape settle no batches")
    work = _Work(chain, signer, progress)
    return tuple(work.door(each) for each in systems)


class Pure(NamedTuple):
    """What a verifier trusts: three contracts without a state, and the addresses of the rules."""

    opening: Place
    queries: Place
    pages: Place
    data: tuple[str, ...]


class _Work:
    """One deployer's transactions, one after the other."""

    def __init__(self, chain: Chain, signer: LocalAccount, progress: Progress) -> None:
        self.chain, self.signer, self.progress = chain, signer, progress
        self.is_embedded = str(chain.ask("web3_clientVersion")).startswith(EMBEDDED)

    def contract(self, artifact: Artifact, arguments: Mapping[str, Any]) -> Place:
        """Deploy a contract with named arguments."""
        inputs = constructor_inputs(artifact.abi)
        missing = [each["name"] for each in inputs if each["name"] not in arguments]
        if missing:
            raise DeployError(f"{artifact.name} is deployed with {', '.join(missing)}, which nobody named")
        values = [_value(each, arguments[each["name"]], artifact.name) for each in inputs]
        address = self._deploy(artifact.name, artifact.code + encode_arguments(inputs, values))
        return place_of(self.chain, address, artifact.abi)

    def door(self, system: SystemArtifacts) -> Door:
        """Deploy a key's contracts: those of its verifier, and the reader."""
        pure, verifier = self.verifier(system, f"{system.version}/{system.shape}")
        read = {"verifier": verifier.address, "version": system.version, "shape": system.shape}
        reader = self.contract(system.contracts["Reader"], read)
        key, made = system.key, system.digest
        return Door(system.version, system.shape, key, made, reader, verifier, *pure)

    def exit(self, system: SystemArtifacts, custody: str) -> Exit:
        """Deploy the escape behind its verifier."""
        pure, verifier = self.verifier(system, "of the escape")
        escape = self.contract(system.contracts["Escape"], {"custody": custody, "verifier": verifier.address})
        return Exit(system.key, system.digest, escape, verifier, *pure)

    def verifier(self, system: SystemArtifacts, suffix: str) -> tuple[Pure, Place]:
        """Deploy a key's verifier: the rules as data, the three pure contracts, and what trusts them."""
        pieces = [*system.tapes, system.constants]
        data = [self._deploy(f"rules {suffix}, piece {place}", as_code(each)) for place, each in enumerate(pieces, 1)]
        opening = self.contract(system.contracts["Opening"], {"tapes": data[:-1], "constants": data[-1]})
        queries, pages = (self.contract(system.contracts[name], {}) for name in ("Queries", "Pages"))
        named = {"opening": opening.address, "queries": queries.address, "pages": pages.address}
        verifier = self.contract(system.contracts["Verifier"], named)
        if self.is_embedded:
            # The specification takes seconds for a million gas; the three are pure, as `Verifier` relies on anyway.
            self.chain.ask("bulkhead_runNatively", opening.address, data)
            for each in (queries, pages):
                self.chain.ask("bulkhead_runNatively", each.address, [])
        return Pure(opening, queries, pages, tuple(data)), verifier

    def _deploy(self, name: str, code: bytes) -> str:
        receipt = self.chain.transact(self.signer, None, code)
        if receipt.created is None:
            raise DeployError(f"{name}: the node names no address for what was deployed")
        self.progress(f"deployed {name} at {receipt.created}", receipt.gas_used)
        return receipt.created


def as_code(data: bytes) -> bytes:
    """Deployment code of a contract that is nothing but data, behind a byte that stops whoever calls it."""
    size = len(data) + 1
    if size > CODE_BYTES_MAX:
        raise DeployError(f"{size} bytes of data in one contract, of at most {CODE_BYTES_MAX}")
    # PUSH2 size, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, RETURNDATASIZE, RETURN; STOP and the data follow.
    return bytes.fromhex(f"61{size:04x}80600a3d393df300") + data


def _value(entry: Mapping[str, Any], value: Any, name: str) -> Any:
    """A value as the ABI's encoder takes it: a structure is given by the names of its parts."""
    kind = entry["type"]
    if kind == "tuple":
        missing = [each["name"] for each in entry["components"] if each["name"] not in value]
        if missing:
            raise DeployError(f"{name} is deployed with {entry['name']}.{missing[0]}, which nobody named")
        return tuple(_value(each, value[each["name"]], name) for each in entry["components"])
    if kind.startswith("tuple["):
        one = {**entry, "type": "tuple"}
        return [_value(one, each, name) for each in value]
    return value
