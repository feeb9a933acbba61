"""What stands in the way of an exchange that is to go on under another configuration. Nothing where it stays the same.

What it would take, and what there is not:

    state     S binds the configuration, and a batch is proven under one, before and after: no statement leads from S
              under one configuration to S under another
    markets   their words hold each tier's fractions as open interest has moved them: other tiers are other words
    journal   a configuration is in the genesis, and no command replaces it
    escape    is named when a rollup is deployed, and knows one configuration

So what an exchange begins with it keeps; other parameters are another exchange, to which its owners move by their own
signatures.
"""

from __future__ import annotations

from bulkhead.ledger.commitment import config_root
from bulkhead.ledger.config import VenueConfig


def digest_of(config: VenueConfig) -> str:
    """What a statement binds of a configuration."""
    return hex(config_root(config))


def obstacle(before: VenueConfig, after: VenueConfig) -> str:
    """Why batches under `after` cannot follow those under `before`, in words; empty where they can."""
    if before == after:
        return ""
    return (
        f"the state on L1 binds configuration {short(digest_of(before))}, and no proof leads from it to "
        f"{short(digest_of(after))}: once that is enacted the rollup takes no further batch of this exchange. What was "
        "not settled by then is undone, and everybody leaves by the escape, after anybody has frozen the rollup for a "
        "forced request that is overdue"
    )


def short(digest: str) -> str:
    """Both ends of a digest."""
    return f"{digest[:10]}…{digest[-6:]}" if len(digest) > 20 else digest
