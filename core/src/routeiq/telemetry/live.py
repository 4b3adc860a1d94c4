"""How the last minute went: cheap counters in one-second buckets, one addition a request or call of a tool.

Figures of several workers are added up by `merged`; history and alerts are plugins' business.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from routeiq_sdk import Record
from routeiq_sdk.gateway import Clock

WINDOW_SECONDS = 60
QUESTION = "live.2"
"""What workers ask one another for their figures. The number goes up when the figures change their form: during a
roll-out two releases share a store, and neither may count what it does not understand."""
_BOUNDS = tuple(1.25**step for step in range(60))
"""Milliseconds: from 1 ms to 520 s, each bound a quarter above the one before."""
_MOST_NAMES = 200
_OTHER = "other"

Times = dict[int, int]
"""How many fell below which bound, by its place; what lies beyond the last bound is at the place after it."""


@dataclass(slots=True)
class _Model:
    requests: int = 0
    errors: int = 0
    nano_usd: int = 0
    attempts: int = 0
    first_tokens: Times = field(default_factory=dict)


@dataclass(slots=True)
class _Server:
    requests: int = 0
    errors: int = 0
    refused: int = 0
    durations: Times = field(default_factory=dict)


_Named = TypeVar("_Named", _Model, _Server)


@dataclass(slots=True)
class _Second:
    number: int = -1
    requests: int = 0
    errors: int = 0
    tokens: int = 0
    nano_usd: int = 0
    first_tokens: Times = field(default_factory=dict)
    latencies: Times = field(default_factory=dict)
    models: dict[str, _Model] = field(default_factory=dict)
    servers: dict[str, _Server] = field(default_factory=dict)
    strategies: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)


class Live:
    """One worker's last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seconds = [_Second() for _ in range(WINDOW_SECONDS)]
        self._started = clock.monotonic()

    def add(self, record: Record) -> None:
        """Count a finished request. First tokens are those of streams, from the request's arrival on."""
        second = self._now()
        failed, cost, attempts = record.status >= 400, record.total_cost or 0, record.attempts
        second.requests += 1
        second.errors += failed
        second.nano_usd += cost
        if record.usage is not None:
            second.tokens += record.usage.total_tokens
        _count(second.latencies, bisect_left(_BOUNDS, record.latency_ms))
        group = record.group
        if group is not None:
            model = _kept(second.models, group, _Model)
            model.requests += 1
            model.errors += failed
            model.nano_usd += cost
            model.attempts += len(attempts)
            if record.stream and attempts and (first := attempts[-1].first_byte_ms) is not None:
                place = bisect_left(_BOUNDS, attempts[-1].started_ms + first)
                _count(second.first_tokens, place)
                _count(model.first_tokens, place)
        if record.decision is not None:
            _count(second.strategies, record.decision.strategy)
        if record.stage is not None:
            _count(second.refused, record.stage)

    def add_call(self, server: str, outcome: str, milliseconds: float | None) -> None:
        """Count a call of a tool or agent that is over; `milliseconds` is what it took when its server was asked."""
        told = _kept(self._now().servers, server, _Server)
        told.requests += 1
        told.refused += outcome == "refused"
        told.errors += outcome not in ("ok", "refused")
        if milliseconds is not None:
            _count(told.durations, bisect_left(_BOUNDS, milliseconds))

    def _now(self) -> _Second:
        number = int(self._clock.monotonic())
        second = self._seconds[number % WINDOW_SECONDS]
        if second.number != number:
            second = self._seconds[number % WINDOW_SECONDS] = _Second(number)
        return second

    def figures(self) -> dict[str, Any]:
        """The last minute as sums, ready to be added to those of other workers (plain JSON data)."""
        now = int(self._clock.monotonic())
        seconds = [second for second in self._seconds if now - WINDOW_SECONDS < second.number <= now]
        by_age = {now - second.number: second.requests for second in seconds}
        return {
            "seconds": min(WINDOW_SECONDS, max(1, int(self._clock.monotonic() - self._started))),
            "requests": sum(second.requests for second in seconds),
            "errors": sum(second.errors for second in seconds),
            "tokens": sum(second.tokens for second in seconds),
            "nano_usd": sum(second.nano_usd for second in seconds),
            "first_tokens": _spread(second.first_tokens for second in seconds),
            "latencies": _spread(second.latencies for second in seconds),
            "by_second": [by_age.get(age, 0) for age in reversed(range(WINDOW_SECONDS))],
            "models": {name: _model_figures(told) for name, told in _by_name(each.models for each in seconds).items()},
            "servers": {
                name: _server_figures(told) for name, told in _by_name(each.servers for each in seconds).items()
            },
            "strategies": _added(second.strategies for second in seconds),
            "refused": _added(second.refused for second in seconds),
        }


def _count(counts: dict[Any, int], key: Any) -> None:
    counts[key] = counts.get(key, 0) + 1


