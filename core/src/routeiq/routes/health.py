"""Probes: alive, ready, and why not. They answer without a key and say nothing that needs one.

The checks themselves are in `routeiq.health`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from routeiq import __version__
from routeiq.routes.exchange import Exchange
from routeiq.routes.llm import CHAT
from routeiq.routes.table import Route


def routes() -> Iterator[Route]:
    """Liveness (both spellings) and readiness."""
    for path in ("/health/liveliness", "/health/liveness"):
        yield Route("GET", path, _alive, "public", "The process is alive", CHAT, quiet=True)
    yield Route("GET", "/health/readiness", _ready, "public", "The gateway can serve", CHAT, quiet=True)


async def _alive(exchange: Exchange) -> None:
    await exchange.json("I'm alive!")


async def _ready(exchange: Exchange) -> None:
    report = await exchange.runtime.readiness()
    body: dict[str, Any] = {
        "status": report.status,
        "litellm_version": exchange.runtime.emulated_version,
        "version": __version__,
    }
    if report.reasons:
        body["reasons"] = list(report.reasons)
    await exchange.json(body, 200 if report.ready else 503)
