"""What outlives a reload: one of these a process.

What a reload replaces is the `Runtime`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from routeiq.egress import Egress, EgressPolicy
from routeiq.limits.in_flight import InFlight
from routeiq.request.cooldown import CooldownRules, Cooldowns
from routeiq.request.record import Records
from routeiq.server.drain import Drain
from routeiq.state.clock import SystemClock
from routeiq.state.open import Stores, in_memory
from routeiq.telemetry.background import Background
from routeiq_sdk.gateway import Clock, MeterService, StateService

if TYPE_CHECKING:
    from routeiq.runtime import Runtime


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

    def __post_init__(self) -> None:
        self.cooldowns = Cooldowns(self.clock, CooldownRules())

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