def _kept(named: dict[str, _Named], name: str, new: Callable[[], _Named]) -> _Named:
    """What is counted under a name, or under the one of all others when there are too many."""
    known = named.get(name)
    if known is None:
        known = named.setdefault(name if len(named) < _MOST_NAMES else _OTHER, new())
    return known


def _by_name(seconds: Iterable[Mapping[str, _Named]]) -> dict[str, list[_Named]]:
    """What each model or server did in each second; beyond the busiest, whose names clients may invent, all as one."""
    found: dict[str, list[_Named]] = {}
    for second in seconds:
        for name, told in second.items():
            found.setdefault(name, []).append(told)
    if len(found) > _MOST_NAMES:
        busiest = sorted(found, key=lambda name: -sum(told.requests for told in found[name]))
        for name in busiest[_MOST_NAMES:]:
            if name != _OTHER:
                found.setdefault(_OTHER, []).extend(found.pop(name))
    return found


def _model_figures(seconds: Sequence[_Model]) -> dict[str, Any]:
    return {
        "requests": sum(second.requests for second in seconds),
        "errors": sum(second.errors for second in seconds),
        "nano_usd": sum(second.nano_usd for second in seconds),
        "attempts": sum(second.attempts for second in seconds),
        "first_tokens": _spread(second.first_tokens for second in seconds),
    }


def _server_figures(seconds: Sequence[_Server]) -> dict[str, Any]:
    return {
        "requests": sum(second.requests for second in seconds),
        "errors": sum(second.errors for second in seconds),
        "refused": sum(second.refused for second in seconds),
        "durations": _spread(second.durations for second in seconds),
    }


def _spread(times: Iterable[Times]) -> list[int]:
    counts = [0] * (len(_BOUNDS) + 1)
    for seen in times:
        for place, count in seen.items():
            counts[place] += count
    return counts


def merged(workers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of several workers as one: rates, percentiles, models, tools. Times in milliseconds, money in USD."""
    seconds = max(int(worker["seconds"]) for worker in workers)
    requests = sum(worker["requests"] for worker in workers)
    models = {name: _merged_model(told, seconds, requests) for name, told in _of_all(workers, "models").items()}
    tools = {name: _merged_server(told, seconds) for name, told in _of_all(workers, "servers").items()}
    return {
        "window_seconds": seconds,
        "requests_per_second": round(requests / seconds, 2),
        "errors_per_second": _rate(workers, "errors", seconds),
        "tokens_per_second": _rate(workers, "tokens", seconds),
        "cost_usd_per_hour": _usd_per_hour(workers, seconds),
        "first_token_ms": _percentiles(workers, "first_tokens"),
        "latency_ms": _percentiles(workers, "latencies"),
        "by_second": _columns(workers, "by_second"),
        "models": dict(sorted(models.items(), key=lambda item: -item[1]["share"])),
        "tools": dict(sorted(tools.items(), key=lambda item: -item[1]["calls_per_second"])),
        "strategies": _added(worker["strategies"] for worker in workers),
        "refused": _added(worker["refused"] for worker in workers),
    }


def _of_all(workers: Sequence[Mapping[str, Any]], what: str) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for worker in workers:
        for name, figures in worker[what].items():
            found.setdefault(name, []).append(figures)
    return found


def _merged_server(told: Sequence[Mapping[str, Any]], seconds: int) -> dict[str, Any]:
    return {
        "calls_per_second": _rate(told, "requests", seconds),
        "errors": sum(each["errors"] for each in told),
        "refused": sum(each["refused"] for each in told),
        "duration_ms": _percentiles(told, "durations"),
    }


def _merged_model(told: Sequence[Mapping[str, Any]], seconds: int, requests: int) -> dict[str, Any]:
    return {
        "requests_per_second": _rate(told, "requests", seconds),
        "share": round(sum(each["requests"] for each in told) / max(1, requests), 4),
        "errors": sum(each["errors"] for each in told),
        "attempts": sum(each["attempts"] for each in told),
        "first_token_ms": _percentiles(told, "first_tokens"),
        "cost_usd_per_hour": _usd_per_hour(told, seconds),
    }


def _rate(told: Sequence[Mapping[str, Any]], name: str, seconds: int) -> float:
    return float(round(sum(each[name] for each in told) / seconds, 2))


def _usd_per_hour(told: Sequence[Mapping[str, Any]], seconds: int) -> float:
    return float(sum(each["nano_usd"] for each in told) / 1e9 * 3600 / seconds)


def _columns(told: Sequence[Mapping[str, Any]], name: str) -> list[int]:
    return [sum(counts) for counts in zip(*(each[name] for each in told), strict=True)]


def _percentiles(told: Sequence[Mapping[str, Any]], name: str) -> dict[str, float | None]:
    counts = _columns(told, name)
    return {"p50": _quantile(counts, 0.5), "p95": _quantile(counts, 0.95)}


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
