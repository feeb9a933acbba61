"""Every endpoint, those that are asked most often first: the router looks at them in this order."""

from __future__ import annotations

from bulkhead.api import account, info, money, onboarding, operator, orders
from bulkhead.api.call import Endpoint

ENDPOINTS: list[Endpoint] = [
    *orders.ENDPOINTS,
    *account.ENDPOINTS,
    *info.ENDPOINTS,
    *money.ENDPOINTS,
    *onboarding.ENDPOINTS,
    *operator.ENDPOINTS,
]
