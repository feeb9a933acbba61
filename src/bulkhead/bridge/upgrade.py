"""An upgrade on L1: other verifiers, deployed beside those of a rollup, announced to it, enacted after the wait.

A verifier is of one configuration, so other parameters are other verifiers, and wait as those do. Of another version
of the circuit the rollup takes batches beside those of before, until these are retired: which waits as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.artifacts import SystemArtifacts
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.deploy import NOBODY, Progress, deploy_doors
from bulkhead.bridge.errors import ChainError
from bulkhead.bridge.proposals import Kind, Proposal, Stage
from bulkhead.bridge.record import Deployment, Door, Proposed

Keep = Callable[[Deployment], None]


class UpgradeError(ChainError):
    """What cannot be announced or enacted; the text says why."""


class Aim(NamedTuple):
    """What is announced: verifiers of the configuration with this digest, from a batch on (0: at once when enacted).
    `changes` are in words, none where the configuration stays. `retires`: no others are to be taken from then on."""

    configuration: str
    changes: tuple[str, ...]
    from_batch: int
    retires: bool = False


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
        later = Proposed(door, aim.from_batch, aim.configuration, aim.changes)
        deployment = deployment._replace(proposed=(*others, later))
        keep(deployment)
        doors.append(door)
    if not doors:
        raise UpgradeError("the rollup takes all these verifiers already: nothing would change")
    for door in doors:
        reader = door.reader.address
        receipt = rollup.transact(signer, "propose_reader", door.version, door.shape, reader, aim.from_batch)
        progress(f"proposed {reader} for version {door.version}, shape {door.shape}", receipt.gas_used)
    for pair in taken_pairs(chain, deployment) if aim.retires else ():
        if pair not in pairs:
            receipt = rollup.transact(signer, "propose_reader", *pair, NOBODY, aim.from_batch)
            progress(f"proposed that version {pair[0]}, shape {pair[1]} is taken no more", receipt.gas_used)
    return deployment


def taken_pairs(chain: Chain, deployment: Deployment) -> list[tuple[int, int]]:
    """Versions and shapes, of those in the record, of which the rollup takes the next batch."""
    rollup = deployment.contract(chain, "rollup")
    known = dict.fromkeys((each.version, each.shape) for each in deployment.every_door)
    return [pair for pair in known if rollup.call("reader_of", *pair) != NOBODY]


def unfollowed(chain: Chain, deployment: Deployment, one: Proposal, others: Sequence[Proposal]) -> str:
    """Why an exchange may not follow a proposal that is enacted with `others`, as far as the record tells; empty where
    it can."""
    if one.kind is Kind.COUNCIL:
        return ""
    if one.address == NOBODY:
        heirs = [pair for pair in taken_pairs(chain, deployment) if pair[0] != one.version]
        coming = [each for each in others if each.kind is Kind.READER and each.address != NOBODY]
        heirs += [(each.version, each.shape) for each in coming if each.from_batch <= one.from_batch]
        if any(shape == one.shape and version != one.version for version, shape in heirs):
            return ""
        return f"it retires version {one.version}, shape {one.shape}: no batch of that shape settles afterwards"
    later = next((each for each in deployment.proposed if each.door.reader.address == one.address), None)
    if later is None:
        return f"the reader {one.address} is not in the record, so nobody here knows which batches it takes"
    if later.changes:
        return "it takes batches of another configuration, and the state on L1 binds the one that the rollup began with"
    if later.state_version != deployment.state_version:
        return (
            f"it takes batches of a state of version {later.state_version}, and that on L1, which the escape knows, "
            f"has version {deployment.state_version}"
        )
    return ""


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
