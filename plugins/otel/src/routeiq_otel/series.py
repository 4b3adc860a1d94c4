"""Sums and histograms by attributes: what requests add to and exports read. Not thread-safe.

Which metrics there are is in `instruments`; their bytes are made in `metric_encoding`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from routeiq_otel.attributes import HISTOGRAM_POINT, POINT, Value, attributes

Exemplar = tuple[str, str, int]
"""Trace id, span id, Unix time in nanoseconds."""
OVERFLOW: Mapping[str, Value] = {"otel.metric.overflow": True}


class Sum:
    """One number that grows, for one set of attributes."""

    __slots__ = ("attributes", "value")

    def __init__(self, encoded: bytes) -> None:
        self.attributes = encoded
        self.value: float = 0

    def add(self, value: float) -> None:
        """Add."""
        self.value += value

    @property
    def used(self) -> bool:
        """Whether anything was added since the last reset."""
        return self.value != 0

    def reset(self) -> None:
        """Begin anew."""
        self.value = 0


class Histogram:
    """How often a value fell between bounds, for one set of attributes. An exemplar a bucket: the newest."""

    __slots__ = ("attributes", "bounds", "counts", "exemplars", "sum")

    def __init__(self, encoded: bytes, bounds: Sequence[float]) -> None:
        self.attributes = encoded
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.exemplars: dict[int, tuple[float, Exemplar]] = {}

    def add(self, value: float, exemplar: Exemplar | None = None) -> None:
        """Count a value."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.sum += value
        if exemplar is not None:
            self.exemplars[bucket] = (value, exemplar)

    @property
    def used(self) -> bool:
        """Whether anything was added since the last reset."""
        return any(self.counts)

    def reset(self) -> None:
        """Begin anew."""
        self.counts = [0] * len(self.counts)
        self.sum = 0.0


Series = TypeVar("Series", Sum, Histogram)


class _Metric(ABC, Generic[Series]):
    """Series by attributes, at most `most` and one for all others."""

    def __init__(self, name: str, unit: str, description: str, *, most: int) -> None:
        self.name, self.unit, self.description = name, unit, description
        self._most = most
        self._series: dict[tuple[Value | None, ...], Series] = {}

    def of(self, told: Mapping[str, Value | None]) -> Series:
        """The series for these attributes."""
        key = tuple(told.values())
        known = self._series.get(key)
        if known is None:
            if len(self._series) >= self._most:
                told, key = OVERFLOW, ()
            known = self._series.setdefault(key, self._new(told))
        return known

    def used(self) -> list[Series]:
        """The series that anything was added to."""
        return [series for series in self._series.values() if series.used]

    @abstractmethod
    def _new(self, told: Mapping[str, Value | None]) -> Series: ...


class Sums(_Metric[Sum]):
    """A counter: its sums by attributes."""

    def _new(self, told: Mapping[str, Value | None]) -> Sum:
        return Sum(attributes(told, POINT))


class Histograms(_Metric[Histogram]):
    """A histogram by attributes."""

    def __init__(self, name: str, unit: str, description: str, bounds: Sequence[float], *, most: int) -> None:
        super().__init__(name, unit, description, most=most)
        self._bounds = tuple(bounds)

    def _new(self, told: Mapping[str, Value | None]) -> Histogram:
        return Histogram(attributes(told, HISTOGRAM_POINT), self._bounds)
