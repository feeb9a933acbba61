"""The interface described by itself: an OpenAPI document of every endpoint, and the same as a page for people."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection
from importlib.metadata import version
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from bulkhead.api.call import JSON, Endpoint
from bulkhead.api.examples import EXAMPLES, Example

REFERENCE = "#/components/schemas/{name}"
_HOLE = re.compile(r"\{(\w+)(:path)?\}")
_NUMBERS = {
    "id", "sequence", "batch", "account_id", "cursor", "limit", "startTime", "endTime", "countdownTime",
}  # fmt: skip
_PARTS = (
    ("/api/v1/info", "Everybody"),
    ("/api/v1/user/order", "Orders"),
    ("/auth", "Onboarding"),
    ("/api/v1/user/account/api-key", "Onboarding"),
    ("/api/v1", "Account"),
)


def document(endpoints: list[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document."""
    bodies = [endpoint.body for endpoint in endpoints if endpoint.body is not None]
    _, schemas = msgspec.json.schema_components(bodies, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = _HOLE.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bulkhead",
            "version": version("bulkhead"),
            "description": "Decimals are strings. Times are milliseconds since the epoch unless said otherwise. "
            "Every answer is an envelope: status, data, error, pagination.",
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Envelope": ENVELOPE, "Error": ERROR},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}},
        },
    }


ENVELOPE = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {"enum": ["OK"]},
        "data": {},
        "pagination": {
            "type": "object",
            "required": ["count"],
            "properties": {"cursor": {"type": "integer"}, "count": {"type": "integer"}},
        },
    },
}
ERROR = {
    "type": "object",
    "required": ["status", "error"],
    "properties": {
        "status": {"enum": ["ERROR"]},
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "debugInfo": {"type": "string"},
                "reject": {"type": "string", "description": "the exchange's own name for the reason"},
            },
        },
    },
}


def _operation(endpoint: Endpoint, path: str) -> dict[str, Any]:
    words = re.sub(r"\s+", " ", endpoint.handler.__doc__ or "").strip()
    parameters = [_parameter(name, "path") for name, _ in _HOLE.findall(endpoint.path)]
    parameters += [_parameter(name, "query", endpoint.words.get(name, ())) for name in endpoint.query]
    example = EXAMPLES.get((endpoint.method, path), Example())
    success: dict[str, Any] = {"schema": {"$ref": REFERENCE.format(name="Envelope")}}
    refusal: dict[str, Any] = {"schema": {"$ref": REFERENCE.format(name="Error")}}
    if endpoint.media != JSON:
        success = {"schema": {"type": "string"}}
    elif example.refusal is None:
        success["example"] = example.envelope()
    else:
        refusal["example"] = {"status": "ERROR", "error": example.refusal}
    operation: dict[str, Any] = {
        "summary": words.split(". ")[0].rstrip("."),
        "description": words,
        "tags": [next((part for start, part in _PARTS if path.startswith(start)), "Node")],
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": {endpoint.media: success}},
            "4XX": {"description": "refused", "content": {JSON: refusal}},
        },
    }
    if endpoint.scope:
        operation["security"] = [{"key": []}]
        operation["x-scope"] = endpoint.scope
    if endpoint.body is not None:
        content: dict[str, Any] = {"schema": {"$ref": REFERENCE.format(name=endpoint.body.__name__)}}
        if example.body is not None:
            content["example"] = example.body
        operation["requestBody"] = {"required": True, "content": {JSON: content}}
    return operation


def _parameter(name: str, place: str, words: Collection[str] = ()) -> dict[str, Any]:
    kind = "integer" if name in _NUMBERS else "string"
    schema: dict[str, Any] = {"type": kind, "enum": list(words)} if words else {"type": kind}
    if name == "market" and place == "query":
        schema = {"type": "array", "items": {"type": "string"}}
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def routes(endpoints: list[Endpoint]) -> list[BaseRoute]:
    """The document and the page; both are made once."""
    found = document(endpoints)
    octets, text = json.dumps(found).encode(), page(found)

    async def serve_document(request: Request) -> Response:
        return Response(octets, media_type="application/json")

    async def serve_page(request: Request) -> Response:
        return HTMLResponse(text)

    return [Route("/openapi.json", serve_document), Route("/docs", serve_page)]


def page(found: dict[str, Any]) -> str:
    """Every call with its words and examples. It needs nothing from anywhere else."""
    parts: dict[str, list[str]] = {}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            parts.setdefault(operation["tags"][0], []).append(_entry(path, method, operation))
    body = "".join(f"<h2>{html.escape(part)}</h2>{''.join(entries)}" for part, entries in parts.items())
    words = html.escape(found["info"]["description"])
    return f"{HEAD}<p>{words} <a href=/openapi.json>OpenAPI</a></p>{body}"


HEAD = (
    "<!doctype html><meta charset=utf-8><title>Bulkhead's interface</title><style>"
    "body{font:15px/1.5 system-ui;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#8881;padding:.6rem;overflow:auto}code{font-size:.95em}summary{cursor:pointer}"
    "</style><h1>Bulkhead's interface</h1>"
)


def _entry(path: str, method: str, operation: dict[str, Any]) -> str:
    scope = f" <small>scope {operation['x-scope']}</small>" if "x-scope" in operation else ""
    query = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
    lines = [f"<p>{html.escape(operation['description'])}</p>"]
    if query:
        lines.append(f"<p>Query: <code>{html.escape(', '.join(query))}</code></p>")
    content = operation.get("requestBody", {}).get("content", {}).get(JSON, {})
    answers = [operation["responses"][status]["content"].get(JSON, {}) for status in ("200", "4XX")]
    for title, shown in (("Body", content), *(("Answer", answer) for answer in answers)):
        if "example" in shown:
            text = json.dumps(shown["example"], indent=1, ensure_ascii=False)
            lines.append(f"<p>{title}</p><pre>{html.escape(text)}</pre>")
    head = f"<code>{method.upper()} {html.escape(path)}</code>{scope}"
    return f"<details><summary>{head}</summary>{''.join(lines)}</details>"
