"""What stands in the way of an exchange that is to go on under another configuration. Nothing where it stays the same.

What it would take, and what there is not:

    state     S binds the configuration, and a batch is proven under one, before and after: no statement leads from S
              under one configuration to S under another
    markets   their words hold each tier's fractions as open interest has moved them: other tiers are other words
    journal   a configuration is in the genesis, and no command replaces it
    escape    is named when a rollup is deployed, and knows one configuration

What S is made of has a version, and of that the same is true: a circuit knows one, and so does the escape. So circuits
may be replaced under a rollup as long as S stays what it is (`bridge.upgrade`), and the escape stays what it was.

So what an exchange begins with it keeps; other parameters are another exchange, to which its owners move by their own
signatures.
"""

from __future__ import annotations

from bulkhead.bridge.record import Deployment
from bulkhead.ledger.commitment import VERSION, config_root
from bulkhead.ledger.config import VenueConfig


def digest_of(config: VenueConfig) -> str:
    """What a statement binds of a configuration."""
    return hex(config_root(config))


def obstacle(known: Deployment, before: VenueConfig, after: VenueConfig) -> str:
    """Why batches of this program under `after` cannot follow a deployment's under `before`, in words; empty where they
    can."""
    if known.state_version != VERSION:
        what, leads = f"has version {known.state_version}", f"version {VERSION}, which this program has"
    elif before != after:
        what, leads = f"binds configuration {short(digest_of(before))}", short(digest_of(after))
    else:
        return ""
    return (
        f"the state on L1 {what}, and no proof leads from it to {leads}: once that is enacted the rollup takes no "
        "further batch of this exchange. What was not settled by then is undone, and everybody leaves by the escape, "
        "which knows the state that the rollup began with and no other, after anybody has frozen the rollup for a "
        "forced request that is overdue"
    )


def short(digest: str) -> str:
    """Both ends of a digest."""
    return f"{digest[:10]}…{digest[-6:]}" if len(digest) > 20 else digest
