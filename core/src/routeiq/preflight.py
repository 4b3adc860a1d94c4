"""A start without serving: everything is built, nothing is set up, and what was found is told.

It is what `routeiq check` shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from routeiq.config.model import Config
from routeiq.config.store_choice import choose_store
from routeiq.runtime import assemble_all
from routeiq.shared import closed_shared
from routeiq_sdk import Deployment


async def preflight(config: Config, *, lock: Path | None = None) -> dict[str, Any]:
    """Models, plugins and notices. Raises `ConfigError` or `PluginError` as a start would."""
    store = choose_store(config, config.routeiq.server.workers)
    runtime = assemble_all(config, closed_shared(), lock=lock)
    return {
        "config": config.revision,
        "store": f"{store.kind}: {store.why}",
        "deployments": [_row(deployment) for deployment in runtime.catalog.deployments],
        "plugins": [member.name for member in runtime.plugins.members],
        "notices": list(runtime.notices),
    }


def _row(deployment: Deployment) -> dict[str, Any]:
    price = deployment.price
    return {
        "id": deployment.id,
        "model": deployment.group,
        "provider": f"{deployment.provider}/{deployment.model}",
        "wire": deployment.wire,
        "called_at": deployment.api_base or "the provider's own address",
        "price": None
        if price is None
        else f"{_per_million(price.input, price.scale)} / {_per_million(price.output, price.scale)}",
    }


def _per_million(rate: int, scale: int) -> str:
    return f"{rate / scale / 1000:.6g}"
