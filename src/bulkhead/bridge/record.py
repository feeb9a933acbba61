"""A deployment as a file: where every contract is, what it understands, and which code it had when it was deployed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak

from bulkhead.bridge.artifacts import Abi, write_text
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.errors import ChainError
from bulkhead.ledger.commitment import VERSION

FORMAT = 3
STATE_OF_2 = 4  # the version of the state that every deployment had whose record is of format 2
PROVING = ("verifier", "opening", "queries", "pages")  # of each key, in the order of its record


class RecordError(ChainError):
    """A file that is no deployment record, or one of contracts that are not on this chain."""


class Place(NamedTuple):
    """A deployed contract. `code` is the Keccak hash of what stood at its address, in hexadecimal."""

    address: str
    abi: Abi
    code: str


class Door(NamedTuple):
    """A verifier with its reader, as the rollup pins them for one version and shape of circuit."""

    version: int
    shape: int
    key: str  # digest of the proof key, in hexadecimal
    artifacts: str  # digest of what the contracts were made from
    reader: Place
    verifier: Place
    opening: Place
    queries: Place
    pages: Place
    data: tuple[str, ...]  # addresses of the rules: tapes, then constants


class Proposed(NamedTuple):
    """A verifier that was deployed later and proposed to the rollup, which takes it when that is enacted.

    `configuration` is the digest of the one whose batches it verifies; `changes` are in words, none where it is that of
    the exchange as before. `state_version` says what S is made of there, see `ledger.commitment`.
    """

    door: Door
    from_batch: int
    configuration: str
    changes: tuple[str, ...]
    state_version: int = VERSION


class Exit(NamedTuple):
    """The escape with its verifier: what settles all accounts after a freeze."""

    key: str  # digest of the proof key, in hexadecimal
    artifacts: str  # digest of what the contracts were made from
    escape: Place
    verifier: Place
    opening: Place
    queries: Place
    pages: Place
    data: tuple[str, ...]  # addresses of the rules: tapes, then constants


class Deployment(NamedTuple):
    """All that is needed to use a rollup."""

    chain_id: int
    block: int  # the last one before the first of its contracts: followers begin after it
    deployer: str
    token: Place
    custody: Place
    rollup: Place
    doors: tuple[Door, ...]
    exit: Exit | None = None  # of a rollup that was deployed without, nobody leaves after a freeze
    proposed: tuple[Proposed, ...] = ()
    state_version: int = VERSION  # of the S that the rollup began with: what its batches and its escape know

    @property
    def every_door(self) -> tuple[Door, ...]:
        """Those that the rollup began with, and what was proposed since: it says itself which it takes."""
        return (*self.doors, *(each.door for each in self.proposed))

    def doors_of(self, configuration: str) -> tuple[Door, ...]:
        """Those that verify batches of the configuration that the rollup began with, which has this digest."""
        later = [each for each in self.proposed if each.configuration == configuration]
        return (*self.doors, *(each.door for each in later if each.state_version == self.state_version))

    def contract(self, chain: Chain, name: str) -> Contract:
        """`token`, `custody` or `rollup`, to be called."""
        place: Place = {"token": self.token, "custody": self.custody, "rollup": self.rollup}[name]
        return Contract(chain, place.address, place.abi)

    def door(self, version: int, shape: int) -> Door:
        """The verifier of a version and shape that the rollup began with. RecordError when there is none."""
        for each in self.doors:
            if (each.version, each.shape) == (version, shape):
                return each
        known = ", ".join(f"{each.version}/{each.shape}" for each in self.doors)
        raise RecordError(f"no verifier for version {version} and shape {shape}; there are {known or 'none'}")

    def places(self) -> dict[str, Place]:
        """Every contract that has an ABI, by name."""
        found = {"token": self.token, "custody": self.custody, "rollup": self.rollup}
        for each in self.doors:
            found |= _places(each, f"{each.version}/{each.shape}")
        for number, later in enumerate(self.proposed, 1):
            found |= _places(later.door, f"{later.door.version}/{later.door.shape}, proposed {number}")
        if self.exit is not None:
            found |= {"escape": self.exit.escape, "escape's verifier": self.exit.verifier}
            found |= {"escape's opening": self.exit.opening, "escape's queries": self.exit.queries}
            found["escape's pages"] = self.exit.pages
        return found


def _places(door: Door, suffix: str) -> dict[str, Place]:
    return {
        f"reader {suffix}": door.reader,
        f"verifier {suffix}": door.verifier,
        f"opening {suffix}": door.opening,
        f"queries {suffix}": door.queries,
        f"pages {suffix}": door.pages,
    }


def place_of(chain: Chain, address: str, abi: Abi) -> Place:
    """A contract that stands at an address now. RecordError when nothing does."""
    code = chain.code(address)
    if not code:
        raise RecordError(f"there is no contract at {address}")
    return Place(address, abi, keccak(code).hex())


def check_record(chain: Chain, deployment: Deployment) -> None:
    """Whether this is the record's chain, and every contract has the code it was recorded with. Raises RecordError."""
    if chain.chain_id != deployment.chain_id:
        raise RecordError(f"deployed on chain {deployment.chain_id}, and the node is of chain {chain.chain_id}")
    for name, place in deployment.places().items():
        code = chain.code(place.address)
        if keccak(code).hex() != place.code:
            what = "another contract" if code else "nothing"
            raise RecordError(f"{name}: {what} at {place.address}; is it another chain with the same number?")


