"""`/openapi.json`: every route of this runtime, plugins' too.

It is made from the route table, so it cannot disagree with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from routeiq import __version__
from routeiq.routes.exchange import Exchange
from routeiq.routes.llm import CHAT
from routeiq.routes.table import Route, RouteTable

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def routes() -> Iterator[Route]:
    """One route."""
    yield Route("GET", "/openapi.json", _serve, "public", "This document", CHAT, quiet=True)


async def _serve(exchange: Exchange) -> None:
    await exchange.json(document(exchange.runtime.table))


def document(table: RouteTable) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a route table."""
    paths: dict[str, dict[str, Any]] = {}
    for route in table.routes:
        shown = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(shown, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "RouteIQ", "version": __version__},
        "paths": paths,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "tags": [route.owner],
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-zA-Z0-9]+', '_', route.path)}",
        "responses": {"200": {"description": "OK"}},
        "security": [] if route.access == "public" else [{"key": []}],
    }
    names = _PARAMETER.findall(route.path)
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if route.method == "POST":
        operation["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
    return operation
