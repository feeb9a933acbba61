"""Webhooks: where an account's margin calls are sent, besides its stream."""

from __future__ import annotations

from typing import Any

from bulkhead.api import errors
from bulkhead.api.bodies import WebhookBody
from bulkhead.api.call import Call, Endpoint
from bulkhead.api.errors import ApiError, bad
from bulkhead.node import webhooks
from bulkhead.node.directory import TRADE
from bulkhead.node.settings import TEST_CHAINS


async def webhook(call: Call) -> dict[str, Any]:
    """Where margin calls are sent; 404 where nowhere."""
    node, account_id = call.api.node, int(call.account_id)
    found = await node.store.ask(lambda: webhooks.find(node.database, account_id))
    if found is None:
        raise ApiError(404, errors.NOT_ALLOWED, "this account has no webhook")
    return {"url": found.url}


async def set_webhook(call: Call) -> dict[str, Any]:
    """Send margin calls to a URL, signed with a secret that is shown once, here: HMAC-SHA256 of the body."""
    body, node, account_id = await call.body(WebhookBody), call.api.node, int(call.account_id)
    now, is_test = int(node.clock_ms()), is_test_network(node.exchange.state.config.chain_id)
    try:
        made = await node.store.ask(
            lambda: webhooks.name(node.database, account_id, body.url, now, is_test=is_test)
        )
    except webhooks.BadUrl as error:
        raise bad(f"url: {error}") from error
    return {"url": made.url, "secret": made.secret, "signatureHeader": webhooks.SIGNATURE_HEADER}


async def remove_webhook(call: Call) -> dict[str, Any]:
    """Send nothing more."""
    node, account_id = call.api.node, int(call.account_id)
    if not await node.store.ask(lambda: webhooks.forget(node.database, account_id)):
        raise ApiError(404, errors.NOT_ALLOWED, "this account has no webhook")
    return {}


def is_test_network(chain_id: str) -> bool:
    """Whether money is play money there."""
    return chain_id.split("_")[1] in TEST_CHAINS


ENDPOINTS = [
    Endpoint("GET", "/api/v1/user/webhook", webhook),
    Endpoint("PUT", "/api/v1/user/webhook", set_webhook, TRADE, WebhookBody),
    Endpoint("DELETE", "/api/v1/user/webhook", remove_webhook, TRADE),
]
