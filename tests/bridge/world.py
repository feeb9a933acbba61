"""A small proof key with its contracts, deployed: what the tests of deployment and settlement share."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bulkhead.bridge.artifacts import SystemArtifacts, compile_contracts
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.deploy import Beginning, deploy
from bulkhead.bridge.record import Deployment
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import Parameters
from stark.prover import prove
from stark.split import Split, split
from tests.bridge.chains import DEPLOYER
from tests.contracts.statement import Layout
from tests.shared import made_once
from tests.stark.toy import SYSTEM, case

PARAMETERS = Parameters(log_blowup=2, queries=8, grinding_bits=4, log_arity_max=3, log_final=2, part_queries=3)
FEE = 10**15
COUNTERS = {
    "deposits": 3, "withdrawals": 2, "forced": 1, "transactions": 77, "fresh_after_ms": 5, "time_ms": 1_790_000_000_000
}  # fmt: skip
STATE, BATCHES = 0x1234, 6


class Proven(NamedTuple):
    """A statement of the small system with its proof, cut for the chain."""

    key: Key
    public: list[int]
    split: Split


@cache
def proven() -> Proven:
    """Proven once for all tests."""
    example = case(4, 6)
    fixed = prepare(SYSTEM, example.log_heights, PARAMETERS)
    proof = prove(fixed, example.public, example.traces)
    return Proven(fixed.key, example.public, split(fixed.key, example.public, proof))


@cache
def system() -> SystemArtifacts:
    """The contracts of its key, compiled once. Its statement is not a batch's: the reader will read nothing."""
    with tempfile.TemporaryDirectory() as folder:
        return made_once("contracts of the bridge's world", lambda: compile_system(Path(folder)))


def compile_system(cache_folder: Path) -> SystemArtifacts:
    """The same, unless the folder knows it already."""
    return compile_contracts(proven().key, Layout().module, version=1, shape=7, cache=cache_folder)


def deployed(chain: Chain, made: SystemArtifacts) -> Deployment:
    """Everything on a chain."""
    beginning = Beginning(STATE, COUNTERS, BATCHES, str(DEPLOYER.address), FEE)
    return deploy(chain, DEPLOYER, [made], beginning)
