"""RouteIQ's own routes: status, the last minute, reload. Admins only.

LiteLLM's management routes come from plugins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from routeiq import __version__
from routeiq.routes.exchange import Exchange
from routeiq.routes.llm import CHAT
from routeiq.routes.table import Route
from routeiq.telemetry.live import QUESTION, merged
from routeiq_sdk import ConfigError, PluginError, RequestError


def routes() -> Iterator[Route]:
    """All of them under `/routeiq/v1`."""
    yield Route(
        "GET", "/routeiq/v1/status", _status, "admin", "What runs, with what notices and timings", CHAT, "gateway:read"
    )
    yield Route("POST", "/routeiq/v1/reload", _reload, "admin", "Read the configuration again", CHAT, "gateway:reload")
    yield Route("GET", "/routeiq/v1/live", _live, "admin", "How the last minute went", CHAT, "gateway:read")


async def _status(exchange: Exchange) -> None:
    runtime = exchange.runtime
    stores = runtime.shared.stores
    gates = {f"{call.plugin}.{call.hook}": {**asdict(call.stats)} for call in runtime.calls() if call.stats.calls}
    await exchange.json(
        {
            "version": __version__,
            "config": runtime.config.revision,
            "sources": [str(path) for path in runtime.config.sources],
            "notices": list(runtime.notices),
            "plugins": [member.name for member in runtime.plugins.members],
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


async def _live(exchange: Exchange) -> None:
    shared = exchange.runtime.shared
    workers = [await shared.last_minute(), *await shared.ask(QUESTION)]
    benched: dict[str, float] = {}
    hook_errors: Counter[str] = Counter()
    for worker in workers:
        for deployment, seconds in worker["benched"].items():
            benched[deployment] = round(max(seconds, benched.get(deployment, 0.0)), 1)
        hook_errors.update(worker["hook_errors"])
    counted = ("in_flight", "shed", "events_lost", "records_lost")
    await exchange.json(
        {
            "version": __version__,
            "config": exchange.runtime.config.revision,
            "uptime_seconds": round(max(worker["uptime_seconds"] for worker in workers), 1),
            "workers": len(workers),
            **merged([worker["figures"] for worker in workers]),
            **{name: sum(worker[name] for worker in workers) for name in counted},
            "benched": benched,
            "hook_errors": dict(hook_errors.most_common()),
            "unwell": list(dict.fromkeys(reason for worker in workers for reason in worker["unwell"])),
            "state": {"store": shared.stores.name, **asdict(await shared.stores.health())},
            "plugins": [member.name for member in exchange.runtime.plugins.members],
        }
    )
