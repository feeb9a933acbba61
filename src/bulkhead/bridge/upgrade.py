"""An upgrade on L1: other verifiers, deployed beside those of a rollup, announced to it, enacted after the wait.

A verifier is of one configuration, so other parameters are other verifiers, and wait as those do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.artifacts import SystemArtifacts
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.deploy import Progress, deploy_doors
from bulkhead.bridge.errors import ChainError
from bulkhead.bridge.proposals import Kind, Proposal, Stage
from bulkhead.bridge.record import Deployment, Door, Proposed

Keep = Callable[[Deployment], None]


class UpgradeError(ChainError):
    """What cannot be announced or enacted; the text says why."""


class Aim(NamedTuple):
    """What is announced: verifiers of the configuration with this digest, from a batch on (0: at once when enacted).
    `changes` are in words, none where the configuration stays."""

    configuration: str
    changes: tuple[str, ...]
    from_batch: int


def propose(
    chain: Chain,
    signer: LocalAccount,
    deployment: Deployment,
    systems: Sequence[SystemArtifacts],
    aim: Aim,
    *,
    keep: Keep,
    progress: Progress = lambda done, gas: None,
) -> Deployment:
    """Deploy the verifiers that the record does not have, and announce all that the rollup does not take already. The
    record with them.

    `keep` gets the record before anything is announced, so that a run that broke off is taken up by the next one.
    Raises UpgradeError, and what `Chain` raises.
    """
    rollup = deployment.contract(chain, "rollup")
    _check(chain, signer, deployment)
    pairs = [(each.version, each.shape) for each in systems]
    if not systems or len(set(pairs)) < len(pairs):
        raise UpgradeError("an upgrade is of at least one verifier, and of one alone for each version and shape")
    doors: list[Door] = []
    for each in systems:
        known = next((door for door in deployment.every_door if door.key == each.key), None)
        if known is not None and rollup.call("reader_of", known.version, known.shape) == known.reader.address:
            progress(f"the rollup takes version {each.version}, shape {each.shape} with this key already", 0)
            continue
        door = deploy_doors(chain, signer, [each], progress)[0] if known is None else known
        others = tuple(one for one in deployment.proposed if one.door.key != door.key)
        deployment = deployment._replace(proposed=(*others, Proposed(door, aim.from_batch, *aim[:2])))
        keep(deployment)
        doors.append(door)
    if not doors:
        raise UpgradeError("the rollup takes all these verifiers already: nothing would change")
    for door in doors:
        reader = door.reader.address
        receipt = rollup.transact(signer, "propose_reader", door.version, door.shape, reader, aim.from_batch)
        progress(f"proposed {reader} for version {door.version}, shape {door.shape}", receipt.gas_used)
    return deployment


def withdraw(chain: Chain, signer: LocalAccount, deployment: Deployment, proposal: Proposal) -> int:
    """Take back what was announced; the gas. Raises UpgradeError, and what `Chain` raises."""
    if proposal.stage not in (Stage.WAITING, Stage.READY):
        raise UpgradeError(f"proposal {proposal.id[:16]}… is {proposal.stage}: there is nothing to withdraw")
    rollup = deployment.contract(chain, "rollup")
    _check_council(chain, signer, deployment)
    return rollup.transact(signer, "withdraw_proposal", bytes.fromhex(proposal.id)).gas_used


def enact(chain: Chain, signer: LocalAccount, deployment: Deployment, proposal: Proposal) -> int:
    """Have happen what was announced long enough ago, which anybody may; the gas. Raises UpgradeError, and what `Chain`
    raises."""
    if proposal.stage is not Stage.READY:
        raise UpgradeError(f"proposal {proposal.id[:16]}… is {proposal.stage}: only one that is ready is enacted")
    rollup = deployment.contract(chain, "rollup")
    if proposal.kind is Kind.COUNCIL:
        return rollup.transact(signer, "enact_council", proposal.address).gas_used
    words = (proposal.version, proposal.shape, proposal.address, proposal.from_batch)
    return rollup.transact(signer, "enact_reader", *words).gas_used


def _check(chain: Chain, signer: LocalAccount, deployment: Deployment) -> None:
    """Before verifiers are paid for: the rollup lives, and the signer may announce."""
    if deployment.contract(chain, "rollup").call("frozen"):
        raise UpgradeError("the rollup is frozen: no batch settles again, so no verifier is of any use")
    _check_council(chain, signer, deployment)


def _check_council(chain: Chain, signer: LocalAccount, deployment: Deployment) -> None:
    council = deployment.contract(chain, "rollup").call("council")
    if council != str(signer.address):
        raise UpgradeError(f"only the council may: that is {council}, and this key is of {signer.address}")
