"""Every endpoint, those that are asked most often first: the router looks at them in this order."""

from __future__ import annotations

from bulkhead.api import (
    account,
    batches,
    compartments,
    evidence,
    info,
    modes,
    money,
    onboarding,
    operations,
    operator,
    orders,
    oversight,
    previews,
    settlement,
    solvency,
    webhooks,
    what_if,
)
from bulkhead.api.call import Endpoint

ENDPOINTS: list[Endpoint] = [
    *orders.ENDPOINTS,
    *account.ENDPOINTS,
    *operations.ENDPOINTS,
    *previews.ENDPOINTS,
    *what_if.ENDPOINTS,
    *modes.ENDPOINTS,
    *compartments.ENDPOINTS,
    *evidence.ENDPOINTS,
    *batches.ENDPOINTS,
    *oversight.ENDPOINTS,
    *settlement.ENDPOINTS,
    *solvency.ENDPOINTS,
    *info.ENDPOINTS,
    *money.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *onboarding.ENDPOINTS,
    *operator.ENDPOINTS,
]
