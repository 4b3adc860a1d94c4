"""How a process of the gateway is doing, for metrics.

Measuring is the core's business, showing the sinks'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Vitals:
    """Figures of one worker process, at the moment of asking; counts are since its start.

    `benched` gives, for deployments that a breaker keeps out, the seconds until they are asked again. `store` names
    the shared state store, `store_up` is false while it cannot be reached. `events_lost` counts events that no sink
    took in time, `records_lost` failures of `record` hooks.
    """

    in_flight: int = 0
    most_in_flight: int = 0
    shed: int = 0
    running: Mapping[str, int] = field(default_factory=dict)
    benched: Mapping[str, float] = field(default_factory=dict)
    store: str = "memory"
    store_up: bool = True
    events_waiting: int = 0
    events_lost: int = 0
    records_lost: int = 0
    hooks: Mapping[str, HookFigures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HookFigures:
    """How often a plugin was called at a gate (`plugin.hook`), how often it failed, how long it took in all."""

    calls: int
    errors: int
    seconds: float
