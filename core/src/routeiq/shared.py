"""What outlives a reload: one of these a process.

What a reload replaces is the `Runtime`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from routeiq.egress import Egress, EgressPolicy
from routeiq.limits.in_flight import InFlight
from routeiq.request.cooldown import CooldownRules, Cooldowns
from routeiq.request.record import Records, as_json
from routeiq.request.search import Search
from routeiq.server.drain import Drain
from routeiq.state.clock import SystemClock
from routeiq.state.open import Stores, in_memory
from routeiq.telemetry.background import Background
from routeiq.telemetry.live import QUESTION, Live
from routeiq.telemetry.peers import Peers
from routeiq_sdk import Vitals
from routeiq_sdk.gateway import Clock, MeterService, StateService

if TYPE_CHECKING:
    from routeiq.runtime import Runtime

_HEALTH_SECONDS = 0.3
"""Others wait half a second for the figures of this worker."""


async def _no_reload() -> str:
    raise RuntimeError("the application is not started")


@dataclass(slots=True)
class Shared:
    """Connections, state, the bench, the newest records, work in the background."""

    worker: int
    egress: Egress
    in_flight: InFlight
    stores: Stores
    clock: Clock = field(default_factory=SystemClock)
    records: Records = field(default_factory=Records)
    background: Background = field(default_factory=Background)
    drain: Drain = field(default_factory=Drain)
    current: Runtime | None = None
    reload: Callable[[], Awaitable[str]] = _no_reload
    workers: int = 1
    cooldowns: Cooldowns = field(init=False)
    live: Live = field(init=False)
    peers: Peers | None = None
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.cooldowns = Cooldowns(self.clock, CooldownRules())
        self.live = Live(self.clock)
        self.records.counted = self.live.add
        if self.stores.name != "memory" and (self.workers > 1 or self.stores.name != "sqlite"):
            handlers = {QUESTION: self._live, "decision": self.decision, "decisions": self.decisions}
            self.peers = Peers(self.stores.state, self.workers, handlers)

    async def ask(self, name: str, about: Any = None) -> list[Any]:
        """What the other workers say; nothing where there are none."""
        return await self.peers.ask(name, about) if self.peers is not None else []

    async def last_minute(self) -> dict[str, Any]:
        """This worker's last minute and how it is doing."""
        vitals = self.current.vitals() if self.current is not None else Vitals()
        return {
            "figures": self.live.figures(),
            "uptime_seconds": time.monotonic() - self.started,
            "in_flight": vitals.in_flight,
            "shed": vitals.shed,
            "events_lost": vitals.events_lost,
            "records_lost": vitals.records_lost,
            "hook_errors": {name: told.errors for name, told in vitals.hooks.items() if told.errors},
            "benched": dict(vitals.benched),
            "unwell": await self._unwell(),
        }

    async def _unwell(self) -> list[str]:
        """What keeps this worker from full health, as plugins and the store tell it."""
        if self.current is None:
            return []
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                report = await self.current.readiness()
        except TimeoutError:
            return ["a health check takes long"]
        return [] if report.status == "healthy" else list(report.reasons) or [report.status]

    async def decisions(self, about: Any) -> list[dict[str, Any]]:
        """This worker's records that fit a search (a `Search` as JSON data)."""
        after = about.get("after")
        search = Search(**{**about, "after": tuple(after) if after is not None else None})
        return [as_json(record) for record in search.page(self.records.newest())]

    async def _live(self, about: Any) -> Any:
        return await self.last_minute()

    async def decision(self, about: Any) -> dict[str, Any] | None:
        """This worker's record with a request id or decision id, as JSON data."""
        record = self.records.find(str(about))
        return as_json(record) if record is not None else None

    @property
    def state(self) -> StateService:
        """Counters, records, leases, messages."""
        return self.stores.state

    @property
    def meters(self) -> MeterService:
        """Quotas and budgets."""
        return self.stores.meters


def closed_shared() -> Shared:
    """One that reaches nothing: for looking at a configuration without serving it."""
    clock = SystemClock()
    return Shared(0, Egress(EgressPolicy.compile((), ())), InFlight(1), in_memory(clock), clock)
