"""Metrics as OTLP's bytes. Runs once an interval, so plainness goes before speed.

Source: opentelemetry/proto/metrics/v1/metrics.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from routeiq_otel.attributes import POINT, Value, attributes
from routeiq_otel.protobuf import block, double, fixed64, integer, packed_doubles, packed_fixed64, text
from routeiq_otel.series import Histogram, Histograms, Sums

DELTA, CUMULATIVE = 1, 2
_METRICS = 2  # ScopeMetrics.metrics
Point = tuple[Mapping[str, Value | None], float]


def sums(metric: Sums, start: int, now: int, temporality: int) -> bytes:
    """A counter; nothing when nothing was counted."""
    points = [_point(each.attributes, each.value, start, now) for each in metric.used()]
    return counter(metric.name, metric.unit, metric.description, points, temporality)


def counter(name: str, unit: str, description: str, points: Iterable[bytes], temporality: int) -> bytes:
    """A counter of these points."""
    return _metric(name, unit, description, 7, points, integer(2, temporality) + integer(3, True))


def gauge(name: str, unit: str, description: str, points: Iterable[bytes]) -> bytes:
    """A gauge of these points."""
    return _metric(name, unit, description, 5, points)


def level(name: str, unit: str, description: str, points: Iterable[bytes]) -> bytes:
    """A sum that rises and falls, over processes that may be added up."""
    return _metric(name, unit, description, 7, points, integer(2, CUMULATIVE))


def histograms(metric: Histograms, start: int, now: int, temporality: int) -> bytes:
    """A histogram; nothing when nothing was counted."""
    points = [_histogram_point(each, start, now) for each in metric.used()]
    return _metric(metric.name, metric.unit, metric.description, 9, points, integer(2, temporality))


def point(told: Mapping[str, Value | None], value: float, start: int, now: int) -> bytes:
    """A number for these attributes."""
    return _point(attributes(told, POINT), value, start, now)


def _point(encoded: bytes, value: float, start: int, now: int) -> bytes:
    number = fixed64(6, value) if isinstance(value, int) and value >= 0 else double(4, value)
    return encoded + fixed64(2, start) + fixed64(3, now) + number


def _histogram_point(series: Histogram, start: int, now: int) -> bytes:
    parts = [
        series.attributes,
        fixed64(2, start),
        fixed64(3, now),
        fixed64(4, sum(series.counts)),
        double(5, series.sum),
        packed_fixed64(6, series.counts),
        packed_doubles(7, series.bounds),
    ]
    for value, (trace_id, span_id, at) in series.exemplars.values():
        ids = block(4, bytes.fromhex(span_id)) + block(5, bytes.fromhex(trace_id))
        parts.append(block(8, fixed64(2, at) + double(3, value) + ids))
    return b"".join(parts)


def _metric(name: str, unit: str, description: str, kind: int, points: Iterable[bytes], how: bytes = b"") -> bytes:
    """A metric of these points, `how` being the fields that say how to read them; nothing without points."""
    body = b"".join(block(1, each) for each in points)
    described = text(1, name) + text(2, description) + text(3, unit)
    return block(_METRICS, described + block(kind, body + how)) if body else b""
