"""Which exchange answers: the one that was known, in versions that this software knows.

Nobody adopts another chain by himself: its owner has other accounts there, and may mean to trade at the first.
"""

from __future__ import annotations

from bulkhead.client.errors import OtherExchange, OtherVersion
from bulkhead.client.models import SigningDomain
from bulkhead.ledger.commitment import VERSION
from bulkhead.signing import Domain, SigningError


def check_identity(told: SigningDomain, known: SigningDomain | None, url: str) -> None:
    """Hold what an exchange tells of itself to what was `known` (None: nothing). Raises OtherExchange, OtherVersion."""
    try:
        domain = told.named
    except SigningError as error:
        raise OtherExchange(f"what answers at {url} is no exchange of this software: {error}") from error
    if domain != Domain(told.chain_id):
        said = f"{told.name} {told.version}, revision {told.revision}"
        ours = Domain(told.chain_id)
        raise OtherVersion(
            f"the exchange at {url} signs as {said}; this software knows {ours.name} {ours.version}, "
            f"revision {ours.revision}"
        )
    if told.state_version not in (0, VERSION):
        raise OtherVersion(
            f"the exchange at {url} has state version {told.state_version}; this software knows {VERSION}"
        )
    if known is None:
        return
    for name, now, before in (
        ("chain", told.chain_id, known.chain_id), ("signing domain", told.signing_domain, known.signing_domain),
    ):  # fmt: skip
        if now != before:
            raise OtherExchange(f"another exchange answers at {url}: {name} {now}, where {before} is known")
