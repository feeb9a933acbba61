"""The interface of a node as an ASGI application: routes, keys, limits, and errors that are always an envelope."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bulkhead.api import errors, openapi
from bulkhead.api.call import Api, Call, Endpoint, answered, refused
from bulkhead.api.errors import ApiError
from bulkhead.api.limits import Limiter, Verdict
from bulkhead.api.routes import ENDPOINTS
from bulkhead.api.streams.routes import stream_routes
from bulkhead.client.clock import TIME_HEADER, UNTIL_HEADER
from bulkhead.client.nesting import keep_shallow
from bulkhead.node.app import Node
from bulkhead.node.directory import ApiKey
from bulkhead.node.store.keeper import Unavailable
from bulkhead.node.writer import Busy, Malformed, Stopped

log = structlog.get_logger("bulkhead.api")

KEY_HEADER = "x-api-key"
RETRY_S = 1
ASKED_HEADERS = (
    "X-Api-Key", "Content-Type", "L1_SIGNATURE", "L1_MESSAGE_TIME", "X-X10-ACTIVE-ACCOUNT", UNTIL_HEADER
)  # fmt: skip
TOLD_HEADERS = (TIME_HEADER, "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


class Gate:
    """Lets requests in: key, scope, limit. Then runs the handler, and makes of whatever happens an answer."""

    def __init__(self, api: Api) -> None:
        self.api = api
        limits = api.node.settings.limits
        self.limiter = Limiter(limits.requests_per_minute, limits.burst)

    def endpoint(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint as the router calls it."""

        async def run(request: Request) -> Response:
            began = time.perf_counter()
            verdict: Verdict | None = None
            try:
                key = self._key(request)
                verdict = self._limit(request, key, endpoint.cost)
                self._check(endpoint, request, key)
                if endpoint.is_for_calm and self.api.node.is_browned_out:
                    raise errors.browned_out(self.api.node.unsettled)
                call = Call(self.api, request, key)
                call.check_in_time()
                response = answered(await endpoint.handler(call))
            except ApiError as error:
                response = refused(error)
            except Busy as error:
                headers = {"Retry-After": str(RETRY_S)}
                response = refused(ApiError(429, errors.APPLICATION, str(error), headers=headers))
            except Malformed as error:
                response = refused(ApiError(400, errors.PARAMETERS, str(error)))
            except (Stopped, Unavailable) as error:
                response = refused(ApiError(503, errors.MAINTENANCE, str(error)))
            except Exception:
                log.exception("request failed", path=request.url.path)
                response = refused(ApiError(500, errors.APPLICATION, "the node failed; it has been logged"))
            if verdict is not None:
                response.headers["X-RateLimit-Limit"] = str(verdict.limit)
                response.headers["X-RateLimit-Remaining"] = str(verdict.remaining)
            response.headers[TIME_HEADER] = str(int(self.api.node.clock_ms()))
            metrics = self.api.node.metrics
            metrics.requests.labels(request.method, str(response.status_code)).inc()
            took_s = time.perf_counter() - began
            metrics.latency.observe(took_s)
            metrics.recent.took(took_s, is_command=request.method != "GET")
            return response

        return run

    def _key(self, request: Request) -> ApiKey | None:
        """The key that is shown, when it is good; a bad one is refused even where none is needed."""
        text = request.headers.get(KEY_HEADER)
        if text is None:
            return None
        key = self.api.node.directory.key(text, int(self.api.node.clock_ms()))
        if key is None:
            self._limit(request, None)
            raise ApiError(401, errors.NO_ACCOUNT, "this API key is unknown, revoked or expired")
        if not key.allows(_address(request)):
            raise ApiError(403, errors.NO_ACCOUNT, "this API key may not be used from this address")
        return key

    def _limit(self, request: Request, key: ApiKey | None, cost: float = 1.0) -> Verdict:
        who = f"address {_address(request)}" if key is None else key.key_id
        verdict = self.limiter.ask(who, time.monotonic(), cost)
        if not verdict.is_allowed:
            wait = str(max(1, math.ceil(verdict.wait_s)))
            headers = {
                "Retry-After": wait,
                "X-RateLimit-Limit": str(verdict.limit),
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": wait,
            }
            raise ApiError(429, errors.APPLICATION, "too many requests", headers=headers)
        return verdict

    @staticmethod
    def _check(endpoint: Endpoint, request: Request, key: ApiKey | None) -> None:
        if not endpoint.scope:
            return
        if key is None:
            raise ApiError(401, errors.NO_ACCOUNT, "this call needs an X-Api-Key")
        if endpoint.scope not in key.scopes:
            raise ApiError(403, errors.NOT_ALLOWED, f"this API key lacks the scope {endpoint.scope!r}")


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


async def _not_found(request: Request, error: Exception) -> Response:
    return refused(ApiError(404, errors.NOT_ALLOWED, f"there is nothing at {request.url.path[:200]}"))


async def _no_method(request: Request, error: Exception) -> Response:
    return refused(ApiError(405, errors.NOT_ALLOWED, f"{request.method[:20]} is not for {request.url.path[:200]}"))


async def _bad_request(request: Request, error: Exception) -> Response:
    return refused(ApiError(400, errors.PARAMETERS, "the request cannot be read"))


def make_app(node: Node, more: Callable[[Api], list[BaseRoute]] | None = None) -> Starlette:
    """The application over a node that is started. `more` adds routes of other parts."""
    api = Api(node)
    gate = Gate(api)
    routes: list[BaseRoute] = [
        Route(endpoint.path, gate.endpoint(endpoint), methods=[endpoint.method]) for endpoint in ENDPOINTS
    ]
    routes += stream_routes(api)
    routes += openapi.routes(ENDPOINTS)
    if more is not None:
        routes += more(api)
    origins = node.settings.http.cors_origins
    middleware = (
        [
            Middleware(
                CORSMiddleware, allow_origins=list(origins), allow_methods=["*"], allow_headers=ASKED_HEADERS,
                expose_headers=TOLD_HEADERS,
            )
        ]  # fmt: skip
        if origins
        else []
    )
    keep_shallow()
    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={404: _not_found, 405: _no_method, 400: _bad_request},
    )
    app.state.api = api
    return app
