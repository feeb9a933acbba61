"""Every endpoint, those that are asked most often first: the router looks at them in this order."""

from __future__ import annotations

from bulkhead.api import (
    account,
    evidence,
    info,
    modes,
    money,
    onboarding,
    operator,
    orders,
    previews,
    settlement,
    webhooks,
    what_if,
)
from bulkhead.api.call import Endpoint

ENDPOINTS: list[Endpoint] = [
    *orders.ENDPOINTS,
    *account.ENDPOINTS,
    *previews.ENDPOINTS,
    *what_if.ENDPOINTS,
    *modes.ENDPOINTS,
    *evidence.ENDPOINTS,
    *settlement.ENDPOINTS,
    *info.ENDPOINTS,
    *money.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *onboarding.ENDPOINTS,
    *operator.ENDPOINTS,
]
