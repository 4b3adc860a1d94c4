"""Whether the gateway can serve: plugins' checks, the state store, what still loads, and the drain.

Routes and their bodies are in `routeiq.routes.health`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from routeiq.plugins.compiled import Call
from routeiq.request import gates
from routeiq.state.open import Stores
from routeiq_sdk.values.health import Health

_CHECK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """`status` is `healthy`, `degraded`, `starting`, `draining` or `unhealthy`; the first two are ready."""

    status: str
    reasons: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether new requests should come here."""
        return self.status in ("healthy", "degraded")


async def check(calls: Sequence[Call], *, draining: bool, loading: Sequence[str], stores: Stores) -> Report:
    """Ask all plugins and the state store at once; a plugin that fails or takes too long counts as down."""
    if draining:
        return Report("draining")
    if loading:
        return Report("starting", tuple(loading))
    answers = await asyncio.gather(*(_ask(call) for call in calls), _state(stores))
    down = [f"{name}: {answer.reason or 'down'}" for name, answer in answers if answer.status == "down"]
    limping = [f"{name}: {answer.reason or 'degraded'}" for name, answer in answers if answer.status == "degraded"]
    if down:
        return Report("unhealthy", (*down, *limping))
    return Report("degraded", tuple(limping)) if limping else Report("healthy")


async def _state(stores: Stores) -> tuple[str, Health]:
    return "state", await stores.health()


async def _ask(call: Call) -> tuple[str, Health]:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return call.plugin, await gates.ask(call)
    except Exception as error:
        gates.failed(call, None, error)
        return call.plugin, Health("down", "its health check failed")
