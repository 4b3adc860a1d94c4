"""How the last minute went: cheap counters in one-second buckets, one addition a request.

Figures of several workers are added up by `merged`; history and alerts are plugins' business.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from routeiq_sdk import Record
from routeiq_sdk.gateway import Clock

WINDOW_SECONDS = 60
_BOUNDS = tuple(1.25**step for step in range(52))
"""Milliseconds to the first token: from 1 ms to 90 s, each bound a quarter above the one before."""
_MOST_MODELS = 200
_OTHER = "other"


@dataclass(slots=True)
class _Second:
    number: int = -1
    requests: int = 0
    errors: int = 0
    tokens: int = 0
    nano_usd: int = 0
    first_tokens: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))
    models: dict[str, list[int]] = field(default_factory=dict)
    """By model group: requests, errors, nano-USD, attempts."""
    strategies: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


class Live:
    """One worker's last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seconds = [_Second() for _ in range(WINDOW_SECONDS)]
        self._started = clock.monotonic()

    def add(self, record: Record) -> None:
        """Count a finished request."""
        second = self._now()
        second.requests += 1
        failed = record.status >= 400
        second.errors += failed
        usage, cost = record.usage, record.total_cost or 0
        if usage is not None:
            second.tokens += usage.total_tokens
        second.nano_usd += cost
        if record.first_byte_ms is not None:
            second.first_tokens[bisect_left(_BOUNDS, record.first_byte_ms)] += 1
        if record.group is not None:
            model = second.models.get(record.group)
            if model is None:
                name = record.group if len(second.models) < _MOST_MODELS else _OTHER
                model = second.models.setdefault(name, [0, 0, 0, 0])
            model[0] += 1
            model[1] += failed
            model[2] += cost
            model[3] += len(record.attempts)
        if record.decision is not None:
            second.strategies[record.decision.strategy] += 1
        if record.stage is not None:
            second.refused[record.stage] += 1

    def figures(self) -> dict[str, Any]:
        """The last minute as sums, ready to be added to those of other workers."""
        now = int(self._clock.monotonic())
        seconds = [second for second in self._seconds if now - WINDOW_SECONDS < second.number <= now]
        by_age = {now - second.number: second.requests for second in seconds}
        models: dict[str, list[int]] = {}
        for second in seconds:
            for name, added in second.models.items():
                models[name] = [a + b for a, b in zip(models.get(name, (0, 0, 0, 0)), added, strict=True)]
        return {
            "seconds": min(WINDOW_SECONDS, max(1, int(self._clock.monotonic() - self._started))),
            "requests": sum(second.requests for second in seconds),
            "errors": sum(second.errors for second in seconds),
            "tokens": sum(second.tokens for second in seconds),
            "nano_usd": sum(second.nano_usd for second in seconds),
            "first_tokens": [sum(counts) for counts in zip(*(s.first_tokens for s in seconds), strict=True)]
            or [0] * (len(_BOUNDS) + 1),
            "by_second": [by_age.get(age, 0) for age in reversed(range(WINDOW_SECONDS))],
            "models": models,
            "strategies": _added(second.strategies for second in seconds),
            "refused": _added(second.refused for second in seconds),
        }

    def _now(self) -> _Second:
        number = int(self._clock.monotonic())
        second = self._seconds[number % WINDOW_SECONDS]
        if second.number != number:
            second = self._seconds[number % WINDOW_SECONDS] = _Second(number)
        return second


def merged(workers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of several workers as one: rates, percentiles, models. Times in milliseconds, money in USD."""
    seconds = max(int(worker["seconds"]) for worker in workers)
    total = {name: sum(worker[name] for worker in workers) for name in ("requests", "errors", "tokens", "nano_usd")}
    first = [sum(counts) for counts in zip(*(worker["first_tokens"] for worker in workers), strict=True)]
    models: dict[str, list[int]] = {}
    for worker in workers:
        for name, added in worker["models"].items():
            models[name] = [a + b for a, b in zip(models.get(name, (0, 0, 0, 0)), added, strict=True)]
    return {
        "window_seconds": seconds,
        "requests_per_second": round(total["requests"] / seconds, 2),
        "errors_per_second": round(total["errors"] / seconds, 2),
        "tokens_per_second": round(total["tokens"] / seconds, 1),
        "cost_usd_per_hour": total["nano_usd"] / 1e9 * 3600 / seconds,
        "first_token_ms": {"p50": _quantile(first, 0.5), "p95": _quantile(first, 0.95)},
        "by_second": [sum(counts) for counts in zip(*(worker["by_second"] for worker in workers), strict=True)],
        "models": {
            name: {
                "requests_per_second": round(requests / seconds, 2),
                "share": round(requests / max(1, total["requests"]), 4),
                "errors": errors,
                "attempts": attempts,
                "cost_usd_per_hour": nano / 1e9 * 3600 / seconds,
            }
            for name, (requests, errors, nano, attempts) in sorted(models.items(), key=lambda item: -item[1][0])
        },
        "strategies": _added(worker["strategies"] for worker in workers),
        "refused": _added(worker["refused"] for worker in workers),
    }


def _quantile(counts: Sequence[int], share: float) -> float | None:
    """The upper bound of the bucket in which the quantile lies: at most a quarter too high."""
    wanted, seen = share * sum(counts), 0
    if not wanted:
        return None
    for place, count in enumerate(counts):
        seen += count
        if seen >= wanted:
            return round(_BOUNDS[min(place, len(_BOUNDS) - 1)], 1)
    return None


def _added(counters: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return dict(total.most_common())
