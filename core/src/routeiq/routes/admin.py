"""RouteIQ's own routes: status, reload, decisions. Admins only.

LiteLLM's management routes come from plugins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from routeiq import __version__
from routeiq.request.record import as_json
from routeiq.routes.exchange import Exchange
from routeiq.routes.llm import CHAT
from routeiq.routes.table import Route
from routeiq_sdk import ConfigError, PluginError, RequestError

_MOST_LISTED = 100


def routes() -> Iterator[Route]:
    """All of them under `/routeiq/v1`."""
    yield Route(
        "GET", "/routeiq/v1/status", _status, "admin", "What runs, with what notices and timings", CHAT, "gateway:read"
    )
    yield Route("POST", "/routeiq/v1/reload", _reload, "admin", "Read the configuration again", CHAT, "gateway:reload")
    yield Route(
        "GET", "/routeiq/v1/decisions", _decisions, "admin", "The newest decision records", CHAT, "decision:read"
    )
    yield Route("GET", "/routeiq/v1/decisions/{id}", _decision, "admin", "One decision record", CHAT, "decision:read")


async def _status(exchange: Exchange) -> None:
    runtime = exchange.runtime
    stores = runtime.shared.stores
    gates = {f"{call.plugin}.{call.hook}": {**asdict(call.stats)} for call in runtime.calls() if call.stats.calls}
    await exchange.json(
        {
            "version": __version__,
            "config": runtime.config.revision,
            "sources": [str(path) for path in runtime.config.sources],
            "notices": [str(notice) for notice in runtime.config.notices],
            "plugins": [member.name for member in runtime.plugins.members],
            "plugin_notices": list(runtime.plugins.notices),
            "hooks": gates,
            "in_flight": runtime.shared.in_flight.now,
            "refused": runtime.shared.in_flight.refused,
            "models": len(runtime.catalog.deployments),
            "unpriced": [d.id for d in runtime.catalog.deployments if d.price is None],
            "worker": runtime.shared.worker,
            "workers": runtime.shared.workers,
            "state": {"store": stores.name, "why": stores.why, **asdict(await stores.health())},
        }
    )


async def _reload(exchange: Exchange) -> None:
    try:
        revision = await exchange.runtime.shared.reload()
    except (ConfigError, PluginError) as error:
        raise RequestError(400, f"The configuration was not loaded, the old one stays: {error}") from None
    await exchange.json({"config": revision})


async def _decisions(exchange: Exchange) -> None:
    newest = exchange.runtime.shared.records.newest(_MOST_LISTED)
    await exchange.json({"data": [as_json(record) for record in newest]})


async def _decision(exchange: Exchange) -> None:
    wanted = exchange.params["id"]
    record = exchange.runtime.shared.records.find(wanted)
    if record is None:
        worker = exchange.runtime.shared.worker
        raise RequestError(404, f"Worker {worker} keeps no decision {wanted}. Each worker keeps its newest 2000.")
    await exchange.json(as_json(record))