def write_record(path: Path, deployment: Deployment) -> None:
    """Write the record, as a whole or not at all."""
    fields = {"format": FORMAT, **deployment._asdict()}
    for name in ("token", "custody", "rollup"):
        fields[name] = fields[name]._asdict()
    fields["doors"] = [_flat(door) for door in deployment.doors]
    fields["exit"] = None if deployment.exit is None else _flat(deployment.exit)
    fields["proposed"] = [{**each._asdict(), "door": _flat(each.door)} for each in deployment.proposed]
    write_text(path, json.dumps(fields, indent=1) + "\n")


def read_record(path: Path) -> Deployment:
    """A deployment from its file. RecordError when it is none."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields["format"] == 2:
            fields["state_version"] = STATE_OF_2
        elif fields["format"] != FORMAT:
            raise ValueError(f"format {fields['format']}, and this program reads 2 and {FORMAT}")
        doors = tuple(_door(each) for each in fields["doors"])
        token, custody, rollup = (_place(fields[name]) for name in ("token", "custody", "rollup"))
        chain_id, block = int(fields["chain_id"]), int(fields["block"])
        leaving = None if fields.get("exit") is None else _exit(fields["exit"])
        deployer, proposed = _address(fields["deployer"]), tuple(map(_proposed, fields.get("proposed", [])))
        state = int(fields["state_version"])
        return Deployment(chain_id, block, deployer, token, custody, rollup, doors, leaving, proposed, state)
    except FileNotFoundError:
        raise RecordError(
            f"{path} is not there: `bulkhead l1 deploy` writes it, or name another with --record"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path} is no deployment record: {error!r}") from error


def _flat(door: Door | Exit) -> dict[str, Any]:
    return {key: value._asdict() if isinstance(value, Place) else value for key, value in door._asdict().items()}


def _exit(fields: Mapping[str, Any]) -> Exit:
    escape, verifier, opening, queries, pages = (_place(fields[each]) for each in ("escape", *PROVING))
    data = tuple(_address(each) for each in fields["data"])
    return Exit(str(fields["key"]), str(fields["artifacts"]), escape, verifier, opening, queries, pages, data)


def _door(fields: Mapping[str, Any]) -> Door:
    reader, verifier, opening, queries, pages = (_place(fields[each]) for each in ("reader", *PROVING))
    data = tuple(_address(each) for each in fields["data"])
    version, shape = int(fields["version"]), int(fields["shape"])
    key, artifacts = str(fields["key"]), str(fields["artifacts"])
    return Door(version, shape, key, artifacts, reader, verifier, opening, queries, pages, data)


def _proposed(fields: Mapping[str, Any]) -> Proposed:
    changes = tuple(map(str, fields["changes"]))
    state = int(fields.get("state_version", STATE_OF_2))  # without one, the record is of format 2
    return Proposed(_door(fields["door"]), int(fields["from_batch"]), str(fields["configuration"]), changes, state)


def _place(fields: Mapping[str, Any]) -> Place:
    if not isinstance(fields["abi"], list):
        raise ValueError("an ABI is a list")
    return Place(_address(fields["address"]), fields["abi"], str(fields["code"]))


def _address(value: object) -> str:
    if not isinstance(value, str) or not is_checksum_address(value):
        raise ValueError(f"{value!r} is no address with its checksum")
    return value
