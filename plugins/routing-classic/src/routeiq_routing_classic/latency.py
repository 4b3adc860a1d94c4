"""The fastest deployment by the mean of its newest calls: seconds an output token, or to the first token of a stream.

Deployments without a fresh observation come first, so that each is tried and tried again.
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict, deque
from collections.abc import Sequence

from routeiq_routing_classic.config import RoutingArgs
from routeiq_routing_classic.strategy import Key, key_of
from routeiq_routing_classic.usage import WithinLimits
from routeiq_sdk import Context, Deployment, ModelGroup, Outcome

TIMEOUT_SECONDS = 1000.0
"""What a call that timed out counts as."""
_MOST_KEPT = 10_000


class _Series:
    """The newest observations of one kind on one deployment, in seconds."""

    def __init__(self, size: int) -> None:
        self._values: deque[tuple[float, float]] = deque(maxlen=size)

    def add(self, now: float, seconds: float) -> None:
        self._values.append((now, seconds))

    def fresh(self, since: float) -> list[float]:
        while self._values and self._values[0][0] < since:
            self._values.popleft()
        return [seconds for _, seconds in self._values]


class LatencyBased(WithinLimits):
    """LiteLLM's latency-based-routing. Among deployments within `lowest_latency_buffer` of the fastest one is drawn."""

    def __init__(self, args: RoutingArgs, rng: random.Random | None = None) -> None:
        super().__init__(rng)
        self._args = args
        self._series: OrderedDict[tuple[Key, bool], _Series] = OrderedDict()

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """A fast one of `deployments`."""
        stream = ctx.request.stream
        latencies = [self._latency(key_of(deployment), stream) for deployment in deployments]
        most = min(latencies) * (1 + self._args.lowest_latency_buffer)
        return self.rng.choice([d for d, seconds in zip(deployments, latencies, strict=True) if seconds <= most])

    async def after(self, ctx: Context, outcome: Outcome) -> None:
        await super().after(ctx, outcome)
        key = (outcome.deployment_id, outcome.model)
        if outcome.kind == "timeout":
            self._note(key, False, TIMEOUT_SECONDS)
            self._note(key, True, TIMEOUT_SECONDS)
        elif outcome.ok:
            tokens = outcome.usage.output_tokens if outcome.usage is not None else 0
            self._note(key, False, outcome.latency_ms / 1000 / max(tokens, 1))
            if ctx.request.stream and outcome.first_byte_ms is not None:
                self._note(key, True, outcome.first_byte_ms / 1000)

    def _latency(self, key: Key, stream: bool) -> float:
        series = self._series.get((key, stream))
        values = series.fresh(self.gateway.clock.monotonic() - self._args.ttl) if series is not None else []
        if not values:
            return 0.0
        if stream and self._args.ttft_percentile is not None:
            return sorted(values)[math.ceil(len(values) * self._args.ttft_percentile) - 1]
        return sum(values) / len(values)

    def _note(self, key: Key, stream: bool, seconds: float) -> None:
        series = self._series.get((key, stream))
        if series is None:
            series = self._series[key, stream] = _Series(self._args.max_latency_list_size)
            if len(self._series) > _MOST_KEPT:
                self._series.popitem(last=False)
        self._series.move_to_end((key, stream))
        series.add(self.gateway.clock.monotonic(), seconds)
