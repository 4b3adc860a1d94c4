"""Metrics that are read when they are exported: load, breakers, shed requests, guards' checks, losses of telemetry.

What requests add up to is in `measuring`.
"""

from __future__ import annotations

from collections.abc import Mapping

from routeiq_otel import names
from routeiq_otel.metric_encoding import CUMULATIVE, DELTA, counter, gauge, level, point
from routeiq_sdk import Gateway
from routeiq_sdk.events import GUARD_HOOKS


class Levels:
    """Looks at the process. Counts are since its start, or since the last export when `delta`."""

    def __init__(self, gateway: Gateway, *, delta: bool) -> None:
        self._gateway = gateway
        self._temporality = DELTA if delta else CUMULATIVE
        self._start = gateway.clock.now_ns()
        self._seen: dict[tuple[str, ...], int] = {}

    def encoded(self, now: int, lost: Mapping[str, int]) -> list[bytes]:
        """All of them. `lost` are this plugin's own losses, by what was lost."""
        vitals, start = self._gateway.vitals(), self._start

        def one(value: float, **told: str) -> bytes:
            return point({_LABELS[name]: label for name, label in told.items()}, value, start, now)

        def grown(count: int, *key: str, **told: str) -> bytes:
            return one(self._grown((*key, *told.values()), count), **told)

        hooks = [(*name.rpartition(".")[::2], figures.calls) for name, figures in vitals.hooks.items()]
        checks = [
            grown(calls, "check", plugin=plugin, hook=hook) for plugin, hook, calls in hooks if hook in GUARD_HOOKS
        ]
        how = self._temporality
        if how == DELTA:
            self._start = now
        losses = {"events": vitals.events_lost, "records": vitals.records_lost, **lost}
        return [
            level("gateway.request.active", "{request}", "Requests under way.", [one(vitals.in_flight)]),
            gauge("gateway.backpressure.limit", "{request}", "How many may be.", [one(vitals.most_in_flight)]),
            counter("gateway.backpressure.shed", "{request}", "Turned away.", [grown(vitals.shed, "shed")], how),
            level(
                "gateway.attempt.active",
                "{attempt}",
                "Calls to providers under way.",
                [one(count, deployment=id) for id, count in vitals.running.items()],
            ),
            gauge(
                "gateway.circuit_breaker.open",
                "{deployment}",
                "Deployments that a breaker keeps out.",
                [one(len(vitals.benched))],
            ),
            gauge(
                "gateway.circuit_breaker.remaining",
                "s",
                "Until a deployment that is kept out is asked again.",
                [one(float(seconds), deployment=id) for id, seconds in vitals.benched.items()],
            ),
            counter("gateway.guardrail.check", "{check}", "What guards looked at.", checks, how),
            gauge(
                "gateway.state.up",
                "1",
                "1 while the store is reached.",
                [one(int(vitals.store_up), store=vitals.store)],
            ),
            counter(
                "gateway.telemetry.lost",
                "{item}",
                "Telemetry that was lost.",
                [grown(count, "lost", what=what) for what, count in losses.items()],
                how,
            ),
        ]

    def _grown(self, key: tuple[str, ...], count: int) -> int:
        """What a count is told as. One that fell began anew: a reload gives hooks new counts."""
        if self._temporality == CUMULATIVE:
            return count
        before = self._seen.get(key, 0)
        self._seen[key] = count
        return count - before if count >= before else count


_LABELS = {
    "plugin": names.PLUGIN,
    "hook": names.HOOK,
    "deployment": names.DEPLOYMENT,
    "store": names.STORE,
    "what": names.WHAT,
}
